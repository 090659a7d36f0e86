import hashlib
import io
import json
from dataclasses import replace
from datetime import date

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from kpis.area import find_area
from kpis.evaluate import ESTIMATES, NOTES, STATUSES, QueryError, evaluate
from kpis.explanation import column_headings, column_meanings, note_words, statistics, status_words
from kpis.export import DIALECTS, FORMATS, description, export, export_metadata, export_table, write
from kpis.indicator import LANGUAGES, load_indicators
from kpis.period import periods_between
from kpis.slice import Slice

INDICATORS = load_indicators()
QUARTERS = periods_between(date(2025, 1, 1), date(2025, 12, 1), "quarter")


def slice_of(*indicators, level="region", **how):
    return Slice(indicators or ("preventable_admissions_65plus",), level, QUARTERS, **how)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_request_gives_the_same_bytes(country, country_data, format, language):
    from kpis.release import open_release

    once = export(country, slice_of(), format, language)
    again = open_release(country_data)
    assert export(again, slice_of(), format, language) == once
    assert description(again, slice_of(), language) == description(country, slice_of(), language)


def test_parquet_opens_in_duckdb_with_the_estimates_of_the_screen(country, tmp_path):
    wanted = slice_of(standardised=True)
    path = tmp_path / "slice.parquet"
    path.write_bytes(export(country, wanted, "parquet").content)
    found = duckdb.connect().sql(f"select * from '{path}'").pl()
    (query,) = wanted.queries(country)
    estimates = evaluate(country, query)
    assert_frame_equal(found.select(estimates.columns), estimates, abs_tol=5e-7)
    scope = found.select("map", "release", "indicator_version", "is_synthetic", "is_standardised").unique().rows()
    assert scope == [("2024", country.id, 1, True, True)]


def test_parquet_says_itself_how_it_was_made(country, tmp_path):
    path = tmp_path / "slice.parquet"
    path.write_bytes(export(country, slice_of(), "parquet").content)
    told = dict(
        duckdb.connect()
        .sql(
            f"select decode(key), decode(value) from parquet_kv_metadata('{path}') where decode(key) not like 'ARROW%'"
        )
        .fetchall()
    )
    assert told == export_metadata(country, slice_of())
    assert json.loads(told["protection"])["base"] == 5
    assert json.loads(told["codelist"])["groups"]["fracture"]["prefixes"][0] == "DS02"
    assert json.loads(told["definition"])["numerator"]["measure"] == "n_acute"
    assert set(json.loads(told["columns"])) == set(pl.read_parquet(path).columns)


def test_csv_opens_in_a_danish_spreadsheet(country):
    content = export(country, slice_of(), "csv").content
    assert content.startswith(b"\xef\xbb\xbf")
    first, second, *_ = content.decode("utf-8-sig").splitlines()
    assert first.startswith("Indikator;Indikatornavn;Enhed;Niveau;Niveaunavn;Områdekode;Område;Rolle;Periode")
    table = export_table(country, slice_of())
    values = dict(zip(first.split(";"), second.split(";"), strict=True))
    assert values["Værdi"] == str(table["value"][0]).replace(".", ",")
    assert values["Note"] == ""


def test_csv_holds_the_same_figures_as_parquet(country):
    wanted = slice_of("readmissions_30d")
    parquet = pl.read_parquet(io.BytesIO(export(country, wanted, "parquet").content))
    headings = column_headings("da")
    csv = pl.read_csv(
        io.BytesIO(export(country, wanted, "csv").content),
        separator=";",
        decimal_comma=True,
        schema={headings[column]: dtype for column, dtype in parquet.schema.items()},
    ).rename({heading: column for column, heading in headings.items()})
    assert_frame_equal(csv, parquet.with_columns(pl.selectors.string().replace("", None)))
    assert parquet["status"].unique(maintain_order=True).to_list() == ["ok", "not_received"]


def test_english_changes_words_and_no_figures(country):
    danish, english = (export_table(country, slice_of(), language) for language in LANGUAGES)
    assert english["indicator_name"][0] == "Preventable admissions 65+"
    words = ["indicator_name", "unit", "level_name", "group_name", "status_name", "protection"]
    assert_frame_equal(danish.drop(words), english.drop(words))
    content = export(country, slice_of(), "csv", "en").content.decode("utf-8-sig")
    assert content.startswith("Indicator;Indicator name;Unit;Level;Level name;Area code")


