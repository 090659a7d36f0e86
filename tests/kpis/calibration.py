"""Do the statistics keep their promises? Countries whose truth is known, and how often what is said of them is true.

    PYTHONPATH=. python tests/kpis/calibration.py            # 40 countries, some minutes; docs/calibration.md
    PYTHONPATH=. python tests/kpis/calibration.py 8          # a rough look

Each figure is an average over countries; `test_calibration.py` asks the same of few. The countries are those of
`alike.py`: protected counts, seasons, citizens who are admitted again. Where only a statistic is at stake it is fed
with counts directly.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

from kpis import rates  # noqa: E402
from kpis.area import areas  # noqa: E402
from kpis.assess import assess_change, assess_level, assess_trend  # noqa: E402
from kpis.evaluate import Query, evaluate  # noqa: E402
from kpis.funnel import level_funnel  # noqa: E402
from kpis.gain import potential_to_target  # noqa: E402
from kpis.indicator import Indicator, load_indicators  # noqa: E402
from kpis.period import Period  # noqa: E402
from kpis.process import rate_chart  # noqa: E402
from kpis.release import Release  # noqa: E402
from kpis.small_area import rank_intervals  # noqa: E402
from kpis.verdict import judge_change  # noqa: E402
from tests.kpis.alike import READMITTED, build_alike, true_ratios, true_standardised, true_values  # noqa: E402

PREVENTABLE = load_indicators()["preventable_admissions_65plus"]
READMISSIONS = load_indicators()["readmissions_30d_65plus"]
YEAR, MONTHS_OF_YEAR = Period.from_id("12m-2025-09"), (21, 32)
SMALLEST = 20
SPREADS = (0.03, 0.05, 0.1, 0.2)
"""Standard deviations of true ratios between municipalities; of preventable admissions it is about 0.1 to 0.2."""


@dataclass(frozen=True)
class Row:
    """One line of the table, in per cent: what is promised, from `least` to `most`, and what was found in `n` cases."""

    what: str
    least: float
    most: float
    found: float
    n: int

    @property
    def is_kept(self) -> bool:
        return self.least <= self.found <= self.most


def table(countries: int) -> Iterator[Row]:
    """All lines, of so many countries each."""
    yield from intervals_and_verdicts(countries)
    yield from intervals_of_differing(countries)
    yield from process_rules(countries)
    yield from ranks(countries)
    yield from potentials(countries)


def intervals_and_verdicts(countries: int) -> Iterator[Row]:
    """Where no municipality differs: intervals of the truth, and verdicts that shout."""
    seen: dict[str, list[np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, countries + 1):
            release = build_alike(Path(folder), seed)
            for what, found in _of_one_country(release).items():
                seen.setdefault(what, []).append(np.asarray(found).ravel())
    promises = {
        "interval": (93.0, 97.0),
        "shouts": (0.0, 5.0),
        "trend": (0.0, 7.0),
        "without": (0.0, 93.0),
        "line": (0.0, 7.0),
        "outer line": (0.0, 1.0),
        "outside": (0.0, 1.5),
        "run": (0.0, 5.0),
    }
    for what, found in seen.items():
        least, most = promises[what.partition(":")[0]]
        yield _row(what.partition(": ")[2], least, most, np.concatenate(found))


def _of_one_country(release: Release) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    municipalities = areas(release, "municipality", "2024")
    for level in ("municipality", "cluster", "region"):
        places = areas(release, level, "2024")
        truth = true_values(*MONTHS_OF_YEAR, [list(place.municipalities) for place in places])
        estimates = evaluate(release, Query(PREVENTABLE, places, (YEAR,)))
        covers = _covers(estimates["lower"].to_numpy(), truth, estimates["upper"].to_numpy())
        found[f"interval: crude rate, {level}, covers the truth"] = covers
        if level == "municipality":
            small = np.argsort(estimates["denominator"].to_numpy())[:SMALLEST]
            found[f"interval: crude rate, the {SMALLEST} smallest, covers the truth"] = covers[small]
            plain = rates.crude_rate(estimates["numerator"].to_numpy(), estimates["denominator"].to_numpy())
            found["without: the same, all municipalities, without clustering and rounding"] = _covers(
                plain.lower, truth, plain.upper
            )
        for indicator in (PREVENTABLE, READMISSIONS):
            _, verdicts = assess_level(
                release, indicator, level, "2024", YEAR, standardised=indicator.can_be_standardised
            )
            found[f"shouts: {indicator.id}, {level} against the country, clearly better or worse"] = verdicts.shouts
            if level == "municipality":
                found |= _drawn(release, indicator, small)
    standardised = evaluate(release, Query(PREVENTABLE, municipalities, (YEAR,), standardised=True))
    standardised = standardised.filter(status="ok")
    found["interval: standardised rate, municipality, covers the truth"] = _covers(
        standardised["lower"].to_numpy(), true_standardised(*MONTHS_OF_YEAR, release), standardised["upper"].to_numpy()
    )
    share = evaluate(release, Query(READMISSIONS, municipalities, (YEAR,)))
    found["interval: share (readmissions), municipality, covers the truth"] = _covers(
        share["lower"].to_numpy(), 100 * READMITTED, share["upper"].to_numpy()
    )
    for indicator in (PREVENTABLE, READMISSIONS):
        change = assess_change(release, indicator, municipalities).verdicts
        found[f"shouts: {indicator.id}, municipality against its own past, signs of change"] = change.shouts
    trend = assess_trend(release, PREVENTABLE, municipalities)
    assert trend is not None
    found["trend: trend over three years called sure though nothing changes"] = ~_covers(
        trend.trend.ratio.lower, 1.0, trend.trend.ratio.upper
    )
    return found


def _drawn(release: Release, indicator: Indicator, small: np.ndarray) -> dict[str, np.ndarray]:
    """What the funnel and the process charts of the smallest municipalities show, whatever the verdict makes of it.

    Where a usual month has fewer than ten events no limits are drawn ("too_few"), so the charts are those of the
    smallest municipalities that have more.
    """
    places = areas(release, "municipality", "2024")
    funnel = level_funnel(
        release, indicator, "municipality", "2024", YEAR, standardised=indicator.can_be_standardised
    ).filter(pl.col("area_code").is_in([places[at].code for at in small]))
    value = funnel["value"].to_numpy()
    changes, who = assess_change(release, indicator, places), f"{indicator.id}, the {SMALLEST} smallest"
    has_limits = changes.verdicts.reason != "too_few"
    people = evaluate(release, Query(indicator, places, (YEAR,)))["denominator"].to_numpy()
    charted = np.argsort(np.where(has_limits, people, np.inf))[:SMALLEST]
    chart, charts = changes.chart, f"{indicator.id}, the {SMALLEST} smallest with process limits"
    return {
        f"{kind}: {who}, outside the {limit} % lines of the funnel": ~_covers(
            funnel[f"lower_{name}"].to_numpy(), value, funnel[f"upper_{name}"].to_numpy()
        )
        for kind, limit, name in (("line", "95", "95"), ("outer line", "99.8", "998"))
    } | {
        f"shouts: {charts}: newest month signals": judge_change(chart, indicator.better).shouts[charted],
        f"outside: {charts}: a month signals by “outside”": (chart.signal == "outside")[charted],
        f"run: {charts}: a month signals by “run”": (chart.signal == "run")[charted],
    }


def intervals_of_differing(countries: int) -> Iterator[Row]:
    """Where municipalities do differ, by ten per cent: their intervals, and how many of the 98 are called out."""
    covers, shouts, regions = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, countries + 1):
            release = build_alike(Path(folder), seed, differing=0.1)
            places = areas(release, "municipality", "2024")
            truth = true_values(
                *MONTHS_OF_YEAR, [list(place.municipalities) for place in places], true_ratios(seed, 0.1)
            )
            found = evaluate(release, Query(PREVENTABLE, places, (YEAR,)))
            covers.append(_covers(found["lower"].to_numpy(), truth, found["upper"].to_numpy()))
            for level, into in (("municipality", shouts), ("region", regions)):
                into.append(assess_level(release, PREVENTABLE, level, "2024", YEAR, standardised=True)[1].shouts)
    yield _row("crude rate, municipality, true ratios differ by 10 %, covers the truth", 93, 97, np.concatenate(covers))
    yield _row("municipality called clearly better or worse when all differ by 10 %", 0, 5, np.concatenate(shouts))
    yield _row("region called so when its municipalities differ by 10 % independently", 0, 5, np.concatenate(regions))


def process_rules(countries: int) -> Iterator[Row]:
    """Series of 36 months in which nothing changes: the newest month's signal, and each rule at any month."""
    rng = np.random.default_rng(1)
    for name, size in (("20 events", 20.0), ("200 events", 200.0)):
        events = rng.poisson(size, (400 * countries, 36))
        chart = rate_chart(events, np.ones(events.shape))
        yield _row(f"process chart, {name} a month: newest month signals", 0, 5, judge_change(chart, "lower").shouts)
        for rule, most in (("outside", 1.5), ("run", 5.0), ("two_of_three", 1.5), ("trend", 0.5)):
            yield _row(f"process chart, {name} a month: a month signals by “{rule}”", 0, most, chart.signal == rule)


