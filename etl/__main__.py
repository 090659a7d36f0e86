"""`python -m etl`: from a folder of deliveries to a published release, one command a month."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from etl.load import FileReport, LoadReport
    from kpis.indicator import Language

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
LANG = click.option(
    "--lang", type=click.Choice(["da", "en"]), default="da", show_default=True, help="Language of what is said."
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


class _Said(click.ClickException):
    """A problem in the language of the one who reads it, without click's English word before it."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.secho(self.message, fg="red", err=True)


def plain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Problems a user can mend end in one sentence and exit code 1, never in a traceback.

    A polite kill (SIGTERM) ends a command as Ctrl-C does, so that it puts its things away first.
    """

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        lang = kwargs.get("lang", "en")
        with _stop_asked() as was_asked:
            try:
                return command(*args, **kwargs)
            except (KeyboardInterrupt, Exception) as error:
                from etl.words import Problem, told  # here, so that a command says first how libraries are to work
                from kpis.release import ReleaseError

                if isinstance(error, (Problem, ReleaseError)):
                    raise _Said(error.said[lang]) from error
                if was_asked:  # DuckDB turns the interrupt into an error of its own, so its type tells nothing
                    raise _Said(told("stop.asked")[lang]) from None
                if isinstance(error, OSError) and error.filename:
                    said = told("stop.file", file=error.filename, why=error.strerror)
                    raise _Said(said[lang]) from error
                raise

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
@LANG
@plain_errors
def demo(data_dir: Path, years: int, scale: float, seed: int, lang: "Language") -> None:
    """Write a synthetic country's deliveries, in the shapes of real ones, into DATA/raw/demo."""
    from etl.synthetic import write_demo

    folder = data_dir / "raw" / "demo"
    with _progress(True, lang) as progress:
        write_demo(folder, years=years, scale=scale, seed=seed, progress=progress.share)
    _say("done.demo", lang, folder=folder, data=data_dir)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@DATA
@FORMAT
@LANG
@plain_errors
def check(paths: tuple[Path, ...], data_dir: Path, format_: str, lang: "Language") -> None:
    """Say what files are, what is wrong with them, and what `load` would say; load nothing.

    Exit code 0: loadable, 1: not. Files of one kind alone need not make a release: what it would lack is told.
    The report to send back lies in DATA/build/reports afterwards.
    """
    from etl.load import check as check_paths

    with _progress(format_ == "text", lang) as progress:
        report = check_paths(list(paths), data_dir, progress)
    _print(report, "check", format_, lang)
    _write_report(report, "check", data_dir, lang)
    sys.exit(0 if report.is_loadable and report.files else 1)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@DATA
@FORMAT
@LANG
@AS_OF
@PROTECTION
@ACCEPT
@plain_errors
def load(
    paths: tuple[Path, ...],
    data_dir: Path,
    format_: str,
    lang: "Language",
    as_of: datetime | None,
    protection: str,
    accept_change: str | None,
) -> None:
    """Land files, build a release from everything loaded so far, and publish it – or change nothing."""
    from etl.load import LoadStopped
    from etl.load import load as load_paths

    try:
        with _progress(format_ == "text", lang) as progress:
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
    _print(report, "load", format_, lang)
    if report.published and format_ == "text":
        _echo_published(report.published.path, report.published.is_new, lang)
    _write_report(report, "load", data_dir, lang)
    sys.exit(0 if report.is_loadable else 1)


@main.command()
@DATA
@AS_OF
@PROTECTION
@ACCEPT
@LANG
@plain_errors
def build(data_dir: Path, as_of: datetime | None, protection: str, accept_change: str | None, lang: "Language") -> None:
    """Build and publish again from what was loaded before (after a change of rules or code lists)."""
    from etl.load import rebuild

    with _progress(True, lang) as progress:
        published = rebuild(
            data_dir,
            as_of=_day(as_of),
            protection=_protection(protection),
            accept_change=accept_change,
            progress=progress,
        )
    _echo_published(published.path, published.is_new, lang)


@main.command()
@click.argument("release_id")
@DATA
@LANG
@plain_errors
def publish(release_id: str, data_dir: Path, lang: "Language") -> None:
    """Point to a release that was built before (see `status`), after reading all of it."""
    from etl.publish import go_to, one_writer, published_as

    with one_writer(data_dir):
        go_to(published_as(release_id, data_dir), data_dir)
    _say("publish.current", lang, release=release_id)


