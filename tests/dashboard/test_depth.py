"""Dybde: one indicator of one area; every figure, its sentence, its table and its file say the same."""

import io
import re
from datetime import date

import polars as pl
import pytest
from dash import html

from dashboard import readings
from dashboard.components.verdict import SILENT, verdict_text
from dashboard.figures.process import Flag, GoalPath, process
from dashboard.figures.rows import Mark, rows
from dashboard.figures.scale import ticks
from dashboard.figures.svg import NARROW, WIDE
from dashboard.selection import COUNTRY, AreaRef, Selection, catalogue
from dashboard.words import load_words
from kpis.area import levels
from kpis.evaluate import Query, evaluate
from kpis.expectation import expectations
from kpis.indicator import LANGUAGES, load_indicators
from kpis.period import add_months
from tests.dashboard.conftest import figure, shown, table_rows, text_of, walk
from tests.helpers import build_release

HEADLINE = next(item.id for item in load_indicators().values() if item.headline)
HJOERRING = AreaRef("municipality", "hjoerring")
WORDS = load_words("da")


def address(indicator: str = HEADLINE, area: AreaRef = HJOERRING, **choices) -> str:
    return Selection(page="depth", indicator=indicator, area=area, **choices).to_url()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("indicator", load_indicators())
def test_every_indicator_of_a_municipality_and_of_the_country_has_depth(country_data, indicator, lang) -> None:
    for area in (HJOERRING, COUNTRY):
        view = shown(country_data, address(indicator, area, lang=lang))
        assert len([part for part in walk(view.content) if isinstance(part, html.H1)]) == 1
        assert view.lang == lang


@pytest.mark.parametrize(("map_id", "level"), [(m, level) for m in ("2024", "2027") for level in levels(m)])
def test_every_level_has_depth(country, country_data, map_id, level) -> None:
    area = catalogue(country).areas[map_id, level][0]
    ref = AreaRef(level, "" if level == "country" else area.slug)
    shown(country_data, address(area=ref, map=map_id))


def test_the_months_that_are_drawn_stand_in_the_table_and_in_the_file(country, country_data, client) -> None:
    block = figure(shown(country_data, address()).content, "maaneder")
    area = catalogue(country).area(HJOERRING, "2024")
    months = readings.area_process(country, HEADLINE, area).months
    cells = table_rows(block)
    assert [name.removesuffix(" (foreløbig)") for name in cells] == [WORDS.month(m) for m in months["month"].reverse()]
    for place, column in enumerate(("value", "adjusted", "centre")):
        told = [float(row[place].replace(".", "").replace(",", ".")) for row in cells.values()]
        assert told == pytest.approx(months[column].reverse().to_list(), abs=0.5)
    link = next(part.href for part in walk(block) if isinstance(part, html.A) and ".parquet" in part.href)
    file = pl.read_parquet(io.BytesIO(client.get(link).data)).filter(pl.col("role") == "area")
    assert file["value"].to_list() == pytest.approx(months["value"].to_list(), abs=1e-5)
    assert file["area_name"].unique().to_list() == ["Hjørring"]


def test_the_sentence_names_the_level_that_is_drawn(country, country_data) -> None:
    block = figure(shown(country_data, address()).content, "maaneder")
    area = catalogue(country).area(HJOERRING, "2024")
    centre = readings.area_process(country, HEADLINE, area).months["centre"].drop_nulls()[-1]
    sentence = text_of(next(part for part in walk(block) if isinstance(part, html.Figcaption)))
    assert any(f"Niveauet er {WORDS.number(centre, digits)} " in sentence for digits in (0, 1, 2))


def test_an_intervention_is_flagged_in_the_drawing_and_told_in_the_table(country_data) -> None:
    block = figure(shown(country_data, address()).content, "maaneder")
    drawing = next(part.markup for part in walk(block) if type(part).__name__ == "Svg")
    assert "Akutteam i Hjørring" in drawing
    assert "april 2024: indsatsen Akutteam i Hjørring begynder." in text_of(block)
    other = figure(shown(country_data, address("readmissions_30d")).content, "maaneder")
    assert "Akutteam" not in text_of(other), "an intervention belongs to the indicator that it aims at"


