"""How fast pages come, alone and for two hundred viewers, beside a Dash page as one would first write it.

    python tests/load/bench_dashboard.py [DATA]     # a data folder with a release; without one a random country is made

| what | aim |
|---|---|
| server time of a page of a warm release, 95th percentile | 150 ms |
| 200 viewers who change a filter every 8 seconds, 95th percentile | 500 ms, no errors |
| overviews per second against a naive page of the same charts | 50 × |

Both servers are the real one (gunicorn, threads, two workers) in processes of their own; the viewers share their
processors, so that the figures are on the careful side. It prints; it never fails, since a busy machine is no fault.
"""

import argparse
import http.client
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from dashboard.readings import latest_period  # noqa: E402
from kpis.area import areas  # noqa: E402
from kpis.indicator import load_indicators  # noqa: E402
from kpis.period import add_months  # noqa: E402
from kpis.release import Release, open_release  # noqa: E402

ROUNDS = 5
VIEWERS, EVERY_SECONDS, LOAD_SECONDS = 200, 8.0, 40.0
CLOSED_LOOP, CLOSED_SECONDS = 8, 12.0
HOST = "127.0.0.1"


# The servers ------------------------------------------------------------------------------------------------------


@contextmanager
def served(command: list[str], port: int) -> Iterator[None]:
    """Run a server for as long as it is needed; it answers when this begins."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        for _ in range(240):
            try:
                connection = http.client.HTTPConnection(HOST, port, timeout=60)
                connection.request("GET", "/_dash-layout")
                connection.getresponse().read()
                break
            except OSError:
                time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def body(path: str, query: str) -> bytes:
    """Return what a browser sends when the address has changed."""
    return json.dumps(
        {
            "output": "..view.children...arrived.data...retry.disabled..",
            "outputs": [
                {"id": "view", "property": "children"},
                {"id": "arrived", "property": "data"},
                {"id": "retry", "property": "disabled"},
            ],
            "inputs": [
                {"id": "address", "property": "pathname", "value": path},
                {"id": "address", "property": "search", "value": query and f"?{query}"},
                {"id": "retry", "property": "n_intervals", "value": 0},
            ],
            "changedPropIds": ["address.pathname"],
        }
    ).encode()


def naive_body(slug: str) -> bytes:
    return json.dumps(
        {
            "output": "page.children",
            "outputs": {"id": "page", "property": "children"},
            "inputs": [{"id": "area", "property": "value", "value": slug}],
            "changedPropIds": ["area.value"],
        }
    ).encode()


class Caller:
    """One connection that is kept open, and opened again when the server has closed it, as a browser does."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection(HOST, port, timeout=120)

    def ask(self, content: bytes) -> tuple[float, int, int]:
        """Return seconds, status and size of the answer."""
        start = time.perf_counter()
        try:
            status, size = self._post(content)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.connection.close()
            status, size = self._post(content)
        return time.perf_counter() - start, status, size

    def _post(self, content: bytes) -> tuple[int, int]:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate, br, zstd"}
        self.connection.request("POST", "/_dash-update-component", content, headers)
        answer = self.connection.getresponse()
        return answer.status, len(answer.read())


# What is measured ---------------------------------------------------------------------------------------------------