def test_text_that_looks_like_a_formula_is_text(tmp_path):
    table = pl.DataFrame({column: ["=1+1"] for column in column_headings("da")})
    line = write(table, "csv", "da", {}).decode("utf-8-sig").splitlines()[1]
    assert set(line.split(";")) == {"'=1+1"}


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({}, "preventable_admissions_65plus_region_2025-Q1--2025-Q4_v20260115T030000Z-test.csv"),
        (
            {"level": "country", "by": "age", "standardised": True, "map": "2027"},
            "preventable_admissions_65plus_country_2025-Q1--2025-Q4_by-age_standardised_map-2027"
            "_v20260115T030000Z-test.csv",
        ),
    ],
)
def test_the_name_of_a_file_tells_what_is_in_it(country, how, name):
    assert export(country, slice_of(**how), "csv").name == name


def test_a_file_on_one_area_has_its_name(country):
    hjoerring = find_area(country, "hjoerring", "2024", "municipality")
    year = periods_between(date(2025, 1, 1), date(2025, 12, 1), "year")
    wanted = Slice(("hip_fractures_65plus",), "municipality", year, within=hjoerring)
    name = "hip_fractures_65plus_municipality-hjoerring_2025_v20260115T030000Z-test.parquet"
    assert export(country, wanted, "parquet").name == name


def test_below_the_areas_stand_those_to_compare_with(country):
    kkr = find_area(country, "nordjylland", "2024", "kkr")
    table = export_table(country, slice_of(level="municipality", within=kkr))
    rows = table.select("role", "level", "area_name").unique(maintain_order=True)
    assert rows.tail(2).rows() == [("comparator", "kkr", kkr.name), ("comparator", "country", "Hele landet")]
    assert set(rows.head(-2)["role"]) == {"area"} and set(rows.head(-2)["level"]) == {"municipality"}
    inside, around = (table.filter(pl.col(name) == value) for name, value in (("role", "area"), ("level", "kkr")))
    summed = inside.group_by("period").agg(pl.col("numerator").sum()).sort("period")
    assert_frame_equal(summed, around.select("period", "numerator").sort("period"))
    assert export_table(country, slice_of(level="country"))["role"].unique().to_list() == ["area"]


def test_codes_have_their_names_beside_them(country):
    by_age = export_table(country, slice_of(level="country", by="age"))
    ages = by_age.select("group", "group_name").unique(maintain_order=True).rows()
    assert (ages[0], ages[-1]) == (("65", "65–69 år"), ("90", "90 år og derover"))
    by_group = export_table(country, slice_of(level="country", by="group"), "en")
    named = dict(by_group.select("group", "group_name").rows())
    assert all(name and name != group for group, name in named.items())
    assert by_group["level_name"][0] == "whole country"
    readmitted = export_table(country, slice_of("readmissions_30d"))
    assert dict(readmitted.select("status", "status_name").rows()) == {
        "ok": "vist",
        "not_received": "ikke modtaget endnu",
    }


def test_protection_is_told_in_the_language_of_the_file(country):
    danish, english = (export_table(country, slice_of(), language)["protection"][0] for language in LANGUAGES)
    assert (danish, english) == ("afrundet til hele 5", "rounded to base 5")


def test_arrow_opens_with_the_figures_and_facts_of_parquet(country):
    arrow, parquet = (export(country, slice_of(), format).content for format in ("arrow", "parquet"))
    assert_frame_equal(pl.read_ipc(io.BytesIO(arrow)), pl.read_parquet(io.BytesIO(parquet)))
    told = {key.decode(): value.decode() for key, value in pa.ipc.open_file(arrow).schema.metadata.items()}
    assert told == export_metadata(country, slice_of())


def test_the_international_csv_reads_by_itself_with_the_names_of_parquet(country):
    content = export(country, slice_of(), "csv", dialect="international").content
    parquet = pl.read_parquet(io.BytesIO(export(country, slice_of(), "parquet").content))
    assert_frame_equal(
        pl.read_csv(io.BytesIO(content), schema=parquet.schema),
        parquet.with_columns(pl.selectors.string().replace("", None)),
    )
    assert not content.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_description_beside_a_csv_is_enough_to_read_it(country, dialect):
    file = export(country, slice_of(), "csv", dialect=dialect)
    told = json.loads(description(country, slice_of(), dialect=dialect).content)
    (resource,) = told["resources"]
    assert resource["hash"] == f"sha256:{hashlib.sha256(file.content).hexdigest()}"
    assert (resource["path"], resource["bytes"]) == (file.name, len(file.content))
    fields = resource["schema"]["fields"]
    kinds = {"string": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean, "date": pl.Date}
    read = pl.read_csv(
        io.BytesIO(file.content),
        separator=resource["dialect"]["delimiter"],
        decimal_comma=any(field.get("decimalChar") == "," for field in fields),
        schema={field["name"]: kinds[field["type"]] for field in fields},
    )
    figures = export_table(country, slice_of())
    assert read.to_series(figures.columns.index("value")).to_list() == figures["value"].to_list()
    assert told["naerblik"]["definition"]["id"] == "preventable_admissions_65plus"
    assert told["licenses"][0]["name"] == "CC-BY-4.0"


