"""The views that were asked for last, drawn once per release: a meeting of twenty opens the same pages."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """So many answers at most; the one that was not asked for longest is forgotten first. Threads may share it."""

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._answers: OrderedDict[Hashable, T] = OrderedDict()

    def recall(self, question: Hashable, find: Callable[[], T]) -> T:
        """Return the answer that is known, or else find it; what raises is not remembered."""
        with self._lock:
            if question in self._answers:
                self._answers.move_to_end(question)
                return self._answers[question]
        answer = find()  # two threads may both find it; they find the same
        with self._lock:
            self._answers[question] = answer
            while len(self._answers) > self._size:
                self._answers.popitem(last=False)
        return answer

    def forget(self, question: Hashable) -> None:
        """Forget the answer, if there is one."""
        with self._lock:
            self._answers.pop(question, None)
