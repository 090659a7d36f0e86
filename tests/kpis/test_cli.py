"""The commands as a user meets them: in a process of their own where start-up matters, else in this one."""

import json
import subprocess
import sys
from datetime import date

import polars as pl
import pytest
from click.testing import CliRunner

from kpis.__main__ import DIALECTS, FORMATS, GRAINS, main
from kpis.export import DIALECTS as DIALECTS_OF_EXPORT
from kpis.export import FORMATS as FORMATS_OF_EXPORT
from kpis.export import description, export
from kpis.indicator import load_indicators
from kpis.period import GRAINS as GRAINS_OF_PERIOD
from kpis.period import periods_between
from kpis.slice import Slice
from tests.helpers import build_release, tiny_release


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_list_names_every_indicator_under_its_focus_area():
    output = run("list").output
    assert all(indicator in output for indicator in load_indicators())
    assert "1. Specialiseret sygeplejeindsats og forebyggelse af indlæggelser" in output
    assert " * readmissions_30d " in output
    assert "Preventable admissions 65+" in run("list", "--lang", "en").output


@pytest.mark.parametrize("indicator", load_indicators().values(), ids=load_indicators())
@pytest.mark.parametrize("language", ["da", "en"])
def test_show_tells_everything_about_an_indicator(country_data, indicator, language):
    result = run("show", indicator.id, "--data", country_data, "--lang", language)
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    texts = indicator.texts(language)
    for text in (texts.name, texts.meaning, texts.counted, texts.not_counted, texts.limits, texts.unit):
        assert " ".join(text.split()) in words
    twelve_months = "oktober 2024 – september 2025: " if language == "da" else "October 2024 – September 2025: "
    assert ("2025: " if indicator.is_yearly else twelve_months) in words
    assert ("syntetiske data" if language == "da" else "synthetic data") in words


def test_show_lists_the_codes_and_what_is_not_confirmed(country_data):
    output = run("show", "preventable_admissions_65plus", "--data", country_data).output
    assert "Blærebetændelse: DN30 undtagen DN303 DN304" in output
    assert "preventable_65plus, version 1, ikke bekræftet af en officiel kilde" in output
    assert "endnu ikke kontrolleret; det skal gøres af" in " ".join(output.split())


def test_show_works_without_data_and_says_so(tmp_path):
    result = run("show", "days_after_ready", "--data", tmp_path, "--lang", "en")
    assert result.exit_code == 0
    assert "There is no release to count on" in result.output
    assert "make run" in result.output


def test_export_writes_the_file_that_the_dashboard_gives(country, country_data, tmp_path):
    path = tmp_path / "out.parquet"
    result = run(
        *("export", "preventable_admissions_65plus", "--level", "municipality", "--from", "2024-01", "--to", "2024-12"),
        *("--grain", "quarter", "--format", "parquet", "-o", path, "--data", country_data),
    )
    assert result.exit_code == 0, result.output
    assert "396 rows" in result.stderr
    quarters = periods_between(date(2024, 1, 1), date(2024, 12, 1), "quarter")
    wanted = Slice(("preventable_admissions_65plus",), "municipality", quarters)
    assert path.read_bytes() == export(country, wanted, "parquet").content
    assert pl.read_parquet(path).filter(pl.col("role") == "area").height == 98 * 4