@main.command()
@DATA
@LANG
@plain_errors
def rollback(data_dir: Path, lang: "Language") -> None:
    """Go back to the newest sound release before the current one."""
    from etl.publish import one_writer
    from etl.publish import rollback as roll_back

    with one_writer(data_dir):
        target = roll_back(data_dir)
    _say("publish.rolled_back", lang, release=target.stem)


@main.command()
@click.argument("release_id")
@click.option("--with-deliveries", is_flag=True, help="Also take out the deliveries that it was the first to bring.")
@DATA
@LANG
@plain_errors
def withdraw(release_id: str, data_dir: Path, with_deliveries: bool, lang: "Language") -> None:
    """Take away a release that was wrong; where it is current, the one before it becomes current."""
    from etl.publish import one_writer
    from etl.publish import withdraw as take_away
    from etl.words import words

    with one_writer(data_dir):
        done = take_away(release_id, data_dir, with_deliveries=with_deliveries)
    _say("publish.withdrawn", lang, release=release_id, current=done.current.stem)
    kinds = words()["kind"]
    brought = ", ".join(f"{delivery['file']} ({kinds[delivery['kind']][lang]})" for delivery in done.deliveries)
    if brought:
        _say("publish.taken_out" if with_deliveries else "publish.brought", lang, files=brought)
    if brought and with_deliveries and done.current.stem > release_id:
        _say("publish.still_counted", lang, current=done.current.stem, data=data_dir)


@main.command()
@DATA
@LANG
@plain_errors
def status(data_dir: Path, lang: "Language") -> None:
    """Which releases there are, which one is current, and what it holds."""
    from babel.numbers import format_decimal

    from etl.publish import pointed_to, published, published_at
    from etl.words import told, words
    from kpis.release import open_release

    for path in published(data_dir):
        mark = "→" if path == pointed_to(data_dir) else " "
        size = format_decimal(path.stat().st_size / 1e6, "0.0", locale=lang)
        click.echo(f"{mark} {path.stem}  {published_at(path):%Y-%m-%d %H:%M} UTC  {size} MB")
    manifest = open_release(data_dir).manifest
    kind = told("status.synthetic" if manifest["is_synthetic"] else "status.real")
    facts = {name: manifest[name] for name in ("data_from", "as_of", "provisional_from")}
    base = manifest["protection"]["base"]
    protection = told("status.rounded", base=base) if base > 1 else told("status.unprotected")
    _say("status.holds", lang, kind=kind, protection=protection, **facts)
    for step in manifest["attrition"]:
        n = format_decimal(step["rows"], "#,##0", locale=lang)
        click.echo(f"  {words()['step'][step['step']][lang]:<40}{n:>14}")


@main.command()
@click.argument("before", required=False)
@click.argument("after", required=False)
@DATA
@LANG
@plain_errors
def diff(before: str | None, after: str | None, data_dir: Path, lang: "Language") -> None:
    """Which figures moved from release BEFORE to AFTER, and why; by default the two newest.

    All moved figures lie in a Parquet file in DATA/build/reports afterwards.
    """
    from etl.diff import compare, write_diff
    from etl.publish import open_published
    from etl.words import told

    with _progress(True, lang) as progress:
        progress.stage(told("stage.comparing"))
        difference = compare(*open_published(data_dir, before, after), data_dir / "build" / "history")
    click.echo(difference.in_words(lang))
    said = told("done.diff", file=write_diff(difference, data_dir), figures=difference.figures.height)
    click.echo(said[lang], err=True)


@main.command()
@DATA
@LANG
@plain_errors
def key(data_dir: Path, lang: "Language") -> None:
    """Make the secret keys of a data folder, unless it has them."""
    from etl.load import open_keys

    keys = open_keys(data_dir)
    _say("key.there", lang, id=keys.pseudonym.key_id, folder=data_dir / "build" / "keys")


