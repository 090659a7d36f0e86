"""What protection promises: near the truth in every sum, silent about persons, and the same again for what is the same."""

from datetime import date
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import margins, protect
from etl.accuracy import Accuracy, measured, rounded_up
from etl.balance import Margins, months_to_balance
from etl.counting import by_all_names, counted_groups
from etl.protect import (
    ROUNDED,
    UNPROTECTED,
    Protection,
    protect_cube,
    protect_length_of_stay,
    protect_municipality_month,
)
from etl.pseudonym import PseudonymKey
from etl.remembered import Memory, Thresholds, nothing_known, packed, read_memory, unpacked
from etl.rules import RulesProblem
from kpis.release import AGE_BANDS, CONTRACT

KEY = PseudonymKey(b"k" * 32)
KEYS = ["municipality_code", "month", "sex", "age_from", "group_id"]
COUNTS = [name for name in CONTRACT["tables"]["cube"]["columns"] if name.startswith("n_")]
GROUPS = ("all", "chronic.copd", "chronic.asthma", "preventable_65plus.lower_respiratory", "chronic.diabetes")


def true_cube(seed: int, months: int = 12, municipalities: tuple[str, ...] = ("0101", "0825", "0741")) -> pl.DataFrame:
    """Counts as they are in small places: mostly 0 to 4; a group is never larger than what contains it."""
    rng = np.random.default_rng(seed)
    cells = list(product(municipalities, range(months), (1, 2), (0, 18, 60, 65, 80, 90)))
    size = {"0101": 6.0, "0825": 0.5, "0741": 1.5}
    mean = np.array([size.get(cell[0], 2.0) for cell in cells])
    parts = {name: events(rng, mean * share) for name, share in ((GROUPS[1], 0.2), (GROUPS[2], 0.1), (GROUPS[4], 0.2))}
    parts[GROUPS[3]] = parts[GROUPS[1]] + parts[GROUPS[2]] + events(rng, mean * 0.2)
    parts["all"] = parts[GROUPS[3]] + parts[GROUPS[4]] + events(rng, mean * 0.6)
    frames = [
        pl.DataFrame(
            {
                "municipality_code": [cell[0] for cell in cells],
                "month": [date(2024 + cell[1] // 12, cell[1] % 12 + 1, 1) for cell in cells],
                "sex": [cell[2] for cell in cells],
                "age_from": [cell[3] for cell in cells],
                "group_id": group,
            }
        ).with_columns(
            pl.Series(name, counts[:, number], dtype=pl.Int32) for number, name in enumerate([*COUNTS, "n_person"])
        )
        for group, counts in parts.items()
    ]
    return pl.concat(frames).filter(pl.max_horizontal(COUNTS) > 0)


def events(rng: np.random.Generator, mean: np.ndarray) -> np.ndarray:
    """Counts [cells, 7] in the order of the contract, and persons."""
    acute, planned, other = (rng.poisson(mean * share) for share in (0.5, 0.15, 0.35))
    index = rng.poisson(mean * 0.5)
    stay = acute + planned + other
    short = rng.binomial(acute + other, 0.4)
    persons = np.maximum(stay, index) - rng.binomial(np.maximum(np.maximum(stay, index) - 1, 0), 0.1)
    return np.stack([stay, acute + planned, acute, short, index, rng.binomial(index, 0.15), persons], axis=1)


def side_by_side(true: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    return true.join(published, on=KEYS, how="full", suffix="_published", coalesce=True).fill_null(0)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([3, 5, 10]))
def test_every_count_is_a_near_multiple_and_parts_stay_within_their_wholes(seed: int, base: int) -> None:
    true = true_cube(seed)
    cube, _ = protect_cube(true, Protection("x", base, 3), KEY)
    assert cube.columns == list(CONTRACT["tables"]["cube"]["columns"])
    assert (cube.select(COUNTS).to_numpy() % base == 0).all()
    both = side_by_side(true, cube)
    for name in COUNTS:
        counted = both.select(
            pl.when(pl.col("n_person") < 3).then(pl.min_horizontal(name, "n_person")).otherwise(name)
        ).to_series()
        assert ((both[f"{name}_published"] - counted).abs() < base).all()
        assert (both.filter(pl.col(name) == 0)[f"{name}_published"] == 0).all()
    for part, whole in (
        ("n_acute", "n_admission"),
        ("n_admission", "n_stay"),
        ("n_short", "n_stay"),
        ("n_readmission", "n_index"),
    ):
        assert (cube[part] <= cube[whole]).all()
        alike = both.filter(pl.col(part) == pl.col(whole))
        assert (alike[f"{part}_published"] == alike[f"{whole}_published"]).all()  # a share of all stays one


def test_rounding_is_unbiased_over_keys() -> None:
    true = true_cube(1, months=2)
    total = np.zeros((true.height, len(COUNTS)))
    keys = 60
    for number in range(keys):
        cube, _ = protect_cube(true, ROUNDED, PseudonymKey(bytes([number]) * 32))
        both = side_by_side(true, cube).sort(KEYS)
        total += both.select(f"{name}_published" for name in COUNTS).to_numpy() - both.select(COUNTS).to_numpy()
    # of all cells together; each one's own sum of errors has a spread of about 2.3 · √60
    assert abs(total[:, COUNTS.index("n_acute")].mean()) / keys < 0.15
    # and each count goes up about as often as its remainder says: a published figure tells nothing certain of it
    small = side_by_side(true, true).sort(KEYS)["n_acute"].to_numpy()
    column = total[:, COUNTS.index("n_acute")] / keys
    ups = [(column[small == n].mean() + n) / 5 for n in (1, 2, 3, 4)]
    assert 0.08 < ups[0] < ups[1] < ups[2] < ups[3] < 0.95


def test_one_citizen_with_twelve_admissions_is_published_as_one() -> None:
    true = pl.DataFrame(
        [("0825", date(2024, 3, 1), 1, 90, "all", 12, 12, 12, 0, 12, 11, 1)],
        schema={**dict.fromkeys(KEYS), **dict.fromkeys([*COUNTS, "n_person"], pl.Int32)},
        orient="row",
    )
    seen = set()
    for secret in range(60):
        cube, _ = protect_cube(true, ROUNDED, PseudonymKey(bytes([secret]) * 32))
        seen |= set(cube["n_acute"])
    assert seen <= {5}  # or no row: what one admission of one citizen would look like
    several = true.with_columns(pl.lit(12, pl.Int32).alias("n_person"))
    assert set(protect_cube(several, ROUNDED, KEY)[0]["n_acute"]) <= {10, 15}


def test_what_the_few_persons_lose_their_neighbours_make_up_for() -> None:
    true = true_cube(2, months=24)
    heavy = true.with_columns(  # in every tenth cell of few persons one of them has nine more
        (pl.col("n_stay", "n_admission", "n_acute") + 9 * (pl.int_range(pl.len()) % 10 == 0)).cast(pl.Int32)
    )
    cube, _ = protect_cube(heavy, ROUNDED, KEY)
    off = (
        cube.filter(pl.col("group_id") == "all")["n_acute"].sum()
        - heavy.filter(pl.col("group_id") == "all")["n_acute"].sum()
    )
    lost = (
        heavy.filter((pl.col("group_id") == "all") & (pl.col("n_person") < 5))
        .select(pl.col("n_acute") - pl.min_horizontal("n_acute", "n_person"))
        .sum()
        .item()
    )
    assert lost > 200
    assert abs(off) < 0.1 * lost


def test_groups_with_the_same_codes_are_one_figure_under_each_name() -> None:
    names = ("chronic.diabetes", "preventable_65plus.diabetes")
    assert [name in counted_groups() for name in names] == [True, False]
    cube, _ = protect_cube(true_cube(3), ROUNDED, KEY)
    published = by_all_names(cube)
    one, other = (published.filter(pl.col("group_id") == name).drop("group_id") for name in names)
    assert one.height and one.equals(other)
    assert published.height == cube.height + one.height


@pytest.mark.parametrize("base", [3, 5])
def test_parts_never_corner_their_whole_nor_the_whole_its_parts(base: int) -> None:
    """Three true values stay possible for each, whatever the groups beside it say."""
    lungs = (GROUPS[3], GROUPS[1:3])
    inside = [("all", (GROUPS[3], GROUPS[4])), ("all", (*GROUPS[1:3], GROUPS[4])), lungs]  # disjoint parts of a whole
    for seed in range(5):
        cube, _ = protect_cube(true_cube(seed), Protection("x", base, 3), KEY)
        for name in COUNTS:
            wide = cube.pivot("group_id", index=KEYS[:-1], values=name).fill_null(0)
            for whole, parts in inside:
                least = sum((wide[part] - base + 1).clip(0) for part in parts)
                most = wide[whole] + base - 1
                assert (most.filter(least > 0) - least.filter(least > 0) >= 2).all()


def later(cube: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same country a month later: late contacts in every twentieth place, and new cells."""
    places = cube.select(KEYS[:-1]).unique(maintain_order=True)
    rng = np.random.default_rng(seed)
    late = places.with_columns(
        late=pl.Series(rng.random(places.height) < 0.05), group=pl.Series(rng.choice(GROUPS, places.height))
    )
    counted_in = {group: [group, *([GROUPS[3]] if group in GROUPS[1:3] else []), "all"] for group in GROUPS}
    more = late.filter("late").with_columns(group_id=pl.col("group").replace_strict(counted_in)).explode("group_id")
    more = more.select(*KEYS, pl.lit(1, pl.Int32).alias("more")).unique()
    changed = cube.join(more, on=KEYS, how="left", maintain_order="left").with_columns(
        pl.col("n_stay", "n_admission", "n_acute", "n_person") + pl.col("more").fill_null(0)
    )
    new = true_cube(seed, months=14).filter(pl.col("month") > cube["month"].max())
    return pl.concat([changed.drop("more"), new])


def test_what_did_not_change_is_published_the_same_and_what_grew_never_smaller() -> None:
    true, memory = true_cube(5), None
    before, memory = protect_cube(true, ROUNDED, KEY)
    for seed in range(6):
        newer = later(true, seed)
        after, memory = protect_cube(newer, ROUNDED, KEY, memory)
        both = side_by_side(true, before).join(side_by_side(newer, after), on=KEYS, suffix="_after")
        for name in COUNTS:
            same = both.filter(
                (pl.col(name) == pl.col(f"{name}_after")) & (pl.col("n_person") == pl.col("n_person_after"))
            )
            assert same.height > 100
            assert (same[f"{name}_published"] == same[f"{name}_published_after"]).all()
            grown = both.filter(
                (pl.col(name) < pl.col(f"{name}_after")) & (pl.col("n_person") <= pl.col("n_person_after"))
            )
            assert (grown[f"{name}_published"] <= grown[f"{name}_published_after"]).all()
        true, before = newer, after


def test_months_with_nothing_to_choose_are_left_as_looking_at_them_would_leave_them(monkeypatch) -> None:
    true = true_cube(9, months=40)
    newest = true["month"].max()
    _, memory = protect_cube(true.filter(pl.col("month") < newest), ROUNDED, KEY)
    laid_out: list[int] = []

    def all_months(month: np.ndarray, margins: Margins) -> np.ndarray:
        laid_out.append(int(months_to_balance(month, margins).sum()))
        return np.ones(margins.period.shape[1], bool)

    cube, some = protect_cube(true, ROUNDED, KEY, memory)
    monkeypatch.setattr(protect, "months_to_balance", all_months)
    whole, everything = protect_cube(true, ROUNDED, KEY, memory)
    assert cube.equals(whole)
    assert all((some.families[name].left == everything.families[name].left).all() for name in some.families)
    assert laid_out and max(laid_out) < 20  # of forty: those of the newest month's year, and of the one from July


def test_a_cell_keeps_one_threshold_however_often_it_changes() -> None:
    """Counted up one by one, a cell flips at every fifth contact, and the first flip may be at any of the first five."""
    cells = [(month, sex, age) for month in range(1, 13) for sex in (1, 2) for age in AGE_BANDS]
    memory, shown = None, []
    for n in range(1, 26):
        rows = [("0825", date(2024, month, 1), sex, age, "all", n, n, n, 0, 0, 0, n) for month, sex, age in cells]
        types = {**dict.fromkeys(KEYS), **dict.fromkeys([*COUNTS, "n_person"], pl.Int32)}
        true = pl.DataFrame(rows, schema=types, orient="row")
        cube, memory = protect_cube(true, ROUNDED, KEY, memory)
        shown.append(side_by_side(true, cube).sort(KEYS)["n_acute_published"].to_numpy())
    flips = np.diff([0 * shown[0], *shown], axis=0) != 0
    assert (flips.sum(axis=0) == 5).all()
    assert all(np.diff(np.flatnonzero(cell)).tolist() == [5] * 4 for cell in flips.T)
    assert (flips[:5].sum(axis=1) > 0).all()


def test_the_same_history_gives_the_same_release_and_another_key_another() -> None:
    true = true_cube(6)
    newer = later(true, 1)

    def history(key: PseudonymKey) -> pl.DataFrame:
        _, memory = protect_cube(true, ROUNDED, key)
        return protect_cube(newer, ROUNDED, key, memory)[0].sort(KEYS)

    assert history(KEY).equals(history(KEY))
    assert not history(KEY).equals(history(PseudonymKey(b"other" * 8)))
    shuffled = newer.sample(fraction=1.0, shuffle=True, seed=1)
    assert protect_cube(shuffled, ROUNDED, KEY)[0].sort(KEYS).equals(protect_cube(newer, ROUNDED, KEY)[0].sort(KEYS))


def test_memory_is_kept_in_a_file_and_one_that_cannot_be_read_is_none(tmp_path) -> None:
    _, memory = protect_cube(true_cube(7), ROUNDED, KEY)
    path = tmp_path / "build" / "thresholds.npz"
    assert read_memory(path, 5, 5) is None
    memory.save(path)
    again = read_memory(path, 5, 5)
    assert again is not None and set(again.families) == {"stays", "discharges"}
    assert all((again.families[name].left == memory.families[name].left).all() for name in memory.families)
    assert read_memory(path, 10, 5) is None  # another base: what was published is no longer comparable
    path.write_bytes(path.read_bytes()[:1000])
    assert read_memory(path, 5, 5) is None


def test_memory_outlives_a_release_that_lacks_a_month_or_a_group() -> None:
    full, small = (
        true_cube(8),
        true_cube(8).filter((pl.col("month") < date(2024, 6, 1)) & (pl.col("group_id") == "all")),
    )
    first, memory = protect_cube(full, ROUNDED, KEY)
    _, memory = protect_cube(small, ROUNDED, KEY, memory)
    third, _ = protect_cube(full, ROUNDED, KEY, memory)
    assert third.sort(KEYS).equals(first.sort(KEYS))


def test_thresholds_know_nothing_of_what_was_never_published() -> None:
    left = packed(np.array([[[1]]], np.uint8), np.array([[[3]]], np.uint8))
    known = Thresholds((1,), ("0101",), ("a",), left)
    on = known.on((0, 1), ("0101", "0825"), ("b", "a"), 5)
    lowest, highest = unpacked(on)
    assert (lowest[1, 0, 1], highest[1, 0, 1]) == (1, 3)
    assert (on != nothing_known(5)).sum() == 1


def test_unprotected_means_untouched_and_is_not_remembered() -> None:
    true = true_cube(1)
    cube, memory = protect_cube(true, UNPROTECTED, KEY)
    assert cube.equals(true.drop("n_person"))
    assert not memory.families


MONTH_COLUMNS = [*CONTRACT["tables"]["municipality_month"]["columns"], "n_person"]


def month_counts(rows: list[tuple]) -> pl.DataFrame:
    types = {"n": pl.Int32, "n_person": pl.Int32}
    return pl.DataFrame(rows, schema={name: types.get(name) for name in MONTH_COLUMNS}, orient="row")


def test_coarse_counts_keep_operational_figures_and_parts_within_wholes() -> None:
    january = date(2024, 1, 1)
    counts = month_counts(
        [
            ("0825", january, "n_contact", "", 3, 2),
            ("0825", january, "n_contact_timely", "", 3, 2),
            ("0825", january, "place_days_available", "", 62, None),
            ("0825", january, "n_place_referral", "home", 2, 2),
            ("0860", january, "n_contact", "", 101, 90),
            ("0860", january, "n_contact_timely", "", 99, 90),
            ("0860", january, "n_refused_referral", "", 3, None),
        ]
    )
    referrals = set()
    for secret in range(50):
        out, _ = protect_municipality_month(counts, ROUNDED, PseudonymKey(bytes([secret]) * 32))
        found = {(m, measure): n for m, _, measure, _, n in out.iter_rows()}
        assert found["0825", "place_days_available"] == 62
        assert found.get(("0825", "n_contact_timely")) == found.get(("0825", "n_contact"))
        assert found["0860", "n_contact_timely"] <= found["0860", "n_contact"]
        assert all(n % 5 == 0 for (_, measure), n in found.items() if measure.startswith("n_"))
        referrals.add(found.get(("0825", "n_place_referral"), 0))
    assert referrals == {0, 5}


def test_a_year_of_small_monthly_counts_is_right_in_sum() -> None:
    rng = np.random.default_rng(4)
    rows = [
        (code, date(2024, month, 1), "n_place_stay", band, int(n), int(n))
        for code, month, band in product(("0825", "0741", "0860"), range(1, 13), ("00", "03", "14"))
        if (n := rng.poisson(1.5))
    ]
    counts = month_counts(rows)
    out, _ = protect_municipality_month(counts, ROUNDED, KEY)
    both = [
        frame.group_by("municipality_code").agg(pl.col("n").sum()).sort("municipality_code")["n"]
        for frame in (counts, out)
    ]
    assert (both[0] - both[1]).abs().max() <= 5


def test_regional_bed_days_keep_their_threshold() -> None:
    cells = [("1081", year, 65, "all", 1000 + year, 5003) for year in range(2015, 2026)]
    counts = pl.DataFrame(cells, schema=list(CONTRACT["tables"]["length_of_stay"]["columns"]), orient="row")
    one, again = (protect_length_of_stay(frame, ROUNDED, KEY) for frame in (counts, counts.head(3)))
    assert one.head(3).equals(again)
    assert ((one["n_acute"] - counts["n_acute"]).abs() < 5).all() and (one["n_acute"] % 5 == 0).all()


@pytest.mark.parametrize(("base", "threshold"), [(2, 2), (11, 5), (5, 11), (5, 2), (4, 5)])
def test_a_base_that_does_not_protect_is_refused(base: int, threshold: int) -> None:
    with pytest.raises(RulesProblem, match=r"rules.toml.*(allowed are 3 to 10|at least as large)"):
        Protection("x", base, threshold)


def test_accuracy_is_measured_against_the_truth_and_told_coarsely() -> None:
    true = true_cube(3)
    off = true.with_columns(
        pl.when(pl.col("municipality_code") == "0825").then(0).otherwise("n_acute").alias("n_acute")
    )
    lost = true.filter((pl.col("municipality_code") == "0825") & (pl.col("group_id") == "all"))["n_acute"].sum()
    found = measured(true, off)
    assert found.municipality_year_max == lost
    assert found.municipality_year_mean == pytest.approx(lost / 3)
    assert measured(true, true) == Accuracy(0, 0, 0, 0, 0)
    assert rounded_up(Accuracy(2.4, 9, 0.95, 0.0091, 0)) == Accuracy(3, 12, 1.2, 0.012, 0)
    assert all(told >= exact for told, exact in zip(rounded_up(found), found, strict=True))


def test_a_release_says_in_both_languages_how_near_its_figures_are() -> None:
    told = ROUNDED.told(Accuracy(3, 12, 3, 0.05, 0.01))
    assert "0,01 %" in told["da"] and "0.01 %" in told["en"]
    assert (told["base"], told["threshold"], told["accuracy"]["municipality_year_max"]) == (5, 5, 12)
    assert "sikre side" in UNPROTECTED.told(Accuracy(0, 0, 0, 0, 0))["da"]


def test_the_order_of_groups_puts_parts_before_wholes() -> None:
    names = margins.in_order(["all", "preventable_65plus.lower_respiratory", "chronic.copd", "unknown.group"])
    assert names[-2:] == ["preventable_65plus.lower_respiratory", "all"]
    nesting, level = margins.cube_nesting(names)
    assert nesting.levels == 3
    assert level[:: len(AGE_BANDS) * 2].tolist() == [0, 0, 1, 2]


def test_protect_does_all_tables_with_one_memory() -> None:
    counts = month_counts([("0825", date(2024, 1, 1), "n_contact", "", 30, 9)])
    lengths = pl.DataFrame(
        [("1081", 2024, 65, "all", 33, 77)], schema=list(CONTRACT["tables"]["length_of_stay"]["columns"]), orient="row"
    )
    done = protect.protect(true_cube(1), counts, lengths, ROUNDED, KEY)
    assert set(done.memory.families) == {"stays", "discharges", "contacts"}
    assert isinstance(done.memory, Memory)
    again = protect.protect(true_cube(1), counts, lengths, ROUNDED, KEY, done.memory)
    assert again.cube.equals(done.cube) and again.municipality_month.equals(done.municipality_month)
