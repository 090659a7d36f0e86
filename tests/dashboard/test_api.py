"""The API: it says what it takes, takes what it says, and gives the figures of pages, files and command line."""

import hashlib
import io
import json
from datetime import date

import jsonschema
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from polars.testing import assert_frame_equal

import kpis.retired
from dashboard.agenda import Agenda, AgendaItem
from dashboard.agenda.kept import keep_agenda
from dashboard.api import resources
from dashboard.api.document import openapi
from dashboard.api.encoding import KINDS, MEDIA_TYPE
from dashboard.api.filters import MOST_ROWS
from dashboard.api.problem import MEDIA_TYPE as PROBLEM
from dashboard.api.quota import Quota
from dashboard.api.resources import RESOURCES
from dashboard.app import create_app
from dashboard.selection import LEVEL_WORDS
from kpis.__main__ import main
from kpis.area import areas
from kpis.evaluate import Query, evaluate
from kpis.export import export
from kpis.indicator import LANGUAGES, load_indicators
from kpis.period import Period, periods_between
from kpis.slice import Slice
from tests.dashboard.conftest import shown, table_rows, text_of
from tests.helpers import build_release

ID = "preventable_admissions_65plus"
OLD, NEW = "v20260115T030000Z-old", "v20260215T030000Z-new"
PLAIN = [resource for resource in RESOURCES if not resource.has_id]


@pytest.fixture(scope="module")
def app(country_data):
    """The app over the random country, with a quota that no test uses up by accident."""
    server = create_app(country_data).server
    server.extensions[Quota.NAME] = Quota(rate=1e9, burst=1e12)
    return server


