"""Every defect is refused or set aside as a careful person would, named with row and column, in words of both languages."""

from pathlib import Path

import pytest
from defects import DEFECTS, Defect, answered, page, told_of

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("defect", DEFECTS, ids=[f"{defect.group}: {defect.what}" for defect in DEFECTS])
def test_a_defect_is_met_as_a_careful_person_would(defect: Defect) -> None:
    report = answered(defect)
    told = told_of(defect, report)
    assert (report.status == "refused", tuple(sorted({f.rule for f in told}))) == (defect.is_refused, defect.rules), (
        told
    )
    assert next(((f.row, f.column) for f in told if f.row is not None), None) == defect.where
    parts = report.rows_loaded + report.rows_duplicate + report.rows_superseded + report.rows_quarantined
    assert report.rows_in == parts
    assert all(finding.da and finding.en and finding.da != finding.en for finding in told)


def test_the_page_for_those_who_load_says_what_the_loader_says() -> None:
    assert (DOCS / "fejl-i-leverancer.md").read_text("utf-8") == page()
