"""A short run of the calibration; the full table and how to make it anew stand in docs/calibration.md."""

from pathlib import Path

import numpy as np
import pytest

from tests.kpis import calibration

COUNTRIES = 3


@pytest.fixture(scope="module")
def rows():
    return list(calibration.table(COUNTRIES))


def test_every_promise_is_kept_as_far_as_three_countries_can_tell(rows) -> None:
    """Within three standard errors; areas of one country share its season and its clustering, hence the factor."""
    broken = [row for row in rows if not row.least - _doubt(row) <= row.found <= row.most + _doubt(row)]
    assert broken == []


def _doubt(row: calibration.Row) -> float:
    usual = min(max(row.most, 1.0), 95.0)
    return 3 * 1.5 * np.sqrt(usual * (100 - usual) / row.n)


def test_without_clustering_and_rounding_the_promise_would_be_broken(rows) -> None:
    (without,) = (row for row in rows if row.what.startswith("the same"))
    (with_them,) = (row for row in rows if row.what == "crude rate, municipality, covers the truth")
    assert without.found < with_them.found - 1.5


def test_the_published_table_has_the_same_lines(rows) -> None:
    page = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text("utf-8")
    assert [row.what for row in rows if f"| {row.what} |" not in page] == []
    assert "not kept" not in page
