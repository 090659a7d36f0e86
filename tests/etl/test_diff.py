"""What moved between two releases and why: each cause alone, its figures found and named, and nothing else blamed."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from defects import GOALS
from deliveries import contact_line, month_of_contacts, write_contacts, write_population

import etl.load
from etl.__main__ import main
from etl.diff import compare
from etl.load import load
from etl.protect import ROUNDED, UNPROTECTED
from etl.publish import PublishProblem, open_published, published
from etl.rules import load_rules
from tests.helpers import build_release

AS_OF = date(2024, 7, 1)
ACUTE = "acute_admissions_65plus"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with one unprotected release of 60 admissions a month, from January to June 2024."""
    (tmp_path / "in").mkdir()
    write_population(tmp_path / "in" / "folk1a.csv")
    write_contacts(tmp_path / "in" / "kontakter.csv", month_of_contacts())
    load([tmp_path / "in"], tmp_path / "data", as_of=AS_OF, protection=UNPROTECTED)
    return tmp_path / "data"


def load_more(data: Path, lines: list[str], *, as_of: date = AS_OF, protection=UNPROTECTED) -> pl.DataFrame:
    """Load further contacts; return the figures that moved."""
    write_contacts(data.parent / "more.csv", lines)
    load([data.parent / "more.csv"], data, as_of=as_of, protection=protection, accept_change="test")
    return compare(*open_published(data), data / "build" / "history").figures


def moved(figures: pl.DataFrame, indicator: str = ACUTE) -> set[tuple[str, str, str]]:
    """(area, period, reasons) of the figures of one indicator that moved."""
    of_one = figures.filter(pl.col("indicator") == indicator)
    return set(of_one.select("area_code", "period", "reasons").iter_rows())


