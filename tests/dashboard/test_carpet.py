"""Tæppe: every municipality of a group, by the alphabet, with the values and verdicts that its overview gives."""

import re
from collections import Counter
from datetime import date

import pytest
from dash import html

from dashboard import sentence
from dashboard.components.verdict import verdict_text
from dashboard.pages.carpet import MOST_NAMED
from dashboard.pages.overview.scope import chosen_indicators
from dashboard.readings import latest_period, level_rows, level_verdicts
from dashboard.selection import AreaRef, Selection, catalogue
from dashboard.words import load_words
from kpis.area import levels
from kpis.indicator import LANGUAGES
from kpis.verdict import BY_ID
from tests.dashboard.conftest import shown, text_of, walk
from tests.helpers import build_release

WORDS = load_words("da")
KKR = AreaRef("kkr", "nordjylland")


def rows_of(view) -> list[html.Tr]:
    table = next(part for part in walk(view.content) if getattr(part, "className", "") == "carpet")
    return [row for row in walk(table) if isinstance(row, html.Tr)]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("map_id", "level"), [(m, level) for m in ("2024", "2027") for level in levels(m) if level != "municipality"]
)
def test_every_group_has_a_carpet_of_its_municipalities(country, country_data, map_id, level, lang) -> None:
    area = catalogue(country).areas[map_id, level][0]
    ref = AreaRef(level, "" if level == "country" else area.slug)
    view = shown(country_data, Selection(page="carpet", area=ref, map=map_id, lang=lang).to_url())
    references = 1 if level == "country" else 2
    assert len(rows_of(view)) == 2 + references + len(area.municipalities)


def test_municipalities_stand_in_the_danish_alphabet(country, country_data) -> None:
    area = catalogue(country).area(KKR, "2024")
    heads = [
        text_of(row.children[0]) for row in rows_of(shown(country_data, Selection(page="carpet", area=KKR).to_url()))
    ]
    names = [one.name for one in catalogue(country).areas["2024", "municipality"] if one.code in area.municipalities]
    assert heads[4:] == names
    assert heads[2:4] == ["KKR Nordjylland", "Hele landet"]


def test_a_cell_is_shaded_only_where_it_can_be_told_from_the_country(country, country_data) -> None:
    rows = rows_of(shown(country_data, "/land/taeppe"))[3:]
    period = latest_period(country)
    shaded = 0
    for place, indicator in enumerate(chosen_indicators()):
        asked = (indicator.id, "municipality", "2024", period, True)
        values, verdicts = level_rows(country, *asked), level_verdicts(country, *asked)
        digits = sentence.digits_of(values.values())
        for row, (code, estimate) in zip(rows, values.items(), strict=True):
            cell = row.children[1][place] if isinstance(row.children[1], list) else row.children[1 + place]
            entry = BY_ID[verdicts[code].verdict]
            if estimate["value"] is None:
                continue
            assert text_of(cell).startswith(sentence.value_text(estimate, digits, WORDS))
            assert verdict_text(entry.id, WORDS) in text_of(cell), "the colour says nothing that a word does not"
            is_shaded = getattr(cell, "className", "").startswith("shade-")
            assert is_shaded == (entry.colour not in ("calm", "muted"))
            shaded += is_shaded
    assert 0 < shaded < 98 * 6 / 3


def test_the_sentence_counts_what_is_shaded_though_nothing_stands_out_clearly(country_data, country) -> None:
    told = named = 0
    for area in catalogue(country).areas["2024", "cluster"]:
        view = shown(country_data, Selection(page="carpet", area=AreaRef("cluster", area.slug)).to_url())
        cells = [part for part in walk(view.content) if getattr(part, "className", "").startswith("shade-")]
        shaded = Counter(cell.title.rpartition(", ")[2] for cell in cells)
        text = next(text_of(part) for part in walk(view.content) if getattr(part, "className", "") == "conclusion")
        for verdict, count in shaded.items():
            assert f"{'ét' if count == 1 else WORDS.count(count)} {verdict}" in text
        assert ("Mindre tydeligt" in text) == any("klart" not in verdict for verdict in shaded)
        clear = [cell.title.partition(":")[0] for cell in cells if "klart" in cell.title]
        names = re.findall(r"[(,] ?([^(),:]+):", text.partition(":")[2].replace(" og ", ", "))
        assert sorted(names) == (sorted(clear) if len(clear) <= MOST_NAMED else [])
        named += bool(clear) and len(clear) <= MOST_NAMED
        told += "ingen af de" in text and bool(cells)
    assert told, "a group whose figures lie only somewhat apart"
    assert named, "a group of which little stands out clearly"


def test_common_goals_stand_on_top_with_where_they_are(tmp_path) -> None:
    indicator = next(item for item in chosen_indicators() if item.headline)
    goal = ("G1", indicator.id, "kkr", "kkr-nordjylland", "common", "short", 60.0, "2023", 50.0, date(2026, 12, 31))
    release = build_release(tmp_path, goal=[goal])
    assert release
    told = text_of(shown(tmp_path, Selection(page="carpet", area=KKR).to_url()).content)
    assert "Fælles mål" in told and "50 i 2026" in told
    other = text_of(shown(tmp_path, Selection(page="carpet", area=AreaRef("kkr", "sjaelland")).to_url()).content)
    assert "Fælles mål" not in other
