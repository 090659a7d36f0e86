"""Diagnoses that several indicators count: which groups can be added without counting one twice."""

from collections.abc import Sequence
from typing import NamedTuple

from kpis.reference import DiagnosisGroup, shared_prefixes


class Disjoint(NamedTuple):
    """Groups that share no diagnosis, and those left out because they share some but not all of theirs."""

    kept: tuple[str, ...]
    partly_covered: tuple[str, ...]


def disjoint_groups(groups: Sequence[DiagnosisGroup]) -> Disjoint:
    """The groups without those that others cover: their counts can be added without counting a diagnosis twice.

    A group whose diagnoses all lie in another is left out (COPD in lower respiratory disease). Of two that overlap in
    part the later one is left out and named: a sum over the kept ones is then a lower bound. Give the largest first.
    """
    kept: list[DiagnosisGroup] = []
    partly: list[str] = []
    whole = [
        group
        for place, group in enumerate(groups)
        if not any(
            _covers(other, group) and not (_covers(group, other) and place < other_place)
            for other_place, other in enumerate(groups)
            if other is not group
        )
    ]
    for group in whole:
        if any(shared_prefixes(group, other) for other in kept):
            partly.append(group.group_id)
        else:
            kept.append(group)
    return Disjoint(tuple(group.group_id for group in kept), tuple(partly))


def _covers(wide: DiagnosisGroup, narrow: DiagnosisGroup) -> bool:
    """Whether every diagnosis of `narrow` is in `wide`."""
    is_inside = all(
        prefix.startswith(wide.prefixes) and not prefix.startswith(wide.excluded_prefixes) for prefix in narrow.prefixes
    )
    holes = [hole for hole in wide.excluded_prefixes if hole.startswith(narrow.prefixes)]
    return is_inside and all(hole.startswith(narrow.excluded_prefixes) for hole in holes)
