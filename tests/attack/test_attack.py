"""The attack on what is published: no small count is determined, and each may have been three values at least.

The same attacker, let loose on plain hiding of 1–4, gets nearly all of them back: else he would prove nothing.
`make test-attack` attacks more cells and prints the table of docs/protection.md.
"""

import os
from collections.abc import Callable
from datetime import date
from itertools import pairwise, product

import numpy as np
import polars as pl
import pytest
from attack import land
from attack.attacker import Knowledge, by_least_squares, feasible_over_releases

from etl.protect import ROUNDED, Protection, protect_cube, protect_municipality_month
from etl.pseudonym import PseudonymKey

IS_FULL = os.environ.get("NAERBLIK_ATTACK") == "full"
TARGETS = 400 if IS_FULL else 40
FILTERS = 20_000 if IS_FULL else 3_000
RELEASES = 24
KEY = PseudonymKey(b"k" * 32)
BASE = ROUNDED.base
PARTS = (("n_acute", "n_admission"), ("n_admission", "n_stay"), ("n_short", "n_stay"), ("n_readmission", "n_index"))


def protected(true: pl.DataFrame, protection: Protection = ROUNDED, key: PseudonymKey = KEY) -> pl.DataFrame:
    return land.side_by_side(true, protect_cube(true, protection, key)[0])


# --- one release: everything in the cube, what is part of what, totals that others publish -----------------------


def knowledge_of(cells: pl.DataFrame, base: int) -> tuple[Knowledge, dict[str, np.ndarray]]:
    """All that is to be known of one municipality: unknowns are its cells × counts."""
    position = np.arange(cells.height * len(land.COUNTS)).reshape(len(land.COUNTS), -1)
    at = dict(zip(land.COUNTS, position, strict=True))
    known = Knowledge(position.size)
    for name in land.COUNTS:
        for unknown, shown in zip(at[name], cells[f"{name}_published"], strict=True):
            known.cell(unknown, shown - base + 1, shown + base - 1)
    for part, whole in PARTS:
        for small, large in zip(at[part], at[whole], strict=True):
            known.at_most({small: 1, large: -1}, 0)
    for cell in range(cells.height):  # short stays are acute: planned admissions are others
        short, admitted, acute, stay = (at[name][cell] for name in ("n_short", "n_admission", "n_acute", "n_stay"))
        known.at_most({short: 1, admitted: 1, acute: -1, stay: -1}, 0)
    places = cells.with_row_index("row").pivot("group_id", index=land.KEYS[1:4], values="row")
    for whole, sets in land.DISJOINT.items():
        for parts, name, place in product(sets, land.COUNTS, places.iter_rows(named=True)):
            terms = {at[name][place[part]]: 1.0 for part in parts if place.get(part) is not None}
            known.at_most({**terms, at[name][place[whole]]: -1.0}, 0)
    of_year = cells.with_row_index("row").filter(pl.col("group_id") == "all")
    for name in ("n_admission", "n_acute"):  # the official totals of a year, to the last one
        total = of_year[name].sum()
        known.total(at[name][of_year["row"].to_numpy()].tolist(), total, total)
    return known, at