@pytest.mark.parametrize(("breakdown", "by"), [("condition", "group"), ("age", "age"), ("sex", "sex")])
def test_a_breakdown_shows_the_estimates_of_its_parts(country, country_data, client, breakdown, by) -> None:
    block = figure(shown(country_data, address(breakdown=breakdown)).content, "opdeling-figur")
    area = catalogue(country).area(HJOERRING, "2024")
    period = readings.latest_period(country)
    parts = evaluate(country, Query(load_indicators()[HEADLINE], (area,), (period,), by=by))
    cells = table_rows(block)
    assert len(cells) == parts.height
    for row, told in zip(parts.iter_rows(named=True), cells.values(), strict=True):
        assert told[0] == WORDS.number(row["value"], 1)
        assert told[3] == WORDS.number(row["numerator"])
    link = next(part.href for part in walk(block) if isinstance(part, html.A) and ".parquet" in part.href)
    file = pl.read_parquet(io.BytesIO(client.get(link).data)).filter(pl.col("role") == "area")
    assert file.select("group", "numerator").equals(parts.select("group", "numerator"))


def test_rates_of_age_groups_are_of_their_own_citizens(country_data) -> None:
    drawn = {
        breakdown: next(
            part.markup
            for part in walk(figure(shown(country_data, address(breakdown=breakdown)).content, "opdeling-figur"))
            if type(part).__name__ == "Svg"
        )
        for breakdown in ("age", "sex")
    }
    assert "pr. 1.000 borgere i aldersgruppen om året" in drawn["age"] and "65+" not in drawn["age"]
    assert "pr. 1.000 borgere på 65+ om året" in drawn["sex"]


def test_a_breakdown_that_the_counts_cannot_carry_is_not_offered(country_data) -> None:
    content = shown(country_data, address("acute_place_occupancy")).content
    assert not [part for part in walk(content) if getattr(part, "id", "") == "opdeling-figur"]
    hip = shown(country_data, address("hip_fractures_65plus"))  # one diagnosis group only
    labels = [text_of(part) for part in walk(hip.content) if str(getattr(part, "id", "")).startswith("opdeling-")]
    assert "Tilstand" not in " ".join(labels)


def test_bed_days_are_parted_into_number_and_length_that_add_up(country, country_data) -> None:
    block = figure(shown(country_data, address(breakdown="length")).content, "opdeling-figur")
    values = [
        float(cells[0].replace("−", "-").replace("+", "").replace(".", "").replace(",", "."))
        for cells in table_rows(block).values()
    ]
    assert values[0] + values[1] == pytest.approx(values[2], abs=0.15 if abs(values[2]) < 20 else 1)


def test_observed_against_expected_is_that_of_kpis(country, country_data) -> None:
    block = figure(shown(country_data, address()).content, "forventet")
    area = catalogue(country).area(HJOERRING, "2024")
    found = expectations(country, load_indicators()[HEADLINE], (area,), readings.latest_period(country))
    own = found.row(0, named=True)
    cells = table_rows(block)["Hjørring"]
    assert cells[:2] == [WORDS.number(own["observed"]), WORDS.number(own["expected"])]
    sentence = text_of(next(part for part in walk(block) if isinstance(part, html.Figcaption)))
    assert cells[2] in sentence and cells[3] in sentence


def test_the_country_is_not_held_against_itself(country_data) -> None:
    content = shown(country_data, address(area=COUNTRY)).content
    assert not [part for part in walk(content) if getattr(part, "id", "") == "forventet"]
    assert "mod landet" not in text_of(content).lower()


def test_the_verdict_is_that_of_the_overview(country, country_data) -> None:
    overview = text_of(shown(country_data, "/k/hjoerring").content)
    depth = text_of(shown(country_data, address()).content)
    verdicts = readings.level_verdicts(country, HEADLINE, "municipality", "2024", readings.latest_period(country), True)
    area = catalogue(country).area(HJOERRING, "2024")
    judged = verdicts[area.code].verdict
    if judged not in SILENT:
        assert verdict_text(judged, WORDS) in depth
    assert verdict_text(judged, WORDS) in overview


def test_every_counterweight_stands_with_its_value_and_verdict(country_data) -> None:
    content = shown(country_data, address()).content
    told = table_rows(content, "læses sammen med")
    for other in load_indicators()[HEADLINE].counterweights:
        texts = load_indicators()[other].da
        assert told[texts.short_name + texts.unit][0]


def test_a_goal_is_told_with_its_path_and_drawn(tmp_path) -> None:
    goal = ("g", HEADLINE, "municipality", "0860", "own", "long", 60.0, "2023", 54.0, date(2026, 12, 31))
    build_release(tmp_path, goal=[goal])
    content = shown(tmp_path, address()).content
    assert "Eget mål: 54,0 pr. 1.000 borgere på 65+ om året senest 31. december 2026." in text_of(content)
    drawing = next(part.markup for part in walk(figure(content, "maaneder")) if type(part).__name__ == "Svg")
    assert 'class="d-goal"' in drawing and "mål 54,0 i 2026" in drawing


