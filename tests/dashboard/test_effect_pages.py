"""Effekt: an effect that is there, one that is not, one that cannot be told; and plans that nobody changes in silence.

The country is the random one. In four municipalities the preventable admissions are cut by two fifths from May 2024 on.
"""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dash import html
from polars.testing import assert_frame_equal

from dashboard.app import create_app
from dashboard.effect import forms as plan_forms
from dashboard.effect.plans import FOLDER, RESERVED, TYPED, find_plan, from_typed, known_plans, plans_for, to_typed
from dashboard.effect.reports import effect_of, method_rows, month_rows
from dashboard.guard.access import User
from dashboard.own_folder import place_of
from dashboard.pages.effect.form import SEEN, fingerprint, problem_text
from dashboard.pages.effect.plan import lock_line
from dashboard.pages.effect.told import change_text, fewer_text, sentence_of
from dashboard.selection import catalogue, exact_area
from dashboard.view import draw, show
from dashboard.words import load_words
from kpis.area import Area
from kpis.effect_report import Range
from kpis.indicator import LANGUAGES, load_indicators
from kpis.intervention import BINDING, Plan, PlanProblem, lock, read_plan
from kpis.release import Release, current_release
from kpis.verdict import BY_ID
from tests.dashboard.conftest import figure, shown, table_rows, text_of, walk
from tests.helpers import build_release

DA = load_words("da")
ID, OTHER = "preventable_admissions_65plus", "hip_fractures_65plus"
START = date(2024, 5, 1)
THERE, NOT_THERE, TOO_SMALL, TOO_NEW = "akutteam", "intet", "oe", "ny"
TREATED = ("0751", "0851", "0461", "0101")
TYPED_PLAN = {
    "name": "Akutteam i Thy",
    "what": "Rykker ud",
    "municipalities": "Thisted, Morsø",
    "start": "2025-06-01",
    "indicator": ID,
    "expected_effect": "−10 %",
    "cost": "1.200.000",
}


def rows(key: str, name: str, start: date, codes: tuple[str, ...], expected: float | None = 0.8) -> list[tuple]:
    texts = ("Hvad", None, OTHER, "Sundhed", 2e6, 4000.0, "Taksten 2024", date(2024, 1, 1), None, None)
    return [(key, name, "municipality", code, start, None, expected, ID, date(2024, 3, 1), *texts) for code in codes]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Data folder of the country with interventions. Read only."""
    folder = tmp_path_factory.mktemp("effects")
    cube = build_release(folder).sql("select * from cube")
    is_cut = pl.col("municipality_code").is_in(TREATED) & (pl.col("month") >= START)
    is_cut &= pl.col("group_id").str.starts_with("preventable")
    counts = [name for name in cube.columns if name.startswith(("n_", "bed_"))]
    is_gone = is_cut & (pl.int_range(pl.len()) % 5 < 2)
    cube = cube.with_columns(pl.when(is_gone).then(0).otherwise(pl.col(name)).alias(name) for name in counts)
    build_release(
        folder,
        cube=cube,
        intervention=[
            *rows(THERE, "Akutteam <døgnet rundt>", START, TREATED),
            *rows(NOT_THERE, "Uden virkning", date(2024, 6, 1), ("0791", "0740", "0730", "0657")),
            *rows(TOO_SMALL, "På øen", date(2024, 7, 1), ("0825",)),
            *rows(TOO_NEW + "-bil", "Ny bil", date(2025, 11, 1), ("0851",)),
        ],
    )
    return folder


@pytest.fixture(scope="module")
def release(data) -> Release:
    """The release that the pages show, so that what they worked out is known here too."""
    return current_release(data)


@pytest.fixture
def own(tmp_path, data) -> Path:
    """The same country in a folder of one's own, to write plans beside."""
    (tmp_path / "releases").symlink_to(data / "releases")
    return tmp_path


@pytest.fixture
def form(own) -> Callable[..., Any]:
    """Send the form as a browser does; returns the answer."""
    client = create_app(own).server.test_client()

    def sent(path: str, action: str = "gem", seen: Plan | None = None, **typed: str) -> Any:
        return client.post(path, data={SEEN: fingerprint(seen), "handling": action, **typed})

    return sent


