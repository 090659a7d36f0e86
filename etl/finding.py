"""What a loader tells: findings about rows and files, and the refusal of a whole file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something worth telling whoever delivered: where, what rule, and a text that never shows a person."""

    row: int | None
    column: str | None
    rule: str
    message: str


class Refused(Exception):
    """A file that cannot be taken in; carries the one finding that says why."""

    def __init__(self, rule: str, message: str, row: int | None = None, column: str | None = None):
        super().__init__(message)
        self.finding = Finding(row, column, rule, message)
