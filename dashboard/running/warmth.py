"""Counting ahead: what the pages of a release need is worked out beside the first visitors, not while they wait."""

import logging
import threading
import time
from pathlib import Path

from dashboard.pages.overview.scope import chosen_indicators
from dashboard.potentials import level_potentials
from dashboard.readings import (
    best_fifth,
    goal_progress,
    latest_period,
    level_changes,
    level_places,
    level_rows,
    level_verdicts,
)
from dashboard.running.readers import let_readers_first
from dashboard.view import draw
from kpis.area import MAPS, Map, levels, map_of
from kpis.indicator import load_indicators
from kpis.release import Release, ReleaseError, current_release, release_before

_LOOK_SECONDS = 5.0
_PATIENCE_SECONDS = 0.1  # a server that is asked all the time is warm at last, too
_DRAWN = ("/", "/land/taeppe", "/potentiale", "/akutpladser", "/effekt", "/data")  # of which there is one for everybody
_FIRST_LEVELS = ("municipality", "country")
_log = logging.getLogger(__name__)


def keep_warm(data_dir: Path) -> threading.Thread:
    """Start a thread that warms every release of ``data_dir`` as it becomes current, while the process lives."""
    thread = threading.Thread(target=_watch, args=(data_dir,), name="warmth", daemon=True)
    thread.start()
    return thread


def warm(release: Release) -> None:
    """Work out what overview, depth, carpet and comparison show of the newest period, first what is opened most.

    Today's map goes before tomorrow's, municipalities and the country before groups, the first screen before the rest.
    """
    first = [indicator.id for indicator in chosen_indicators()]
    others = [indicator for indicator in load_indicators() if indicator not in first]
    period = latest_period(release)
    for map_id in sorted(MAPS, key=lambda map_id: map_id != map_of(period.last)):
        for level in sorted(levels(map_id), key=_FIRST_LEVELS.__contains__, reverse=True):
            for indicator in first + others:
                _warm_level(release, indicator, level, map_id, is_first=indicator in first)
        before = release_before(release)
        if before is not None:
            for indicator in first + others:
                let_readers_first(_PATIENCE_SECONDS)
                level_changes(before, indicator, "municipality", map_id)
                level_rows(before, indicator, "municipality", map_id, latest_period(before), True)
    goal_progress(release)


def _warm_level(release: Release, indicator: str, level: str, map_id: Map, is_first: bool) -> None:
    let_readers_first(_PATIENCE_SECONDS)
    period = latest_period(release, indicator)
    asked = (indicator, level, map_id, period, True)
    level_rows(release, *asked)
    level_verdicts(release, *asked)
    level_changes(release, indicator, level, map_id)
    let_readers_first(_PATIENCE_SECONDS)
    if is_first or level in _FIRST_LEVELS:
        level_potentials(release, indicator, level, map_id, period, "best_fifth", 1.0)
    if is_first:
        level_places(release, *asked)
        best_fifth(release, indicator, map_id, period)


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