@pytest.fixture(scope="module")
def api(app):
    client = app.test_client()
    return lambda path, **how: client.get(f"/api/v1/{path}", **how)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The same country counted otherwise in two releases, and an agenda."""
    folder = tmp_path_factory.mktemp("two")
    build_release(folder, OLD, seed=2)
    build_release(folder, NEW, seed=1)
    items = (AgendaItem("Status", "/kkr/nordjylland", "at tage til efterretning"), AgendaItem("Data", "/data"))
    agenda = Agenda("kkr-november", "KKR i november", "KKR", date(2026, 11, 24), NEW, "2024", "da", items)
    keep_agenda(folder, agenda, None)
    server = create_app(folder).server
    client = server.test_client()
    return lambda path, **how: client.get(f"/api/v1/{path}", **how)


def read(answer, kind) -> pl.DataFrame:
    """The rows of an answer, whatever its kind."""
    match kind:
        case "json":
            return pl.DataFrame(answer.json["rows"], infer_schema_length=None)
        case "csv":
            return pl.read_csv(io.BytesIO(answer.data), infer_schema_length=None)
        case "parquet":
            return pl.read_parquet(io.BytesIO(answer.data))
        case "arrow":
            return pl.read_ipc(io.BytesIO(answer.data))


def path_of(resource) -> str:
    return resource.path.replace("{id}", resource.example_id) + (f"?{resource.example}" if resource.example else "")


# --- The document ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_document_is_openapi(api, lang):
    document = api(f"openapi.json?sprog={lang}").json
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        f"/api/v1/{item.path}{ending}" for item in RESOURCES for ending in ("", ".{kind}")
    }


def test_the_document_has_no_word_of_the_other_language():
    texts = [json.dumps(openapi(lang), ensure_ascii=False) for lang in LANGUAGES]
    assert "Udgivelser, der kan spørges til." in texts[0] and "Udgivelser" not in texts[1]


@pytest.mark.parametrize("resource", PLAIN, ids=lambda item: item.name)
def test_every_kind_of_an_answer_has_the_same_rows_and_the_declared_columns(api, resource):
    path, _, query = path_of(resource).partition("?")
    frames = {}
    for kind in KINDS:
        answer = api(f"{path}.{kind}?{query}" if resource.name != "changes" else f"areas.{kind}")
        assert answer.status_code == 200, answer.text
        assert answer.mimetype == MEDIA_TYPE[kind].partition(";")[0]
        frames[kind] = read(answer, kind)
    assert_frame_equal(frames["parquet"], frames["arrow"])
    if resource.name != "changes":
        assert dict(frames["parquet"].schema) == dict(resource.columns)
    assert frames["json"].height == frames["csv"].height == frames["parquet"].height


def test_by_accept_comes_the_same_as_by_ending(api):
    for kind in KINDS:
        by_ending = api(f"areas.{kind}?niveau=kkr")
        assert api("areas?niveau=kkr", headers={"Accept": MEDIA_TYPE[kind]}).data == by_ending.data
    assert api("areas?niveau=kkr").mimetype == "application/json"
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    assert api("areas?niveau=kkr", headers=browser).mimetype == "application/json"
    assert api("areas", headers={"Accept": "image/png"}).status_code == 406


# --- The same figures everywhere -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_values_are_the_bytes_of_file_and_command_line(country_data, app, api, tmp_path, kind, lang):
    query = f"niveau=region&inddeling=year&beregning=raa&sprog={lang}"
    of_api = api(f"values.{kind}?indikatorer={ID}&{query}").data
    assert app.test_client().get(f"/fil/{ID}.{kind}?{query}&csv=international").data == of_api
    path = tmp_path / f"out.{kind}"
    options = ["--level", "region", "--lang", lang, "--csv", "international", "-o", path, "--data", country_data]
    result = CliRunner().invoke(main, ["export", ID, *map(str, options)])
    assert result.exit_code == 0, result.output
    assert path.read_bytes() == of_api
    assert hashlib.sha256(of_api).hexdigest() in result.stderr


def test_page_api_file_and_evaluation_tell_the_same_figure(country, country_data, api):
    period = Period.from_id("2025")
    query = Query(load_indicators()[ID], areas(country, "kkr", "2024"), (period,), standardised=True)
    evaluated = dict(evaluate(country, query).select("area_name", "value").iter_rows())
    asked = f"indikatorer={ID}&niveau=kkr&fra=2025-01&til=2025-12&inddeling=year"
    rows = [row for row in api(f"values?{asked}").json["rows"] if row["role"] == "area"]
    assert {row["area_name"]: row["value"] for row in rows} == pytest.approx(evaluated, abs=1e-6)
    wanted = Slice((ID,), "kkr", (period,), standardised=True)
    file = pl.read_parquet(io.BytesIO(export(country, wanted, "parquet").content))
    assert {row["area_name"]: row["value"] for row in rows} == dict(
        file.filter(pl.col("role") == "area").select("area_name", "value").iter_rows()
    )
    page = shown(country_data, f"/sammenlign/{ID}?niveau=kkr&periode=2025&visning=tabel")
    table = table_rows(page.content)
    assert len(evaluated) == 5
    for name, value in evaluated.items():
        (cells,) = [cells for head, cells in table.items() if name in head]
        digits = len(cells[0].partition(",")[2])
        assert float(cells[0].replace(",", ".")) == round(value, digits)


def test_the_cube_is_the_whole_cube_of_the_release(country, api):
    order = ["month", "municipality_code", "sex", "age_from", "group_id"]
    whole = country.sql("select * from cube").select(resources.CUBE.names()).sort(order)
    assert_frame_equal(read(api("cube.parquet"), "parquet"), whole, check_dtypes=False)
    one = api("cube.arrow?fra=2024-03&til=2024-04")
    assert read(one, "arrow")["month"].unique().sort().to_list() == [date(2024, 3, 1), date(2024, 4, 1)]


def test_the_cube_is_sent_while_it_is_read(app, monkeypatch):
    asked = []
    months = resources._months
    monkeypatch.setattr(
        resources, "_months", lambda *how: (asked.append(frame.height) or frame for frame in months(*how))
    )
    answer = app.test_client().get("/api/v1/cube.csv", buffered=False)
    parts = answer.iter_encoded()
    assert next(parts).startswith(b"municipality_code,month,") and len(asked) <= 2
    assert not next(parts).startswith(b"municipality_code")
    assert len(list(parts)) + 2 == len(asked) == 36


def test_periods_and_areas_are_those_that_values_take(country, api):
    periods = [row["period"] for row in api("periods?inddeling=year").json["rows"]]
    assert periods == [item.id for item in periods_between(date(2023, 1, 1), date(2025, 12, 1), "year")]
    for row in api("areas?niveau=kkr").json["rows"]:
        found = api(f"values?indikatorer={ID}&niveau=k&inddeling=year&omraade={row['omraade']}").json["rows"]
        codes = {item["area_code"] for item in found if item["role"] == "area"}
        assert codes == set(row["municipalities"])


def test_an_indicator_comes_with_its_definition_and_codes(api):
    found = api(f"indicators/{ID}").json
    assert found["definition"]["id"] == ID and found["codelist"]["groups"]["fracture"]["prefixes"]
    assert found["rows"][0]["indicator"] == ID
    assert api(f"indicators/{ID}.csv").mimetype == "text/csv"


# --- Releases, changes, agendas ------------------------------------------------------------------------------


def test_releases_can_be_asked_for_by_their_ids(two):
    listed = two("releases").json["rows"]
    assert [(row["release"], row["is_newest"]) for row in listed] == [(NEW, True), (OLD, False)]
    both = [two(f"values?indikatorer={ID}&niveau=land&udgave={name}").json for name in (NEW, OLD)]
    assert [found["release"] for found in both] == [NEW, OLD]
    assert both[0]["rows"][0]["numerator"] != both[1]["rows"][0]["numerator"]


def test_changes_are_the_difference_of_the_two_releases(two):
    asked = f"indikatorer={ID}&niveau=region&inddeling=year"
    found = two(f"changes?{asked}").json
    assert (found["before"], found["release"]) == (OLD, NEW)
    values = [
        {(row["area_code"], row["period"]): row["value"] for row in two(f"values?{asked}&udgave={name}").json["rows"]}
        for name in (OLD, NEW)
    ]
    expected = {key: (values[0][key], values[1][key]) for key in values[1] if values[0][key] != values[1][key]}
    told = {(row["area_code"], row["period"]): (row["before"], row["after"]) for row in found["rows"]}
    assert told == expected and len(told) > 5
    assert found["counted_otherwise"] == {"indicators": [], "rules": [], "diagnosis_groups": []}
    backwards = two(f"changes?{asked}&udgave={OLD}&foer={NEW}").json
    assert {(row["after"], row["before"]) for row in backwards["rows"]} == set(told.values())


def test_without_an_earlier_release_nothing_is_compared(api):
    answer = api(f"changes?indikatorer={ID}")
    assert answer.status_code == 404 and "no earlier release" in answer.json["detail"]


def test_agendas_are_told_with_their_items(two):
    (row,) = two("agendas").json["rows"]
    assert (row["agenda"], row["day"], row["n_items"]) == ("kkr-november", "2026-11-24", 2)
    found = two("agendas/kkr-november").json
    assert [item["address"] for item in found["rows"]] == ["/kkr/nordjylland", "/data"]
    assert found["release"] == NEW
    assert "There are: kkr-november" in two("agendas/other").json["detail"]


# --- What is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("values", 400, f"indikatorer is missing. Write for example indikatorer={ID}."),
        ("values?indikatorer=preventable_admission_65plus", 400, f"Did you mean {ID}?"),
        (f"values?indikatorer={ID}&niveau=sogn", 400, "niveau=sogn is not known. Allowed: k, klynge"),
        (f"values?indikatorer={ID}&omraade=k-atlantis", 400, "omraade=k-atlantis is not known"),
        (f"values?indikatorer={ID}&omraade=k-hjoerring&niveau=kkr", 400, "No kkr lies in Hjørring."),
        (f"values?indikatorer={ID}&kort=2027&niveau=kkr", 400, "Allowed: k, sundhedsraad, region"),
        (f"values?indikatorer={ID}&fra=2025-05&til=2024-05", 400, "Turn them around"),
        (f"values?indikatorer={ID}&fra=2025-02&til=2025-11&inddeling=year", 400, "There is no whole year"),
        (f"values?indikatorer={ID}&hest=1", 400, "hest means nothing here. Allowed: sprog, udgave"),
        (f"values?indikatorer={ID}&fra=2024-01&fra=2024-02", 400, "fra is given more than once"),
        ("values?indikatorer=days_after_ready&opdeling=alder", 400, "cannot be split by age"),
        ("values.xlsx?indikatorer=days_after_ready", 404, "There is: json, csv, parquet, arrow."),
        ("indicators/nothing", 404, "id=nothing is not known"),
        ("weather", 404, "There are: /api/v1/values, "),
        ("areas?udgave=v20200101T000000Z-gone", 410, "is not kept. Kept are: v20260115T030000Z-test"),
        (
            f"values?indikatorer={ID}&niveau=k&kort=2027&omraade=region-hovedstaden",
            410,
            "Ask for omraade=region-oestdanmark.",
        ),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_what_is_possible(api, path, status, told):
    answer = api(path)
    assert (answer.status_code, answer.mimetype) == (status, PROBLEM)
    assert told in answer.json["detail"]
    assert answer.json["status"] == status
    jsonschema.validate(answer.json, openapi("da")["components"]["schemas"]["problem"])


def test_of_several_faults_every_one_is_told(api):
    told = api("values?indikatorer=nothing&niveau=sogn&fra=maj").json
    assert [fault["key"] for fault in told["errors"]] == ["fra", "indikatorer", "niveau"]


def test_a_retired_indicator_is_gone_and_names_its_successor(api, monkeypatch):
    retired = {"indicator": {"old_admissions": {"successor": ID, "since": date(2026, 1, 1)}}}
    monkeypatch.setattr(kpis.retired, "_list", lambda: retired)
    for path in ("indicators/old_admissions", "values?indikatorer=old_admissions"):
        answer = api(path)
        assert answer.status_code == 410
        assert (answer.json["successor"], answer.json["since"]) == (ID, "2026-01-01")


def test_every_retired_id_has_a_successor_that_is_there(country):
    told = kpis.retired._list()
    assert all(entry["successor"] in load_indicators() for entry in told.get("indicator", {}).values())
    for level, entries in told["area"].items():
        for slug, entry in entries.items():
            slugs = {area.slug for area in areas(country, level, entry["map"])}
            assert entry["successor"] in slugs and slug not in slugs


def test_a_slice_of_too_many_rows_is_refused_before_it_is_counted(api):
    everything = ",".join(item.id for item in load_indicators().values() if "age" in item.breakdowns)
    answer = api(f"values?indikatorer={everything}&inddeling=month&opdeling=alder")
    assert answer.status_code == 400 and f"are more than {MOST_ROWS}" in answer.json["detail"]


# --- ETag and quota ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*(path_of(item) for item in PLAIN if item.name != "changes"), "openapi.json"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_whoever_has_the_answer_already_is_told_so(api, path, coding):
    how = {"Accept-Encoding": coding}
    first = api(path, headers=how)
    again = api(path, headers={**how, "If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert api(path, headers={**how, "If-None-Match": '"other"'}).status_code == 200


def test_an_answer_of_another_release_is_another_answer(two):
    tags = {two(f"cube.csv?fra=2025-01&til=2025-01&udgave={name}").headers["ETag"] for name in (OLD, NEW)}
    assert len(tags) == 2


def test_a_bucket_is_used_up_and_fills_again():
    now = [0.0]
    quota = Quota(rate=100, burst=1_000, clock=lambda: now[0])
    assert quota.take("a", 1_500) == 0
    assert quota.take("a", 1) == 5
    assert quota.take("b", 1) == 0
    now[0] = 4.0
    assert quota.take("a", 1) == 1
    now[0] = 5.1
    assert quota.take("a", 10) == 0
    now[0] = 1e6
    assert quota.take("a", 1_000) == 0 and quota.take("a", 1) == 1


def test_who_asks_for_too_many_rows_is_told_when_to_come_back(country_data):
    server = create_app(country_data).server
    server.extensions[Quota.NAME] = Quota(rate=50, burst=100)
    client = server.test_client()
    path = f"values.csv?indikatorer={ID}&inddeling=year"
    assert client.get(f"/api/v1/{path}").status_code == 200
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 429 and answer.mimetype == PROBLEM
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert client.get(f"/fil/{ID}.csv?inddeling=year").status_code == 429
    other = client.get(f"/api/v1/{path}", environ_base={"REMOTE_ADDR": "127.0.0.2"})
    assert other.status_code == 200


# --- The API against its own document ------------------------------------------------------------------------

DOCUMENT = openapi("da")
LONGEST_FUZZED = 3  # indicators in a fuzzed request


def valid(schema) -> st.SearchStrategy[str]:
    """Texts that a schema of a query key allows."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("type") == "array":
        items = st.lists(valid(schema["items"]), min_size=1, max_size=LONGEST_FUZZED, unique=True)
        return items.map(",".join)
    return st.from_regex(schema["pattern"], fullmatch=True)


