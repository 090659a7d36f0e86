"""What monitoring reads at ``/metrics``: requests, how long they took, memory, and the age of what is shown.

Text of the Prometheus kind. Workers count in files of a folder that the starting process made (the library's way for
several processes: PROMETHEUS_MULTIPROC_DIR); whoever answers adds them up. Nothing here tells who asked or what for.
"""

import os
import resource
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from kpis.release import ReleaseError, current_release, release_problem

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_PAGE = resource.getpagesize()

_requests = Counter("naerblik_requests", "Answers given", ["route", "status"])
_seconds = Histogram(
    "naerblik_request_seconds",
    "Time to answer",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_failed_views = Counter("naerblik_failed_views", "Pages that said they could not be shown", ["reason"])
_memory = Gauge("naerblik_worker_resident_bytes", "Memory of a worker", multiprocess_mode="liveall")

FailedView = Literal["error", "slow"]
"""Why there was no page: a fault, or more counting than a reader is let wait for."""


class _ReleaseCollector(Collector):
    """Looks at the release when it is asked, so that no worker has to keep count of it."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield whether the newest release is shown, and its age in seconds (left out where there is none)."""
        is_newest = GaugeMetricFamily("naerblik_release_is_newest", "1 where the newest release is the one shown")
        try:
            release = current_release(self._data_dir)
        except ReleaseError:
            is_newest.add_metric([], 0)
        else:
            is_newest.add_metric([], release_problem(self._data_dir) is None)
            made = datetime.fromisoformat(release.manifest["created"]).timestamp()
            yield GaugeMetricFamily("naerblik_release_age_seconds", "Age of the release shown", time.time() - made)
        yield is_newest


def register(server: Flask, data_dir: Path) -> None:
    """Count every answer of ``server`` and add ``/metrics``; who may ask for it stands in dashboard/guard/login.py."""

    for reason in get_args(FailedView):
        _failed_views.labels(reason)  # an increase is seen only of what was there before, with 0

    @server.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        _requests.labels(route, response.status_code).inc()
        _seconds.labels(route).observe(time.perf_counter() - g.began)
        _memory.set(_resident_bytes())
        return response

    @server.get("/metrics")
    def metrics() -> Response:
        registry = CollectorRegistry()
        registry.register(_ReleaseCollector(data_dir))
        if SHARED_FOLDER in os.environ:
            MultiProcessCollector(registry)
            text = generate_latest(registry)
        else:
            text = generate_latest(registry) + generate_latest(REGISTRY)
        return Response(text, content_type=CONTENT_TYPE_LATEST)


def count_failed_view(reason: FailedView) -> None:
    """Count a page that could not be shown: it is answered with 200, as a page that says so."""
    _failed_views.labels(reason).inc()


def _resident_bytes() -> int:
    """How much memory this process holds right now; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE
    except OSError:
        return 0
