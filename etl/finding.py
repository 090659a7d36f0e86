"""What a loader tells: findings about rows and files, and the refusal of a whole file."""

from dataclasses import dataclass
from typing import Any

from etl.words import told
from kpis.indicator import Language


@dataclass(frozen=True)
class Finding:
    """Something worth telling whoever delivered: where, what rule, and a sentence that never shows a person."""

    row: int | None
    column: str | None
    rule: str
    da: str
    en: str

    @classmethod
    def of(cls, text: str, row: int | None = None, column: str | None = None, **values: Any) -> "Finding":
        """The finding that a sentence of words.toml tells; its rule is what stands before the dot of its key."""
        return cls(row, column, text.partition(".")[0], **told(text, column=column, **values))

    def in_words(self, language: Language) -> str:
        """What was found, in one language."""
        return self.da if language == "da" else self.en


class Refused(Exception):
    """A file that cannot be taken in. The first of its `findings` says why, the others what else was found in it.

    `rows_in` is None where the rows were not counted.
    """

    def __init__(self, text: str, row: int | None = None, column: str | None = None, **values: Any):
        finding = Finding.of(text, row, column, **values)
        super().__init__(finding.en)
        self.findings = [finding]
        self.rows_in: int | None = None
