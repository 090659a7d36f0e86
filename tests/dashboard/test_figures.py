"""Figures draw what they are given. The inputs are a handful of rows, the answers are read off by hand."""

import re
from datetime import date

import polars as pl
import pytest

from dashboard.figures import caterpillar as module
from dashboard.figures.caterpillar import caterpillar, has_cut_intervals
from dashboard.figures.denmark import Shade, outline_map, tile_map
from dashboard.figures.funnel import funnel
from dashboard.figures.rows import Mark, rows
from dashboard.figures.sparkline import sparkline
from dashboard.figures.strip import Benchmarks, strip
from dashboard.figures.svg import NARROW, WIDE
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
    against = Benchmarks(15.0)
    chosen = {"own": "0860", "group": ("0851", "0860"), "against": against, "better": "lower"} | changes
    return strip(PEERS, digits=0, label="Det samme i ord", words=WORDS, **chosen)


def test_a_strip_has_one_mark_for_every_area_with_a_value() -> None:
    svg = drawn()
    assert svg.count("<rect") == 3
    assert svg.count('class="d-group"') == 2
    assert svg.count('class="d-own"') == svg.count('class="d-country"') == 1


def test_the_own_mark_lies_where_its_value_lies() -> None:
    """From 10 at the left end (6) to 30 at the right one (244), 20 lies in the middle."""
    assert 'cx="125.0"' in drawn()


def test_a_strip_reaches_as_far_as_what_its_areas_are_held_against() -> None:
    svg = drawn(against=Benchmarks(15.0, best_fifth=5.0, goal=8.0))
    assert "5 ← bedre" in svg
    assert "Bedste femtedel: 5" in svg and "Mål: 8" in svg
    assert svg.count('class="d-best"') == svg.count('class="d-goal-mark"') == 1
    assert "d-best" not in drawn() and "d-goal-mark" not in drawn()


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
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_many_areas_stand_side_by_side_and_few_get_names(n_areas: int, half: float | None, width: int) -> None:
    rows = [area(f"{place:04}", float(100 - place), half) for place in range(n_areas)] + [area("none", None)]
    svg = caterpillar(
        pl.DataFrame(rows), "0003", ("0003", "0004"), ("Hele landet", 50.0), "pr. 1.000", 0, "i ord", WORDS, width
    )
    marks = {kind: svg.count(f'class="d-at-{kind}"') for kind in ("own", "group", "others")}
    assert marks == {"own": 1, "group": 1, "others": n_areas - 2}
    spans = sum(svg.count(f'class="d-span-{kind}"') for kind in marks)
    assert spans == (n_areas if half else 0)
    named = sum(f">Område &lt;{place:04}&gt;</text>" in svg for place in range(n_areas))
    assert named == (n_areas if n_areas <= module.NAMED_UP_TO else 1), "of many only the own area is named"
    assert "Hele landet" in svg


def test_the_marks_of_a_caterpillar_rise_with_their_values() -> None:
    rows = [area(f"{place:04}", float(place**2)) for place in range(40)]
    svg = caterpillar(pl.DataFrame(rows), None, (), None, "", 0, "i ord", WORDS)
    heights = [float(y) for y in re.findall(r'class="d-at-others" cx="[^"]*" cy="([^"]*)"', svg)]
    assert len(heights) == 40 and heights == sorted(heights, reverse=True)


def test_an_interval_that_the_axis_does_not_hold_ends_in_an_arrow() -> None:
    for widest, arrows in ((2.0, 0), (500.0, 1)):
        rows = [area(f"{place:04}", 50.0 + place, 2.0) for place in range(98)] + [area("wide", 60.0, widest)]
        svg = caterpillar(pl.DataFrame(rows), None, (), None, "", 0, "i ord", WORDS)
        assert svg.count('class="d-beyond"') == arrows
        assert has_cut_intervals(pl.DataFrame(rows), None) == bool(arrows), "the legend says what the arrow means"


@pytest.mark.parametrize(("told", "drop"), [("150 (0–300)", 0.0), ("11.600 (11.000–12.300)", 16.0)])
def test_a_value_that_has_no_room_beside_its_name_stands_under_it_on_a_narrow_drawing(told: str, drop: float) -> None:
    name = "Tilsammen, hver diagnose talt én gang"
    svg = rows([Mark(name, 5.0, 4.0, 6.0, None, told)], "", "i ord", WORDS, NARROW)
    at = {words: float(y) for y, words in re.findall(r'<text [^>]*y="([^"]*)"[^>]*>([^<]*)</text>', svg)}
    assert at[told] - at[name] == drop


def in_funnel(code: str, size: float, value: float) -> dict:
    return {
        "area_code": code,
        "area_name": f"Område {code}",
        "size": size,
        "value": value,
        "reference": 50.0,
        "lower_95": 40.0,
        "upper_95": 60.0,
        "lower_998": 30.0,
        "upper_998": 70.0,
    }


def test_a_funnel_names_the_own_area_and_those_beyond_its_outer_lines() -> None:
    rows = [in_funnel("0101", 5_000, 75.0), in_funnel("0860", 500, 52.0), in_funnel("0825", 50, 65.0)]
    svg = funnel(pl.DataFrame(rows), "0860", ("0825",), "Hele landet", "ventet", "pr. 1.000", 0, "i ord", WORDS)
    assert "Område 0101</text>" in svg and "Område 0860</text>" in svg
    assert "Område 0825</text>" not in svg, "beyond the inner lines only"
    assert [svg.count(f'class="d-at-{kind}"') for kind in ("own", "group", "others")] == [1, 1, 1]


@pytest.mark.parametrize("draw", [outline_map, tile_map])
def test_a_map_shades_only_what_can_be_told_apart(draw) -> None:
    shades = {
        "0860": Shade("hatched", "", "Hjørring: 45, som ventet", is_own=True),
        "0101": Shade("bad_strong", "−−", "København: 70, klart dårligere"),
        "0825": Shade("blank", "", "Læsø: ikke vurderet"),
    }
    svg = draw(shades, "i ord")
    assert svg.count("<title>") == 3
    assert svg.count("url(#") == 1, "one is hatched"
    assert svg.count(">−−</text>") == 1, "the icon says what the colour says"
    assert "København: 70, klart dårligere" in svg and "d-map-own" in svg


def test_every_municipality_is_on_both_maps(country) -> None:
    from kpis.area import areas

    shades = {one.code: Shade("blank", "", one.name) for one in areas(country, "municipality", "2024")}
    for draw in (outline_map, tile_map):
        assert draw(shades, "i ord").count("<title>") == 98