def junk() -> st.SearchStrategy[str]:
    return st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            ["", " ", "null", "0", "-1", "2024", "k-", "../..", "';--", "%00", "a,b", "2024-13", "æøå", "\x00"]
        ),
    )


@st.composite
def requests(draw, is_valid: bool):
    """A request of some resource: by the document alone, or with at least one thing that it does not allow."""
    resource = draw(st.sampled_from(RESOURCES))
    operation = DOCUMENT["paths"][f"/api/v1/{resource.path}"]["get"]
    query = {
        told["name"]: draw(valid(told["schema"]))
        for told in operation["parameters"]
        if told["in"] == "query" and (told["required"] or draw(st.booleans()))
    }
    if not is_valid:
        key = draw(st.sampled_from([*query, "hest", *(p["name"] for p in operation["parameters"])]))
        query[key] = draw(junk())
    kind = draw(st.sampled_from(["", ".json", ".csv", ".parquet", ".arrow"]))
    name = draw(st.sampled_from([*load_indicators(), "kkr-november", "x"])) if resource.has_id else ""
    return resource, f"{resource.path.replace('{id}', name)}{kind}", query


def check(resource, answer) -> None:
    """An answer is one that the document tells of, and its rows are as the document has them."""
    told = DOCUMENT["paths"][f"/api/v1/{resource.path}"]["get"]["responses"]
    assert str(answer.status_code) in told, answer.text[:300]
    if answer.status_code != 200:
        jsonschema.validate(answer.json, DOCUMENT["components"]["schemas"]["problem"])
    elif answer.mimetype == "application/json":
        schema = DOCUMENT["components"]["schemas"][resource.name]
        validator = jsonschema.Draft202012Validator(schema)
        for row in answer.json["rows"][:3]:
            validator.validate(row)
    else:
        kind = next(kind for kind in KINDS if MEDIA_TYPE[kind].startswith(answer.mimetype))
        assert read(answer, kind).columns == resource.columns.names()


