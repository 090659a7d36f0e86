"""Data: what the page says of a slice is what the file holds, and the recipe makes the same bytes everywhere."""

import hashlib
import io
import json
import re
import shlex
import shutil
import subprocess

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner
from dash import html
from polars.testing import assert_frame_equal

from dashboard import readings
from dashboard.selection import AreaRef, Selection, catalogue
from kpis.__main__ import main
from kpis.export import FORMATS
from kpis.indicator import LANGUAGES, load_indicators
from kpis.period import periods_between
from kpis.slice import Slice
from tests.dashboard.conftest import shown, table_rows, text_of, walk
from tests.helpers import build_release

HEADLINE = next(item.id for item in load_indicators().values() if item.headline)
NORDJYLLAND = AreaRef("kkr", "nordjylland")
SLICES = {
    "default": {},
    "region": {"level": "region", "grain": "year", "crude": True},
    "within": {"area": NORDJYLLAND, "grain": "month"},
    "several": {"indicators": (HEADLINE, "days_after_ready", "readmissions_30d"), "grain": "year"},
    "new map": {"map": "2027", "level": "health_council", "grain": "rolling12"},
}


def address(**choices) -> str:
    return Selection(page="data", **choices).to_url()


def links(view) -> dict[str, str]:
    """Kind → address of the files that the page offers."""
    found = [part.href for part in walk(view.content) if isinstance(part, html.A) and part.href.startswith("/fil/")]
    return {href.partition("?")[0].rpartition(".")[2]: href for href in found if "csv=international" not in href}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("choices", SLICES.values(), ids=SLICES)
def test_the_page_counts_the_rows_that_the_file_has(country_data, client, choices, lang) -> None:
    view = shown(country_data, address(lang=lang, **choices))
    file = pl.read_parquet(io.BytesIO(client.get(links(view)["parquet"]).data))
    told = next(text_of(part) for part in walk(view.content) if getattr(part, "className", "") == "rows")
    assert int("".join(letter for letter in told if letter.isdigit())) == file.height > 0


@pytest.mark.parametrize("choices", SLICES.values(), ids=SLICES)
def test_the_command_writes_the_bytes_of_the_web_and_the_page_knows_their_checksum(
    country_data, client, choices, tmp_path
) -> None:
    view = shown(country_data, address(**choices))
    content = client.get(links(view)["parquet"]).data
    command = next(text_of(part) for part in walk(view.content) if isinstance(part, html.Pre))
    assert command.startswith("python -m kpis export ")
    path = tmp_path / "slice.parquet"
    arguments = [*shlex.split(command)[3:], "-o", str(path), "--data", str(country_data)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert path.read_bytes() == content
    assert hashlib.sha256(content).hexdigest() in text_of(view.content)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_request_gives_the_same_bytes_and_their_hash(country_data, client, kind) -> None:
    href = links(shown(country_data, address(level="region", grain="year")))[kind]
    once, again = client.get(href), client.get(href)
    assert once.data == again.data
    assert once.headers["ETag"] == f'"{hashlib.sha256(once.data).hexdigest()}"'
    assert client.get(href, headers={"If-None-Match": once.headers["ETag"]}).status_code == 304


def test_the_workbook_holds_the_figures_of_the_parquet_file(country_data, client) -> None:
    offered = links(shown(country_data, address(level="region", grain="year")))
    parquet, book = (client.get(offered[kind]).data for kind in ("parquet", "xlsx"))
    figures = pl.read_parquet(io.BytesIO(parquet))
    sheet = pl.read_excel(io.BytesIO(book), sheet_name="Tal")
    assert sheet["Områdekode"].cast(pl.String).to_list() == figures["area_code"].to_list()
    assert sheet["Værdi"].to_list() == pytest.approx(figures["value"].to_list())
    about = dict(pl.read_excel(io.BytesIO(book), sheet_name="Om filen").rows())
    assert about["release"] == figures["release"][0]


def test_the_preview_is_the_first_rows_of_the_file(country_data, client) -> None:
    view = shown(country_data, address(grain="quarter"))
    file = pl.read_parquet(io.BytesIO(client.get(links(view)["parquet"]).data)).head(8)
    preview = next(part for part in walk(view.content) if isinstance(part, html.Table))
    rows = [[text_of(cell) for cell in row.children] for row in walk(preview) if isinstance(row, html.Tr)][1:]
    assert [row[2:6] for row in rows] == [
        [name, role, period, str(numerator)]
        for name, role, period, numerator in file.select("area_name", "role", "period", "numerator").iter_rows()
    ]


def test_an_area_takes_the_areas_that_lie_in_it_and_itself_at_its_own_level(country) -> None:
    year = periods_between(country.date("data_from"), country.date("as_of"), "year")[:1]
    whole = catalogue(country).area(NORDJYLLAND, "2024")
    codes = {
        level: [area.code for area in Slice((HEADLINE,), level, year, within=whole).areas(country)]
        for level in ("municipality", "kkr")
    }
    assert sorted(codes["municipality"]) == list(whole.municipalities)
    assert codes["kkr"] == [whole.code]


def test_a_slice_without_a_whole_period_says_so(country_data) -> None:
    first = Selection(page="data", grain="year").to_url()
    view = shown(country_data, f"{first}&fra=2024-02&til=2024-11")
    assert "ingen hel periode" in text_of(view.content)
    assert links(view) == {}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"/fil/{HEADLINE},nothing.csv?fra=2024-01&til=2024-12", "indikatorer=nothing is not known"),
        (f"/fil/{HEADLINE}.csv?fra=2024-01&til=2024-12&omraade=k-atlantis", "omraade=k-atlantis is not known"),
        (f"/fil/{HEADLINE}.csv?fra=2024-01&til=2024-12&niveau=kkr&omraade=k-hjoerring", "No kkr lies in Hjørring"),
        (f"/fil/{HEADLINE}.csv?fra=2024-01&til=2024-12&opdeling=hest", "opdeling=hest is not known"),
        ("/fil/days_after_ready.csv?fra=2024-01&til=2024-12&opdeling=alder", "cannot be split by age"),
    ],
)
def test_a_wrong_address_of_a_slice_is_told_what_is_allowed(client, url, told) -> None:
    answer = client.get(url)
    assert answer.status_code == 400
    assert told in answer.text


