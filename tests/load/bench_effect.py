"""How long one intervention takes to assess, with all its placebos. Prints times; never fails, for a machine may be busy.

    python tests/load/bench_effect.py [DATA]     # a data folder with a release; without one a country is made

| what | aim |
|---|---|
| an intervention on a fresh release: reading, four methods, placebos, negative control, counterweight | 10 s |
| another one on the same release | 5 s |
| the same one again | 1 ms |

Wall and CPU seconds, the middle of five fresh openings.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from kpis.effect_assessment import assess_effect  # noqa: E402
from kpis.intervention import Plan, released_plans  # noqa: E402
from kpis.release import open_release  # noqa: E402
from tests.kpis import alike  # noqa: E402

ROUNDS = 5
SIDES = {"negative_control": "readmissions_30d_65plus", "counterweight": "readmissions_30d_65plus"}
MADE_UP = tuple(
    Plan(f"i{n}", "Indsats", codes, alike.MONTHS[16], "preventable_admissions_65plus", **SIDES)
    for n, codes in enumerate((("0810", "0813", "0849", "0860"), ("0330", "0370"), ("0461", "0430", "0479", "0440")))
)


def timed(act: Callable[[], object]) -> tuple[float, float]:
    wall, work = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - wall, time.process_time() - work


def main(data: Path) -> None:
    found: dict[str, list[tuple[float, float]]] = {"fresh": [], "another": [], "again": []}
    for _ in range(ROUNDS):
        release = open_release(data)
        given = tuple(replace(plan, **SIDES) for plan in released_plans(release)) or MADE_UP
        found["fresh"].append(timed(lambda: assess_effect(release, given[0], given)))  # noqa: B023
        found["another"].append(timed(lambda: assess_effect(release, given[1], given)))  # noqa: B023
        found["again"].append(timed(lambda: assess_effect(release, given[1], given)))  # noqa: B023
    placebos = assess_effect(release, given[1], given).placebos
    print(f"{placebos.n if placebos else 0} placebo groups of {len(given[1].municipalities)} municipalities")
    for (name, times), aim in zip(found.items(), (10.0, 5.0, 0.001), strict=True):
        wall, work = (median(column) for column in zip(*times, strict=True))
        print(f"{name:10} {wall:8.4f} s wall {work:8.4f} s CPU  {wall / aim:5.2f} of {aim:g} s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            alike.build_alike(Path(folder), 1)
            main(Path(folder))
