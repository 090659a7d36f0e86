"""Which SQL, code and rules of a release stand behind an indicator, read from what its manifest keeps."""

import re
from collections.abc import Mapping
from typing import Any

from kpis.indicator import Indicator

_TARGETS = {
    "cube": "true_cube",
    "municipality_month": "true_municipality_month",
    "population": "out_population",
    "welfare": "out_welfare",
    "goal": "out_goal",
}
"""Table of a measure → the table that the SQL ends in; protection and publication follow in code."""
_CREATED = re.compile(r"create (?:or replace )?(?:temp(?:orary)? )?(?:table|view|macro) (\w+)|insert into (\w+)")
_END = re.compile(r";[ \t]*\n")
_COMMENT = re.compile(r"--[^\n]*")
_RULE = re.compile(r"\b([A-Z])\d+\b")
_ALWAYS = {"V", "D"}  # provisional months and refused files concern every figure


def statements_behind(sql: Mapping[str, str], *indicators: Indicator) -> dict[str, str]:
    """The parts of a manifest's SQL files, in their order, that the counts of indicators need: name → text.

    Found from the end: the statements that make the table of a measure, and those that make a table these mention.
    """
    statements = [(name, text) for name, whole in sql.items() for text in _END.split(whole) if text.strip()]
    makes = [{found[1] or found[2] for found in _CREATED.finditer(_bare(text))} for _, text in statements]
    mentions = [set(re.findall(r"\w+", _bare(text))) for _, text in statements]
    tables = {_TARGETS[measure.table] for indicator in indicators for measure in indicator.measures}
    wanted: set[int] = set()
    while new := {at for at, made in enumerate(makes) if made & tables} - wanted:
        wanted |= new
        tables = set().union(*(mentions[at] for at in new))
    parts: dict[str, list[str]] = {}
    for at in sorted(wanted):
        name, text = statements[at]
        parts.setdefault(name, []).append(text.strip() + ";")
    return {name: "\n\n".join(texts) for name, texts in parts.items()}


def code_behind(code: Mapping[str, str], *indicators: Indicator) -> dict[str, str]:
    """The modules of a manifest that make contacts into counts: file → text; none where none is counted."""
    measures = [measure for indicator in indicators for measure in indicator.measures]
    is_counted = any("lpr_contacts" in measure.deliveries for measure in measures)
    return dict(code) if is_counted else {}


def _bare(statement: str) -> str:
    """A statement without its comments, which may name anything."""
    return _COMMENT.sub("", statement)


def rules_behind(
    rules: Mapping[str, Mapping[str, Any]], statements: Mapping[str, str], indicator: Indicator
) -> dict[str, Mapping[str, Any]]:
    """The rules of a manifest that shape the counts of an indicator: those of the families that its SQL and code cite.

    Contacts and stays (C, S) concern only what hospitals report, readmission (R) only what is counted by following a
    discharge, timeliness (T) only what is counted by it: one statement may make many measures.
    """
    families = {found[1] for text in statements.values() for found in _RULE.finditer(text)} | _ALWAYS
    if not any(measure.is_followed and measure.table == "cube" for measure in indicator.measures):
        families -= {"R"}
    if not any("lpr_contacts" in measure.deliveries for measure in indicator.measures):
        families -= {"C", "S"}
    if any("timely" in measure.name for measure in indicator.measures):
        families |= {"T"}
    return {name: rule for name, rule in rules.items() if name[0] in families}