@pytest.mark.parametrize("base", [5, 3, 10])
def test_no_small_count_of_a_release_is_determined(base: int) -> None:
    rng = np.random.default_rng(base)
    months = 12 if IS_FULL else 4
    both = protected(land.cube(land.events(base, months), months + 12), Protection("x", base, 3))
    fewest = []
    for _, cells in both.group_by("municipality_code", maintain_order=True):
        known, at = knowledge_of(cells, base)
        small = [(name, row) for name in land.COUNTS for row in np.flatnonzero(cells[name].is_between(1, 4).to_numpy())]
        for name, row in (small[i] for i in rng.choice(len(small), min(len(small), TARGETS // 4), replace=False)):
            least, most = known.feasible(at[name][row])
            assert least <= cells[name][int(row)] <= most
            fewest.append(most - least + 1)
    assert len(fewest) == TARGETS
    assert min(fewest) >= 3
    print(f"base {base}: {len(fewest)} small counts, 0 determined, feasible values {min(fewest)} to {max(fewest)}")


def test_no_small_count_of_acute_places_is_determined() -> None:
    """The monthly counts: stays by length, followed citizens of them, and who was admitted within 30 and 7 days."""
    rng = np.random.default_rng(2)
    rows = []
    for code, month in product(land.SIZES, range(1, 13)):
        stays = rng.poisson(1.5, 4)
        followed = rng.binomial(stays.sum(), 0.9)
        within_30 = rng.binomial(followed, 0.3)
        counts = {"n_place_followed": followed, "n_place_admitted_30": within_30}
        counts["n_place_admitted_7"] = rng.binomial(within_30, 0.5)
        at = (code, date(2024, month, 1))
        rows += [(*at, "n_place_stay", f"{band:02d}", int(n), int(n)) for band, n in enumerate(stays) if n]
        rows += [(*at, name, "", int(n), int(n)) for name, n in counts.items() if n]
    names = ["municipality_code", "month", "measure", "category"]
    true = pl.DataFrame(rows, schema=[*names, "n", "n_person"], orient="row").cast(
        {"n": pl.Int32, "n_person": pl.Int32}
    )
    published, _ = protect_municipality_month(true, ROUNDED, KEY)
    fewest = []
    for code in land.SIZES:
        here = true.filter(pl.col("municipality_code") == code).join(
            published, on=names, how="left", suffix="_published"
        )
        here = here.fill_null(0)
        known = Knowledge(here.height)
        row_of = {tuple(key): row for row, key in enumerate(here.select(names[1:]).iter_rows())}
        for row, shown in enumerate(here["n_published"]):
            known.cell(row, shown - BASE + 1, shown + BASE - 1)
        for month in here["month"].unique():
            chain = [row_of.get((month, f"n_place_{name}", "")) for name in ("admitted_7", "admitted_30", "followed")]
            stays = [row for key, row in row_of.items() if key[:2] == (month, "n_place_stay")]
            for part, whole in pairwise(chain):
                if part is not None and whole is not None:
                    known.at_most({part: 1, whole: -1}, 0)
            if chain[2] is not None:
                known.at_most({chain[2]: 1.0, **dict.fromkeys(stays, -1.0)}, 0)
        stays = [row for key, row in row_of.items() if key[1] == "n_place_stay"]
        total = here["n"].gather(stays).sum()
        known.total(stays, total, total)  # the official total of the year
        small = np.flatnonzero(here["n"].is_between(1, 4).to_numpy())
        for row in rng.choice(small, min(len(small), TARGETS // 4), replace=False):
            least, most = known.feasible(int(row))
            assert least <= here["n"][int(row)] <= most
            fewest.append(most - least + 1)
    assert len(fewest) == TARGETS or IS_FULL
    assert min(fewest) >= 3


# --- free filters and fixed tables, for several schemes ----------------------------------------------------------

Scheme = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""True sums, and published sums of protected cells → what is shown, and the range that it leaves for the truth."""


def hidden(true: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    is_small = (true > 0) & (true < 5)
    return np.where(is_small, 2.5, true), np.where(is_small, 1, true), np.where(is_small, 4, true)


def each_figure_rounded(true: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shown = 5 * ((true + 2) // 5)
    return shown, np.maximum(shown - 2, 0), shown + 2


def nhs(true: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    is_small, rounded = (true > 0) & (true < 8), 5 * ((true + 2) // 5)
    return (
        np.where(is_small, 4, rounded),
        np.where(is_small, 1, np.maximum(rounded - 2, 0)),
        np.where(is_small, 7, np.where(true == 0, 0, rounded + 2)),
    )


def cell_key_noise(true: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each figure off by −2 to 2, by a key of its own; zero stays zero."""
    noise = np.random.default_rng(int(true.sum()) + true.size).integers(-2, 3, true.size)
    shown = np.where(true == 0, 0, np.maximum(true + noise, 0))
    return shown, np.maximum(shown - 2, 0), np.where(shown > 0, shown + 2, 2)


def ours(_: np.ndarray, published: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A sum of published cells. A single cell is off by less than the base; sums say nothing that cells do not."""
    return published, np.maximum(published - BASE + 1, 0), published + BASE - 1


SCHEMES: dict[str, Scheme] = {
    "hide 1–4": hidden,
    "round each figure to 5": each_figure_rounded,
    "NHS rule (1–7 hidden, else nearest 5)": nhs,
    "cell-key noise ±2": cell_key_noise,
    "one protected cube": ours,
}


@pytest.fixture(scope="module")
def one_place() -> tuple[np.ndarray, np.ndarray]:
    """True and published acute admissions of one municipality, [months, sexes, ages]."""
    both = protected(land.cube(land.events(7, 12, {"0741": 4.0}), 24)).filter(pl.col("group_id") == "all")
    shape = (12, 2, len(land.AGES))
    return tuple(both[name].to_numpy().reshape(shape) for name in ("n_acute", "n_acute_published"))  # type: ignore[return-value]


def table_of_sums(shape: tuple[int, ...]) -> np.ndarray:
    """Every fixed table of sums over months, quarters, sexes and ages, and the cells: [figures, cells] of 0 and 1."""
    month, sex, age = np.indices(shape).reshape(3, -1)
    figures = []
    for by_time, by_sex, by_age in product((month, month // 3, month * 0), (sex, sex * 0), (age, age // 3, age * 0)):
        label = (by_time * 2 + by_sex) * 20 + by_age
        figures += [label == one for one in np.unique(label)]
    return np.unique(np.array(figures, float), axis=0)


def recovered_from_tables(scheme: Scheme, true: np.ndarray, published: np.ndarray) -> tuple[int, int, int]:
    """Small cells determined by linear programming, small cells attacked, fewest feasible values."""
    sums, is_ours = table_of_sums(true.shape), scheme is ours
    known = Knowledge(true.size)
    _, low, high = scheme(sums @ true.ravel(), sums @ published.ravel())
    for cells, least, most in zip(sums, low, high, strict=True):
        at = np.flatnonzero(cells)
        if at.size == 1:
            known.cell(int(at[0]), least, most)
        elif not is_ours:
            known.total(at.tolist(), least, most)
    small = np.flatnonzero((true.ravel() > 0) & (true.ravel() < 5))
    ranges = [known.feasible(int(at)) for at in small[: TARGETS * 2]]
    return sum(least == most for least, most in ranges), len(ranges), min(most - least + 1 for least, most in ranges)


def recovered_by_filters(scheme: Scheme, true: np.ndarray, published: np.ndarray) -> float:
    """Share of small cells that least squares over free multi-select filters finds, by rounding what it finds."""
    rng = np.random.default_rng(1)
    chosen = [rng.random((FILTERS, size)) < 0.5 for size in true.shape]
    filters = np.einsum("fm,fs,fa->fmsa", *(axis.astype(np.float32) for axis in chosen)).reshape(FILTERS, -1)
    shown, _, _ = scheme(
        (filters @ true.ravel()).round().astype(int), (filters @ published.ravel()).round().astype(int)
    )
    found = by_least_squares(filters, shown).round()
    small = (true.ravel() > 0) & (true.ravel() < 5)
    return float((found[small] == true.ravel()[small]).mean())


@pytest.mark.parametrize("name", SCHEMES)
def test_what_each_scheme_gives_away(name: str, one_place: tuple[np.ndarray, np.ndarray]) -> None:
    determined, attacked, fewest = recovered_from_tables(SCHEMES[name], *one_place)
    by_filters = recovered_by_filters(SCHEMES[name], *one_place)
    print(f"{name}: {determined} of {attacked} by tables (at least {fewest} values), {by_filters:.0%} by filters")
    if name == "hide 1–4":
        assert determined >= 0.9 * attacked and by_filters >= 0.9  # the attacker can attack
    if name == "one protected cube":
        assert (determined, by_filters) == (0, 0) and fewest >= 3


def test_rates_times_population_and_rank_give_back_the_rounded_count_only(one_place) -> None:
    """A rate with all its decimals, times the public population, is the published count; so is what ranks compare."""
    true, published = one_place
    persons = np.random.default_rng(3).integers(40, 2000, true.shape)
    rates = np.round(published / persons * 1000, 6)
    assert (np.round(rates * persons / 1000).astype(int) == published).all()
    order, true_order = np.argsort(rates, axis=None), np.argsort(true / persons, axis=None)
    assert (order != true_order).any()


# --- many releases -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def releases() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """24 monthly releases: true, published, and published without memory and each with a new key; [releases, cells]."""
    months, rows = 8, land.events(11, 8)
    frames: list[list[np.ndarray]] = [[], [], []]
    memory = None
    whole = land.cube(rows, months + RELEASES)
    for release in range(RELEASES):
        true = land.cube(rows.filter(pl.col("at") < months), months + release)
        cube, memory = protect_cube(true, ROUNDED, KEY, memory)
        fresh, _ = protect_cube(true, ROUNDED, PseudonymKey(bytes([release]) * 32))
        grid = whole.select(land.KEYS).join(true, on=land.KEYS, how="left")
        for store, published in zip(frames[1:], (cube, fresh), strict=True):
            both = grid.join(published, on=land.KEYS, how="left", suffix="_published").fill_null(0)
            store.append(both.select(f"{name}_published" for name in land.COUNTS).to_numpy().ravel())
        frames[0].append(both.select(land.COUNTS).to_numpy().ravel())
    true, kept, fresh_each = (np.array(store) for store in frames)
    return true, kept, fresh_each


def test_an_average_over_releases_is_no_better_than_one_release(releases) -> None:
    true, kept, fresh = releases
    is_settled = (true == true[-1]).sum(axis=0) >= RELEASES - 4
    small = (true[-1] > 0) & (true[-1] < 5) & is_settled
    found = {}
    for name, published in (("kept", kept), ("fresh", fresh)):
        found[name] = float((published[4:, small].mean(axis=0).round() == true[-1, small]).mean())
    print(
        f"averages over {RELEASES} releases find {found['kept']:.0%} (fresh rounding each time: {found['fresh']:.0%})"
    )
    assert found["fresh"] > 0.4  # the attack works where the rounding is not carried forward
    assert found["kept"] < 0.03
    assert (kept[4:, small] == kept[-1, small]).mean() > 0.99


@pytest.mark.parametrize("apart", [1, RELEASES - 1])
def test_differences_between_releases_leave_three_values(releases, apart: int) -> None:
    """Two releases a month or two years apart, and all between: the attacker knows that contacts are only added."""
    true, kept, _ = releases
    for first in range(0, RELEASES - apart, 1 if IS_FULL else 5):
        window = kept[first : first + apart + 1]
        now = true[first + apart]
        small = (now > 0) & (now < 5)
        assert feasible_over_releases(window, BASE)[small].min() >= 3


def test_even_who_knows_of_one_late_contact_is_left_with_three_values(releases) -> None:
    """Two releases, and it is known exactly how many contacts came to each cell between them."""
    true, kept, _ = releases
    fewest = []
    for first in range(RELEASES - 1):
        added = true[first : first + 2] - true[first]
        one_more = added[1] == 1
        small = one_more & (true[first + 1] < 5)
        if small.any():
            fewest.append(feasible_over_releases(kept[first : first + 2], BASE, added)[small].min())
    assert len(fewest) > 3
    assert min(fewest) >= 3