def plan_of(data: Path, plan_id: str) -> Plan:
    plan = find_plan(current_release(data), plan_id)
    assert plan is not None
    return plan


def conclusion(content: Any) -> str:
    return text_of(next(part for part in walk(content) if getattr(part, "className", "") == "conclusion"))


# --- verdicts ------------------------------------------------------------------------------------------------


def test_an_effect_that_is_there_is_told_with_its_interval(data, release) -> None:
    report = effect_of(release, plan_of(data, THERE))
    assert report.verdict == "fall" and report.ratio.value == pytest.approx(0.6, abs=0.08)
    content = shown(data, f"/effekt/{THERE}").content
    assert "Tydeligt fald." in conclusion(content)
    below = round(100 * (1 - report.ratio.value))
    limits = [f"−{round(100 * (1 - edge))}" for edge in (report.ratio.lower, report.ratio.upper)]
    assert f"ligger {below} % under det, der var at vente uden indsatsen ({limits[0]} til {limits[1]} %)" in conclusion(
        content
    )


def test_methods_that_do_not_agree_are_told_with_the_verdict(data, release) -> None:
    report = effect_of(release, plan_of(data, THERE))
    assert "Metoderne er ikke enige" not in sentence_of(report, DA)
    rising = tuple(
        replace(one, ratio=Range(1.02, 0.9, 1.1)) if one.method == "series" else one for one in report.methods
    )
    assert "Metoderne er ikke enige: to af tre peger på et fald." in sentence_of(replace(report, methods=rising), DA)


def test_a_lock_is_held_against_the_start_that_was_locked() -> None:
    plan = lock(Plan("a", "A", ("0787",), date(2025, 4, 1), ID), datetime(2025, 3, 1, 9, 0))
    moved = replace(plan, start=date(2025, 5, 1))
    assert lock_line(moved, DA) == "Planen blev låst 1. marts 2025, én måned før starten. Ændret siden: første dag."


