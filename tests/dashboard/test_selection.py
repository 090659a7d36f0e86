"""A selection and its address are the same thing, and no address is an error."""

from dataclasses import replace
from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.selection import (
    PAGES,
    USED_ON,
    AreaRef,
    Breakdown,
    Catalogue,
    Selection,
    View,
    area_ref,
)
from kpis.area import Area
from kpis.indicator import LANGUAGES
from kpis.period import GRAINS, Period, periods_between
from kpis.potential import REFERENCES

HJOERRING = Area("0860", "municipality", "hjoerring", "Hjørring", ("0860",), "2024")
LAESOE = Area("0825", "municipality", "laesoe", "Læsø", ("0825",), "2024")
KKR = Area("kkr-nordjylland", "kkr", "nordjylland", "KKR Nordjylland", ("0825", "0860"), "2024")
CLUSTER = Area("klynge-nord", "cluster", "klynge-nord", "Klynge Nord", ("0825", "0860"), "2024")
COUNTRY = Area("DK", "country", "danmark", "Hele landet", ("0825", "0860"), "2024")
COUNCIL = Area("sundhedsraad-vendsyssel", "health_council", "vendsyssel", "Sundhedsråd Vendsyssel", ("0860",), "2027")

KNOWN = Catalogue(
    areas={
        ("2024", "municipality"): (HJOERRING, LAESOE),
        ("2024", "cluster"): (CLUSTER,),
        ("2024", "kkr"): (KKR,),
        ("2024", "country"): (COUNTRY,),
        ("2027", "municipality"): (HJOERRING, LAESOE),
        ("2027", "health_council"): (COUNCIL,),
        ("2027", "country"): (COUNTRY,),
    },
    indicators=("preventable_admissions_65plus", "readmissions_30d"),
    first_month=date(2023, 1, 1),
    last_month=date(2025, 12, 1),
)
PERIODS = [p for grain in GRAINS for p in periods_between(KNOWN.first_month, KNOWN.last_month, grain)]
LEVELS = {"2024": ("municipality", "cluster", "kkr", "region"), "2027": ("municipality", "health_council", "region")}


MONTHS = [date(2023, month, 1) for month in range(1, 13)]


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    """Every selection that the pages themselves can make a link to."""
    page = draw(st.sampled_from(PAGES))
    map_id = draw(st.sampled_from(("2024", "2027")))
    refs = [area_ref(area) for (m, _), found in KNOWN.areas.items() if m == map_id for area in found]
    some_area = st.none() | st.sampled_from(refs)
    since, until = sorted((draw(st.sampled_from(MONTHS)), draw(st.sampled_from(MONTHS))))
    choices = {
        "search": st.sampled_from(["", "hj", "zz top"]),
        "area": some_area,
        "group": some_area,
        "members": st.sampled_from([(), ("hjoerring",), ("hjoerring", "laesoe")]),
        "level": st.sampled_from(LEVELS[map_id]),
        "only_group": st.booleans(),
        "period": st.none() | st.sampled_from(PERIODS),
        "since": st.sampled_from([None, since]),
        "until": st.sampled_from([None, until]),
        "grain": st.none() | st.sampled_from(GRAINS),
        "crude": st.booleans(),
        "breakdown": st.sampled_from(get_args(Breakdown)),
        "reference": st.sampled_from(REFERENCES),
        "view": st.sampled_from(get_args(View) if page == "compare" else ("chart", "table")),
        "indicators": st.sampled_from([(), KNOWN.indicators[:1], KNOWN.indicators]),
        "adding": st.sampled_from(["", "/k/hjoerring?opdeling=alder&m=1"]),
        "item": st.integers(0, 3),
        "packed": st.sampled_from(["", "eNq-_w"]),
    }
    chosen = {field: draw(choice) for field, choice in choices.items() if field in USED_ON[page]}
    if page in ("area", "carpet", "depth"):
        wide = [ref for ref in refs if ref.level != "municipality"]
        chosen["area"] = draw(st.sampled_from(wide if page == "carpet" else refs))
    if page == "depth":
        chosen["indicator"] = draw(st.sampled_from(KNOWN.indicators))
    if page in ("compare", "method"):
        chosen["indicator"] = draw(st.none() | st.sampled_from(KNOWN.indicators))
    if page in ("effect", "effect_form"):
        interventions = st.sampled_from(("IND-01", "Akutteam_Ærø"))
        chosen["intervention"] = draw(interventions if page == "effect" else st.none() | interventions)
    if page == "meeting":
        chosen["agenda"] = draw(st.sampled_from(["", "kkr-nordjylland"]))
    chosen["meeting"] = draw(st.booleans())
    if chosen.get("members"):
        chosen["group"] = None  # a group that the reader put together goes before
    release = draw(st.none() | st.just("v20260115T030000Z-test"))
    return Selection(page=page, lang=draw(st.sampled_from(LANGUAGES)), map=map_id, release=release, **chosen)