def pages(port: int) -> None:
    indicator = "preventable_admissions_65plus"
    compared = f"/sammenlign/{indicator}"
    slugs = ("hjoerring", "aarhus", "laesoe", "koebenhavn", "thisted", "vejle", "odense", "esbjerg")
    wanted: dict[str, list[tuple[str, str]]] = {
        "front": [("/", f"soeg={letter}x") for letter in "abcdefgh"],
        "overview": [(f"/k/{slug}", "") for slug in slugs],
        "overview of a KKR": [(f"/kkr/{name}/overblik", "") for name in ("nordjylland", "midtjylland", "sjaelland")],
        "carpet": [(f"/kkr/{name}", "") for name in ("nordjylland", "midtjylland", "syddanmark", "sjaelland")],
        "carpet of the country": [("/land/taeppe", "")],
        "in depth": [(f"/k/{slug}/{indicator}", "") for slug in slugs],
        **{
            f"comparison, {view}": [
                (compared, f"omraade=k-{slug}&visning={view}".removesuffix("&visning=figur")) for slug in slugs
            ]
            for view in ("figur", "tragt", "tabel", "kort", "felter")
        },
        "potential": [("/potentiale", "")],
        "acute places": [("/akutpladser", "")],
        "data": [("/data", "")],
        "method": [(f"/metode/{indicator}", "")],
    }
    caller = Caller(port)
    print(f"\n{'page, drawn for the first time (the release is warm)':56} {'median':>8} {'p95':>8}   again    size")
    everything: list[float] = []
    for name, addresses in wanted.items():
        first, again, sizes = [], [], []
        for path, query in addresses:
            content = body(path, query)
            first.append(caller.ask(content)[0])
            seconds, _, size = caller.ask(content)
            again.append(seconds)
            sizes.append(size)
        everything += first
        print(
            f"{name:56} {1000 * median(first):5.0f} ms {1000 * quantile(first, 0.95):5.0f} ms"
            f"   {1000 * median(again):4.0f} ms  {median(sizes) / 1000:4.0f} KB"
        )
    print(
        f"{'all pages':56} {1000 * median(everything):5.0f} ms {1000 * quantile(everything, 0.95):5.0f} ms   of 150 ms"
    )


def viewers(port: int, release: Release) -> None:
    """Let two hundred viewers change a filter every eight seconds, each at a moment of its own."""
    slugs = [area.slug for area in areas(release, "municipality", "2024")]
    headlines = [indicator.id for indicator in load_indicators().values() if indicator.headline]
    found: list[tuple[float, int]] = []
    until = time.perf_counter() + LOAD_SECONDS

    def watch(number: int) -> None:
        chance, caller = random.Random(number), Caller(port)
        time.sleep(chance.uniform(0, EVERY_SECONDS))
        while time.perf_counter() < until:
            start = time.perf_counter()
            slug = chance.choice(slugs)
            address = chance.choice(
                [
                    (f"/k/{slug}", ""),
                    (f"/sammenlign/{chance.choice(headlines)}", f"omraade=k-{slug}"),
                    (f"/sammenlign/{chance.choice(headlines)}", f"omraade=k-{slug}&visning=tragt"),
                ]
            )
            try:
                seconds, status, _ = caller.ask(body(*address))
            except (OSError, http.client.HTTPException):
                seconds, status, caller = time.perf_counter() - start, 0, Caller(port)
            found.append((seconds, status))
            time.sleep(max(0.0, EVERY_SECONDS - (time.perf_counter() - start)))

    run_together(watch, VIEWERS)
    times, errors = [seconds for seconds, _ in found], sum(status != 200 for _, status in found)
    print(
        f"\n{VIEWERS} viewers for {LOAD_SECONDS:g} s: {len(found)} views, {errors} errors; median "
        f"{1000 * median(times):.0f} ms, p95 {1000 * quantile(times, 0.95):.0f} ms of 500 ms, "
        f"p99 {1000 * quantile(times, 0.99):.0f} ms"
    )


def throughput(port: int, content: Callable[[str], bytes], slugs: list[str]) -> tuple[float, list[float]]:
    """Return overviews per second when a few connections ask without a pause, and the seconds of each."""
    times: list[float] = []
    until = time.perf_counter() + CLOSED_SECONDS

    def hurry(number: int) -> None:
        chance, caller = random.Random(number), Caller(port)
        while time.perf_counter() < until:
            times.append(caller.ask(content(chance.choice(slugs)))[0])

    start = time.perf_counter()
    run_together(hurry, CLOSED_LOOP)
    return len(times) / (time.perf_counter() - start), times