def test_a_contact_that_comes_late_moves_its_place_and_month_and_is_named_so(data: Path) -> None:
    figures = load_more(data, [contact_line(1, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    # region and country have no figure here: most of their municipalities delivered nothing
    assert moved(figures) == {("0860", "2024-03", "late"), ("0860", "2024-Q1", "late")}
    march = figures.filter(
        (pl.col("indicator") == ACUTE) & (pl.col("area_code") == "0860") & (pl.col("period") == "2024-03")
    ).row(0, named=True)
    assert (march["numerator_before"], march["numerator_after"]) == (30, 31)
    assert set(figures["reasons"]) == {"late"}


def test_a_correction_moves_what_it_touches_on_both_sides(data: Path) -> None:
    line = month_of_contacts()[1]  # of a person in the first month, in 0860
    corrected = line.replace(";0860;", ";0851;").replace("2024-07-01 08:00", "2024-07-02 08:00")
    assert corrected != line
    figures = load_more(data, [corrected])
    assert moved(figures) == {
        (area, period, "correction") for area in ("0860", "0851") for period in ("2024-01", "2024-Q1")
    }


def test_a_new_month_is_a_new_period_and_not_late(data: Path) -> None:
    lines = [
        line.replace("2024-06-", "2024-07-")
        .replace("2024-07-01 08:00", "2024-08-01 08:00")
        .replace("00000000006", "00000000007")
        for line in month_of_contacts()[300:]
    ]
    figures = load_more(data, lines, as_of=date(2024, 8, 1))
    july = figures.filter(pl.col("period") == "2024-07")
    assert july.height > 0
    assert set(july["reasons"]) == {"new_period"}
    assert not any("late" in reasons for reasons in figures["reasons"])
    # a discharge in June is followed for 30 days now, and a stay may have become longer
    assert {"new_month", "new_period"} >= set(figures.filter(pl.col("period") == "2024-06")["reasons"])
    said = compare(*open_published(data), data / "build" / "history").in_words("da")
    assert "60 kontakter i måneder, der ikke var leveret før" in said
    assert "måneder, der var leveret før" not in said


def test_another_population_moves_rates_and_no_counts(data: Path) -> None:
    write_population(data.parent / "folk1a.csv", quarters=("2024K1", "2024K2"), persons=11)
    load([data.parent / "folk1a.csv"], data, as_of=AS_OF, protection=UNPROTECTED)
    figures = compare(*open_published(data), data / "build" / "history").figures
    acute = figures.filter(pl.col("indicator") == ACUTE)
    assert acute.height > 0 and set(acute["reasons"]) == {"population"}
    assert acute.filter(pl.col("numerator_before") != pl.col("numerator_after")).is_empty()


def test_another_rule_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = load_rules() | {"S5": load_rules()["S5"] | {"admission_minutes": 3000}}
    monkeypatch.setattr(etl.load, "load_rules", lambda: rules)
    load_more(data, [contact_line(1, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    difference = compare(*open_published(data), data / "build" / "history")
    assert set(difference.figures["reasons"]) == {"rule;late"}
    assert ("rules", {"names": "S5"}) in difference.facts
    assert "Ændrede regler og beregninger: S5" in difference.in_words("da")


def test_other_codes_in_a_diagnosis_group_are_a_changed_definition_of_what_uses_it(tmp_path: Path, country) -> None:
    groups = country.sql("from diagnosis_group").with_columns(
        pl.when(pl.col("group_id") == "chronic.copd")
        .then(pl.lit(["DJ44", "DJ47"], dtype=pl.List(pl.String)))
        .otherwise("prefixes")
        .alias("prefixes")
    )
    cube = country.sql("from cube").with_columns(
        pl.when(pl.col("group_id") == "chronic.copd").then(pl.col("n_acute") + 5).otherwise("n_acute").alias("n_acute")
    )
    other = build_release(tmp_path, name="other", diagnosis_group=groups, cube=cube)
    difference = compare(country, other, tmp_path)
    by_indicator = dict(difference.figures.select("indicator", "reasons").unique().iter_rows())
    assert by_indicator["copd_admissions_18plus"] == "definition"
    assert set(difference.figures["level"]) == {"country", "region", "municipality"}
    assert set(difference.figures["grain"]) == {"year", "quarter", "month"}
    assert "asthma_admissions_18plus" not in by_indicator
    assert ("groups", {"names": "chronic.copd"}) in difference.facts


def two_more(*months: int, first: int = 0) -> list[str]:
    """Two further contacts in each month, so that no count is a multiple of five."""
    return [
        contact_line(
            first + 10 * month + n, f"71015{first + n:05d}"[:10], f"2024-0{month}-05 10:00", f"2024-0{month}-07 10:00"
        )
        for month in months
        for n in range(2)
    ]


@pytest.mark.parametrize("protection", [UNPROTECTED, ROUNDED])
def test_what_a_new_goal_moves_is_not_put_down_to_rounding(tmp_path: Path, protection) -> None:
    (tmp_path / "in").mkdir()
    write_population(tmp_path / "in" / "folk1a.csv")
    write_contacts(tmp_path / "in" / "kontakter.csv", month_of_contacts())
    load([tmp_path / "in"], tmp_path / "data", as_of=AS_OF, protection=protection)
    goal = f"m1;{ACUTE};kkr;kkr-nordjylland;fælles;kort;60,5;2023;54;31-12-2026"
    (tmp_path / "maal.csv").write_text(f"{GOALS}\n{goal}\n", encoding="utf-8")
    load([tmp_path / "maal.csv"], tmp_path / "data", as_of=AS_OF, protection=protection)
    found = compare(*open_published(tmp_path / "data"), tmp_path / "data" / "build" / "history").figures
    assert set(found["indicator"]) == {"common_goals_on_track"}
    assert set(found["reasons"]) == {"delivery"}


def test_what_only_the_rounding_moved_is_said_to_be_that(data: Path) -> None:
    """Two contacts more in January shift the rounding of the months after it, which nothing else touched."""
    protected = load_more(data, two_more(1, 2, 3, 4, 5, 6), protection=ROUNDED)
    counted = protected.filter(pl.col("numerator_before") != pl.col("numerator_after"))
    assert counted.height and all("protection" in reasons.split(";") for reasons in counted["reasons"])
    figures = load_more(data, two_more(1, first=500), protection=ROUNDED)
    later = figures.filter((pl.col("period_first") > date(2024, 2, 1)) & (pl.col("grain") == "month"))
    assert set(later["reasons"]) <= {"rounding"}  # mostly none: what was published before is remembered
    assert set(figures.filter(pl.col("period") == "2024-Q1")["reasons"]) <= {"late"}


def test_where_the_landed_files_are_gone_the_reason_is_the_delivery(data: Path) -> None:
    load_more(data, [contact_line(1, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    figures = compare(*open_published(data), data / "nowhere").figures
    assert set(figures["reasons"]) == {"delivery"}


def test_the_command_says_it_in_words_and_leaves_every_figure_as_parquet(data: Path) -> None:
    load_more(data, [contact_line(n, f"710150{n:04d}", "2024-03-05 10:00", "2024-03-07 10:00") for n in range(7)])
    for lang, words in (
        ("da", ("sen indberetning", "7 nye kontakter", "kommune 2")),
        ("en", ("late registration", "7 new contacts", "municipality 2")),
    ):
        result = CliRunner().invoke(main, ["diff", "--data", str(data), "--lang", lang])
        assert result.exit_code == 0, result.output
        assert all(word in result.output for word in words), result.output
    written = sorted((data / "build" / "reports").glob("*-diff.parquet"))
    assert len(written) == 2
    assert pl.read_parquet(written[0]).height > 10


def test_few_contacts_are_not_told_exactly(data: Path) -> None:
    load_more(data, [contact_line(1, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    text = compare(*open_published(data), data / "build" / "history").in_words("da")
    assert "færre end 5 nye kontakter" in text


def test_releases_are_chosen_by_id_and_unknown_ones_are_named(data: Path) -> None:
    with pytest.raises(PublishProblem, match="two are needed"):
        open_published(data)
    only = published(data)[0].stem
    with pytest.raises(PublishProblem, match="v1"):
        open_published(data, only, "v1")
    same = compare(*open_published(data, only, only), data / "build" / "history")
    assert same.figures.is_empty() and "ingen tal" in same.in_words("da")