@given(selections())
def test_a_selection_comes_back_from_its_own_address(selection: Selection) -> None:
    path, _, query = selection.to_url().partition("?")
    assert Selection.from_url(path, query, KNOWN) == (selection, [])


@given(
    st.text(max_size=60),
    st.dictionaries(st.sampled_from(["sprog", "kort", "niveau", "gruppe", "periode", "x"]), st.text(max_size=20)),
)
def test_no_address_is_an_error(path: str, query: dict[str, str]) -> None:
    from urllib.parse import urlencode

    selection, _ = Selection.from_url("/" + path, urlencode(query), KNOWN)
    again, notices = Selection.from_url(*_split(selection.to_url()), KNOWN)
    assert again == selection
    assert notices == [], "what was read is valid, so its own address has nothing to notice"


def _split(url: str) -> tuple[str, str]:
    path, _, query = url.partition("?")
    return path, query


def test_defaults_are_left_out_and_keys_keep_their_order() -> None:
    plain = Selection(page="compare", indicator="readmissions_30d")
    assert plain.to_url() == "/sammenlign/readmissions_30d"
    full = Selection(
        page="compare",
        indicator="readmissions_30d",
        lang="en",
        area=AreaRef("municipality", "hjoerring"),
        group=AreaRef("kkr", "nordjylland"),
        only_group=True,
        period=Period.from_id("2024"),
        crude=True,
        view="table",
    )
    assert full.to_url() == (
        "/sammenlign/readmissions_30d?sprog=en&omraade=k-hjoerring&gruppe=kkr-nordjylland"
        "&udsnit=gruppe&periode=2024&beregning=raa&visning=tabel"
    )


@pytest.mark.parametrize(
    "path", ["/k/hjoerring", "/k/0860", "/k/860", "/k/Hjørring", "/k/HJ%C3%98RRING", "/k/hjoerring/"]
)
def test_an_area_answers_to_slug_code_and_name(path: str) -> None:
    selection, notices = Selection.from_url(path, "", KNOWN)
    assert selection.to_url() == "/k/hjoerring"
    assert notices == []


@pytest.mark.parametrize(
    ("path", "query", "shown", "notice"),
    [
        ("/k/hjorring", "", "/k/hjoerring", "notice.area_near"),
        ("/k/atlantis", "", "/?soeg=atlantis", "notice.area"),
        ("/sundhedsraad/vendsyssel", "", "/sundhedsraad/vendsyssel?kort=2027", "notice.map"),
        ("/kkr/nordjylland", "kort=2027", "/kkr/nordjylland", "notice.map"),
        ("/sammenlign/readmission_30d", "", "/sammenlign/readmissions_30d", "notice.indicator"),
        ("/sammenlign/readmissions_30d", "niveau=sogn", "/sammenlign/readmissions_30d", "notice.value"),
        ("/sammenlign/readmissions_30d", "periode=hest", "/sammenlign/readmissions_30d", "notice.period"),
        ("/sammenlign/readmissions_30d", "periode=1999", "/sammenlign/readmissions_30d", "notice.period_outside"),
        ("/sammenlign/readmissions_30d", "gruppe=kkr-x", "/sammenlign/readmissions_30d", "notice.area"),
        ("/sammenlign/readmissions_30d", "visning=rose", "/sammenlign/readmissions_30d", "notice.value"),
        ("/k/hjoerring", "visning=tragt", "/k/hjoerring", "notice.value"),
        ("/k/hjoerring/readmission_30d", "", "/k/hjoerring/readmissions_30d", "notice.indicator"),
        (
            "/sammenlign/readmissions_30d",
            "kommuner=hjoerring,atlantis",
            "/sammenlign/readmissions_30d?kommuner=hjoerring",
            "notice.left_out",
        ),
        ("/data", "fra=2024-13", "/data", "notice.month"),
        ("/data", "fra=2024-Q1", "/data", "notice.month"),
        ("/data", "fra=2025-05&til=2024-05", "/data", "notice.backwards"),
        ("/data", "indikatorer=readmissions_30d,x", "/data?indikatorer=readmissions_30d", "notice.left_out"),
        ("/om", "sprog=de", "/om", "notice.value"),
        ("/om", "utm=1", "/om", "notice.key"),
        ("/nowhere/at/all", "", "/", "notice.page"),
    ],
)
def test_what_is_unknown_becomes_the_nearest_valid_thing_and_a_notice(
    path: str, query: str, shown: str, notice: str
) -> None:
    selection, notices = Selection.from_url(path, query, KNOWN)
    assert selection.to_url() == shown
    assert [item.key for item in notices] == [notice]


