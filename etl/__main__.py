"""`python -m etl`: from a folder of deliveries to a published release, one command a month."""

import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from etl.load import FileReport, LoadReport

DATA = click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default="data",
    show_default=True,
    help="Data folder.",
)
FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to report.",
)
AS_OF = click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day after the data; by default found from the contacts.",
)
ACCEPT = click.option(
    "--accept-change", metavar="REASON", help="Publish although figures change more than usual, and say why."
)
PROTECTION = click.option(
    "--protection", type=click.Choice(["rounded", "none"]), default="rounded", show_default=True,
    help="none: true counts, for the secure side only.",
)  # fmt: skip


def plain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Problems a user can mend end in one sentence and exit code 1, never in a traceback.

    A polite kill (SIGTERM) ends a command as Ctrl-C does, so that it puts its things away first.
    """

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from etl.disk import DiskProblem
        from etl.pseudonym import KeyProblem
        from etl.publish import PublishProblem
        from etl.warehouse import BuildProblem
        from kpis.release import ReleaseError

        with _stop_asked() as was_asked:
            try:
                return command(*args, **kwargs)
            except (PublishProblem, KeyProblem, BuildProblem, DiskProblem, ReleaseError, FileNotFoundError) as problem:
                raise click.ClickException(str(problem)) from problem
            except (KeyboardInterrupt, Exception):
                if not was_asked:  # DuckDB turns the interrupt into an error of its own, so its type tells nothing
                    raise
                raise click.ClickException(
                    "Stopped. A release is published whole or not at all; `python -m etl status` says which is current."
                ) from None

    return wrapped


@contextmanager
def _stop_asked() -> Iterator[list[int]]:
    """Signals that asked the command to stop, as far as there were any; each one also raises KeyboardInterrupt."""
    asked: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Load deliveries, build and publish releases.

    \b
    A month's work:   python -m etl check FOLDER
                      python -m etl load FOLDER --data data
    """


@main.command()
@DATA
@click.option("--years", default=3, show_default=True, help="Years of contacts.")
@click.option(
    "--scale",
    default=1.0,
    show_default=True,
    help="Share of the country: 0.05 makes a twentieth of people and contacts.",
)
@click.option("--seed", default=2026, show_default=True, help="The same seed gives the same country.")
@plain_errors
def demo(data_dir: Path, years: int, scale: float, seed: int) -> None:
    """Write a synthetic country's deliveries, in the shapes of real ones, into DATA/raw/demo."""
    from etl.synthetic import write_demo

    folder = data_dir / "raw" / "demo"
    with _progress(True) as progress:
        write_demo(folder, years=years, scale=scale, seed=seed, progress=progress.share)
    click.echo(f"Synthetic deliveries lie in {folder}. Load them with: python -m etl load {folder} --data {data_dir}")


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@DATA
@FORMAT
@plain_errors
def check(paths: tuple[Path, ...], data_dir: Path, format_: str) -> None:
    """Say what files are and what is wrong with them; load nothing. Exit code 0: loadable, 1: not.

    The report to send back lies in DATA/build/reports afterwards.
    """
    from etl.load import check as check_paths

    with _progress(format_ == "text") as progress:
        report = check_paths(list(paths), progress)
    _print(report, format_)
    _write_report(report, "check", data_dir)
    sys.exit(0 if report.is_loadable and report.files else 1)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@DATA
@FORMAT
@AS_OF
@PROTECTION
@ACCEPT
@plain_errors
def load(
    paths: tuple[Path, ...],
    data_dir: Path,
    format_: str,
    as_of: datetime | None,
    protection: str,
    accept_change: str | None,
) -> None:
    """Land files, build a release from everything loaded so far, and publish it – or change nothing."""
    from etl.load import LoadStopped
    from etl.load import load as load_paths

    try:
        with _progress(format_ == "text") as progress:
            report = load_paths(
                list(paths),
                data_dir,
                as_of=_day(as_of),
                protection=_protection(protection),
                accept_change=accept_change,
                progress=progress,
            )
    except LoadStopped as stopped:
        report = stopped.report
    _print(report, format_)
    if report.published and format_ == "text":
        _echo_published(report.published.path, report.published.is_new)
    _write_report(report, "load", data_dir)
    sys.exit(0 if report.is_loadable else 1)