def run_together(act: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=act, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


# A Dash page as one would first write it --------------------------------------------------------------------------


def naive_app(release: Release) -> Any:
    """Return the six rows of an overview, each chart a go.Figure, each figure counted by SQL at every request."""
    import plotly.graph_objects as go
    from dash import Dash, Input, Output, dcc, html

    from dashboard.pages.overview.scope import chosen_indicators

    app = Dash("naive")
    municipalities = areas(release, "municipality", "2024")
    app.layout = html.Div([dcc.Dropdown([area.slug for area in municipalities], id="area"), html.Div(id="page")])
    period = latest_period(release)
    cube = """
        select {by} as place, sum({count})::bigint as n from cube
        where month between $first and $last and age_from >= $age and list_contains($groups, group_id) {where}
        group by 1 order by 1
    """
    people = """
        select municipality_code, quarter, sum(persons)::bigint as n from population where age_from >= $age
        group by 1, 2 order by 1, 2
    """

    @app.callback(Output("page", "children"), Input("area", "value"))
    def draw(slug: str) -> list[Any]:
        area = next(item for item in municipalities if item.slug == slug)
        charts: list[Any] = []
        for indicator in chosen_indicators():
            asked = {
                "age": indicator.population.age_from,
                "groups": list(indicator.group_ids),
                "last": period.last,
            }
            count = indicator.numerator.measure
            by_area = release.sql(
                cube.format(by="municipality_code", count=count, where=""), first=period.first, **asked
            )
            persons = release.sql(people, age=asked["age"]).group_by("municipality_code").agg(n_people="n")
            joined = by_area.join(persons, left_on="place", right_on="municipality_code", how="left").sort("n")
            colours = ["#1a5fa8" if code == area.code else "#9aa5b0" for code in joined["place"]]
            strip = go.Figure(go.Scatter(x=joined["n"].to_list(), y=[0] * joined.height, mode="markers"))
            strip.update_traces(marker={"color": colours})
            strip.add_vline(joined["n"].mean())
            months = release.sql(
                cube.format(by="month", count=count, where="and municipality_code = $code"),
                first=add_months(period.last, -35),
                code=area.code,
                **asked,
            )
            line = go.Figure(go.Scatter(x=months["place"].to_list(), y=months["n"].to_list(), mode="lines+markers"))
            line.add_hline(months["n"].mean())
            for limit in (0.9, 1.1):
                line.add_hline(months["n"].mean() * limit, line_dash="dot")
            charts += [
                html.H2(indicator.texts("da").short_name),
                *(dcc.Graph(figure=figure.update_layout(template="plotly_white")) for figure in (strip, line)),
            ]
        return charts

    return app


def serve_naive(data: Path, port: int) -> None:
    """Serve the naive page as the product is served: gunicorn with the same workers and threads."""
    from dashboard.__main__ import _Server

    class Naive(_Server):
        def load(self) -> Any:
            return naive_app(open_release(data)).server

        def _warm_up(self, worker: Any) -> None:
            worker.app.wsgi().test_client().get("/_dash-layout")

    Naive(data, HOST, port, "naive").run()


def main(data: Path) -> None:
    release = open_release(data)
    slugs = [area.slug for area in areas(release, "municipality", "2024")]
    port = free_port()
    with served(["-m", "dashboard", "--data", str(data), "--port", str(port)], port):
        wait_until_warm(port)
        pages(port)
        viewers(port, release)
        ours, our_times = throughput(port, lambda slug: body(f"/k/{slug}", ""), slugs)
    port = free_port()
    with served([__file__, str(data), "--naive", str(port)], port):
        throughput(port, naive_body, slugs[:2])  # warm
        naive, naive_times = throughput(port, naive_body, slugs)
    print(
        f"\noverviews a second, {CLOSED_LOOP} connections: {ours:.0f} (median {1000 * median(our_times):.0f} ms), "
        f"naive {naive:.1f} (median {1000 * median(naive_times):.0f} ms): {ours / naive:.0f} times as many of 50"
    )


def wait_until_warm(port: int) -> None:
    """Ask until the overviews come quickly: the release is counted ahead beside the visitors, in each worker."""
    for _ in range(60):
        callers = [Caller(port) for _ in range(4)]
        if (
            max(
                caller.ask(body("/sundhedsraad/nordjylland/overblik", f"kort=2027&x={time.time()}"))[0]
                for caller in callers
            )
            < 0.3
        ):
            return
        time.sleep(2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--naive", type=int, metavar="PORT", help="serve the naive page instead of measuring")
    chosen = parser.parse_args()
    if chosen.naive:
        serve_naive(chosen.data, chosen.naive)
    elif chosen.data:
        main(chosen.data)
    else:
        from tests.helpers import build_release

        with tempfile.TemporaryDirectory() as folder:
            build_release(Path(folder))
            main(Path(folder))
