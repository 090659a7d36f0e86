"""From a folder of deliveries to a release: what is taken in, what is refused, and that nothing half-happens."""

import json
import os
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from defects import GOALS
from deliveries import (
    CONTACT_HEADER,
    contact_line,
    month_of,
    month_of_contacts,
    write_contacts,
    write_folder,
    write_population,
)

from etl.__main__ import main
from etl.load import check, load, open_keys
from etl.protect import UNPROTECTED
from etl.publish import PublishProblem, pointed_to, published
from kpis.release import open_release


def rows_add_up(report) -> bool:
    return all(
        f.rows_in == f.rows_loaded + f.rows_duplicate + f.rows_superseded + f.rows_quarantined for f in report.files
    )


def test_a_folder_becomes_a_release_with_the_counts_of_its_contacts(tmp_path: Path) -> None:
    report = load([write_folder(tmp_path / "in")], tmp_path / "data", protection=UNPROTECTED)
    assert report.is_loadable
    assert rows_add_up(report)
    release = open_release(tmp_path / "data")
    counts = release.sql(
        "select month, sum(n_acute)::int as n from cube where group_id = 'preventable_65plus.lower_respiratory' "
        "group by month order by month"
    )
    assert counts["n"].to_list() == [60] * 6
    assert release.manifest["as_of"] == "2024-07-01"
    assert release.manifest["is_synthetic"] is True
    # 60 persons are admitted each month, 26 to 29 days after their last discharge; June has no complete follow-up
    index = release.sql("select sum(n_index)::int as i, sum(n_readmission)::int as r from cube where group_id = 'all'")
    assert index.row(0) == (300, 300)


def test_every_member_of_the_country_is_in_the_release(tmp_path: Path) -> None:
    load([write_folder(tmp_path / "in")], tmp_path / "data")
    release = open_release(tmp_path / "data")
    members = release.sql("select level, count(distinct municipality_code) as n from membership group by level")
    assert set(members["n"]) == {98}
    persons = release.sql("select sum(persons)::int as n from population").item()
    assert persons == 98 * 2 * 106 * 10