@main.command()
@DATA
@AS_OF
@PROTECTION
@ACCEPT
@plain_errors
def build(data_dir: Path, as_of: datetime | None, protection: str, accept_change: str | None) -> None:
    """Build and publish again from what was loaded before (after a change of rules or code lists)."""
    from etl.load import rebuild

    with _progress(True) as progress:
        published = rebuild(
            data_dir,
            as_of=_day(as_of),
            protection=_protection(protection),
            accept_change=accept_change,
            progress=progress,
        )
    _echo_published(published.path, published.is_new)


@main.command()
@click.argument("release_id")
@DATA
@plain_errors
def publish(release_id: str, data_dir: Path) -> None:
    """Point to a release that was built before (see `status`), after reading all of it."""
    from etl.publish import go_to, one_writer, published
    from etl.source import closest

    releases = {path.stem: path for path in published(data_dir)}
    if release_id not in releases:
        raise click.ClickException(
            f"There is no release {release_id}.{closest(release_id, list(releases))} `status` lists them."
        )
    with one_writer(data_dir):
        go_to(releases[release_id], data_dir)
    click.echo(f"{release_id} is now the current release.")


@main.command()
@DATA
@plain_errors
def rollback(data_dir: Path) -> None:
    """Go back to the newest sound release before the current one."""
    from etl.publish import one_writer
    from etl.publish import rollback as roll_back

    with one_writer(data_dir):
        target = roll_back(data_dir)
    click.echo(f"{target.stem} is now the current release.")


@main.command()
@DATA
@plain_errors
def status(data_dir: Path) -> None:
    """Which releases there are, which one is current, and what it holds."""
    from etl.publish import pointed_to, published
    from kpis.release import open_release

    for path in published(data_dir):
        mark = "→" if path == pointed_to(data_dir) else " "
        click.echo(f"{mark} {path.stem}  {path.stat().st_size / 1e6:.1f} MB")
    manifest = open_release(data_dir).manifest
    protection = manifest["protection"]
    kind = "synthetic data" if manifest["is_synthetic"] else "real data"
    click.echo(
        f"Data from {manifest['data_from']} to before {manifest['as_of']} ({kind}); provisional from "
        f"{manifest['provisional_from']}; protection: {protection['method']}, base {protection['base']}."
    )
    for step in manifest["attrition"]:
        click.echo(f"  {step['step']:<20}{step['rows']:>12,}")


@main.command()
@click.argument("before", required=False)
@click.argument("after", required=False)
@DATA
@click.option("--lang", type=click.Choice(["da", "en"]), default="da", show_default=True, help="Language of the words.")
@plain_errors
def diff(before: str | None, after: str | None, data_dir: Path, lang: Any) -> None:
    """Which figures moved from release BEFORE to AFTER, and why; by default the two newest.

    All moved figures lie in a Parquet file in DATA/build/reports afterwards.
    """
    from etl.diff import compare, write_diff
    from etl.publish import open_published

    with _progress(True) as progress:
        progress.stage("comparing")
        difference = compare(*open_published(data_dir, before, after), data_dir / "build" / "history")
    click.echo(difference.in_words(lang))
    click.echo(f"{write_diff(difference, data_dir)}: {difference.figures.height:,} figures.", err=True)


@main.command()
@DATA
@plain_errors
def key(data_dir: Path) -> None:
    """Make the secret keys of a data folder, unless it has them."""
    from etl.load import open_keys

    keys = open_keys(data_dir)
    folder = data_dir / "build" / "keys"
    click.echo(f"Person key {keys.pseudonym.key_id} lies in {folder}. Keep a copy in a safe place.")


