"""Plain contacts get in compiled passes exactly what the readers that explain would give them."""

import json
from itertools import zip_longest
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.contact import NUMBERS, WORDS, landed_reports
from etl.delivery import open_delivery
from etl.file import find_files
from etl.finding import Refused
from etl.land import land
from etl.plain import PlainContacts
from etl.pseudonym import PseudonymKey

KEY = PseudonymKey(b"k" * 32)
TIMES = ["2024-03-31 14:05", "2024-02-29T23:59:59", "2024-02-30 10:00", "31-03-2024 14:05", "2024-03-31", "1999-12-31 10:00",
         "2100-01-01 00:00", "2024-13-01 10:00", "2024-03-31 24:00", "9999-12-31 00:00", "", "x", "2023-03-31 04:05:59"]  # fmt: skip
PLAIN_TIMES = TIMES[:2] + TIMES[-1:]
VALUES = {
    "DW_EK_KONTAKT": ["1", "17", "999999999999999999", "1000000000000000001", "007", "A-1", "", " 5", "0", "-3"],
    "PNR": ["0101501234", "6101501234", "010150-1234", "101501234", "0000000000", "", "AB12", "123456789012", "0101104234"],
    "KONT_STARTTIDSPUNKT": TIMES,
    "KONT_SLUTTIDSPUNKT": TIMES,
    "KONT_TYPE": ["ALCA00", "ALCA10", "Fysisk fremmøde", "", "volapyk", "alca00"],
    "PRIORITET": ["ATA1", "ATA3", "Akut", "", "ATA9"],
    "ADIAG": ["DJ449", "dj44.9", "J449", "", "DK35 Blindtarm", "?", "-"],
    "BORGER_BO_KOM": ["0101", "101", "860", "Hjørring", "0957", "0411", "9999", "", "0860 Hjørring"],
    "BORGER_ALDER_AAR_IND": ["0", "70", "125", "126", "-1", "", "70,5", "x", "007"],
    "BORGER_KOEN": ["1", "2", "K", "mand", "", "3"],
    "BORGER_DOEDSDATO": ["", "2024-05-01", "01-05-2024", "2024-02-31", "1969-12-31"],
    "LPRINDBERETNINGSSYSTEM": ["LPR3", "LPR2", ""],
    "INDBERETTET_DATO": TIMES,
    "ANNULLERET": ["Nej", "Ja", "", "x", "måske"],
}  # fmt: skip
ROW = st.fixed_dictionaries(
    {name: st.one_of(st.just(values[0]), st.sampled_from(values)) for name, values in VALUES.items()}
)
ROWS = st.lists(ROW, min_size=1, max_size=40)
MANY_PLAIN = [{name: values[0] for name, values in VALUES.items()} | {"DW_EK_KONTAKT": str(n)} for n in range(100, 400)]


def landed(folder: Path, file: Path) -> dict:
    """Everything that landing a file leaves, or why it was refused."""
    [found] = find_files([file])
    try:
        known = land(open_delivery(found), folder, KEY)
    except Refused as refused:
        return {"refused": [finding.en for finding in refused.findings]}
    rows = landed_reports([(known.path_in(folder), 0)]).frame([*NUMBERS, *WORDS]).sort("row")
    sidecar = json.loads((folder / f"{known.path_name}.json").read_text(encoding="utf-8"))
    assert sidecar.pop("checksum")  # of rows in another order
    deaths = pl.read_parquet(folder / "deaths_of_contacts" / f"{known.sha256}.parquet")
    return {"rows": rows.to_dicts(), "known": sidecar, "deaths": deaths.sort("person", "death_date").to_dicts()}


def both_ways(folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict, dict]:
    as_they_are = landed(folder / "plain", file)
    begin = PlainContacts.__init__

    def reading_nothing(self: PlainContacts, *args) -> None:
        begin(self, *args)
        self._tells_all = False

    with monkeypatch.context() as without:
        without.setattr(PlainContacts, "__init__", reading_nothing)
        return as_they_are, landed(folder / "explained", file)


def differing(one: dict, other: dict) -> list:
    """What two landings differ in, for a message that people can read."""
    if one.keys() != other.keys():
        return [one.get("refused"), other.get("refused")]
    return [
        (here, there)
        for name in one
        for here, there in zip_longest(listed(one[name]), listed(other[name]))
        if here != there
    ]


def listed(part: dict | list) -> list:
    if isinstance(part, dict):
        return list(part.items())
    return [pair for row in part for pair in (row.items() if isinstance(row, dict) else [row])]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=ROWS, as_text=st.booleans())
def test_what_is_landed_does_not_depend_on_who_reads_it(tmp_path_factory, rows: list[dict], as_text: bool) -> None:
    folder = tmp_path_factory.mktemp("plain")
    frame = pl.DataFrame([*MANY_PLAIN, *rows], schema=dict.fromkeys(VALUES, pl.String))
    file = folder / ("contacts.csv" if as_text else "contacts.parquet")
    if as_text:
        frame.write_csv(file, separator=";", quote_style="never")
    else:
        frame.with_columns(pl.all().replace("", None)).write_parquet(file)
    with pytest.MonkeyPatch.context() as monkeypatch:
        one, other = both_ways(folder, file, monkeypatch)
    assert differing(one, other) == []


def test_typed_columns_are_read_like_texts(tmp_path: Path, monkeypatch) -> None:
    frame = pl.DataFrame(MANY_PLAIN).with_columns(
        pl.col("KONT_STARTTIDSPUNKT", "KONT_SLUTTIDSPUNKT").str.to_datetime("%Y-%m-%d %H:%M"),
        pl.col("INDBERETTET_DATO").str.to_datetime("%Y-%m-%d %H:%M", time_unit="ms"),
        pl.col("BORGER_ALDER_AAR_IND").cast(pl.Int16),
        pl.Series("BORGER_DOEDSDATO", ["2024-05-01", None, None] * 100).str.to_date("%Y-%m-%d"),
    )
    odd = frame.with_row_index().with_columns(
        pl.when(pl.col("index") == 7).then(None).otherwise("KONT_STARTTIDSPUNKT").alias("KONT_STARTTIDSPUNKT"),
        pl.when(pl.col("index") == 8)
        .then(200)
        .otherwise("BORGER_ALDER_AAR_IND")
        .cast(pl.Int16)
        .alias("BORGER_ALDER_AAR_IND"),
    )
    odd.drop("index").write_parquet(tmp_path / "contacts.parquet")
    one, other = both_ways(tmp_path, tmp_path / "contacts.parquet", monkeypatch)
    assert differing(one, other) == []
    assert len(one["rows"]) == 300 and len(one["deaths"]) == 1
    assert [row["rule"] for row in one["rows"][6:10]] == [None, "C2-start", "C2-age", None]


def test_most_of_a_file_of_plain_contacts_is_read_in_compiled_passes(tmp_path: Path) -> None:
    pl.DataFrame(MANY_PLAIN).write_parquet(tmp_path / "contacts.parquet")
    [file] = find_files([tmp_path / "contacts.parquet"])
    delivery = open_delivery(file)
    reader = PlainContacts(delivery.fit, KEY)
    assert sum(len(reader.read(batch.table)) for batch in delivery.batches()) == 300
