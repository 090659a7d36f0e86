"""The figures of an effect draw what they are given; the inputs are a handful of numbers."""

import re
from datetime import date

import polars as pl
import pytest

from dashboard.figures.counterfactual import counterfactual
from dashboard.figures.forest import Finding, forest, signed
from dashboard.figures.placebos import placebos
from dashboard.figures.svg import NARROW, WIDE
from dashboard.words import load_words
from kpis.period import add_months

WORDS = load_words("da")
FIRST = date(2024, 1, 1)


def months(observed: list[float], start: int, judged: int, first: date = FIRST) -> pl.DataFrame:
    rows = [
        {
            "month": add_months(first, at),
            "observed": value,
            "expected": 50.0 if at < judged else None,
            "lower": 45.0 if start <= at < judged else None,
            "upper": 55.0 if start <= at < judged else None,
            "is_provisional": at >= judged,
        }
        for at, value in enumerate(observed)
    ]
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(("expected", "lower", "upper"), pl.Float64))


def points(svg: str, cls: str) -> list[list[str]]:
    return [found.split() for found in re.findall(rf'class="{cls}" points="([^"]+)"', svg)]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_band_begins_at_the_start_and_ends_with_what_is_judged(width) -> None:
    svg = counterfactual(months([50.0, 60.0, 40.0, 40.0, 30.0], 2, 4), add_months(FIRST, 2), 0, "Ord", WORDS, width)
    ((*band,),) = points(svg, "d-expected-band")
    assert len(band) == 2 * 2  # two months, above and below
    assert [len(path) for path in points(svg, "d-expected")] == [4]
    assert [len(path) for path in points(svg, "d-tail")] == [2]  # from the last sure month to the provisional one
    assert svg.count('class="d-hollow"') == 1 and svg.count('class="d-start"') == 1
    assert "start marts 2024" in svg


def test_no_line_crosses_a_break() -> None:
    svg = counterfactual(months([50.0] * 6, 5, 6, date(2018, 12, 1)), date(2019, 5, 1), 0, "Ord", WORDS)
    assert [len(path) for path in points(svg, "d-expected")] == [3, 3]
    assert [len(path) for path in points(svg, "d-line")] == [3, 3]
    assert "d-break-large" in svg


def test_what_is_observed_is_drawn_where_there_is_nothing_to_hold_it_against() -> None:
    svg = counterfactual(months([50.0, 60.0], 9, 0), add_months(FIRST, 1), 0, "Ord", WORDS)
    assert "d-expected" not in svg and WORDS("effect.line_expected") not in svg


FINDINGS = [
    Finding("Naiv", -16.0, -19.0, -13.0, "−16 %", is_naive=True),
    Finding("Valgt", -8.0, -13.0, -3.0, "−8 %", is_strong=True),
    Finding("Afvist", None, None, None, "afvist"),
]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_forest_puts_the_naive_last_and_no_change_inside(width) -> None:
    svg = forest(FINDINGS, -10.0, "Ændring", "Ord", WORDS, width)
    assert svg.index(">Valgt<") < svg.index(">Afvist<") < svg.index(">Naiv<")
    assert svg.count("d-finding-naive-mark") == svg.count("d-finding-own-mark") == 1
    (zero,) = set(re.findall(r'<line class="d-base" x1="([\d.]+)"', svg))
    right = max(float(x) for x in re.findall(r'<line class="d-axis" x1="([\d.]+)"', svg))
    assert float(zero) < right
    assert svg.count('class="d-across"') == len(FINDINGS)


def test_names_cannot_break_out_of_a_forest() -> None:
    svg = forest([Finding("<b>", 1.0, 0.0, 2.0, "<i>")], None, "Ændring", "Ord", WORDS)
    assert "<b>" not in svg and "<i>" not in svg and "&lt;b&gt;" in svg


def test_placebos_that_are_alike_are_piled_up() -> None:
    svg = placebos([0.0, 0.0, 0.0, 9.0], -12.0, (-8.0, 8.0), "Ændring", "Ord", WORDS)
    dots = [(x, float(y)) for x, y in re.findall(r'class="d-at-others" cx="([\d.]+)" cy="([\d.]+)"', svg)]
    pile = [y for x, y in dots if x == dots[0][0]]
    assert len(dots) == 4 and len(pile) == 3
    assert pile == sorted(pile, reverse=True) and len(set(pile)) == 3
    assert "indsatsen: −12,0 %" in svg


@pytest.mark.parametrize(("value", "digits", "text"), [(-8.04, 1, "−8,0"), (0.04, 1, "0,0"), (3.0, 0, "+3")])
def test_changes_are_written_with_their_sign(value, digits, text) -> None:
    assert signed(value, digits, WORDS) == text