def test_a_workbook_of_too_many_rows_is_refused_and_not_offered(country_data, client) -> None:
    every = tuple(item.id for item in load_indicators().values())
    view = shown(country_data, address(indicators=every, grain="month"))
    assert "xlsx" not in links(view)
    href = links(view)["parquet"].replace(".parquet", ".xlsx")
    answer = client.get(href)
    assert answer.status_code == 400 and "too many for a workbook" in answer.text


def test_every_column_is_in_the_dictionary(country_data, client) -> None:
    view = shown(country_data, address())
    file = pl.read_parquet(io.BytesIO(client.get(links(view)["parquet"]).data))
    assert list(table_rows(view.content, "Ordbog")) == file.columns


def test_what_the_release_before_said_otherwise_is_told(tmp_path) -> None:
    build_release(tmp_path, "v20260101T000000Z-old", seed=2)
    release = build_release(tmp_path, "v20260115T030000Z-new", seed=1)
    wanted = Slice((HEADLINE,), "region", periods_between(release.date("data_from"), release.date("as_of"), "year"))
    found = readings.slice_changes(release, wanted.queries(release))
    assert found is not None and found.changed.height == found.n_common > 0
    text = text_of(shown(tmp_path, address(level="region", grain="year")).content)
    assert "er ændret siden v20260101T000000Z-old" in text
    assert "Definitioner, regler og koder er de samme." in text


def test_without_an_earlier_release_nothing_is_compared(country_data) -> None:
    assert "ingen tidligere udgivelse" in text_of(shown(country_data, address()).content)


@pytest.fixture
def taken(country_data, client, tmp_path, monkeypatch):
    """The Parquet file of a slice, lying where the reader works, and the snippets that the page gives for it."""
    view = shown(country_data, address(level="region", grain="year"))
    answer = client.get(links(view)["parquet"])
    name = answer.headers["Content-Disposition"].partition("filename=")[2].strip('"')
    (tmp_path / name).write_bytes(answer.data)
    monkeypatch.chdir(tmp_path)
    told = [text_of(part) for part in walk(view.content) if isinstance(part, html.Pre)]
    given = dict(zip(("command", "curl", "duckdb", "polars", "r", "powerbi"), told, strict=True))
    return pl.read_parquet(name), given


def test_the_lines_for_duckdb_run(taken) -> None:
    figures, given = taken
    first, second = (part for part in given["duckdb"].split(";") if part.strip())
    shown_rows = duckdb.connect().sql(first).pl()
    own = figures.filter((pl.col("role") == "area") & (pl.col("status") == "ok"))
    assert_frame_equal(shown_rows, own.select(shown_rows.columns))
    assert b"passport" in {bytes(key, "utf-8") for key, _ in duckdb.connect().sql(second).fetchall()}


def test_the_lines_for_polars_run(taken) -> None:
    figures, given = taken
    known = {}
    exec(given["polars"], known)
    assert_frame_equal(known["frame"], figures.filter(pl.col("role") == "area"))
    assert json.loads(known["about"]["licence"])["name"] == "CC-BY-4.0"


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed here")
def test_the_lines_for_r_run(taken) -> None:
    figures, given = taken
    ran = subprocess.run(
        ["Rscript", "-e", given["r"] + "\ncat(nrow(frame))"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == str(figures.filter(pl.col("role") == "area").height)


def test_the_address_for_power_bi_gives_what_its_lines_read(taken, client) -> None:
    figures, given = taken
    address_ = re.search(r'Web\.Contents\("http://[^/]+([^"]+)"\)', given["powerbi"])[1]
    assert "udgave=" not in address_, "a report that is renewed wants the newest figures"
    frame = pl.read_csv(
        io.BytesIO(client.get(address_).data), separator=re.search(r'Delimiter = "(.)"', given["powerbi"])[1]
    )
    numbers = re.search(r"Tal = \{(.+)\}", given["powerbi"])[1].replace('"', "").split(", ")
    assert_frame_equal(frame.select(numbers), figures.select(numbers), check_dtypes=False)


def test_beside_the_csv_stand_its_international_form_and_its_description(country_data, client) -> None:
    view = shown(country_data, address(level="region", grain="year"))
    hrefs = [part.href for part in walk(view.content) if isinstance(part, html.A) and part.href.startswith("/fil/")]
    (international,) = [href for href in hrefs if "csv=international" in href]
    assert client.get(international).text.startswith("indicator,indicator_name,")
    (described,) = [href for href in hrefs if ".json?" in href]
    danish = client.get(links(view)["csv"]).data
    assert client.get(described).json["resources"][0]["hash"] == f"sha256:{hashlib.sha256(danish).hexdigest()}"


def test_every_file_of_the_page_is_tied_to_its_release(country, country_data) -> None:
    view = shown(country_data, address())
    hrefs = [part.href for part in walk(view.content) if isinstance(part, html.A) and part.href.startswith("/fil/")]
    assert len(hrefs) == 7 and all(href.endswith(f"udgave={country.id}") for href in hrefs)