def ranks(countries: int) -> Iterator[Row]:
    """98 areas whose true values have a standard deviation of so many standard errors: intervals of the true rank."""
    rng = np.random.default_rng(2)
    for spread in (0.3, 1.0, 3.0):
        covers = []
        for _ in range(5 * countries):
            error = np.exp(rng.normal(0, 0.4, 98))
            truth = rng.normal(0, spread, 98)
            placing = rank_intervals(truth + error * rng.standard_normal(98), error, draws=2_000)
            covers.append(_covers(placing.lower, 1 + np.argsort(np.argsort(truth)), placing.upper))
        yield _row(
            f"rank interval, true spread {spread} standard errors, holds the true rank", 93, 97, np.stack(covers)
        )


def potentials(countries: int) -> Iterator[Row]:
    """98 areas: potential to the best fifth, its limits, and those of the country's total; bias in per cent of events."""
    rng = np.random.default_rng(3)
    sizes = np.exp(np.random.default_rng(5).normal(np.log(550), 0.8, 98))
    runs = 10 * countries
    promised = [_potential(rng, sizes, np.ones(98))[0] for _ in range(runs)]
    yield _row("potential where nothing differs, per cent of the events", 0, 2, np.array(promised))
    for spread in SPREADS:
        found = [_potential(rng, sizes, rng.gamma(spread**-2, spread**2, 98))[1:] for _ in range(runs)]
        bias, single, total = (np.array(part) for part in zip(*found, strict=True))
        yield _row(f"potential, true spread {spread}: limits of an area cover", 93, 97, single)
        yield _row(f"potential, true spread {spread}: limits of the total cover", 93, 97, total)
        yield _row(f"potential, true spread {spread}: bias of the total, per cent of the events", -0.6, 0.2, bias)