@main.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def template(path: Path) -> None:
    """Write the blank reporting template for acute and subacute services (Excel)."""
    from etl.template import write_template

    write_template(path)
    click.echo(f"{path} is ready to be filled in.")


@main.group()
def fetch() -> None:
    """Fetch open data where there is a network."""


@fetch.command("statbank")
@click.argument("table")
@DATA
@click.option("--since", type=int, metavar="YEAR", help="First year to fetch; all by default.")
@click.option("--base-url", envvar="NAERBLIK_STATBANK_URL", help="Address of StatBank's API, if not the public one.")
def fetch_statbank(table: str, data_dir: Path, since: int | None, base_url: str | None) -> None:
    """Fetch a table of StatBank Denmark (FOLK1A, AED10A, HJEMSYG, RESP01 …) into DATA/raw/statbank."""
    from etl.statbank import BASE, StatbankProblem, fetch_table, known_tables

    try:
        with _progress(True) as progress:
            progress.stage(f"fetching {table} (bytes)")
            path = fetch_table(
                table, data_dir / "raw" / "statbank", base=base_url or BASE, since=since, progress=progress.step
            )
    except StatbankProblem as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"{path} is ready. Load it with: python -m etl load {path} --data {data_dir}")
    if path.stem not in known_tables():
        click.echo(f"No delivery is known with its headers, though. Known are {', '.join(sorted(known_tables()))}.")


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _protection(name: str) -> Any:
    from etl.protect import ROUNDED, UNPROTECTED

    return {"rounded": ROUNDED, "none": UNPROTECTED}[name]


def _progress(is_shown: bool) -> Any:
    from etl.progress import Bar

    return Bar(is_shown)


def _print(report: "LoadReport", format_: str) -> None:
    if format_ == "json":
        content: dict[str, Any] = {"files": [asdict(file) for file in report.files]}
        if report.passed_over:
            content["passed_over"] = report.passed_over
        if report.problem:
            content["problem"] = report.problem
        if report.published:
            content["release"] = report.published.path.stem
        click.echo(json.dumps(content, ensure_ascii=False, indent=1))
        return
    for file in report.files:
        _print_file(file)
    for name in report.passed_over:
        click.secho(f"{name}: not read; by its name it is no data file", fg="yellow")
    if report.problem:
        click.secho(report.problem, fg="red", err=True)


def _print_file(file: "FileReport") -> None:
    from etl.file import shown

    colour = {"accepted": "green", "accepted_with_warnings": "yellow", "refused": "red"}[file.status]
    click.secho(f"{shown(file.file)}: {file.status.replace('_', ' ')}", fg=colour, nl=False)
    if file.kind and file.status != "refused":
        click.echo(
            f" – {file.kind}; {file.rows_in:,} rows = {file.rows_loaded:,} loaded + {file.rows_duplicate:,} duplicate "
            f"+ {file.rows_superseded:,} superseded + {file.rows_quarantined:,} held back"
        )
    else:
        click.echo()
    for finding in file.findings:
        if finding.row is None:
            click.echo(f"    {finding.rule}  {finding.message}")
    in_rows = [finding for finding in file.findings if finding.row is not None]
    for rule, count in Counter(finding.rule for finding in in_rows).items():
        first = next(finding for finding in in_rows if finding.rule == rule)
        more = f" – and {count - 1} more such rows" if count > 1 else ""
        click.echo(f"    {rule}  row {first.row}, {first.column or 'line'}: {first.message}{more}")


def _write_report(report: "LoadReport", occasion: Any, data_dir: Path) -> None:
    from etl.report import write_report

    try:
        click.echo(f"Report: {write_report(report, occasion, data_dir)}", err=True)
    except OSError as error:  # the load is done, or has failed for a reason of its own
        click.secho(f"The report could not be written ({error}).", fg="red", err=True)


def _echo_published(path: Path, is_new: bool) -> None:
    if is_new:
        click.secho(f"Published {path.stem}.", fg="green")
    else:
        click.echo(f"Nothing new: {path.stem} already holds exactly this.")


if __name__ == "__main__":
    main()