def test_a_file_says_by_which_sql_and_code_its_counts_were_made(country):
    sql = {
        "80_public": "create table out_population as\nselect 1 as n;\n",
        "90_else": "create table other as\nselect 2;\n",
    }
    manifest = {**country.manifest, "sql": sql, "code": {"stay.py": "pass"}}
    told = export_metadata(replace(country, manifest=manifest), slice_of())
    assert json.loads(told["sql"]) == {"80_public": "create table out_population as\nselect 1 as n;"}
    assert json.loads(told["code"]) == {"stay.py": f"sha256:{hashlib.sha256(b'pass').hexdigest()}"}


def test_the_passport_of_a_slice_is_the_same_in_every_file_and_another_on_another_release(country):
    told = [export_metadata(country, slice_of(), language)["passport"] for language in LANGUAGES]
    told.append(json.loads(description(country, slice_of()).content)["id"])
    assert set(told) == {slice_of().passport(country)}
    assert slice_of().passport(country) != slice_of().passport(replace(country, id="v2"))
    assert slice_of().passport(country) != slice_of(level="kkr").passport(country)


def test_every_column_status_and_note_is_explained():
    for language in LANGUAGES:
        headings = column_headings(language)
        assert set(ESTIMATES) <= set(headings)
        assert len(set(headings.values())) == len(headings)
        assert all(column_meanings(language).values())
        assert tuple(status_words(language)) == STATUSES
        assert tuple(note_words(language)) == NOTES


@pytest.mark.parametrize("indicator", INDICATORS.values(), ids=INDICATORS)
def test_the_statistics_of_every_indicator_are_told_in_both_languages(indicator):
    danish, english = (statistics(indicator, language) for language in LANGUAGES)
    assert danish != english
    assert "{" not in danish + english
    assert ("Dobson" in danish) == indicator.can_be_standardised


def test_several_indicators_stand_under_each_other_and_each_says_how_it_was_made(country):
    wanted = slice_of("preventable_admissions_65plus", "days_after_ready")
    table = export_table(country, wanted)
    assert tuple(table["indicator"].unique(maintain_order=True)) == wanted.indicators
    assert table.height == wanted.row_count(country) == 2 * slice_of().row_count(country)
    told = export_metadata(country, wanted)
    definitions = json.loads(told["definition"])
    assert tuple(definitions) == wanted.indicators
    assert definitions["days_after_ready"]["kind"] == "ratio"
    assert told["release"] == country.id


def test_a_file_of_readmissions_names_the_diagnoses_that_are_left_out(country):
    told = export_metadata(country, slice_of("readmissions_30d"))
    assert json.loads(told["codelist"]) is None
    assert "DC0" in json.loads(told["left_out"])["groups"]["cancer"]["prefixes"]


def test_a_workbook_of_every_indicator_loses_nothing_of_their_definitions(country):
    wanted = slice_of(*INDICATORS)
    told = export_metadata(country, wanted)
    assert len(told["definition"]) > 32_767
    content = write(export_table(country, wanted), "xlsx", "da", told)
    about = pl.read_excel(io.BytesIO(content), sheet_name="Om filen")
    assert "".join(about.filter(pl.col("Oplysning") == "definition")["Indhold"]) == told["definition"]


def test_a_workbook_has_typed_cells_and_text_that_no_spreadsheet_takes_for_a_formula(country):
    table = export_table(country, slice_of()).with_columns(area_name=pl.lit("=1+1"))
    content = write(table, "xlsx", "da", export_metadata(country, slice_of()))
    sheet = pl.read_excel(io.BytesIO(content), sheet_name="Tal")
    assert sheet["Område"].unique().to_list() == ["=1+1"]
    assert sheet["Værdi"].to_list() == pytest.approx(table["value"].to_list())
    assert sheet["Første måned"].to_list() == table["period_first"].to_list()
    assert sheet["Områdekode"].dtype == pl.String, "a code keeps its leading zeros"
    dictionary = pl.read_excel(io.BytesIO(content), sheet_name="Ordbog")
    assert dictionary["Kolonne"].to_list() == list(column_headings("da").values())


def test_a_workbook_of_too_many_rows_is_refused_before_it_is_counted(country):
    months = periods_between(date(2023, 1, 1), date(2025, 12, 1), "month")
    everything = Slice(tuple(INDICATORS), "municipality", months)
    with pytest.raises(QueryError, match="too many for a workbook"):
        export(country, everything, "xlsx")