@pytest.mark.parametrize("spelling", ["k-hjoerring", "hjoerring", "0860", "Hjørring"])
def test_a_municipality_may_be_highlighted_by_its_bare_name_or_code(spelling: str) -> None:
    selection, notices = Selection.from_url("/sammenlign/readmissions_30d", f"omraade={spelling}", KNOWN)
    assert selection.area == AreaRef("municipality", "hjoerring")
    assert not notices


def test_another_page_keeps_the_readers_choices() -> None:
    hjoerring = Selection(page="area", area=AreaRef("municipality", "hjoerring"), lang="en")
    assert hjoerring.on_page("compare").to_url() == "/sammenlign?sprog=en&omraade=k-hjoerring"
    assert hjoerring.on_page("compare", "readmissions_30d").on_page("area") == replace(
        hjoerring, indicator="readmissions_30d"
    )
    kkr = Selection(page="area", area=AreaRef("kkr", "nordjylland"))
    assert kkr.on_page("compare").to_url() == "/sammenlign?niveau=kkr&omraade=kkr-nordjylland"
    assert kkr.on_page("carpet").on_page("compare").to_url() == "/sammenlign?gruppe=kkr-nordjylland&udsnit=gruppe"
    country = Selection(page="area", area=AreaRef("country", ""))
    assert country.on_page("compare").to_url() == "/sammenlign"


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/k/hjoerring", "area"),
        ("/land", "area"),
        ("/kkr/nordjylland", "carpet"),
        ("/kkr/nordjylland/overblik", "area"),
        ("/land/taeppe", "carpet"),
        ("/kkr/nordjylland/readmissions_30d", "depth"),
    ],
)
def test_an_area_has_an_overview_a_carpet_and_depths(path: str, page: str) -> None:
    selection, notices = Selection.from_url(path, "", KNOWN)
    assert (selection.page, selection.to_url(), notices) == (page, path, [])


@pytest.mark.parametrize("path", ["/k/hjoerring/taeppe", "/k/hjoerring/overblik"])
def test_one_municipality_makes_no_carpet(path: str) -> None:
    assert Selection.from_url(path, "", KNOWN)[0].to_url() == "/k/hjoerring"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("soeg=Hjørring", "/k/hjoerring"),
        ("soeg=860", "/k/hjoerring"),
        ("soeg=kkr nordjylland", "/kkr/nordjylland"),
        ("soeg=Sundhedsråd Vendsyssel", "/sundhedsraad/vendsyssel?kort=2027"),
        ("soeg=hj", "/?soeg=hj"),
        ("soeg=", "/"),
    ],
)
def test_a_search_by_a_whole_name_goes_straight_there_on_either_map(query: str, shown: str) -> None:
    selection, notices = Selection.from_url("/", query, KNOWN)
    assert (selection.to_url(), notices) == (shown, [])


def test_an_own_list_goes_before_a_group_and_is_written_in_one_order() -> None:
    query = "gruppe=kkr-nordjylland&kommuner=laesoe,0860,Hjørring"
    selection, notices = Selection.from_url("/sammenlign/readmissions_30d", query, KNOWN)
    assert selection.to_url() == "/sammenlign/readmissions_30d?kommuner=hjoerring,laesoe"
    assert notices == []


def test_a_selection_with_other_values_is_as_if_it_had_been_made_so() -> None:
    start = Selection(page="compare", area=area_ref(HJOERRING), view="funnel")
    assert start.but(area=None, crude=True) == replace(start, area=None, crude=True)
    assert start == Selection(page="compare", area=area_ref(HJOERRING), view="funnel"), "which is left as it was"