def _potential(
    rng: np.random.Generator, sizes: np.ndarray, truth: np.ndarray
) -> tuple[float, float, np.ndarray, float]:
    """Share of the events promised; bias of the total; whether each area's, and the total's, limits cover the truth."""
    observed = rng.poisson(sizes * truth).astype(float)
    expected = sizes * observed.sum() / sizes.sum()
    found = potential_to_target(observed, expected, None, "lower")
    true = np.maximum(truth * sizes - found.target, 0)
    value, low, high = found.total(range(sizes.size))
    # What is claimed for the total is the distance of those areas that have a potential.
    distance = (truth * sizes - found.target)[found.value > 0].sum()
    share, bias = value / observed.sum(), (value - true.sum()) / observed.sum()
    return share, bias, _covers(found.lower - 1e-9, true, found.upper + 1e-9), float(low <= distance <= high)


def _covers(lower: np.ndarray, truth: np.ndarray | float, upper: np.ndarray) -> np.ndarray:
    return (lower <= truth) & (truth <= upper)


def _row(what: str, least: float, most: float, found: np.ndarray) -> Row:
    return Row(what, least, most, 100 * float(np.mean(found)), int(np.size(found)))


def main(countries: int) -> None:
    print("| what | promised, % | found, % | cases |")
    print("|---|---|---|---|")
    for row in table(countries):
        mark = "" if row.is_kept else " **not kept**"
        print(f"| {row.what} | {row.least:g} to {row.most:g} | {row.found:.2f}{mark} | {row.n:,} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
