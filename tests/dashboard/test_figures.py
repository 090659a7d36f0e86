"""Figures draw what they are given. The inputs are a handful of rows, the answers are read off by hand."""

import re
from datetime import date

import plotly.graph_objects as go
import polars as pl
import pytest

from dashboard.figures import caterpillar as module
from dashboard.figures.caterpillar import caterpillar
from dashboard.figures.sparkline import sparkline
from dashboard.figures.strip import Scale, strip
from dashboard.words import load_words
from kpis.period import add_months

WORDS = load_words("da")


def area(code: str, value: float | None, half: float | None = 2.0) -> dict:
    known = value is not None and half is not None
    return {
        "area_code": code,
        "area_name": f"Område <{code}>",
        "value": value,
        "lower": value - half if known else None,
        "upper": value + half if known else None,
    }


PEERS = [area("0101", 10.0), area("0860", 20.0), area("0851", 30.0), area("0825", None)]


def drawn(**changes) -> str:
    chosen = {"own": "0860", "group": ("0851", "0860"), "country": 15.0, "better": "lower"} | changes
    return strip(PEERS, digits=0, label="Det samme i ord", words=WORDS, **chosen)


def test_a_strip_has_one_mark_for_every_area_with_a_value() -> None:
    svg = drawn()
    assert svg.count("<rect") == 3
    assert svg.count('class="d-group"') == 2
    assert svg.count('class="d-own"') == svg.count('class="d-country"') == 1


def test_the_own_mark_lies_where_its_value_lies() -> None:
    place = Scale(10.0, 30.0)
    assert f'cx="{place(20.0):.1f}"' in drawn()
    assert place(10.0) < place(20.0) < place(30.0)
    assert place(1_000.0) == place(30.0), "an interval may reach out, the drawing may not"


def test_a_strip_says_which_end_is_good_or_nothing() -> None:
    assert "10 ← bedre" in drawn(better="lower")
    assert "bedre → 30" in drawn(better="higher")
    assert "bedre" not in drawn(better="neither")


def test_names_cannot_break_out_of_a_drawing() -> None:
    svg = drawn()
    assert "Område &lt;0860&gt;" in svg
    assert "<0860>" not in svg


def months(
    values: list[float | None], first: date, provisional: int = 0, signals: dict[int, str] | None = None
) -> pl.DataFrame:
    rows = [
        {
            "month": add_months(first, place),
            "value": value,
            "adjusted": value,
            "is_provisional": place >= len(values) - provisional,
            "centre": 10.0,
            "lower_limit": 5.0,
            "upper_limit": 15.0,
            "signal": (signals or {}).get(place, "none"),
        }
        for place, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema_overrides={"value": pl.Float64, "adjusted": pl.Float64})


def lines(svg: str, cls: str) -> list[int]:
    """Number of points of each line of a class."""
    return [len(points.split()) for points in re.findall(rf'polyline class="{cls}" points="([^"]*)"', svg)]


def test_the_provisional_tail_is_dashed_and_hangs_on_the_line() -> None:
    svg = sparkline(months([9.0, 10.0, 11.0, 12.0, 8.0], date(2024, 1, 1), provisional=2), "ord", WORDS)
    assert lines(svg, "d-line") == [3]
    assert lines(svg, "d-tail") == [3], "the last sure month and two provisional ones"


def test_a_missing_month_interrupts_the_line() -> None:
    svg = sparkline(months([9.0, 10.0, None, 12.0, 8.0], date(2024, 1, 1)), "ord", WORDS)
    assert lines(svg, "d-line") == [2, 2]


def test_no_line_is_drawn_across_a_break() -> None:
    svg = sparkline(months([9.0] * 4, date(2026, 11, 1)), "ord", WORDS)  # the reform of January 2027 lies in the middle
    assert lines(svg, "d-line") == [2, 2]
    assert svg.count('class="d-break"') == 1


def test_signals_are_marked_by_what_they_mean() -> None:
    svg = sparkline(months([9.0] * 4, date(2024, 1, 1), signals={1: "concern", 2: "improvement"}), "ord", WORDS)
    assert svg.count('class="d-signal"') == svg.count('class="d-signal-good"') == 1


@pytest.mark.parametrize("n_areas", [5, module.NAMED_UP_TO, module.NAMED_UP_TO + 1, 98])
@pytest.mark.parametrize("half", [2.0, None])
def test_many_areas_stand_side_by_side_and_few_get_names(n_areas: int, half: float | None) -> None:
    rows = [area(f"{place:04}", float(100 - place), half) for place in range(n_areas)] + [area("none", None)]
    figure = caterpillar(pl.DataFrame(rows), "0003", ("0003", "0004"), ("Hele landet", 50.0), "pr. 1.000", 0, WORDS)
    go.Figure(figure)
    is_list = n_areas <= module.NAMED_UP_TO
    values = [value for trace in figure["data"] for value in trace["x" if is_list else "y"]]
    assert sorted(values) == sorted(row["value"] for row in rows if row["value"] is not None)
    by_kind = {trace["uid"]: len(trace["customdata"]) for trace in figure["data"]}
    assert by_kind == {"others": n_areas - 2, "group": 1, "own": 1}
    assert ("ticktext" in figure["layout"]["yaxis"]) is is_list
    assert figure["layout"]["separators"] == ",."
