"""The rules between a delivered row and a published number, read from `rules.toml`."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from etl.words import Problem

_WORDS = {"da", "en", "source"}


class RulesProblem(Problem):
    """`rules.toml` asks for what cannot be done; the text says which rule, what was found and what is allowed."""


@cache
def load_rules() -> dict[str, dict[str, Any]]:
    """Rule id → its entry: texts `da` and `en`, `source`, and the values it sets."""
    return tomllib.loads((Path(__file__).parent / "rules.toml").read_text(encoding="utf-8"))


@cache
def rule_values() -> dict[str, Any]:
    """Every value that a rule sets, by its name; names are unique across rules."""
    values: dict[str, Any] = {}
    for rule_id, entry in load_rules().items():
        for name, value in entry.items():
            if name not in _WORDS:
                if name in values:
                    raise ValueError(f"rules.toml: {rule_id}: {name} is already set by another rule")
                values[name] = value
    return values