FUZZ = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@FUZZ
@given(asked=requests(is_valid=True))
def test_a_request_by_the_document_gets_an_answer_by_the_document(api, asked):
    resource, path, query = asked
    answer = api(path, query_string=query)
    check(resource, answer)
    assert answer.status_code in (200, 400, 404, 410), answer.text[:300]


@FUZZ
@given(asked=requests(is_valid=False))
def test_whatever_is_asked_nothing_breaks(api, asked):
    resource, path, query = asked
    answer = api(path, query_string=query)
    check(resource, answer)
    assert answer.status_code < 500


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda item: item.name)
def test_the_example_of_every_resource_shows_something(two, resource):
    path = (
        path_of(resource).replace("kkr-nordjylland", "kkr-november")
        if "agendas" in resource.path
        else path_of(resource)
    )
    answer = two(path)
    assert answer.status_code == 200, answer.text
    assert answer.json["rows"]


# --- The readable page and the catalogue ----------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_names_every_resource_filter_and_column(country_data, lang):
    text = text_of(shown(country_data, f"/api?sprog={lang}").content)
    for resource in RESOURCES:
        assert f"/api/v1/{resource.path}" in text
        for name in (*resource.columns, *resource.filters.model_fields):
            assert name in text


def test_the_data_package_points_to_files_that_have_its_columns(app):
    client = app.test_client()
    package = client.get("/datapackage.json").json
    assert [item["name"] for item in package["resources"]][: len(load_indicators())] == [
        name.replace("_", "-") for name in load_indicators()
    ]
    assert package["licenses"][0]["path"].startswith("https://")
    for item in [package["resources"][0], *package["resources"][len(load_indicators()) :]]:
        answer = client.get(item["path"].removeprefix("http://localhost"))
        assert answer.status_code == 200
        assert read(answer, "parquet").columns == [field["name"] for field in item["schema"]["fields"]]


def test_the_catalogue_tells_portals_where_the_figures_are(app):
    client = app.test_client()
    told = client.get("/katalog.jsonld").json
    assert told["@type"] == "dcat:Dataset"
    assert {text["@language"] for text in told["dct:title"]} == set(LANGUAGES)
    addresses = [item["dcat:accessURL"]["@id"] for item in told["dcat:distribution"]]
    assert len(addresses) == 3 * len(load_indicators())
    assert client.get(addresses[0].removeprefix("http://localhost")).status_code == 200


def test_levels_are_written_as_on_the_pages(api):
    for word, level in ((word, level) for level, word in LEVEL_WORDS.items()):
        kort = "2027" if level == "health_council" else "2024"
        assert {row["level"] for row in api(f"areas?niveau={word}&kort={kort}").json["rows"]} == {level}
