"""What was drawn is drawn once, and forgotten in the order in which it was asked for last."""

import pytest

from dashboard import view
from dashboard.memory import Memory
from dashboard.running.warmth import warm


def test_an_answer_is_found_once_and_the_oldest_is_forgotten() -> None:
    memory: Memory[str] = Memory(2)
    found: list[str] = []

    def recall(question: str) -> str:
        return memory.recall(question, lambda: found.append(question) or question.upper())

    assert [recall(question) for question in "abab"] == ["A", "B", "A", "B"]
    assert found == ["a", "b"]
    recall("a")
    recall("c")  # b was asked for longest ago
    assert [recall(question) for question in "acb"] == ["A", "C", "B"]
    assert found == ["a", "b", "c", "b"]
    memory.forget("b")
    recall("b")
    assert found[-1] == "b" and len(found) == 5


def test_what_raises_is_not_remembered() -> None:
    memory: Memory[int] = Memory(2)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            memory.recall("x", lambda: 1 // 0)
    assert memory.recall("x", lambda: 1) == 1


def test_a_view_is_drawn_once_a_release_and_trouble_every_time(country_data, monkeypatch) -> None:
    asked: list[str] = []
    show = view.show
    monkeypatch.setattr(view, "show", lambda data, path, query: asked.append(path) or show(data, path, query))
    first, second = (view.draw(country_data, "/k/morsoe", "visning=tabel&sprog=en") for _ in range(2))
    assert first is second and asked == ["/k/morsoe"]
    monkeypatch.setitem(view.PAGE_FUNCTIONS, "about", lambda *_: 1 // 0)
    for _ in range(2):
        assert view.draw(country_data, "/om", "omraade=k-morsoe&sprog=en").address == ""  # drawn by no other test
    assert asked == ["/k/morsoe", "/om", "/om"]


def test_counting_ahead_counts_what_the_pages_ask_for(country) -> None:
    warm(country)
