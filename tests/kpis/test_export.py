import io
import json
from datetime import date

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kpis.area import areas
from kpis.evaluate import ESTIMATES, NOTES, STATUSES, Query, QueryError, evaluate
from kpis.explanation import column_headings, column_meanings, note_words, statistics, status_words
from kpis.export import FORMATS, export, export_metadata, export_table, row_count, write
from kpis.indicator import LANGUAGES, load_indicators
from kpis.period import periods_between
from tests.helpers import tiny_release

INDICATORS = load_indicators()


def query_of(release, indicator="preventable_admissions_65plus", level="region", map_id="2024", **how):
    periods = periods_between(date(2025, 1, 1), date(2025, 12, 1), "quarter")
    return Query(INDICATORS[indicator], areas(release, level, map_id), periods, **how)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_request_gives_the_same_bytes(country, country_data, format, language):
    from kpis.release import open_release

    once = export(country, query_of(country), format, language)
    again = open_release(country_data)
    assert export(again, query_of(again), format, language) == once


def test_parquet_opens_in_duckdb_with_the_estimates_of_the_screen(country, tmp_path):
    query = query_of(country, standardised=True)
    path = tmp_path / "slice.parquet"
    path.write_bytes(export(country, query, "parquet").content)
    found = duckdb.connect().sql(f"select * from '{path}'").pl()
    estimates = evaluate(country, query)
    assert_frame_equal(found.select(estimates.columns), estimates, abs_tol=5e-7)
    scope = found.select("map", "release", "indicator_version", "is_synthetic", "is_standardised").unique().rows()
    assert scope == [("2024", country.id, 1, True, True)]


def test_parquet_says_itself_how_it_was_made(country, tmp_path):
    path = tmp_path / "slice.parquet"
    path.write_bytes(export(country, query_of(country), "parquet").content)
    told = dict(
        duckdb.connect()
        .sql(
            f"select decode(key), decode(value) from parquet_kv_metadata('{path}') where decode(key) not like 'ARROW%'"
        )
        .fetchall()
    )
    assert told == export_metadata(country, query_of(country))
    assert json.loads(told["protection"])["base"] == 5
    assert json.loads(told["codelist"])["groups"]["fracture"]["prefixes"][0] == "DS02"
    assert json.loads(told["definition"])["numerator"]["measure"] == "n_acute"
    assert set(json.loads(told["columns"])) == set(pl.read_parquet(path).columns)


def test_csv_opens_in_a_danish_spreadsheet(country):
    content = export(country, query_of(country), "csv").content
    assert content.startswith(b"\xef\xbb\xbf")
    first, second, *_ = content.decode("utf-8-sig").splitlines()
    assert first.startswith("Indikator;Indikatornavn;Enhed;Niveau;Områdekode;Område;Periode")
    table = export_table(country, query_of(country))
    values = dict(zip(first.split(";"), second.split(";"), strict=True))
    assert values["Værdi"] == str(table["value"][0]).replace(".", ",")
    assert values["Note"] == ""


def test_csv_holds_the_same_figures_as_parquet(country):
    query = query_of(country, "readmissions_30d")
    parquet = pl.read_parquet(io.BytesIO(export(country, query, "parquet").content))
    headings = column_headings("da")
    csv = pl.read_csv(
        io.BytesIO(export(country, query, "csv").content),
        separator=";",
        decimal_comma=True,
        schema={headings[column]: dtype for column, dtype in parquet.schema.items()},
    ).rename({heading: column for column, heading in headings.items()})
    assert_frame_equal(csv, parquet.with_columns(pl.selectors.string().replace("", None)))
    assert parquet["status"].unique(maintain_order=True).to_list() == ["ok", "not_received"]


def test_english_changes_words_and_no_figures(country):
    danish, english = (export_table(country, query_of(country), language) for language in LANGUAGES)
    assert english["indicator_name"][0] == "Preventable admissions 65+"
    words = ["indicator_name", "unit"]
    assert_frame_equal(danish.drop(words), english.drop(words))
    content = export(country, query_of(country), "csv", "en").content.decode("utf-8-sig")
    assert content.startswith("Indicator;Indicator name;Unit;Level;Area code")


