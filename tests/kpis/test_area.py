from datetime import date

import pytest

from kpis.area import MAPS, UnknownAreaError, areas, find_area, levels, map_of
from kpis.release import CONTRACT


def test_every_level_covers_the_98_municipalities_exactly_once(country):
    for map_id in MAPS:
        for level in levels(map_id):
            members = [code for area in areas(country, level, map_id) for code in area.municipalities]
            assert len(members) == 98, (map_id, level)
            assert len(set(members)) == 98, (map_id, level)


def test_the_number_of_areas_is_that_of_the_country(country):
    counts = {(map_id, level): len(areas(country, level, map_id)) for map_id in MAPS for level in levels(map_id)}
    assert counts[("2024", "region")] == 5
    assert counts[("2024", "kkr")] == 5
    assert counts[("2024", "cluster")] == 22
    assert counts[("2027", "region")] == 4
    assert counts[("2027", "health_council")] == 17
    assert counts[("2027", "country")] == 1


def test_levels_of_a_map_run_from_small_to_large():
    assert levels("2024") == ("municipality", "cluster", "kkr", "region", "municipality_group", "country")
    assert levels("2027") == ("municipality", "health_council", "region", "municipality_group", "country")
    assert set(levels("2024")) | set(levels("2027")) == set(CONTRACT["levels"])


def test_areas_stand_in_danish_alphabetical_order(country):
    names = [area.name for area in areas(country, "municipality", "2024")]
    assert names[:2] == ["Albertslund", "Allerød"]
    assert names[-4:] == ["Ærø", "Aabenraa", "Aalborg", "Aarhus"]


def test_bornholm_moves_with_its_region_from_one_map_to_the_other(country):
    def region_of(code, map_id):
        return next(area.name for area in areas(country, "region", map_id) if code in area.municipalities)

    assert region_of("0400", "2024") == "Region Hovedstaden"
    assert region_of("0400", "2027") == "Region Østdanmark"


def test_a_level_that_is_not_drawn_is_an_error_that_lists_those_that_are(country):
    with pytest.raises(ValueError, match="health_council"):
        areas(country, "kkr", "2027")


@pytest.mark.parametrize("text", ["0860", "hjoerring", "Hjørring", " HJØRRING "])
def test_an_area_is_found_by_code_slug_and_name(country, text):
    assert find_area(country, text, "2024").code == "0860"


def test_a_text_that_fits_areas_of_two_levels_asks_for_the_level(country):
    with pytest.raises(UnknownAreaError, match=r"KKR Nordjylland \(kkr\), Region Nordjylland \(region\)"):
        find_area(country, "nordjylland", "2024")
    assert find_area(country, "nordjylland", "2024", level="region").code == "1081"


def test_an_unknown_area_brings_the_nearest_names(country):
    with pytest.raises(UnknownAreaError, match="Did you mean Hjørring"):
        find_area(country, "Hjøring", "2024")
    with pytest.raises(UnknownAreaError, match="no kkr on the map of 2024"):
        find_area(country, "Hjørring", "2024", level="kkr")


def test_the_map_of_a_month_changes_with_2027():
    assert map_of(date(2026, 12, 1)) == "2024"
    assert map_of(date(2027, 1, 1)) == "2027"
