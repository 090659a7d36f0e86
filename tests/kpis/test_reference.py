"""The reference data that is shipped is complete and consistent, and a faulty file is told so."""

import json
from datetime import date
from itertools import combinations, pairwise

import numpy as np
import polars as pl
import pytest

from kpis import reference
from kpis.reference import CHRISTIANSO, DiagnosisGroup, ReferenceDataError, load_codelists, shared_prefixes
from kpis.release import AGE_BANDS, CONTRACT

MAPS = {"2024": date(2024, 1, 1), "2027": date(2027, 1, 1)}
LEVELS = CONTRACT["levels"]
GROUPED = [(m, level) for m in MAPS for level in LEVELS if level not in ("municipality", "country")]


def on(day: date) -> pl.Expr:
    return (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))


def municipalities() -> pl.DataFrame:
    return reference.areas().filter(pl.col("level") == "municipality")


# --- every file -------------------------------------------------------------------------------------------


def test_every_file_has_a_source_and_every_source_a_file():
    shipped = {path.name for path in reference.FOLDER.iterdir()}
    assert set(reference.sources()) == {name for name in shipped if name.endswith((".csv", ".geojson"))}, (
        "SOURCES.toml and the folder differ"
    )
    assert shipped - set(reference.sources()) == {"SOURCES.toml", "municipality_outlines.LICENSE.txt"}


def test_every_source_says_who_and_under_which_licence():
    for name, source in reference.sources().items():
        assert all([source.title, source.publisher, source.licence, source.note]), name
        assert source.valid_to is None or source.valid_from < source.valid_to, name


# --- areas and memberships --------------------------------------------------------------------------------


def test_areas_have_the_levels_of_the_contract_and_begin_before_they_end():
    areas = reference.areas()
    assert set(areas["level"]) == set(LEVELS)
    assert areas.filter(pl.col("valid_to") <= pl.col("valid_from")).is_empty()


@pytest.mark.parametrize("map_name", MAPS)
def test_each_map_has_the_levels_the_contract_says(map_name):
    drawn = reference.areas().filter(on(MAPS[map_name]))
    assert set(drawn["level"]) == {level for level, facts in LEVELS.items() if map_name in facts["maps"]}


@pytest.mark.parametrize(
    ("map_name", "counts"),
    [
        (
            "2024",
            {"municipality": 98, "cluster": 22, "kkr": 5, "region": 5, "municipality_group": 5, "country": 1},
        ),
        (
            "2027",
            {"municipality": 98, "health_council": 17, "region": 4, "municipality_group": 5, "country": 1},
        ),
    ],
)
def test_each_map_has_its_number_of_areas(map_name, counts):
    drawn = reference.areas().filter(on(MAPS[map_name]))
    assert dict(drawn.group_by("level").len().rows()) == counts


def test_a_code_means_one_area_and_an_address_one_area_of_its_level():
    areas = reference.areas()
    assert areas["area_code"].is_unique().all()
    assert areas.select(pl.struct("level", "slug").is_unique().all()).item()
    assert areas["slug"].str.contains(r"^[a-z0-9]+(-[a-z0-9]+)*$").all()
    assert municipalities()["area_code"].str.contains(r"^0\d{3}$").all()


@pytest.mark.parametrize(("map_name", "level"), GROUPED)
def test_on_each_map_every_municipality_is_in_exactly_one_area_of_each_level(map_name, level):
    day = MAPS[map_name]
    members = reference.memberships().filter(on(day) & (pl.col("level") == level))
    areas = reference.areas().filter(on(day) & (pl.col("level") == level))
    if map_name in LEVELS[level]["maps"]:
        assert sorted(members["municipality_code"]) == sorted(municipalities()["area_code"])
        assert set(members["area_code"]) == set(areas["area_code"]), "an area without members, or unknown"
    else:
        assert members.is_empty()