@main.command()
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@DATA
@LANG
@click.option("--keys-to", type=click.Path(dir_okay=False, path_type=Path), help="A file of their own for the keys.")
@plain_errors
def backup(target: Path, data_dir: Path, lang: "Language", keys_to: Path | None) -> None:
    """Copy releases, history, keys and what readers saved into one FILE; deliveries are not in it."""
    from etl.backup import backup as back_up

    copied = back_up(data_dir, target, keys_to)
    facts = {"file": target, "files": copied.files, "megabytes": copied.bytes // 1_000_000}
    _say("backup.made_with_keys" if copied.has_keys else "backup.made", lang, **facts)


@main.command()
@click.argument("source", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@DATA
@LANG
@click.option("--keys-from", type=click.Path(dir_okay=False, path_type=Path), help="The file that --keys-to made.")
@plain_errors
def restore(source: Path, data_dir: Path, lang: "Language", keys_from: Path | None) -> None:
    """Put a copy back into an empty data folder, after checking every byte of it."""
    from etl.backup import restore as put_back
    from kpis.release import open_release

    copied = put_back(source, data_dir, keys_from)
    facts = {"folder": data_dir, "files": copied.files, "release": open_release(data_dir).id}
    _say("backup.restored", lang, **facts)


@main.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@LANG
@plain_errors
def template(path: Path, lang: "Language") -> None:
    """Write the blank reporting template for acute and subacute services (Excel)."""
    from etl.template import write_blank_template

    write_blank_template(path)
    _say("done.template", lang, file=path)


@main.group()
def fetch() -> None:
    """Fetch open data where there is a network."""


@fetch.command("statbank")
@click.argument("table")
@DATA
@click.option("--since", type=int, metavar="YEAR", help="First year to fetch; all by default.")
@click.option("--base-url", envvar="NAERBLIK_STATBANK_URL", help="Address of StatBank's API, if not the public one.")
@LANG
@plain_errors
def fetch_statbank(table: str, data_dir: Path, since: int | None, base_url: str | None, lang: "Language") -> None:
    """Fetch a table of StatBank Denmark (FOLK1A, AED10A, HJEMSYG, RESP01 …) into DATA/raw/statbank."""
    from etl.statbank import BASE, fetch_table, known_tables
    from etl.words import told

    folder = data_dir / "raw" / "statbank"
    with _progress(True, lang) as progress:
        progress.stage(told("stage.fetching", table=table))
        path = fetch_table(table, folder, base=base_url or BASE, since=since, progress=progress.step)
    _say("done.fetched", lang, file=path, data=data_dir)
    if path.stem not in known_tables():
        _say("done.fetched_unknown", lang, known=", ".join(sorted(known_tables())))


def _say(text: str, lang: "Language", **values: Any) -> None:
    from etl.words import told

    click.echo(told(text, **values)[lang])


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _protection(name: str) -> Any:
    from etl.protect import ROUNDED, UNPROTECTED

    return {"rounded": ROUNDED, "none": UNPROTECTED}[name]


def _progress(is_shown: bool, lang: "Language" = "da") -> Any:
    from etl.progress import Bar

    return Bar(is_shown, lang)


TONES = {"accepted": "green", "accepted_with_warnings": "yellow", "refused": "red", "good": "green", "bad": "red"}


def _print(report: "LoadReport", occasion: Any, format_: str, lang: "Language") -> None:
    from etl.report import to_terminal

    if format_ == "text":
        for line, tone in to_terminal(report, occasion, lang):
            click.secho(line, fg=TONES.get(tone), dim=tone == "quiet")
        return
    content: dict[str, Any] = {"files": [_file_json(file, lang) for file in report.files]}
    if report.passed_over:
        content["passed_over"] = report.passed_over
    for name, said in (("problem", report.problem), ("lacking", report.lacking)):
        if said:
            content[name] = said[lang]
    if report.published:
        content["release"] = report.published.path.stem
    click.echo(json.dumps(content, ensure_ascii=False, indent=1))


def _file_json(file: "FileReport", lang: "Language") -> dict[str, Any]:
    facts = asdict(file)
    del facts["is_counted"]
    return facts | {
        "findings": [
            {"row": finding.row, "column": finding.column, "rule": finding.rule, "message": finding.in_words(lang)}
            for finding in file.findings
        ]
    }


def _write_report(report: "LoadReport", occasion: Any, data_dir: Path, lang: "Language") -> None:
    from etl.report import write_report
    from etl.words import words

    text = words()["report"]
    try:
        click.echo(f"{text['report_at'][lang]}: {write_report(report, occasion, data_dir)}", err=True)
    except OSError as error:  # the load is done, or has failed for a reason of its own
        click.secho(text["report_not_written"][lang].format(error=error), fg="red", err=True)


def _echo_published(path: Path, is_new: bool, lang: "Language") -> None:
    from etl.words import words

    said = words()["report"]["published_release" if is_new else "nothing_new_release"][lang].format(release=path.stem)
    click.secho(said, fg="green" if is_new else None)


if __name__ == "__main__":
    main()