def test_loading_the_same_folder_again_changes_nothing(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    first = load([folder], tmp_path / "data")
    second = load([folder], tmp_path / "data")
    assert second.published is not None and not second.published.is_new
    assert first.published is not None and second.published.path == first.published.path
    assert {finding.rule for file in second.files for finding in file.findings} >= {"D10-again"}


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    lines = month_of_contacts()
    corrected = [line.replace("DJ449", "DS720").replace("2024-07-01 08:00", "2024-07-02 08:00") for line in lines[:80]]
    write_population(tmp_path / "folk1a.csv")
    write_contacts(tmp_path / "a.csv", lines)
    write_contacts(tmp_path / "b.csv", corrected)
    contents = []
    for number, order in enumerate((["folk1a", "a", "b"], ["b", "folk1a", "a"])):
        data = tmp_path / f"data{number}"
        (data / "build" / "keys").mkdir(parents=True)
        for key in ("pseudonym.key", "protection.key"):
            (data / "build" / "keys" / key).write_bytes(b"k" * 32)
            (data / "build" / "keys" / key).chmod(0o400)
        load(
            [tmp_path / "folk1a.csv", tmp_path / "a.csv"]
            if order[1] == "a"
            else [tmp_path / "b.csv", tmp_path / "folk1a.csv"],
            data,
        )
        load([tmp_path / f"{order[2]}.csv"], data, accept_change="test")
        contents.append(open_release(data).manifest["content"])
    assert contents[0] == contents[1]


def test_a_correction_takes_the_place_of_what_it_corrects(tmp_path: Path) -> None:
    write_population(tmp_path / "folk1a.csv")
    write_contacts(
        tmp_path / "k.csv",
        [
            *month_of_contacts(),
            contact_line(
                10_000,
                "6101500000",
                "2024-01-01 10:00",
                "2024-01-03 10:00",
                diagnosis="DS720",
                reported="2024-08-01 08:00",
            ),
        ],
    )
    report = load(
        [tmp_path / "folk1a.csv", tmp_path / "k.csv"], tmp_path / "data", protection=UNPROTECTED, as_of=date(2024, 7, 1)
    )
    assert report.files[-1].rows_superseded == 1
    assert rows_add_up(report)
    hips = open_release(tmp_path / "data").sql(
        "select sum(n_acute)::int as n from cube where group_id = 'prevention.hip_fracture'"
    )
    assert hips.item() == 1


def test_a_refused_file_changes_nothing_and_is_named(tmp_path: Path) -> None:
    load([write_folder(tmp_path / "in")], tmp_path / "data")
    before = open_release(tmp_path / "data").id
    write_contacts(
        tmp_path / "bad.csv", [contact_line(n, "", "2024-01-01 10:00", "2024-01-02 10:00") for n in range(50)]
    )
    write_contacts(tmp_path / "good.csv", [contact_line(999, "6101500001", "2024-01-01 10:00", "2024-01-02 10:00")])
    report = load([tmp_path / "bad.csv", tmp_path / "good.csv"], tmp_path / "data")
    assert not report.is_loadable and report.published is None
    refused = next(file for file in report.files if file.status == "refused")
    assert refused.file.endswith("bad.csv")
    assert "C2-person" in refused.findings[0].en
    assert open_release(tmp_path / "data").id == before
    assert len(list((tmp_path / "data/build/history/lpr_contacts").glob("*.json"))) == 1


def test_the_nearest_shape_and_its_missing_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text(CONTACT_HEADER.replace("adiag;", "") + "\n", encoding="utf-8")
    message = check([tmp_path / "k.csv"]).files[0].findings[0].en
    assert "LPR_A" in message and "adiag" in message


def test_bad_rows_are_held_back_with_row_column_and_rule_and_never_show_a_person(tmp_path: Path) -> None:
    lines = month_of_contacts()
    lines[3] = lines[3].replace(";ALCA00", ";ALCA00;extra", 1)  # one field too many
    lines[5] = lines[5].replace("2024-01-", "2024-13-", 1)  # no such month
    lines[7] = lines[7].replace(";75;", ";175;")
    lines[9] = lines[9].replace(";0860;", ";0999;")
    lines[11] = lines[11].replace(";0860;", ";0411;")
    write_contacts(tmp_path / "k.csv", lines)
    report = check([tmp_path / "k.csv"])
    file = report.files[0]
    found = {(f.row, f.column, f.rule) for f in file.findings if f.row}
    assert found == {
        (5, None, "D4-fields"), (7, "kont_starttidspunkt", "C2-start"), (9, "alder", "C2-age"),
        (11, "bo_kom", "C2-municipality"), (13, "bo_kom", "C2-outside"),
    }  # fmt: skip
    assert (file.status, file.rows_quarantined, file.rows_in) == ("accepted_with_warnings", 5, len(lines))
    assert rows_add_up(report)
    assert "50000" not in json.dumps([f.en for f in file.findings])


def test_danish_habits_are_read_as_a_careful_person_would(tmp_path: Path) -> None:
    lines = [
        line.replace("2024-01-", "2024-01-").replace(";0860;", ";860;").replace(";LPR3;", ";LPR3;")
        for line in month_of_contacts()
    ]
    lines[0] = lines[0].replace("2024-01-01 10:00", "01-01-2024 10:00:30").replace("6101500000", "610150-0000")
    header = CONTACT_HEADER.upper()
    (tmp_path / "k.csv").write_bytes(("\r\n".join([header, *lines]) + "\r\n").encode("cp1252"))
    file = check([tmp_path / "k.csv"]).files[0]
    assert (file.status, file.rows_loaded) == ("accepted", len(lines))


def test_lpr_f_takes_municipality_from_residence_and_age_and_sex_from_the_person_number(tmp_path: Path) -> None:
    write_population(tmp_path / "folk1a.csv")
    contacts = [
        "DW_EK_KONTAKT;CPR;dato_start;tidspunkt_start;dato_slut;tidspunkt_slut;aktionsdiagnose;prioritet;kontakttype;SORENHED_ANS;lprindberetningssytem"
    ]
    homes = ["PNR;KOM;FRA;TIL"]
    for n in range(30):
        person = f"{61 + n % 28:02d}0145{n:03d}2"  # woman, born in January 1945
        month = n % 6 + 1
        contacts.append(
            f"{10**17 + n};{person};2024-{month:02d}-10;10:00;2024-{month:02d}-12;10:00;DJ449;ATA1;ALCA00;1;LPR3"
        )
        homes += [f"{person};851;2000-01-01;2024-04-01", f"{person};860;2024-04-01;"]
    (tmp_path / "kontakter.csv").write_text("\n".join(contacts), encoding="utf-8")
    (tmp_path / "bopael.csv").write_text("\n".join(homes), encoding="utf-8")
    report = load([tmp_path], tmp_path / "out" / "data", protection=UNPROTECTED)
    assert report.is_loadable, report
    found = open_release(tmp_path / "out" / "data").sql(
        "select municipality_code, sex, age_from, sum(n_acute)::int as n from cube where group_id = 'all' "
        "group by all order by municipality_code"
    )
    assert found.rows() == [("0851", 2, 75, 15), ("0860", 2, 75, 15)]


def test_real_and_made_up_persons_do_not_mix(tmp_path: Path) -> None:
    load([write_folder(tmp_path / "in")], tmp_path / "data")
    write_contacts(
        tmp_path / "real.csv",
        [contact_line(n, f"0101501{n:03d}", "2024-02-01 10:00", "2024-02-03 10:00") for n in range(9)],
    )
    with pytest.raises(PublishProblem, match="do not belong together"):
        load([tmp_path / "real.csv"], tmp_path / "data")


DAYS = "kommune;periode;dage"


@pytest.mark.parametrize(
    ("later_day", "days", "n_left_out"),
    [(True, 777, 0), (False, 5, 1)],
    ids=["a correction of a later day", "of one day what reaches further"],
)
def test_of_what_two_small_deliveries_tell_the_later_one_counts(
    tmp_path: Path, later_day: bool, days: int, n_left_out: int
) -> None:
    folder = write_folder(tmp_path / "in")
    lines = ["0860;2024-01;5", "0860;2024-02;6"]
    (folder / "faerdigbehandlede.csv").write_text("\n".join([DAYS, *lines]), encoding="utf-8")
    corrected = tmp_path / "rettet.csv"
    corrected.write_text("\n".join([DAYS, "0860;2024-01;777"]), encoding="utf-8")
    if not later_day:
        day = (folder / "faerdigbehandlede.csv").stat().st_mtime
        os.utime(corrected, (day, day))
    else:
        os.utime(folder / "faerdigbehandlede.csv", (0, 10**9))
    contents = []
    for number, order in enumerate(([folder, corrected], [corrected, folder])):
        data = tmp_path / f"data{number}"
        load([folder / "folk1a.csv", folder / "kontakter.csv"], data, protection=UNPROTECTED)
        for path in order:
            report = load([path], data, protection=UNPROTECTED)
            (told,) = [file for file in report.files if file.file.endswith("rettet.csv")] or [None]
            if told is not None and order[0] == folder:
                assert (told.rows_loaded, told.rows_superseded) == (1 - n_left_out, n_left_out)
                assert any(f.rule == "N1-other" for f in told.findings) == bool(n_left_out)
        found = open_release(data).sql("select n from municipality_month where measure = 'days_after_ready' order by n")
        contents.append(found["n"].to_list())
    assert contents[0] == contents[1] == sorted([days, 6]), "whichever was loaded first"


def test_a_goal_that_stands_twice_with_two_targets_is_told(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    goals = [f"m1;acute_admissions_65plus;kommune;0860;egen;kort;60,5;2023;{target};31-12-2026" for target in (54, 52)]
    (folder / "maal.csv").write_text("\n".join([GOALS, *goals, goals[0]]), encoding="utf-8")
    (told,) = [file for file in check([folder]).files if file.kind == "goals"]
    assert (told.rows_loaded, told.rows_duplicate, told.rows_superseded) == (1, 1, 1)
    assert told.status == "accepted_with_warnings"


def test_columns_may_be_parted_by_bars_and_months_be_what_a_spreadsheet_makes_of_them(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    (folder / "faerdigbehandlede.csv").write_text(
        "kommune|periode|dage\n0860|2024-01-01 00:00:00|5\n", encoding="utf-8"
    )
    report = check([folder])
    (days,) = [file for file in report.files if file.kind == "faerdigbehandlede"]
    assert (days.rows_loaded, days.rows_quarantined) == (1, 0)


def test_a_cancellation_of_the_same_time_of_report_counts(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    load([folder], tmp_path / "data", protection=UNPROTECTED)
    stays = "select sum(n_stay)::bigint from cube where group_id = 'all'"
    before = open_release(tmp_path / "data").sql(stays).item()
    line = month_of_contacts()[0]
    (tmp_path / "annul.csv").write_text(f"{CONTACT_HEADER};annulleret\n{line};1", encoding="utf-8")
    report = load([tmp_path / "annul.csv"], tmp_path / "data", protection=UNPROTECTED)
    assert report.files[0].rows_superseded == 0
    assert open_release(tmp_path / "data").sql(stays).item() == before - 1


def test_a_check_says_what_the_load_would_say_in_rounded_counts(tmp_path: Path) -> None:
    write_population(tmp_path / "folk1a.csv")
    write_contacts(tmp_path / "k.csv", [line for n in range(1, 7) for line in month_of(n, 303, 10_000 * n, "0101", 61)])
    load([tmp_path / "folk1a.csv", tmp_path / "k.csv"], tmp_path / "data", as_of=date(2024, 7, 1))
    write_contacts(tmp_path / "more.csv", month_of(1, 203, 500_000, "0101", 63))
    said = check([tmp_path / "more.csv"], tmp_path / "data").problem
    with pytest.raises(PublishProblem) as stopped:
        load([tmp_path / "more.csv"], tmp_path / "data")
    assert said == stopped.value.said
    assert all(int(n) % 5 == 0 for n in re.findall(r"change from (\d+) to (\d+)", said["en"].replace(",", ""))[0])


@pytest.mark.parametrize("with_deliveries", [False, True])
def test_a_release_that_was_wrong_can_be_withdrawn_and_its_delivery_taken_out(tmp_path: Path, with_deliveries) -> None:
    data, stays = tmp_path / "data", "select sum(n_stay)::bigint from cube where group_id = 'all'"
    right = load([write_folder(tmp_path / "in")], data, protection=UNPROTECTED).published
    write_contacts(
        tmp_path / "wrong.csv", [contact_line(900_001, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")]
    )
    wrong = load([tmp_path / "wrong.csv"], data, protection=UNPROTECTED).published
    assert right is not None and wrong is not None
    words = ["withdraw", wrong.path.stem, "--data", str(data), *(["--with-deliveries"] if with_deliveries else [])]
    ended = CliRunner().invoke(main, words)
    assert ended.exit_code == 0 and "wrong.csv" in ended.output and "folk1a" not in ended.output
    assert pointed_to(data) == right.path and not wrong.path.exists()
    write_contacts(tmp_path / "next.csv", [contact_line(900_002, "7101500002", "2024-04-05 10:00", "2024-04-07 10:00")])
    load([tmp_path / "next.csv"], data, protection=UNPROTECTED)
    assert open_release(data).sql(stays).item() == (361 if with_deliveries else 362)
    unknown = CliRunner().invoke(main, ["withdraw", wrong.path.stem, "--data", str(data)])
    assert unknown.exit_code == 1 and wrong.path.stem in unknown.output


def test_a_release_that_was_built_on_what_was_taken_out_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    load([write_folder(tmp_path / "in")], data, protection=UNPROTECTED)
    for number in (1, 2):
        line = contact_line(900_000 + number, f"710150000{number}", "2024-03-05 10:00", "2024-03-07 10:00")
        write_contacts(tmp_path / f"{number}.csv", [line])
        load([tmp_path / f"{number}.csv"], data, protection=UNPROTECTED)
    first = published(data)[1].stem
    ended = CliRunner().invoke(main, ["withdraw", first, "--data", str(data), "--with-deliveries", "--lang", "en"])
    assert "Build again without them: python -m etl build" in ended.output
    again = CliRunner().invoke(main, ["build", "--data", str(data), "--protection", "none"])
    assert again.exit_code == 0
    assert open_release(data).sql("select sum(n_stay)::bigint from cube where group_id = 'all'").item() == 361
    back = CliRunner().invoke(main, ["rollback", "--data", str(data), "--lang", "en"])
    assert "still part of what was loaded" in back.output


@pytest.mark.parametrize("column", ["bo_kom", "adiag", "kont_type", "koen", "alder", "kont_starttidspunkt"])
def test_no_person_is_told_of_where_columns_are_shifted(tmp_path: Path, column: str) -> None:
    at = CONTACT_HEADER.split(";").index(column)
    lines = [line.split(";") for line in month_of_contacts(1)]
    for line, value in zip(lines, ("Jens Hansen", "Åse Bøgh-Ærø, Vej 3", "01.01.90-1234", "010190 1234"), strict=False):
        line[at] = value
    write_contacts(tmp_path / "k.csv", [";".join(line) for line in lines])
    report = check([tmp_path / "k.csv"])
    said = json.dumps([[f.da, f.en] for f in report.files[0].findings], ensure_ascii=False)
    assert len(report.files[0].findings) >= 4
    assert not any(part in said for part in ("Jens", "Hansen", "Bøgh", "Ærø", "90-1234", "190 1234"))


def test_without_population_nothing_is_published_and_the_text_says_what_is_missing(tmp_path: Path) -> None:
    write_contacts(tmp_path / "k.csv", month_of_contacts())
    result = CliRunner().invoke(main, ["load", str(tmp_path / "k.csv"), "--data", str(tmp_path / "data")])
    assert result.exit_code == 1
    assert "FOLK1A" in result.output
    assert "Traceback" not in result.output


def test_a_lost_key_stops_the_load(tmp_path: Path) -> None:
    from etl.pseudonym import KeyProblem

    folder = write_folder(tmp_path / "in")
    load([folder], tmp_path / "data")
    key = tmp_path / "data/build/keys/pseudonym.key"
    key.chmod(0o644)
    with pytest.raises(KeyProblem, match="chmod 400"):
        load([folder], tmp_path / "data")
    key.unlink()
    with pytest.raises(KeyProblem, match="every person would be a new one"):
        load([folder], tmp_path / "data")
    key.write_bytes(bytes(range(64)))
    key.chmod(0o400)
    with pytest.raises(KeyProblem, match="is not the one that what was loaded was made with"):
        load([folder], tmp_path / "data")


def test_a_day_before_all_data_is_answered_with_the_first_one(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    ended = CliRunner().invoke(main, ["load", str(folder), "--data", str(tmp_path / "data"), "--as-of", "2020-01-01"])
    assert ended.exit_code == 1 and "ligger før de første data (2024-01-01)" in ended.output


@pytest.mark.parametrize("pointer", [b"", b"\xff\xfe\x00", b"../nonsense", b"nonsense.duckdb", None])
def test_a_pointer_that_is_none_is_answered_with_what_can_be_chosen(tmp_path: Path, pointer: bytes | None) -> None:
    data = tmp_path / "data"
    first = load([write_folder(tmp_path / "in")], data, protection=UNPROTECTED).published
    assert first is not None
    current = data / "releases" / "CURRENT"
    current.unlink() if pointer is None else current.write_bytes(pointer)
    for command in ("status", "rollback", f"withdraw {first.path.stem}"):
        ended = CliRunner().invoke(main, [*command.split(), "--data", str(data)])
        assert ended.exit_code == 1 and isinstance(ended.exception, SystemExit), ended.exception
        assert first.path.stem in ended.output and first.path.exists()
    chosen = CliRunner().invoke(main, ["publish", first.path.stem, "--data", str(data), "--lang", "en"])
    assert chosen.exit_code == 0 or "unprotected" in chosen.output, chosen.output


def test_what_a_release_brought_that_nothing_tells_is_not_taken_out(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = load([write_folder(tmp_path / "in")], data, protection=UNPROTECTED).published
    write_contacts(tmp_path / "more.csv", [contact_line(900_001, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    load([tmp_path / "more.csv"], data, protection=UNPROTECTED)
    assert first is not None
    ended = CliRunner().invoke(main, ["withdraw", first.path.stem, "--with-deliveries", "--data", str(data)])
    assert ended.exit_code == 1 and "Intet er ændret" in ended.output and first.path.exists()


def test_a_template_takes_no_file_s_place(tmp_path: Path) -> None:
    for path, told in (("skema.xlsx", "klar til at blive udfyldt"), ("skema.xlsx", "findes allerede"),
                       ("skema.csv", "skal ende på .xlsx"), ("ingen/skema.xlsx", "ingen sådan mappe")):  # fmt: skip
        ended = CliRunner().invoke(main, ["template", str(tmp_path / path)])
        assert told in ended.output and isinstance(ended.exception, SystemExit | None)


def test_no_person_number_is_written_anywhere(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    load([folder], tmp_path / "data")
    person = b"6101500000"
    assert person in (folder / "kontakter.csv").read_bytes()  # the search would find it
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            assert person not in path.read_bytes(), path


def test_check_prints_the_agreed_json(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    result = CliRunner().invoke(main, ["check", str(folder), "--format", "json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert {file["kind"] for file in content["files"]} == {"population", "lpr_contacts"}
    for file in content["files"]:
        assert set(file) == {
            "file", "kind", "status", "rows_in", "rows_loaded", "rows_duplicate", "rows_superseded", "rows_quarantined", "findings",
        }  # fmt: skip
        assert all(set(finding) == {"row", "column", "rule", "message"} for finding in file["findings"])


def test_keys_of_a_new_folder_are_made_once_and_are_private(tmp_path: Path) -> None:
    first = open_keys(tmp_path)
    assert open_keys(tmp_path).pseudonym.key_id == first.pseudonym.key_id
    assert (tmp_path / "build/keys/pseudonym.key").stat().st_mode & 0o777 == 0o400


def test_status_and_build_after_a_load(tmp_path: Path) -> None:
    published_as = load([write_folder(tmp_path / "in")], tmp_path / "data").published.path.stem
    moment = re.sub(r"v(....)(..)(..)T(..)(..).*", r"  \1-\2-\3 \4:\5 UTC  ", published_as)
    run = CliRunner().invoke
    for lang, kind, last_step in (
        ("da", "syntetiske data", "genindlæggelser"),
        ("en", "synthetic data", "readmissions"),
    ):
        status = run(main, ["status", "--data", str(tmp_path / "data"), "--lang", lang])
        assert status.exit_code == 0 and kind in status.output and last_step in status.output
        assert {"da": "afrundet til hele 5’ere", "en": "rounded to base 5"}[lang] in status.output
        assert f"→ {published_as}{moment}" in status.output
    again = run(main, ["build", "--data", str(tmp_path / "data"), "--lang", "en"])
    assert again.exit_code == 0 and "Nothing new" in again.output
    nowhere = run(main, ["status", "--data", str(tmp_path / "elsewhere")])
    assert nowhere.exit_code == 1 and "Traceback" not in nowhere.output


def test_parquet_with_codes_as_texts_and_other_case(tmp_path: Path) -> None:
    lines = [line.split(";") for line in month_of_contacts()]
    frame = pl.DataFrame(lines, schema=CONTACT_HEADER.upper().split(";"), orient="row")
    frame = frame.with_columns(
        pl.col("KONT_STARTTIDSPUNKT", "KONT_SLUTTIDSPUNKT").str.to_datetime("%Y-%m-%d %H:%M"),
        pl.lit("Fysisk fremmøde").alias("KONT_TYPE"),
        pl.lit("Akut").alias("PRIORITET"),
        pl.lit("Hjørring").alias("BO_KOM"),
        pl.col("ALDER").cast(pl.Int32),
    )
    frame.write_parquet(tmp_path / "k.parquet")
    file = check([tmp_path / "k.parquet"]).files[0]
    assert (file.status, file.rows_loaded) == ("accepted", len(lines))


def test_acute_place_stays_cover_the_months_of_their_file(tmp_path: Path) -> None:
    """A stay from before the data period opens the coverage, and a small municipality is covered without a stay."""
    folder = write_folder(tmp_path / "in")
    stays = ["ophold_id;borger_cpr;enhed_id;plads_type;henvist_af;henvist_tid;start_tid;slut_tid;bopael_kommune"]
    days = [("2023-12-20", "2024-01-08", "0860"), ("2024-03-01", "2024-03-05", "0851"), ("2024-06-28", "", "0860")]
    for number, (start, end, municipality) in enumerate(days):
        stays.append(
            f"{number + 1};610150000{number};E1;Akutplads;Egen læge;;{start} 10:00;{end and end + ' 10:00'};{municipality}"
        )
    stays.append("9;6101500009;E2;Aflastningsplads;Sygehus;;2024-02-01 10:00;2024-02-09 10:00;0860")
    (folder / "akut.csv").write_text("\n".join(stays), encoding="utf-8")
    report = load([folder], tmp_path / "data", protection=UNPROTECTED)
    assert report.is_loadable, report
    release = open_release(tmp_path / "data")
    covered = release.sql("select * exclude (kind) from coverage where kind = 'acute_place_stays' order by all")
    whole = (date(2024, 1, 1), date(2024, 6, 1))
    assert covered.rows() == [("0851", *whole), ("0860", *whole)]
    counted = release.sql("select sum(n)::int as n from municipality_month where measure = 'n_place_stay'").item()
    assert counted == 2  # the open one has no length yet, and the other temporary place is none of them


def test_check_says_what_load_would_say_and_leaves_no_trace(tmp_path: Path) -> None:
    folder, data = write_folder(tmp_path / "in"), tmp_path / "data"
    (tmp_path / "two").mkdir()
    write_contacts(tmp_path / "two" / "k.csv", month_of_contacts())
    (tmp_path / "two" / "bopael.csv").write_text("PNR;KOM;FRA;TIL\n6101500000;851;2000-01-01;\n", encoding="utf-8")
    stopped = check([tmp_path / "two"], data)
    assert not stopped.is_loadable and stopped.problem is not None and "FOLK1A" in stopped.problem["da"]
    alone = check([tmp_path / "two" / "k.csv"], data)  # a part of a delivery: told, and not held against it
    assert alone.is_loadable and alone.lacking == stopped.problem
    assert check([folder], data).is_loadable and not data.exists()
    load([folder], data)
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file() and path.name != ".lock"}
    assert check([tmp_path / "two"], data).is_loadable  # the population is there by now
    write_contacts(
        tmp_path / "more.csv",
        [contact_line(n, f"6201{n % 90:02d}{n:04d}", "2024-01-05 10:00", "2024-01-08 10:00") for n in range(500)],
    )
    told = check([tmp_path / "more.csv"], data)
    assert not told.is_loadable and told.problem is not None and "--accept-change" in told.problem["da"]
    after = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file() and path.name != ".lock"}
    assert before == after


def test_a_copy_names_the_file_it_is_a_copy_of(tmp_path: Path) -> None:
    folder, data = write_folder(tmp_path / "in"), tmp_path / "data"
    (folder / "zz kopi.csv").write_bytes((folder / "kontakter.csv").read_bytes())
    report = load([folder], data)
    assert rows_add_up(report)
    copy = next(file for file in report.files if "kopi" in file.file)
    assert (copy.rows_loaded, copy.rows_duplicate) == (0, 360)
    assert any(finding.rule == "D10-again" and "kontakter.csv" in finding.da for finding in copy.findings)
    (tmp_path / "igen.csv").write_bytes((folder / "kontakter.csv").read_bytes())
    again = check([tmp_path / "igen.csv"], data).files[0]
    assert any(
        finding.rule == "D10-again" and "kontakter.csv, der er indlæst før" in finding.da for finding in again.findings
    )


def test_the_rows_of_a_refused_file_are_counted_or_said_to_be_unknown(tmp_path: Path) -> None:
    (tmp_path / "ukendt.csv").write_text("a;b\n1;2\n3;4\n", encoding="utf-8")
    (tmp_path / "halv.zip").write_bytes(b"PK\x03\x04abc")
    halved, unknown = check([tmp_path / "halv.zip", tmp_path / "ukendt.csv"]).files
    assert (unknown.rows_in, unknown.rows_quarantined, unknown.is_counted) == (2, 2, True)
    assert (halved.rows_in, halved.is_counted) == (0, False)
    assert "ukendt" in CliRunner().invoke(main, ["check", str(tmp_path / "halv.zip"), "--data", str(tmp_path)]).output


def test_columns_that_nobody_reads_are_named_and_persons_in_headers_are_not(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    lines = (folder / "kontakter.csv").read_text("utf-8").split("\n")
    lines = [f"{lines[0]};ans_region;0702451239", *(f"{line};1081;x" for line in lines[1:])]
    (folder / "kontakter.csv").write_text("\n".join(lines), encoding="utf-8")
    file = check([folder / "kontakter.csv"]).files[0]
    told = next(finding.da for finding in file.findings if finding.rule == "D2-unread")
    assert "ans_region" in told and "0702451239" not in told
    assert file.status == "accepted"


def test_the_loader_speaks_danish_and_english_when_asked(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    for lang, words in (("da", "kendt leverance"), ("en", "known delivery")):
        command = ["check", str(tmp_path / "k.csv"), "--data", str(tmp_path / "data"), "--lang", lang]
        assert words in CliRunner().invoke(main, command).stdout
        content = json.loads(CliRunner().invoke(main, [*command, "--format", "json"]).stdout)
        assert words in content["files"][0]["findings"][0]["message"]