def test_no_membership_outlives_its_area():
    areas = reference.areas().select("level", "area_code", area_from="valid_from", area_to="valid_to")
    joined = reference.memberships().join(areas, on=["level", "area_code"], how="left", validate="m:1")
    outside = joined.filter(
        pl.col("area_from").is_null()
        | (pl.col("valid_from") < pl.col("area_from"))
        | (pl.col("valid_to").fill_null(date.max) > pl.col("area_to").fill_null(date.max))
    )
    assert outside.is_empty()


@pytest.mark.parametrize(
    ("map_name", "persons"),
    [
        # StatBank FOLK1A, 2020K1; Region Hovedstaden 1,846,023 less the 84 of Christiansø
        ("2024", {"1081": 589_936, "1082": 1_326_340, "1083": 1_223_105, "1084": 1_845_939, "1085": 837_359}),
        (
            "2027",
            {"1081": 589_936, "1082": 1_326_340, "1083": 1_223_105, "region-oestdanmark": 2_683_298},
        ),
    ],
)
def test_the_municipalities_of_a_region_add_up_to_its_population(map_name, persons):
    population = reference.municipality_population().filter(pl.col("date") == date(2020, 1, 1))
    regions = reference.memberships().filter(on(MAPS[map_name]) & (pl.col("level") == "region"))
    sums = regions.join(population, on="municipality_code").group_by("area_code").agg(pl.col("persons").sum())
    assert dict(sums.rows()) == persons


@pytest.mark.parametrize(
    ("level", "contained_in", "map_name"),
    [("cluster", "region", "2024"), ("kkr", "region", "2024"), ("health_council", "region", "2027")],
)
def test_areas_do_not_cross_the_border_of_a_region(level, contained_in, map_name):
    members = reference.memberships().filter(on(MAPS[map_name]))
    inner = members.filter(pl.col("level") == level).select("municipality_code", inner="area_code")
    outer = members.filter(pl.col("level") == contained_in).select("municipality_code", outer="area_code")
    regions = inner.join(outer, on="municipality_code").group_by("inner").agg(pl.col("outer").n_unique())
    assert regions["outer"].to_list() == [1] * len(regions)


# --- spellings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("København", "0101"),
        ("Københavns Kommune", "0101"),
        ("Copenhagen", "0101"),
        ("Aarhus", "0751"),
        ("Århus", "0751"),
        ("A\u030arhus Kommune", "0751"),  # Å as A and a ring, as macOS writes file names
        ("0860", "0860"),
        ("860", "0860"),
        (860, "0860"),
        (" hjørring kommune ", "0860"),
        ("HJØRRING", "0860"),
        ("hjoerring", "0860"),
        ("Høje Taastrup", "0169"),
        ("Høje-Tåstrup", "0169"),
        ("Lyngby-Tårbæk", "0173"),
        ("Vesthimmerland", "0820"),
        ("Vesthimmerlands Kommune", "0820"),
        ("Nordfyn", "0480"),
        ("Nordfyns", "0480"),
        ("Brønderslev-Dronninglund", "0810"),
        ("Bornholms Regionskommune", "0400"),
        ("Ringkøbing-Skjern Municipality", "0760"),
    ],
)
def test_a_spelling_met_in_files_leads_to_its_municipality(text, code):
    assert reference.municipality_spellings()[reference.normalise_municipality(text)] == code


@pytest.mark.parametrize("text", ["", "Kommune", "Atlantis", "9999", "1081", "Region Nordjylland", "Hele landet"])
def test_what_is_no_municipality_leads_nowhere(text):
    assert reference.normalise_municipality(text) not in reference.municipality_spellings()


@pytest.mark.parametrize("text", ["411", "0411", "Christiansø"])
def test_christiansoe_is_known_but_no_municipality(text):
    assert reference.municipality_spellings()[reference.normalise_municipality(text)] == CHRISTIANSO
    assert CHRISTIANSO not in set(reference.areas()["area_code"])


def test_every_listed_variant_is_needed():
    listed = pl.read_csv(reference.FOLDER / "municipality_names.csv", infer_schema=False)
    names = {reference.normalise_municipality(name) for name in municipalities()["name"]}
    assert not names & {reference.normalise_municipality(text) for text in listed["spelling"]}