def test_text_that_looks_like_a_formula_is_text(tmp_path):
    table = pl.DataFrame({column: ["=1+1"] for column in column_headings("da")})
    line = write(table, "csv", "da", {}).decode("utf-8-sig").splitlines()[1]
    assert set(line.split(";")) == {"'=1+1"}


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({}, "preventable_admissions_65plus_region_2025-Q1--2025-Q4_v20260115T030000Z-test.csv"),
        (
            {"level": "country", "by": "age", "standardised": True, "map_id": "2027"},
            "preventable_admissions_65plus_danmark_2025-Q1--2025-Q4_by-age_standardised_map-2027"
            "_v20260115T030000Z-test.csv",
        ),
    ],
)
def test_the_name_of_a_file_tells_what_is_in_it(country, how, name):
    assert export(country, query_of(country, **how), "csv").name == name


def test_a_file_on_one_area_has_its_name(country):
    (hjoerring,) = (area for area in areas(country, "municipality", "2024") if area.name == "Hjørring")
    periods = periods_between(date(2025, 1, 1), date(2025, 12, 1), "year")
    query = Query(INDICATORS["hip_fractures_65plus"], (hjoerring,), periods)
    assert export(country, query, "parquet").name.startswith("hip_fractures_65plus_hjoerring_2025_")


def test_an_empty_slice_is_a_file_without_rows(tmp_path):
    release = tiny_release(tmp_path)
    query = Query(INDICATORS["hip_fractures_65plus"], (), periods_between(date(2025, 1, 1), date(2025, 1, 1), "month"))
    assert pl.read_parquet(io.BytesIO(write(export_table(release, query), "parquet", "da", {}))).is_empty()


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
    queries = [query_of(country), query_of(country, "days_after_ready")]
    table = export_table(country, queries)
    assert table["indicator"].unique(maintain_order=True).to_list() == [q.indicator.id for q in queries]
    assert table.height == row_count(queries) == sum(row_count(query) for query in queries)
    told = export_metadata(country, queries)
    definitions = json.loads(told["definition"])
    assert definitions.keys() == {q.indicator.id for q in queries}
    assert definitions["days_after_ready"]["kind"] == "ratio"
    assert told["release"] == country.id


def test_a_file_of_readmissions_names_the_diagnoses_that_are_left_out(country):
    told = export_metadata(country, query_of(country, "readmissions_30d"))
    assert json.loads(told["codelist"]) is None
    assert "DC0" in json.loads(told["left_out"])["groups"]["cancer"]["prefixes"]


def test_a_workbook_of_every_indicator_loses_nothing_of_their_definitions(country):
    queries = [query_of(country, name) for name in INDICATORS]
    told = export_metadata(country, queries)
    assert len(told["definition"]) > 32_767
    content = write(export_table(country, queries), "xlsx", "da", told)
    about = pl.read_excel(io.BytesIO(content), sheet_name="Om filen")
    assert "".join(about.filter(pl.col("Oplysning") == "definition")["Indhold"]) == told["definition"]


def test_a_workbook_has_typed_cells_and_text_that_no_spreadsheet_takes_for_a_formula(country):
    table = export_table(country, query_of(country)).with_columns(area_name=pl.lit("=1+1"))
    content = write(table, "xlsx", "da", export_metadata(country, query_of(country)))
    sheet = pl.read_excel(io.BytesIO(content), sheet_name="Tal")
    assert sheet["Område"].unique().to_list() == ["=1+1"]
    assert sheet["Værdi"].to_list() == pytest.approx(table["value"].to_list())
    assert sheet["Første måned"].to_list() == table["period_first"].to_list()
    assert sheet["Områdekode"].dtype == pl.String, "a code keeps its leading zeros"
    dictionary = pl.read_excel(io.BytesIO(content), sheet_name="Ordbog")
    assert dictionary["Kolonne"].to_list() == list(column_headings("da").values())


def test_a_workbook_of_too_many_rows_is_refused_before_it_is_counted(country):
    months = periods_between(date(2023, 1, 1), date(2025, 12, 1), "month")
    everything = [Query(item, areas(country, "municipality", "2024"), months) for item in INDICATORS.values()]
    with pytest.raises(QueryError, match="too many for a workbook"):
        export(country, everything, "xlsx")