# --- The drawings -------------------------------------------------------------------------------------------


def months_from(first: date, values: list[float | None], provisional: int = 0) -> pl.DataFrame:
    count = len(values)
    return pl.DataFrame(
        {
            "month": [add_months(first, step) for step in range(count)],
            "value": values,
            "adjusted": values,
            "status": ["ok"] * count,
            "is_provisional": [step >= count - provisional for step in range(count)],
            "centre": [10.0] * count,
            "lower_limit": [5.0] * count,
            "upper_limit": [15.0] * count,
            "signal": ["none"] * (count - 1) + ["concern"],
        },
        schema_overrides={"adjusted": pl.Float64},
    )


def lines(markup: str, cls: str) -> list[int]:
    """Points of every line of a class."""
    return [len(points.split()) for points in re.findall(rf'<polyline class="{cls}" points="([^"]*)"', markup)]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_line_crosses_a_break_or_a_month_without_a_value(width) -> None:
    over_lpr3 = months_from(date(2018, 12, 1), [9.0, 10.0, 11.0, 10.0, 9.0, 8.0])  # the break is March 2019
    assert lines(process(over_lpr3, [], None, 1, "label", WORDS, width), "d-line") == [3, 3]
    with_hole = months_from(date(2024, 1, 1), [9.0, 10.0, None, 10.0, 9.0])
    assert lines(process(with_hole, [], None, 1, "label", WORDS, width), "d-line") == [2, 2]
    assert "nyt register, LPR3" in process(over_lpr3, [], None, 1, "label", WORDS, width)


def test_provisional_months_are_dotted_on_their_own_ground_and_hollow() -> None:
    markup = process(months_from(date(2025, 1, 1), [9.0, 10.0, 11.0, 12.0], 2), [], None, 1, "label", WORDS)
    assert lines(markup, "d-line") == [2]
    assert lines(markup, "d-tail") == [3], "it begins at the last firm month"
    assert markup.count('class="d-hollow"') == 1  # the other provisional month is a signal
    assert "d-provisional" in markup and "foreløbig" in markup


def test_a_signal_has_a_shape_of_its_own_and_not_only_a_colour() -> None:
    markup = process(months_from(date(2025, 1, 1), [9.0, 10.0, 20.0]), [], None, 1, "label", WORDS)
    assert re.search(r'<polygon class="d-signal"[^>]*><title>marts 2025: 20,0</title>', markup)


def test_flags_and_the_path_of_a_goal_stay_within_the_months() -> None:
    months = months_from(date(2025, 1, 1), [9.0, 10.0, 11.0])
    path = GoalPath([(date(2024, 6, 1), 12.0), (date(2025, 2, 1), 11.0), (date(2025, 3, 1), 10.5)], "mål 9 i 2027")
    markup = process(months, [Flag(date(2025, 2, 1), "<Akutteam>")], path, 1, "label", WORDS)
    assert lines(markup, "d-goal") == [2]
    assert "&lt;Akutteam&gt;" in markup, "texts from a delivery are escaped"


def test_names_of_flags_that_would_touch_stand_in_lines_of_their_own() -> None:
    months = months_from(date(2024, 1, 1), [9.0, 10.0] * 12)
    flags = [Flag(date(2024, 1, 1), "Akutteam døgnet rundt"), Flag(date(2024, 2, 1), "Nye akutpladser")]
    markup = process(months, flags, None, 1, "label", WORDS)
    heights = [re.search(rf'y="([\d.]+)"[^>]*>{flag.name}<', markup)[1] for flag in flags]
    assert heights[0] != heights[1]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (3.2, 3.3), (-5, 40), (7, 7), (0, 0), (99_500, 101_200), (0.001, 0.004)]
)
def test_an_axis_spans_its_values_in_few_round_steps(low, high) -> None:
    steps, digits = ticks(low, high)
    assert steps[0] <= low and steps[-1] >= high
    assert 2 <= len(steps) <= 9
    assert [round(step, digits) for step in steps] == steps


def test_a_row_without_a_value_says_why_and_has_no_mark() -> None:
    marks = [Mark("A", 3.0, 2.0, 4.0, 3.5, "3 (2–4)"), Mark("B", None, None, None, None, "for få")]
    for width in (WIDE, NARROW):
        markup = rows(marks, "enhed", "label", WORDS, width, at_zero=True)
        assert markup.count('class="d-own"') == 1
        assert ">for få<" in markup
