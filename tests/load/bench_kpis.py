"""How fast indicators are evaluated. Prints times and ratios; never fails, since a busy machine is no fault.

    python tests/load/bench_kpis.py [DATA]     # a data folder with a release; without one a random country is made

| what | aim |
|---|---|
| every indicator × 98 municipalities and all other areas × 120 months, with intervals | 2 s |
| one view: seven indicators of an area, its 24 months, 98 municipalities | 20 ms |
| verdicts of a level · changes of a level · potential of a level | 20 ms · 0.2 s · 0.2 s |
| rank intervals: 10,000 draws × 98 areas × 25 indicators | 3 s |

The median of five rounds, wall and CPU seconds, of a warm release (its counts are read once per process).
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from kpis.area import areas, levels  # noqa: E402
from kpis.assess import assess_change, assess_level  # noqa: E402
from kpis.clustering import national_clustering  # noqa: E402
from kpis.evaluate import Query, evaluate, newest_period  # noqa: E402
from kpis.indicator import load_indicators  # noqa: E402
from kpis.period import Period, periods_between  # noqa: E402
from kpis.potential import potentials  # noqa: E402
from kpis.release import Release, open_release  # noqa: E402
from kpis.small_area import rank_intervals  # noqa: E402
from tests import helpers  # noqa: E402

ROUNDS = 5
TEN_YEARS = date(2016, 1, 1)
ROUNDED = {"method": "systematic rounding", "base": 5, "chain_variance": 4.0}  # as etl publishes: intervals count it in


def measure(what: str, aim: float, act: Callable[[], object]) -> None:
    act()  # warm
    walls, works = [], []
    for _ in range(ROUNDS):
        wall, work = time.perf_counter(), time.process_time()
        act()
        walls.append(time.perf_counter() - wall)
        works.append(time.process_time() - work)
    print(f"{what:68} {median(walls):7.3f} s wall {median(works):7.3f} s CPU  {median(walls) / aim:5.2f} of {aim:g} s")


def everything(release: Release, months: tuple[Period, ...]) -> int:
    every = tuple(area for level in levels("2024") for area in areas(release, level, "2024"))
    return sum(evaluate(release, Query(indicator, every, months)).height for indicator in load_indicators().values())


def one_view(release: Release, months: tuple[Period, ...], newest: Period) -> None:
    municipalities = areas(release, "municipality", "2024")
    indicators = list(load_indicators().values())[:7]
    for indicator in indicators:
        evaluate(release, Query(indicator, municipalities[:1], (newest,)))
    evaluate(release, Query(indicators[0], municipalities[:1], months[-24:]))
    evaluate(release, Query(indicators[0], municipalities, (newest,)))


def main(data: Path) -> None:
    release = open_release(data)
    months = periods_between(release.date("data_from"), date(2100, 1, 1), "month")[:120]
    start = time.perf_counter()
    rows = everything(release, months)
    print(f"{rows} estimates; the first time, with reading: {time.perf_counter() - start:.2f} s")
    measure(f"{len(load_indicators())} indicators, all areas, 120 months", 2.0, lambda: everything(release, months))
    measure("one view", 0.02, lambda: one_view(release, months, newest_period(release)))
    municipalities = areas(release, "municipality", "2024")
    preventable = load_indicators()["preventable_admissions_65plus"]
    year = newest_period(release)
    measure(
        "verdicts on 98 municipalities, standardised",
        0.02,
        lambda: assess_level(release, preventable, "municipality", "2024", year, standardised=True),
    )
    measure(
        "changes of 98 municipalities over 36 months", 0.2, lambda: assess_change(release, preventable, municipalities)
    )
    measure("potential of 98 municipalities", 0.2, lambda: potentials(release, preventable, year))
    measure(
        "verdicts on the regions, carried up", 0.04, lambda: assess_level(release, preventable, "region", "2024", year)
    )
    start = time.perf_counter()
    for indicator in load_indicators().values():
        national_clustering.__wrapped__(release, indicator)
    print(f"clustering of {len(load_indicators())} indicators, once per release: {time.perf_counter() - start:.2f} s")
    random = np.random.default_rng(1)
    values = random.normal(60, 6, (25, 98))
    measure("rank intervals, 10,000 × 98 × 25", 3.0, lambda: rank_intervals(values, 3.0))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            helpers.DATA_FROM = TEN_YEARS
            tables = helpers._country(1)
            helpers.tiny_release(Path(folder), manifest={"data_from": str(TEN_YEARS), "protection": ROUNDED}, **tables)
            main(Path(folder))