# --- map and tile grid ------------------------------------------------------------------------------------


def outlines() -> dict[str, list[list[list[tuple[float, float]]]]]:
    """Municipality code → polygons → rings → points."""
    features = json.loads(reference.outlines_path().read_text(encoding="utf-8"))["features"]
    assert all(f["geometry"]["type"] == "MultiPolygon" for f in features)
    return {f["id"]: f["geometry"]["coordinates"] for f in features}


def signed_area(ring) -> float:
    """Above zero = counter-clockwise (shoelace formula)."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring)) / 2


def contains(polygons, x: float, y: float) -> bool:
    """Even-odd rule over all rings, so a hole is outside."""
    crossings = [
        (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0)
        for polygon in polygons
        for ring in polygon
        for (x0, y0), (x1, y1) in pairwise(ring)
    ]
    return sum(crossings) % 2 == 1


def test_the_outlines_are_those_of_the_98_municipalities():
    assert sorted(outlines()) == sorted(municipalities()["area_code"])


def test_rings_are_closed_and_wound_as_d3_wants():
    for code, polygons in outlines().items():
        for outer, *holes in polygons:
            assert all(ring[0] == ring[-1] for ring in (outer, *holes)), code
            assert signed_area(outer) < 0, f"{code}: an outer ring runs counter-clockwise and would fill the world"
            assert all(signed_area(hole) > 0 for hole in holes), code


def test_the_outlines_are_small_enough_for_a_page():
    text = reference.outlines_path().read_text(encoding="utf-8")
    assert len(text) <= 200_000
    for polygons in outlines().values():
        assert all(c == round(c, 3) for polygon in polygons for ring in polygon for point in ring for c in point)


@pytest.mark.parametrize(
    ("code", "longitude", "latitude"),
    [
        ("0860", 9.98, 57.46),  # Hjørring
        ("0851", 9.92, 57.03),  # Aalborg
        ("0661", 8.62, 56.36),  # Holstebro
        ("0751", 10.20, 56.16),  # Aarhus
        ("0561", 8.47, 55.49),  # Esbjerg
        ("0461", 10.39, 55.40),  # Odense
        ("0265", 12.08, 55.62),  # Roskilde
        ("0101", 12.56, 55.69),  # København, around the hole that is
        ("0147", 12.52, 55.68),  # Frederiksberg
        ("0376", 11.87, 54.77),  # Nykøbing Falster, Guldborgsund
    ],
)
def test_a_town_lies_in_its_own_outline_and_in_no_other(code, longitude, latitude):
    found = [c for c, polygons in outlines().items() if contains(polygons, longitude, latitude)]
    assert found == [code]


def test_the_one_displaced_outline_says_so():
    features = json.loads(reference.outlines_path().read_text(encoding="utf-8"))["features"]
    assert [f["id"] for f in features if f["properties"].get("displaced")] == ["0400"]


def test_the_tile_grid_gives_every_municipality_its_own_cell_and_label():
    tiles = reference.tile_grid()
    assert sorted(tiles["municipality_code"]) == sorted(municipalities()["area_code"])
    assert tiles.select(pl.struct("column", "row").is_unique().all()).item()
    assert tiles["label"].is_unique().all()
    assert tiles["label"].str.len_chars().is_between(3, 4).all()
    assert (tiles["column"].min(), tiles["row"].min()) == (0, 0)


@pytest.mark.parametrize(
    ("part", "first", "last"),
    [("Zealand", "0101", "0399"), ("Funen", "0400", "0499"), ("Jutland", "0500", "0999")],
)
def test_every_tile_lies_where_its_municipality_lies(part, first, last):
    """Within each part of the country, a straight line leads from an outline's place to its cell, each way.

    Greater Copenhagen is dense and needs room, so a tile may be some cells off, but not in another corner.
    Bornholm is drawn elsewhere in the outlines and left out.
    """
    tiles = reference.tile_grid().filter(
        pl.col("municipality_code").is_between(pl.lit(first), pl.lit(last)),
        pl.col("municipality_code") != "0400",
    )
    corners = [
        np.array([point for polygon in outlines()[code] for point in polygon[0]]) for code in tiles["municipality_code"]
    ]
    place = np.array([(c.min(axis=0) + c.max(axis=0)) / 2 for c in corners])
    for degrees, cells in ((place[:, 0], tiles["column"]), (place[:, 1], tiles["row"])):
        cells = cells.to_numpy()
        off = np.abs(np.polyval(np.polyfit(degrees, cells, 1), degrees) - cells)
        worst = tiles["label"][int(off.argmax())]
        assert off.max() <= 3, f"{part}: {worst} is {off.max():.1f} cells off"


# --- standards and prices ---------------------------------------------------------------------------------


def test_the_danish_standard_is_the_population_of_2014_on_the_age_bands_of_the_contract():
    danish = reference.standard_population().filter(pl.col("standard") == "dk2014")
    assert danish.select("sex", "age_from").rows() == [(sex, age) for sex in (1, 2) for age in AGE_BANDS]
    assert danish["persons"].sum() == 5_627_145  # 5,627,235 less the 90 of Christiansø
    assert danish.filter(pl.col("age_from") >= 65)["persons"].sum() == 1_026_714


def test_the_european_standard_keeps_its_weights_on_the_age_bands_of_the_contract():
    european = reference.standard_population().filter(pl.col("standard") == "esp2013")
    assert european.select("sex", "age_from").rows() == [(0, age) for age in AGE_BANDS]
    weights = dict(european.select("age_from", "persons").rows())
    assert sum(weights.values()) == 100_000
    assert weights[15] + weights[18] == 5_500  # the published band 15-19
    assert weights[15] / 3 == weights[18] / 2  # three and two years of age
    assert sum(weights[age] for age in AGE_BANDS if age >= 65) == 19_500


@pytest.mark.parametrize(("day", "kroner"), [(1, 3952), (2, 3952), (3, 5928), (100, 5928)])
def test_a_day_after_ready_costs_what_the_law_says(day, kroner):
    prices = reference.section_238_prices().filter(pl.col("price_year") == 2016)
    due = prices.filter((pl.col("first_day") <= day) & (pl.col("last_day").is_null() | (pl.col("last_day") >= day)))
    assert due["kroner_per_day"].sum() == kroner


# --- code lists -------------------------------------------------------------------------------------------


def test_the_code_lists_hold_the_groups_the_indicators_are_made_of():
    groups = {codelist.id: [group.key for group in codelist.groups] for codelist in load_codelists()}
    assert set(groups) == {"chronic", "exclusion", "preventable_65plus", "prevention", "psychiatry"}
    assert len(groups["preventable_65plus"]) == 10
    assert groups["chronic"] == ["copd", "asthma", "heart_failure", "diabetes", "hypertension"]
    assert groups["prevention"] == ["hip_fracture", "alcohol", "vaccine_preventable"]
    assert groups["psychiatry"] == ["organic", "substance", "psychosis", "mood", "anxiety_stress", "other"]


def belongs(code: str, group: DiagnosisGroup) -> bool:
    return code.startswith(group.prefixes) and not code.startswith(group.excluded_prefixes)


@pytest.mark.parametrize(
    ("code", "group_ids"),
    [
        ("DJ441", {"preventable_65plus.lower_respiratory", "chronic.copd"}),
        ("DJ13", {"preventable_65plus.lower_respiratory", "prevention.vaccine_preventable"}),
        ("DN300", {"preventable_65plus.cystitis"}),
        ("DN304", set()),
        ("DS720", {"preventable_65plus.fracture", "prevention.hip_fracture"}),
        ("DI110", {"chronic.heart_failure"}),
        ("DI119", {"chronic.hypertension"}),
        ("DI10", {"chronic.hypertension"}),
        ("DC001", {"exclusion.cancer"}),
        ("DC979", {"exclusion.cancer"}),
        ("DC98", set()),
        ("DD500", {"preventable_65plus.nutritional_anaemia"}),
        ("DF059", {"psychiatry.organic"}),
        ("DF100", {"psychiatry.substance", "prevention.alcohol"}),
        ("DF209", {"psychiatry.psychosis"}),
        ("DF48", {"psychiatry.anxiety_stress"}),
        ("DF99", {"psychiatry.other"}),
        ("DG309", set()),  # Alzheimer's as a disease of the brain
    ],
)
def test_a_diagnosis_is_in_these_groups(code, group_ids):
    groups = [group for codelist in load_codelists() for group in codelist.groups]
    assert {group.group_id for group in groups if belongs(code, group)} == group_ids


def test_no_diagnosis_is_in_two_groups_of_a_list():
    """Every prefix, and every code one character longer, tried on every group."""
    for codelist in load_codelists():
        stems = {p for group in codelist.groups for p in (*group.prefixes, *group.excluded_prefixes)}
        codes = stems | {stem + extra for stem in stems for extra in "0123456789"}
        for a, b in combinations(codelist.groups, 2):
            assert not [c for c in codes if belongs(c, a) and belongs(c, b)], (a.group_id, b.group_id)


def group(key: str, *prefixes: str, excluded: tuple[str, ...] = ()) -> DiagnosisGroup:
    return DiagnosisGroup("list", key, key, key, prefixes, "unconfirmed", excluded)


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [
        (group("a", "DJ44"), group("b", "DJ45"), ()),
        (group("a", "DJ4"), group("b", "DJ44"), ("DJ44",)),
        (group("a", "DJ44"), group("b", "DJ4"), ("DJ44",)),
        (group("a", "DJ4", excluded=("DJ44",)), group("b", "DJ44"), ()),
        (group("a", "DJ4", excluded=("DJ441",)), group("b", "DJ44"), ("DJ44",)),
    ],
)
def test_shared_prefixes_sees_through_exclusions(a, b, shared):
    assert shared_prefixes(a, b) == shared


# --- faults -----------------------------------------------------------------------------------------------


def test_all_faults_of_a_csv_file_are_reported_together(tmp_path):
    (tmp_path / "section_238_prices.csv").write_text(
        "price_year,recipient,first_day,last_day,kroner_per_day,source\n"
        "2016,region,1,,1976,law\n"
        "2016,patient,1,,a lot,law\n"
        "2016,region,1,2,,law\n"
    )
    with pytest.raises(ReferenceDataError) as caught:
        reference.section_238_prices(tmp_path)
    assert caught.value.faults == (
        "line 3, recipient: 'patient' found, region or state wanted",
        "line 3, kroner_per_day: 'a lot' found, a whole number wanted",
        "line 4, kroner_per_day: 'nothing' found, a whole number wanted",
        "2016, region, 1: more than one row, one is allowed",
    )
    assert str(caught.value).startswith("section_238_prices.csv: ")


def test_a_csv_file_with_other_columns_is_refused(tmp_path):
    (tmp_path / "tile_grid.csv").write_text("municipality_code,x,y\n0101,0,0\n")
    with pytest.raises(ReferenceDataError, match="they must be municipality_code, column, row, label"):
        reference.tile_grid(tmp_path)


def test_a_missing_file_is_named_with_its_folder(tmp_path):
    with pytest.raises(ReferenceDataError, match=r"areas\.csv: no such file in "):
        reference.areas(tmp_path)
    with pytest.raises(ReferenceDataError, match=r"SOURCES\.toml: no such file"):
        reference.sources(tmp_path)


def test_a_spelling_cannot_lead_to_two_places_or_to_none(tmp_path):
    (tmp_path / "areas.csv").write_text(
        "level,area_code,slug,name,valid_from,valid_to\n"
        "municipality,0860,hjoerring,Hjørring,2007-01-01,\n"
        "municipality,0851,aalborg,Aalborg,2007-01-01,\n"
    )
    (tmp_path / "municipality_names.csv").write_text(
        "spelling,municipality_code\nAalborg Kommune,0860\nVendsyssel,0999\n"
    )
    with pytest.raises(ReferenceDataError) as caught:
        reference.municipality_spellings(tmp_path)
    assert caught.value.faults == (
        "'Aalborg Kommune' leads to both 0851 and 0860, a spelling leads to one",
        "'Vendsyssel' leads to 0999, which is no municipality in areas.csv",
    )


CODELIST = """
id = "winter"
version = "1"
name_da = "Vinter"
name_en = "Winter"
source = "a test"
source_da = "en prøve"
confidence = "unconfirmed"
note = ""
"""


def faults_of(tmp_path, text: str, name: str = "winter.toml") -> tuple[str, ...]:
    (tmp_path / name).write_text(text)
    with pytest.raises(ReferenceDataError) as caught:
        load_codelists(tmp_path)
    return caught.value.faults


def test_all_faults_of_a_code_list_are_reported_together(tmp_path):
    wrong = CODELIST.replace('version = "1"', 'verison = "1"') + (
        '[[group]]\nkey = "flu"\nname_da = "Influenza"\nname_en = "Flu"\nprefixes = ["J10"]\n'
        '[[group]]\nkey = "cold"\nname_da = "Forkølelse"\nprefixes = ["DJ00"]\nexcluded_prefixes = ["DJ01"]\n'
    )
    faults = faults_of(tmp_path, wrong)
    assert len(faults) == 4
    assert any(fault.startswith("groups.0: prefix 'J10' is not an SKS diagnosis") for fault in faults)
    assert {fault.split(":")[0] for fault in faults} == {"groups.0", "groups.1.name_en", "version", "verison"}


@pytest.mark.parametrize(
    ("groups", "fault"),
    [
        ('[[group]]\nkey="a"\nname_da="A"\nname_en="A"\nprefixes=["DJ1"]\n' * 2, "two groups are called 'a'"),
        (
            '[[group]]\nkey="a"\nname_da="A"\nname_en="A"\nprefixes=["DJ1"]\n'
            '[[group]]\nkey="b"\nname_da="B"\nname_en="B"\nprefixes=["DJ10", "DJ2"]\n',
            "a and b share DJ10, groups must be disjoint",
        ),
        (
            '[[group]]\nkey="a"\nname_da="A"\nname_en="A"\nprefixes=["DJ1"]\nexcluded_prefixes=["DJ2"]\n',
            "excluded prefix 'DJ2' lies under no prefix of the group",
        ),
        (
            '[[group]]\nkey="a"\nname_da="A"\nname_en="A"\nprefixes=[]\n',
            "no prefixes, so it can never be met",
        ),
        ('[group]\nkey="a"\n', "each group begins with [[group]]"),
        ("[[group]\n", "not TOML"),
    ],
)
def test_a_wrong_code_list_is_refused(tmp_path, groups, fault):
    assert any(fault in found for found in faults_of(tmp_path, CODELIST + groups))


def test_a_code_list_is_called_as_its_file(tmp_path):
    text = CODELIST + '[[group]]\nkey="a"\nname_da="A"\nname_en="A"\nprefixes=["DJ1"]\n'
    assert faults_of(tmp_path, text, "summer.toml") == ("id is 'winter', it must be the file name without .toml",)


def test_a_group_has_the_confidence_of_its_list_unless_it_states_its_own(tmp_path):
    (tmp_path / "winter.toml").write_text(
        CODELIST
        + '[[group]]\nkey="a"\nname_da="A"\nname_en="A"\nprefixes=["DJ1"]\n'
        + '[[group]]\nkey="b"\nname_da="B"\nname_en="B"\nprefixes=["DJ2"]\nconfidence="verified"\n'
    )
    (codelist,) = load_codelists(tmp_path)
    assert [group.confidence for group in codelist.groups] == ["unconfirmed", "verified"]
