"""Counting ahead: what the pages of a release need is worked out beside the first visitors, not while they wait."""

import logging
import threading
import time
from pathlib import Path

from dashboard.pages.overview import chosen_indicators
from dashboard.readings import (
    best_fifth,
    goal_progress,
    latest_period,
    level_changes,
    level_places,
    level_potentials,
    level_rows,
    level_verdicts,
)
from dashboard.view import draw
from kpis.area import MAPS, levels
from kpis.indicator import load_indicators
from kpis.release import Release, ReleaseError, current_release, release_before

_LOOK_SECONDS = 5.0
_DRAWN = ("/", "/land/taeppe", "/potentiale", "/akutpladser", "/data")  # of which there is one for everybody
_log = logging.getLogger(__name__)


def keep_warm(data_dir: Path) -> threading.Thread:
    """Start a thread that warms every release of ``data_dir`` as it becomes current, while the process lives."""
    thread = threading.Thread(target=_watch, args=(data_dir,), name="warmth", daemon=True)
    thread.start()
    return thread


def warm(release: Release) -> None:
    """Work out what overview, carpet and comparison show of the newest period, first what is opened most."""
    period = latest_period(release)
    first = [indicator.id for indicator in chosen_indicators()]
    others = [indicator for indicator in load_indicators() if indicator not in first]
    goal_progress(release)
    for map_id in MAPS:
        for level in levels(map_id):
            for indicator in first + others:
                asked = (indicator, level, map_id, period, True)
                level_rows(release, *asked)
                level_verdicts(release, *asked)
                level_changes(release, indicator, level, map_id)
                if indicator in first:
                    level_places(release, *asked)
                    level_potentials(release, indicator, level, map_id, period)
                    best_fifth(release, indicator, map_id, period)
        before = release_before(release)
        if before is not None:
            for indicator in first + others:
                level_changes(before, indicator, "municipality", map_id)
                level_rows(before, indicator, "municipality", map_id, latest_period(before), True)


def _watch(data_dir: Path) -> None:
    warmed: str | None = None
    while True:
        try:
            release = current_release(data_dir)
            if release.id != warmed:
                warmed = release.id
                warm(release)
                for path in _DRAWN:
                    draw(data_dir, path, "")
        except ReleaseError:
            pass  # the pages say so, and the log of kpis.release why
        except Exception:
            _log.exception("a release could not be counted ahead; pages count it when they are asked")
        time.sleep(_LOOK_SECONDS)
