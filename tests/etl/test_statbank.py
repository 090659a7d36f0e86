"""StatBank: its tables in all their dresses, and fetching them from a server that speaks as StatBank does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from deliveries import month_of_contacts, municipality_codes, write_contacts, write_population

from etl.__main__ import main
from etl.load import FileReport, check, load
from etl.protect import UNPROTECTED
from etl.statbank import StatbankProblem, fetch_table, known_tables
from kpis.release import open_release

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


def check_text(path: Path, *lines: str) -> FileReport:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    [report] = check([path]).files
    assert report.rows_in == (
        report.rows_loaded + report.rows_duplicate + report.rows_superseded + report.rows_quarantined
    )
    return report


AED10A = [
    "OMRÅDE;HJEMMEBESØG;ALDER;KØN;TID;INDHOLD",
    "000;380;050;100;2023;50000",
    "081;380;050;100;2023;9000",
    "860;380;050;100;2023;700",
    "860;381;550;200;2023;..",
    "860;381;7579;300;2023;41",
    "411;381;7579;300;2023;3",
]


def welfare_of(folder: Path) -> dict[str, float | None]:
    """`measure` → value of Hjørring in 2023, in a release built with the deliveries of `folder`."""
    write_contacts(folder / "k.csv", month_of_contacts())
    write_population(folder / "folk1a.csv")
    load([folder], folder / "out" / "data", protection=UNPROTECTED)
    rows = open_release(folder / "out" / "data").sql(
        "select statbank_table, measure, n from welfare where municipality_code = '0860' and period = '2023'"
    )
    return {f"{table} {measure}": n for table, measure, n in rows.iter_rows()}


def test_every_table_keeps_its_breakdown_and_its_gaps(tmp_path: Path) -> None:
    assert check_text(tmp_path / "besog.csv", *AED10A).kind == "statbank"
    check_text(
        tmp_path / "HJEMSYG2023.csv",
        "OMRÅDE;ALDER;KØN;TID;INDHOLD",
        "Hjørring;80-84 år;I alt;2023;312",
        "Hjørring;I alt;Mænd;2023;x",
    )
    check_text(
        tmp_path / "pladser.csv",
        "OMRÅDE;FORANSTALTNINGSART;PLADSTYPE;TID;INDHOLD",
        "Hjørring;Plejeboliger;Antal pladser i alt;2023;512",
        "Region Nordjylland;Plejeboliger;Antal pladser i alt;2023;5512",
    )
    check_text(
        tmp_path / "aed06_2023.csv",
        "OMRÅDE;YDELSESTYPE;TIMER PR. UGE;ALDER;KØN;TID;INDHOLD",
        "860;Personlig pleje;Under 2 timer;67 år og derover;Kvinder;2023;1.204",
        "860;Modtagere af hjemmehjælp i alt;Omfang i alt;65-66 år;Mænd og kvinder i alt;2023;96",
    )
    check_text(
        tmp_path / "boligvalg.csv",
        "ENHED;OMRÅDE;TID;INDHOLD",
        "Gennemsnitlig ventetid i dage til plejebolig for personer på generel venteliste, som har fået tilbudt bolig;Hjørring;2023;38,5",
        "Personer visiteret til den generelle venteliste;Hjørring;2023;61",
        "Personer på venteliste i alt;Aalborg;2023;-",
    )
    check_text(
        tmp_path / "dage.csv",
        "OMRÅDE;ALDER;KØN;DAGE;TID;INDHOLD",
        "Hjørring;90 år og derover;Mænd og kvinder i alt;Dage med hjemmesygepleje i alt;2023;40312",
        "Hjørring;90 år og derover;Mænd og kvinder i alt;Dage med hjemmesygepleje pr. borger (gennemsnit);2023;91",
    )
    check_text(tmp_path / "statbank_rehab19.csv", "OMRÅDE;ALDER;KØN;TID;INDHOLD", "860;I alt;I alt;2023;99")
    assert welfare_of(tmp_path) == {
        "AED10A preventive_home_visits": 700.0,
        "AED10A preventive_home_visits;age=75-75;sex=1;visit=visits": None,
        "AED10A preventive_home_visits;age=75-79;sex=2;visit=visits": 41.0,
        "HJEMSYG home_nursing;age=80-84": 312.0,
        "HJEMSYG home_nursing;sex=1": None,
        "RESP01 elderly_care_places;service=plejeboliger": 512.0,
        "AED06 home_help;age=67-125;hours=under_2_timer;service=personlig_pleje;sex=2": 1204.0,
        "AED06 home_help;age=65-66": 96.0,
        "AED16 care_home_waiting;unit=waiting_days": 38.5,
        "AED16 care_home_waiting;unit=general_list": 61.0,
        "HJEMSYG2 home_nursing_days;age=90-125": 40312.0,
        "HJEMSYG2 home_nursing_days;age=90-125;days=per_recipient": 91.0,
        "REHAB19 rehabilitation": 99.0,
    }  # fmt: skip


# A table as the API answers with the ids of its variables and values; the words of the same cell below it.
IN_IDS = {
    "HJEMSYG": ("OMRÅDE;ALDER1;KOEN;TID;INDHOLD", "860;375;100;2023;120"),
    "HJEMSYG2": ("OMRÅDE;ALDER1;KOEN;DAGE;TID;INDHOLD", "860;375;100;252;2023;9120"),
    "REHAB19": ("OMRÅDE;ALDER1;KOEN;TID;INDHOLD", "860;375;100;2023;31"),
    "AED06": ("OMRÅDE;YDELSESTYPE;TIMEUGE;ALDER;KOEN;TID;INDHOLD", "860;100;050;850;100;2023;980"),
    "AED10A": ("OMRÅDE;HJEMBESOEG;ALDER;KOEN;TID;INDHOLD", "860;380;900;100;2023;640"),
    "AED16": ("MAENGDE4;OMRÅDE;TID;INDHOLD", "140;860;2023;41"),
}


def test_ids_of_age_groups_and_totals_are_not_taken_for_years_of_age(tmp_path: Path) -> None:
    for table, lines in IN_IDS.items():
        assert check_text(tmp_path / f"{table.lower()}.csv", *lines).rows_loaded == 1, table
    assert welfare_of(tmp_path) == {
        "HJEMSYG home_nursing;age=65-69": 120.0,
        "HJEMSYG2 home_nursing_days;age=65-69": 9120.0,
        "REHAB19 rehabilitation;age=65-69": 31.0,
        "AED06 home_help;age=67-125": 980.0,
        "AED10A preventive_home_visits;age=75-125": 640.0,
        "AED16 care_home_waiting;unit=waiting_days": 41.0,
    }


def test_areas_that_repeat_municipalities_or_are_none_are_counted_apart(tmp_path: Path) -> None:
    report = check_text(tmp_path / "aed10a.csv", *AED10A)
    assert (report.rows_in, report.rows_loaded, report.rows_duplicate, report.rows_quarantined) == (6, 3, 2, 1)
    assert "Christiansø" in next(f.en for f in report.findings if f.rule == "W1-outside")


def test_an_english_table_is_the_danish_one(tmp_path: Path) -> None:
    report = check_text(
        tmp_path / "hjemsyg_en.csv",
        "REGION;AGE;SEX;TIME;INDHOLD", "All Denmark;Total;Total;2023;90000", "Region Zealand;Total;Total;2023;9000",
        "Copenhagen;Under 65 years;Men;2023;812", "Hjørring;90 years and over;Women;2023;41",
    )  # fmt: skip
    assert (report.kind, report.rows_loaded, report.rows_duplicate) == ("statbank", 2, 2), report


def test_tables_with_the_same_headers_are_told_apart_by_the_name_of_the_file_only(tmp_path: Path) -> None:
    lines = [
        "OMRÅDE;ALDER;KØN;TID;INDHOLD",
        *(f"{code.lstrip('0')};I alt;I alt;2023;5" for code in municipality_codes()),
    ]
    report = check_text(tmp_path / "data.csv", *lines)
    assert report.status == "refused"
    assert "hjemsyg.csv" in report.findings[0].en


def test_one_figure_with_two_values_refuses_the_table(tmp_path: Path) -> None:
    report = check_text(tmp_path / "aed10a.csv", *AED10A, "860;381;7579;300;2023;42")
    assert [finding.rule for finding in report.findings] == ["W2-twice"]


def folk1a(*, texts: bool, english: bool = False) -> list[str]:
    """All of FOLK1A for a quarter with marital status, in codes or in words."""
    codes = {"860": "Hjørring"} if texts else {}
    sexes = ["Men", "Women", "Total"] if english else ["Mænd", "Kvinder", "I alt"] if texts else ["1", "2", "TOT"]
    total = sexes[2]
    unit = "years" if english else "år"
    lines = ["REGION;SEX;AGE;MARITAL STATUS;TIME;INDHOLD" if english else "OMRÅDE;KØN;ALDER;CIVILSTAND;TID;INDHOLD"]
    for code in municipality_codes():
        area = codes.get(code.lstrip("0"), code.lstrip("0"))
        for sex in sexes:
            for age in [*range(106), total]:
                told = f"{age} {unit}" if texts and age != total else age
                lines += [f"{area};{sex};{told};{total};2024K1;10"]
                lines += (
                    [f"{area};{sex};{told};{'Married' if english else 'Gift/separeret'};2024K1;4"]
                    if age in (40, 41)
                    else []
                )
    return lines


@pytest.mark.parametrize(("texts", "english"), [(False, False), (True, False), (True, True)])
def test_folk1a_by_marital_status_counts_everybody_once(texts: bool, english: bool, tmp_path: Path) -> None:
    report = check_text(tmp_path / "FOLK1A.csv", *folk1a(texts=texts, english=english))
    assert (report.kind, report.status) == ("population", "accepted"), report.findings
    assert report.rows_loaded == 98 * 2 * 106
    assert f"{98 * 2 * 106 * 10:,} persons" in next(f.en for f in report.findings if f.rule == "P0-total")


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference files are not beside the project")
def test_real_files_of_folk1a_are_answered_as_a_careful_person_would() -> None:
    whole, gaps, areas = (
        check([REFERENCE / name]).files[0]
        for name in (
            "FOLK1A_municipality_sex_age_2014K1.csv",
            "FOLK1A_regions_sex_age_2008K1-2020K1.csv",
            "FOLK1A_areas_civilstand_2020K1.csv",
        )
    )
    assert whole.kind == "population" and whole.status != "refused"
    assert gaps.status == "refused" and "38" in gaps.findings[0].en
    assert areas.status == "refused" and "køn" in areas.findings[0].en


# --- fetching -----------------------------------------------------------------------------------------------------

TABLES = {
    "FOLK1A": [
        {"id": "OMRÅDE", "text": "område", "elimination": True, "values": [{"id": "000", "text": "Hele landet"}]},
        {"id": "KØN", "text": "køn", "elimination": True, "values": [{"id": "TOT", "text": "I alt"}]},
        {"id": "ALDER", "text": "alder", "elimination": True, "values": [{"id": "IALT", "text": "I alt"}]},
        {"id": "CIVILSTAND", "text": "civilstand", "elimination": True, "values": [{"id": "TOT", "text": "I alt"}]},
        {"id": "Tid", "text": "tid", "elimination": False, "time": True,
         "values": [{"id": f"{year}K1", "text": f"{year}K1"} for year in (2008, 2023, 2024)]},
    ],
    "XYZ1": [{"id": "ART", "text": "art", "elimination": True, "values": []}],
}  # fmt: skip


class StatbankStandIn(BaseHTTPRequestHandler):
    """Answers /v1/tableinfo and /v1/data as StatBank's API does, after its documentation."""

    asked: list[dict]
    data: bytes
    cut = False

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append({"path": self.path, **query})
        if query["table"] not in TABLES:
            answer = {"errorTypeCode": "EXTRACT-NOTFOUND", "message": f"Tabellen {query['table']} findes ikke"}
            self.answer(400, json.dumps(answer).encode())
        elif self.path == "/v1/tableinfo":
            told = {"id": query["table"], "text": "…", "variables": TABLES[query["table"]]}
            self.answer(200, json.dumps(told).encode())
        else:
            assert query["format"] == "BULK"
            self.answer(200, self.data, cut=self.cut)

    def answer(self, status: int, body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def statbank(data: str = "", *, cut: bool = False) -> Iterator[tuple[str, list[dict]]]:
    """The address of a stand-in, and the list of what it was asked."""
    asked: list[dict] = []
    handler = type("Handler", (StatbankStandIn,), {"asked": asked, "data": data.encode(), "cut": cut})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def population_text() -> str:
    lines = ["OMRÅDE;KØN;ALDER;TID;INDHOLD"]
    lines += [
        f"{code};{sex};{age} år;2024K1;10"
        for code in municipality_codes()
        for sex in ("Mænd", "Kvinder")
        for age in range(106)
    ]
    return "\ufeff" + "\r\n".join(lines) + "\r\n"


def test_a_fetched_table_loads_as_any_delivery_does(tmp_path: Path) -> None:
    with statbank(population_text()) as (base, asked):
        result = CliRunner().invoke(
            main,
            ["fetch", "statbank", "folk1a", "--data", str(tmp_path), "--since", "2023"],
            env={"NAERBLIK_STATBANK_URL": base},
        )
    assert result.exit_code == 0, result.output
    [path] = (tmp_path / "raw" / "statbank").iterdir()
    assert path.name == "FOLK1A.csv" and str(path) in result.output
    assert check([path]).files[0].kind == "population" and check([path]).is_loadable
    variables = {variable["code"]: variable["values"] for variable in asked[1]["variables"]}
    # marital status is left out, so that StatBank sums over it
    assert variables == {"OMRÅDE": ["*"], "KØN": ["*"], "ALDER": ["*"], "Tid": ["2023K1", "2024K1"]}


def test_an_answer_that_breaks_off_leaves_the_older_file_alone(tmp_path: Path) -> None:
    (tmp_path / "FOLK1A.csv").write_text("older", encoding="utf-8")
    with statbank(population_text(), cut=True) as (base, _), pytest.raises(StatbankProblem, match="broke off"):
        fetch_table("FOLK1A", tmp_path, base=base)
    assert [(path.name, path.read_text("utf-8")) for path in tmp_path.iterdir()] == [("FOLK1A.csv", "older")]


def test_what_goes_wrong_is_said_in_one_sentence(tmp_path: Path) -> None:
    with statbank("<html>Vedligehold</html>\n") as (base, _):
        with pytest.raises(StatbankProblem, match="Tabellen ABC9 findes ikke"):
            fetch_table("ABC9", tmp_path, base=base)
        with pytest.raises(StatbankProblem, match="INDHOLD"):
            fetch_table("FOLK1A", tmp_path, base=base)
        with pytest.raises(StatbankProblem, match="nothing from 2030"):
            fetch_table("FOLK1A", tmp_path, base=base, since=2030)
    with pytest.raises(StatbankProblem, match="letters and digits"):
        fetch_table("../etc", tmp_path, base=base)
    with pytest.raises(StatbankProblem, match="cannot be reached"):  # the stand-in is gone
        fetch_table("FOLK1A", tmp_path, base=base)
    with pytest.raises(StatbankProblem, match="begins with https"):
        fetch_table("FOLK1A", tmp_path, base="file:///etc")
    assert list(tmp_path.iterdir()) == []
    result = CliRunner().invoke(main, ["fetch", "statbank", "FOLK1A", "--data", str(tmp_path), "--base-url", base])
    assert result.exit_code == 1 and "Traceback" not in result.output


def test_the_tables_that_are_known_have_adapters() -> None:
    assert {"FOLK1A", "AED10A", "HJEMSYG", "HJEMSYG2", "RESP01", "AED06", "AED16", "REHAB19"} == set(known_tables())


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference files are not beside the project")
@pytest.mark.parametrize("table", ["AED10A", "HJEMSYG", "HJEMSYG2", "RESP01", "AED06", "AED16", "REHAB19"])
def test_adapters_know_the_dimensions_that_statbank_lists(table: str, tmp_path: Path) -> None:
    listed = (
        pl.read_csv(REFERENCE / "statbank_health_tables_2021-05.csv").filter(pl.col("id") == table)["variables"].item()
    )
    dimensions = listed.strip("[]").replace("'", "").split(", ")
    values = {"område": "Hjørring", "alder": "80-84 år", "køn": "Kvinder", "tid": "2019"}
    values |= {"hjemmebesøg": "Gennemførte besøg", "dage": "Dage med hjemmesygepleje i alt"}
    values |= {"enhed": "Personer der vælger frit valg"}
    report = check_text(
        tmp_path / f"{table.lower()}.csv",
        ";".join([*(name.upper() for name in dimensions), "INDHOLD"]),
        ";".join([*(values.get(name, "noget") for name in dimensions), "12"]),
    )
    assert (report.kind, report.rows_loaded) == ("statbank", 1), report