def test_export_without_dates_takes_all_whole_periods_and_a_name_of_its_own(country_data, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run("export", "readmissions_30d", "--level", "country", "--data", country_data).exit_code == 0
    (path,) = tmp_path.iterdir()
    assert path.name == "readmissions_30d_country_2023--2025_v20260115T030000Z-test.parquet"
    assert pl.read_parquet(path)["period"].to_list() == ["2023", "2024", "2025"]


def test_export_takes_the_format_from_the_name_of_the_file(country_data, tmp_path):
    path = tmp_path / "out.csv"
    assert run("export", "readmissions_30d", "--level", "kkr", "-o", path, "--data", country_data).exit_code == 0
    assert path.read_bytes().startswith(b"\xef\xbb\xbfIndikator;")


def test_beside_a_csv_lies_what_it_is(country, country_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = ("--level", "kkr", "--format", "csv", "--csv", "international", "--data", country_data)
    assert run("export", "readmissions_30d", *how).exit_code == 0
    years = periods_between(country.date("data_from"), date(2025, 12, 1), "year")
    wanted = Slice(("readmissions_30d",), "kkr", years)
    for file in (
        export(country, wanted, "csv", dialect="international"),
        description(country, wanted, dialect="international"),
    ):
        assert (tmp_path / file.name).read_bytes() == file.content
    assert run("export", "readmissions_30d", *how, "-o", "own.csv").exit_code == 0
    assert json.loads((tmp_path / "own.json").read_text())["resources"][0]["path"] == "own.csv"


def test_export_counts_on_an_earlier_release_by_its_name(tmp_path):
    old = build_release(tmp_path, "v20260101T000000Z-old", seed=2)
    build_release(tmp_path, "v20260201T000000Z-new")
    path = tmp_path / "out.parquet"
    how = ("export", "readmissions_30d", "--level", "country", "-o", path, "--data", tmp_path, "--release")
    assert run(*how, old.id).exit_code == 0
    assert pl.read_parquet(path)["release"].unique().to_list() == [old.id]
    gone = run(*how, "v20250101T000000Z-gone")
    assert gone.exit_code == 1 and "er ikke gemt. Gemt er: v20260201T000000Z-new, v20260101" in gone.output


def test_export_finds_the_map_on_which_a_level_is_drawn(country_data, tmp_path):
    path = tmp_path / "out.parquet"
    how = ("-o", path, "--data", country_data)
    assert run("export", "readmissions_30d", "--level", "health_council", *how).exit_code == 0
    assert pl.read_parquet(path)["map"].unique().to_list() == ["2027"]
    assert run("export", "readmissions_30d", "--level", "region", *how).exit_code == 0
    assert pl.read_parquet(path)["map"].unique().to_list() == ["2024"]
    assert run("export", "readmissions_30d", "--level", "region", "--map", "2027", *how).exit_code == 0
    assert pl.read_parquet(path).filter(pl.col("role") == "area")["area_name"].n_unique() == 4


def test_export_splits_and_standardises(country_data, tmp_path):
    path = tmp_path / "out.parquet"
    how = ("--level", "country", "-o", path, "--data", country_data)
    assert run("export", "short_stays_65plus", "--by", "sex", "--standardised", *how).exit_code == 0
    assert pl.read_parquet(path)["group"].to_list() == ["1", "2"] * 3
    assert pl.read_parquet(path)["method"].unique().to_list() == ["dobson-byar"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "hip_fracture_65plus"), "Did you mean 'hip_fractures_65plus'?"),
        (("export", "hip_fracture_65plus"), "Did you mean 'hip_fractures_65plus'?"),
        (("export", "days_after_ready", "--level", "regions"), "Did you mean 'region'?"),
        (("export", "days_after_ready", "--grain", "quarters"), "Did you mean 'quarter'?"),
        (("export", "days_after_ready", "--format", "pdf"), "Allowed: parquet, csv, xlsx, arrow."),
        (("export", "days_after_ready", "--lang", "dk"), "Did you mean 'da'?"),
        (("export", "days_after_ready", "--from", "januar"), "Write it as 2024-01"),
        (("export", "days_after_ready", "--from", "2024-02", "--to", "2024-11"), "No whole year lies within"),
        (("export", "days_after_ready", "--level", "kkr", "--map", "2027"), "it is on that of 2024"),
        (("export", "days_after_ready", "--by", "age"), "can be split by: nothing"),
        (("export", "days_after_ready", "--standardised"), "cannot be standardised"),
    ],
)
def test_a_wrong_word_ends_with_the_nearest_right_one(country_data, arguments, message):
    result = run(*arguments, "--data", country_data)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_without_a_release_export_says_how_to_get_one(tmp_path):
    result = run("export", "days_after_ready", "--data", tmp_path)
    assert result.exit_code == 1
    assert "make run" in result.output


def test_a_file_that_cannot_be_written_is_named(country_data, tmp_path):
    result = run("export", "days_after_ready", "--data", country_data, "-o", tmp_path / "missing" / "out.csv")
    assert result.exit_code == 1
    assert "cannot be written" in result.output


def test_a_user_never_sees_a_traceback(tmp_path):
    tiny_release(tmp_path).path.write_bytes(b"not a database")
    for arguments in (["export", "days_after_ready"], ["show", "nothing"]):
        command = [sys.executable, "-m", "kpis", *arguments, "--data", str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode in (1, 2)
        assert "\nError: " in "\n" + ended.stderr
        assert "Traceback" not in ended.stderr


def test_help_does_not_load_what_reads_data():
    code = "import sys, kpis.__main__; print(sorted({'duckdb', 'polars', 'numpy', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_words_of_the_command_line_are_those_of_the_modules():
    assert FORMATS == FORMATS_OF_EXPORT
    assert DIALECTS == DIALECTS_OF_EXPORT
    assert GRAINS == GRAINS_OF_PERIOD