@pytest.mark.parametrize("plan_id", [NOT_THERE, TOO_SMALL, f"{TOO_NEW}-bil"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_cannot_be_told_is_said_calmly_and_says_why(data, plan_id, lang) -> None:
    content = shown(data, f"/effekt/{plan_id}?sprog={lang}").content
    mark = next(part for part in walk(content) if "verdict-mark" in str(getattr(part, "className", "")))
    assert mark.className == f"verdict-mark v-{BY_ID['cannot_tell'].colour}"
    assert not BY_ID["cannot_tell"].shouts
    told = conclusion(content)
    assert getattr(BY_ID["cannot_tell"], lang).capitalize() in told
    assert re.search(r"−\d+ (?:til|to) \+\d+ %", told) or re.search(r"\d+ (?:måneder|months|hændelser|events)", told)


def test_an_effect_that_the_plan_hoped_for_and_that_is_ruled_out_is_said(release) -> None:
    report = effect_of(release, find_plan(release, NOT_THERE))
    assert report.verdict == "cannot_tell" and report.ratio.lower > 0.8
    assert "Planen ventede −20 %; det ligger uden for." in sentence_of(report, DA)


def test_a_design_that_is_refused_shows_what_is_counted_so_far(data, release) -> None:
    report = effect_of(release, plan_of(data, "ny-bil"))
    assert [one.id for one in report.refusals] == ["too_few_after"]
    months = month_rows(release, report)
    assert months["observed"].null_count() == 0 and months["counterfactual"].null_count() == months.height == 36
    assert months.filter(pl.col("side") == "provisional")["month"].min() == date(2025, 10, 1)
    block = figure(shown(data, "/effekt/ny-bil").content, "modfaktisk")
    assert "d-expected" not in str(block)


def test_every_reason_has_words_in_both_languages() -> None:
    """The ids stand where they are raised; a new one without words would be an error on a reader's screen."""
    source = "".join(
        path.read_text("utf-8") for path in Path(read_plan.__code__.co_filename).parent.glob("effect_*.py")
    )
    refusals = set(re.findall(r'Refused\(\s*"([a-z_]+)"', source)) | {"poor_fit"}
    refusals |= set(re.findall(r'"(indicator_[a-z_]+)"', source))
    of_methods = set(re.findall(r'MethodResult\([^)]*Refusal\("([a-z_]+)"', source))
    assert len(refusals) > 8 and of_methods
    for lang in LANGUAGES:
        texts = load_words(lang).texts
        assert {key for one in refusals if (key := f"effect.refusal_{one}") not in texts} == set()
        assert {key for one in of_methods if (key := f"effect.method_refusal_{one}") not in texts} == set()
        assert all(f"effect.reason_{one}" in texts for one in re.findall(r'objections.append\("([a-z_]+)"', source))


# --- the list ------------------------------------------------------------------------------------------------


def test_the_list_is_newest_first_whatever_came_of_it(data, release) -> None:
    for plan in known_plans(release):
        effect_of(release, plan)
    content = shown(data, "/effekt").content
    entries = next(part for part in walk(content) if getattr(part, "className", "") == "efforts").children
    names = [text_of(next(part for part in walk(entry) if isinstance(part, html.H2))) for entry in entries]
    assert names == ["Ny bil", "På øen", "Uden virkning", "Akutteam <døgnet rundt>"]
    first = text_of(entries[-1])
    for told in ("tydeligt fald", "Siden maj 2024", "København", "Forebyggelige indlæggelser 65+"):
        assert told in first
    assert "Der er fire indsatser: tydeligt fald (én) og kan ikke afgøres (tre)." in conclusion(content)


def test_a_list_that_is_not_worked_out_yet_says_so_and_comes_again(data, monkeypatch) -> None:
    monkeypatch.setattr("dashboard.pages.effect.listing.effects_so_far", lambda *_: {})
    view = show(data, "/effekt", "")
    assert not view.is_final
    assert "Akutteam <døgnet rundt>" in text_of(view.content) and "regnes ud" in text_of(view.content)


def test_the_list_of_an_area_holds_its_own(data) -> None:
    text = text_of(shown(data, "/effekt?omraade=k-laesoe").content)
    assert "På øen" in text and "Uden virkning" not in text


def test_an_id_that_is_not_known_gives_the_list_and_a_notice(data) -> None:
    text = text_of(shown(data, "/effekt/findes-ikke").content)
    assert "Indsatsen findes-ikke findes ikke." in text and "Uden virkning" in text


# --- figures, tables, files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("view", ["", "visning=tabel"])
@pytest.mark.parametrize("plan_id", [THERE, NOT_THERE, TOO_SMALL, "ny-bil"])
def test_every_report_can_be_shown(data, plan_id, view, lang) -> None:
    content = shown(data, f"/effekt/{plan_id}?{view}&sprog={lang}").content
    assert len([part for part in walk(content) if isinstance(part, html.H1)]) == 1


def test_chart_table_and_file_hold_the_same_months(data, release) -> None:
    report = effect_of(release, plan_of(data, THERE))
    months = month_rows(release, report)
    content = shown(data, f"/effekt/{THERE}").content
    cells = table_rows(content, "måned for måned")
    assert list(cells) == [DA.month(month) for month in reversed(months["month"].to_list())]
    newest = months.filter(pl.col("side") == "after").row(-1, named=True)
    assert cells[DA.month(newest["month"])] == [
        "efter",
        *(
            DA.number(newest[name])
            for name in ("observed", "counterfactual", "counterfactual_lower", "counterfactual_upper")
        ),
    ]
    titles = re.findall(r"<title>([^<]*)</title>", str(figure(content, "modfaktisk")))
    told = f"{DA.month(newest['month'])}: {DA.number(newest['observed'])} observeret"
    assert any(title.startswith(told) for title in titles)


@pytest.mark.parametrize(
    ("part", "rows_of"), [("maaneder", month_rows), ("metoder", lambda _, report: method_rows(report))]
)
def test_the_file_holds_the_rows_of_the_page(data, release, part, rows_of) -> None:
    client = create_app(data).server.test_client()
    content = shown(data, f"/effekt/{THERE}").content
    name = {"maaneder": "modfaktisk", "metoder": "metoder"}[part]
    links = [link.href for link in walk(figure(content, name)) if isinstance(link, html.A)]
    parquet = client.get(next(href for href in links if href.startswith("/fil/effekt.parquet")))
    expected = rows_of(release, effect_of(release, plan_of(data, THERE)))
    assert_frame_equal(pl.read_parquet(io.BytesIO(parquet.data)).select(expected.columns), expected, abs_tol=1e-5)
    csv = client.get(next(href for href in links if href.startswith("/fil/effekt.csv"))).data.decode("utf-8-sig")
    assert len(csv.splitlines()) == 1 + expected.height


@pytest.mark.parametrize(
    ("url", "status", "told"),
    [
        ("/fil/effekt.xlsx?indsats=akutteam", 400, "Allowed: parquet, csv"),
        ("/fil/effekt.csv?indsats=hest", 404, "There are: ny-bil, oe, intet, akutteam."),
        ("/fil/effekt.csv?indsats=akutteam&indhold=alt", 400, "maaneder"),
        ("/fil/effekt.csv", 400, "indsats"),
    ],
)
def test_a_wrong_address_of_a_file_is_told_what_is_allowed(data, url, status, told) -> None:
    answer = create_app(data).server.test_client().get(url)
    assert answer.status_code == status and told in answer.text


def test_the_naive_method_stands_last_and_looks_naive(data) -> None:
    block = figure(shown(data, f"/effekt/{THERE}").content, "metoder")
    drawing = next(part.markup for part in walk(block) if getattr(part, "className", "") == "svg for-screen")
    names = re.findall(r'text-anchor="end">([^<]{8,})<', drawing)
    assert names == [DA(f"effect.method_{name}") for name in ("controls", "synthetic", "series", "before_after")]
    assert drawing.count('class="d-finding-naive"') == drawing.count('class="d-finding-own"') == 1


def test_every_placebo_is_a_dot(data, release) -> None:
    spread = effect_of(release, plan_of(data, THERE)).placebos
    block = figure(shown(data, f"/effekt/{THERE}").content, "placeboer")
    drawing = next(part.markup for part in walk(block) if getattr(part, "className", "") == "svg for-screen")
    assert drawing.count('class="d-at-others"') == len(spread.ratios) == spread.n
    assert f"Ud af {spread.n} lignende grupper" in text_of(block)


def test_what_stands_behind_a_verdict_is_all_there(data, release) -> None:
    report = effect_of(release, plan_of(data, THERE))
    behind = next(part for part in walk(shown(data, f"/effekt/{THERE}").content) if getattr(part, "id", "") == "tillid")
    text = text_of(behind)
    assert f"holdt {DA.number(100 * report.coverage)} af 100 intervaller sandheden; 95 er lovet" in text
    assert change_text(report.negative_control.ratio, DA) in text
    assert "Planen nævner ingen modvægt." in text
    assert "Låst 1. marts 2024 uden for Nærblik" in text
    heaviest = max(report.donors, key=lambda donor: donor.synthetic_weight)
    assert next(iter(table_rows(behind, "der tæller mest"))) == heaviest.name


def test_amounts_and_cost_are_those_of_the_report(data, release) -> None:
    gain = effect_of(release, plan_of(data, THERE)).gain
    text = text_of(shown(data, f"/effekt/{THERE}").content)
    assert fewer_text(gain.events, DA) in text and fewer_text(gain.bed_days, DA) in text
    saved = [DA.number(amount * 4000 / 1e6, 1) for amount in gain.bed_days]
    assert f"{saved[0]} mio. kr. ({saved[1]} til {saved[2]})" in text and "(Taksten 2024)" in text
    assert f"{DA.number(gain.cost / 1e6, 1)} mio. kr." in text
    each = gain.cost_per_event
    assert re.search(rf"{DA.number(100 * round(each.value / 100))[:2]}[\d.]* kr. for hver undgået", text)


def test_amounts_say_fewer_or_more_on_each_side() -> None:
    assert fewer_text(Range(123.0, 31.0, 214.0), DA) == "125 færre (30–215)"
    assert fewer_text(Range(-123.0, -214.0, -31.0), DA) == "125 flere (30–215)"
    assert fewer_text(Range(42.0, -58.0, 139.0), DA) == "40 færre (fra 60 flere til 140 færre)"
    assert fewer_text(Range(81.0, -18.0, 203.0), DA) == "80 færre (fra 20 flere til 205 færre)"
    assert fewer_text(Range(81.0, -2.0, 203.0), DA) == "81 færre (fra 2 flere til 203 færre)", "no side is lost"
    assert fewer_text(Range(1.0, -200.0, 203.0), DA) == "ingen forskel (fra 200 flere til 205 færre)"


# --- where else interventions stand --------------------------------------------------------------------------


def test_depth_flags_the_intervention_and_links_to_what_came_of_it(data) -> None:
    content = shown(data, f"/k/aarhus/{ID}").content
    assert "d-flag-name" in str(figure(content, "maaneder"))
    links = {part.href: text_of(part) for part in walk(content) if isinstance(part, html.A)}
    assert links[f"/effekt/{THERE}?omraade=k-aarhus"] == "Virkede det? Akutteam <døgnet rundt>"
    assert not any("/effekt/" in href for href in _hrefs(shown(data, f"/k/aarhus/{OTHER}").content))


def test_overview_links_to_the_interventions_of_the_area_only_where_there_are_any(data) -> None:
    assert "/effekt?omraade=k-laesoe" in _hrefs(shown(data, "/k/laesoe").content)
    text = text_of(shown(data, "/k/laesoe").content)
    assert "Indsatser her og deres effekt (1)" in text
    assert "Indsatser her og deres effekt" not in text_of(shown(data, "/k/skive").content)


def test_a_group_has_the_interventions_of_its_municipalities(release) -> None:
    def area(name: str) -> Area:
        found = exact_area(name, "2024", catalogue(release))
        assert found is not None
        return found

    assert [plan.id for plan in plans_for(release, area("KKR Midtjylland"), ID)] == [THERE, NOT_THERE]
    assert [plan.id for plan in plans_for(release, area("Randers"))] == [NOT_THERE]
    assert plans_for(release, area("Randers"), OTHER) == []


def _hrefs(content: Any) -> list[str]:
    return [part.href for part in walk(content) if isinstance(part, html.A)]


# --- the form ------------------------------------------------------------------------------------------------


def test_a_plan_is_registered_locked_and_shown_at_once(own, form) -> None:
    draw(own, "/effekt", "")  # what was drawn before must not stay
    answer = form("/effekt/ny", "laas", **TYPED_PLAN)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/effekt/akutteam-i-thy")
    plan = read_plan((place_of(own, FOLDER) / "akutteam-i-thy.toml").read_text("utf-8"))
    assert plan.is_intact and plan.registered_on == date.today()
    assert (plan.municipalities, plan.expected_effect, plan.cost) == (("0773", "0787"), 0.9, 1_200_000.0)
    assert "Akutteam i Thy" in draw(own, "/effekt", "").markup
    page = text_of(shown(own, "/effekt/akutteam-i-thy").content)
    assert plan.plan_hash in page and "Intet er ændret siden." in page
    assert "Der er 5 måneder med endelige tal efter starten" not in page  # 2025-06 to 2025-09 are four
    assert "Der er 4 måneder med endelige tal efter starten" in page


def test_the_form_offers_what_an_effect_can_be_looked_for_in(own) -> None:
    offered = {getattr(part, "value", None) for part in walk(shown(own, "/effekt/ny").content)}
    assert ID in offered
    unsuitable = {"psychiatric_admissions_18plus", "preventive_home_visits_75plus", "acute_place_occupancy"}
    assert unsuitable <= set(load_indicators()) and not unsuitable & offered


def test_every_fault_is_told_at_its_field_and_nothing_is_lost(own, form) -> None:
    typed = {
        "what": "<script>alert(1)</script>",
        "municipalities": "Hjøring, Atlantis",
        "start": "i morgen",
        "indicator": "hest",
        "expected_effect": "meget",
        "cost": "dyrt",
        "end": "2024-01-01",
    }
    answer = form("/effekt/ny", "laas", **typed)
    assert answer.status_code == 422
    faults = dict(re.findall(r'<p class="fault" id="([a-z_]+)-fault">([^<]*)', answer.text))
    assert faults["name"] == "Her mangler noget."
    assert faults["municipalities"].startswith("Hjøring er ikke en kommune. Mente du Hjørring?")
    assert "Atlantis er ikke en kommune" in faults["municipalities"]
    assert faults["start"] == "i morgen er ikke en dato. Skriv for eksempel 2026-12-01."
    assert set(faults) == {"name", "municipalities", "start", "indicator", "expected_effect", "cost"}
    assert 'aria-describedby="start-hint start-fault" aria-invalid="true"' in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</textarea>" in answer.text and "<script>alert" not in answer.text
    assert 'href="#municipalities"' in answer.text
    assert not place_of(own, FOLDER).exists()


@pytest.mark.parametrize(("text", "is_allowed"), [("-95", True), ("+400 %", True), ("-96", False), ("401", False)])
def test_the_expected_change_has_limits(text, is_allowed) -> None:
    typed = {**TYPED_PLAN, "expected_effect": text}
    if is_allowed:
        assert from_typed(typed, None, (), date(2026, 1, 1)).expected_effect in (0.05, 5.0)
    else:
        with pytest.raises(PlanProblem) as raised:
            from_typed(typed, None, (), date(2026, 1, 1))
        assert [(one.field, one.problem) for one in raised.value.faults] == [("expected_effect", "out_of_range")]


@pytest.mark.parametrize(
    ("field", "text", "found"),
    [
        ("cost", "1.200.000", 1_200_000.0),
        ("cost", "1,200,000 kr.", 1_200_000.0),
        ("cost", "6200000", 6_200_000.0),
        ("cost", "1.200,50", None),
        ("cost", "6,2 mio.", None),
        ("later_starts", "Morsø: 2025-09-01", (("0773", date(2025, 9, 1)),)),
        ("later_starts", "Morsø: senere", None),
        ("later_starts", "Hjørring: 2025-09-01", None),
        ("later_starts", "Morsø: 2024-09-01", None),
    ],
)
def test_what_is_written_is_read_as_it_is_meant_or_refused(field, text, found) -> None:
    typed = {**TYPED_PLAN, field: text}
    if found is None:
        with pytest.raises(PlanProblem) as raised:
            from_typed(typed, None, (), date(2026, 1, 1))
        assert [one.field for one in raised.value.faults] == [field]
        told = problem_text(raised.value.faults[0], DA)
        assert "{" not in told and not re.search(r"\b0\d{3}\b", told)  # names, not codes
    else:
        assert getattr(from_typed(typed, None, (), date(2026, 1, 1)), field) == found


def test_two_of_one_name_are_two_and_none_is_called_as_the_empty_form(form) -> None:
    assert RESERVED == ("ny",)
    found = [form("/effekt/ny", **TYPED_PLAN | {"name": name}).headers["Location"] for name in ("Ny", "Ny", "Æ & Ø")]
    assert found == ["/effekt/ny-2", "/effekt/ny-3", "/effekt/ae-oe"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_plan_goes_through_the_form_unchanged(lang) -> None:
    plan = Plan(
        id="alt",
        name="Alt på én gang",
        municipalities=("0787", "0851"),
        start=date(2025, 1, 1),
        indicator=ID,
        expected_effect=0.875,
        counterweight="readmissions_30d_65plus",
        negative_control=OTHER,
        owner="Sundhed",
        what="Linje et\nlinje to",
        cost=1_250_000.0,
        bed_day_price=5_000.0,
        price_source="Taksten 2025",
        end=date(2026, 1, 1),
        later_starts=(("0851", date(2025, 3, 1)),),
        registered_on=date(2024, 12, 1),
    )
    locked = lock(plan, datetime(2024, 12, 2, 9, 30))
    for one in (plan, locked):
        assert from_typed(to_typed(one, load_words(lang)), one, (), date(2026, 1, 1)) == one
    assert set(TYPED) == set(BINDING) - {"id"}


def test_a_locked_plan_stays_and_every_change_is_shown(own, form) -> None:
    form("/effekt/ny", "laas", **TYPED_PLAN)
    locked = plan_of(own, "akutteam-i-thy")
    changed = {**to_typed(locked, DA), "expected_effect": "-2", "indicator": OTHER}
    assert form("/effekt/akutteam-i-thy/ret", "laas", seen=locked, **changed).status_code == 303
    plan = plan_of(own, "akutteam-i-thy")
    assert plan.is_intact and plan.locked == locked.locked and plan.locked_on == locked.locked_on
    content = shown(own, "/effekt/akutteam-i-thy").content
    assert "Ændret siden: forventet ændring i procent og målindikator." in text_of(content)
    assert table_rows(content, "afvigelser fra den låste plan") == {
        "Målindikator": ["Forebyggelige indlæggelser 65+", "Hoftebrud 65+"],
        "Forventet ændring i procent": ["−10 %", "−2 %"],
    }


def test_a_plan_that_came_locked_is_copied_before_it_is_changed_here(own, form) -> None:
    came = plan_of(own, THERE)
    form(f"/effekt/{THERE}/ret", seen=came, **{**to_typed(came, DA), "owner": "En anden"})
    content = shown(own, f"/effekt/{THERE}").content
    assert table_rows(content, "afvigelser fra den låste plan") == {"Ansvarlig": ["Sundhed", "En anden"]}


def test_a_locked_plan_that_somebody_changed_in_the_file_is_found_out(own, form) -> None:
    form("/effekt/ny", "laas", **TYPED_PLAN)
    path = place_of(own, FOLDER) / "akutteam-i-thy.toml"
    path.write_text(path.read_text("utf-8").replace("forventet_effekt = 0.9", "forventet_effekt = 0.99"), "utf-8")
    assert "passer ikke til sit fingeraftryk" in text_of(shown(own, "/effekt/akutteam-i-thy").content)


def test_nobody_writes_over_what_he_has_not_seen(own, form) -> None:
    form("/effekt/ny", **TYPED_PLAN)
    first = plan_of(own, "akutteam-i-thy")
    form("/effekt/akutteam-i-thy/ret", seen=first, **TYPED_PLAN | {"owner": "Den ene"})
    answer = form("/effekt/akutteam-i-thy/ret", seen=first, **TYPED_PLAN | {"owner": "Den anden"})
    assert answer.status_code == 422
    assert "ændret af en anden" in answer.text and 'value="Den anden"' in answer.text
    assert plan_of(own, "akutteam-i-thy").owner == "Den ene"


def test_where_nothing_can_be_kept_the_text_comes_back(form, monkeypatch) -> None:
    monkeypatch.setattr(plan_forms, "own_folder", lambda *_: None)
    answer = form("/effekt/ny", **TYPED_PLAN)
    assert answer.status_code == 422
    assert "Planen kunne ikke gemmes" in answer.text and 'value="Akutteam i Thy"' in answer.text


def test_who_may_not_write_is_not_offered_the_form_and_is_refused(own, form, monkeypatch) -> None:
    reader = User("anna", frozenset({"viewer", "analyst"}))
    monkeypatch.setattr("dashboard.guard.access.current_user", lambda: reader)
    assert form("/effekt/ny", **TYPED_PLAN).status_code == 403
    assert "/effekt/ny" not in _hrefs(shown(own, "/effekt").content)
    page = shown(own, "/effekt/ny").content
    assert "Du har ikke adgang" in text_of(page) and not any(isinstance(part, html.Form) for part in walk(page))


def test_a_form_for_a_plan_that_is_not_there_is_refused(form) -> None:
    assert form("/effekt/findes-ikke/ret", **TYPED_PLAN).status_code == 404
