"""python -m kpis list | show ID | export ID: the figures without the dashboard."""

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

# Only names and allowed words here; what reads data is imported inside the commands, so that --help is quick.
FORMATS = ("parquet", "csv", "xlsx", "arrow")
DIALECTS = ("danish", "international")
GRAINS = ("month", "quarter", "year", "rolling12")


def _one_of(allowed: Iterable[str]) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A check that names the nearest allowed word."""
    words = list(allowed)

    def check(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value is None or value in words:
            return value
        raise click.BadParameter(_unknown(value, words), context, parameter)

    return check


def _unknown(word: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(word, allowed, n=1, cutoff=0.4)
    return f"{word!r} is not known. " + (f"Did you mean {near[0]!r}?" if near else f"Allowed: {', '.join(allowed)}.")


def _data_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        default="data",
        show_default=True,
        help="Folder that holds releases/.",
    )(command)


def _language_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--lang", default="da", show_default=True, callback=_one_of(("da", "en")), help="da or en.")(
        command
    )


@click.group()
def main() -> None:
    """Indicators of Nærblik: what there is, what each means, and its figures as a file."""


@main.command("list")
@_language_option
def list_(lang: Any) -> None:
    """One line for each indicator; * marks the headline of a focus area."""
    from kpis.indicator import FOCUS_AREAS, load_indicators

    indicators = load_indicators()
    width = max(map(len, indicators))
    for area in FOCUS_AREAS.values():
        click.echo(f"{area.number}. {area.da if lang == 'da' else area.en}")
        for indicator in indicators.values():
            if indicator.focus_area == area.number:
                texts = indicator.texts(lang)
                mark = "*" if indicator.headline else " "
                click.echo(f" {mark} {indicator.id:{width}}  {texts.short_name}, {texts.unit}")


@main.command()
@click.argument("indicator_id", metavar="ID")
@_language_option
@_data_option
def show(indicator_id: str, lang: Any, data: Path) -> None:
    """Everything about one indicator: meaning, codes, statistics, weaknesses, changes, newest value."""
    from kpis.explanation import describe, page_word
    from kpis.page import newest_lines, official_lines
    from kpis.release import ReleaseError, open_release

    indicator = _indicator(indicator_id)
    try:
        release = open_release(data)
    except ReleaseError as error:  # the definition is worth reading without figures
        current, official = [page_word("no_release", lang).format(reason=error.said[lang])], []
    else:
        current, official = (of(release, indicator, lang) for of in (newest_lines, official_lines))
    click.echo(describe(indicator, lang, current, official), nl=False)


@main.command()
@click.argument("indicator_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--level", default="municipality", show_default=True, help="municipality, region, kkr, country …")
@click.option("--area", help="Only areas of the level that lie in this one: code, slug or name, such as nordjylland.")
@click.option("--area-level", help="Level of --area, where several areas have its name.")
@click.option("--from", "first", metavar="MONTH", help="First month, such as 2024-01.  [default: first month of data]")
@click.option("--to", "last", metavar="MONTH", help="Last month, included.  [default: last month of data]")
@click.option("--grain", default="year", show_default=True, callback=_one_of(GRAINS), help=", ".join(GRAINS))
@click.option(
    "--format",
    "format_",
    callback=_one_of(FORMATS),
    help="parquet, csv, xlsx or arrow.  [default: by -o, else parquet]",
)
@click.option(
    "--csv",
    "dialect",
    default="danish",
    show_default=True,
    callback=_one_of(DIALECTS),
    help="How CSV is written: danish (; and decimal comma, Danish headings) or international.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option("--map", "map_id", callback=_one_of(("2024", "2027")), help="2024 or 2027.  [default: valid at --to]")
@click.option("--standardised", is_flag=True, help="Standardised for age and sex, where an indicator can be.")
@click.option("--by", callback=_one_of(("group", "age", "sex")), help="Split by group, age or sex.")
@click.option("--release", "release_id", metavar="ID", help="Release to count on.  [default: the newest]")
@_language_option
@_data_option
def export(
    indicator_ids: tuple[str, ...],
    level: str,
    area: str | None,
    area_level: str | None,
    first: str | None,
    last: str | None,
    grain: Any,
    format_: Any,
    dialect: Any,
    output: Path | None,
    map_id: Any,
    standardised: bool,
    by: Any,
    release_id: str | None,
    lang: Any,
    data: Path,
) -> None:
    """Figures of indicators for areas of a level, as Parquet, CSV, XLSX or Arrow.

    The same request on the same release gives the same bytes, here and from the dashboard. Below the areas that are
    asked for stand those to compare with: the one they lie in and the country (column role).

    \b
    Every municipality by quarter, standardised:
      python -m kpis export preventable_admissions_65plus --grain quarter --standardised
    The municipalities of KKR Nordjylland by month, for Excel:
      python -m kpis export readmissions_30d --area nordjylland --area-level kkr --grain month -o out.xlsx
    What happened in 2024, on the health councils of 2027:
      python -m kpis export readmissions_30d --level health_council --from 2024-01 --to 2024-12

    Parquet, Arrow and XLSX say themselves what they are: definition, codes, SQL, protection and what each column means.
    CSV cannot: a description (JSON, a Frictionless data package) is written beside it, with its SHA-256.
    """
    from kpis import export as files
    from kpis.area import LEVELS, MAPS, UnknownAreaError, find_area, levels, map_of
    from kpis.catalogue import fingerprint
    from kpis.period import add_months, periods_between
    from kpis.query import QueryError
    from kpis.release import ReleaseError, kept_release, open_release
    from kpis.slice import Slice

    indicators = [_indicator(indicator_id) for indicator_id in dict.fromkeys(indicator_ids)]
    for option, word in (("--level", level), ("--area-level", area_level)):
        if word is not None and word not in LEVELS:
            raise click.UsageError(f"{option} {_unknown(word, list(LEVELS))}")
    try:
        release = kept_release(data, release_id) if release_id else open_release(data)
    except ReleaseError as error:
        raise click.ClickException(error.said[lang]) from None
    first_month = _month("--from", first) if first else release.date("data_from")
    last_month = _month("--to", last) if last else add_months(release.date("as_of"), -1)
    periods = periods_between(first_month, last_month, grain)
    if not periods:
        raise click.UsageError(f"No whole {grain} lies within {first_month:%Y-%m} to {last_month:%Y-%m}.")
    maps = [item for item in (map_of(last_month), *MAPS) if level in levels(item)]
    if map_id and map_id not in maps:
        raise click.UsageError(f"--level {level} is not on the map of {map_id}; it is on that of {maps[0]}.")
    if standardised and not any(item.can_be_standardised for item in indicators):
        raise click.UsageError(f"{', '.join(indicator_ids)} cannot be standardised; leave out --standardised.")
    if format_ is None:
        format_ = output.suffix[1:] if output and output.suffix[1:] in FORMATS else "parquet"
    try:
        within = find_area(release, area, map_id or maps[0], area_level) if area is not None else None
        ids = tuple(item.id for item in indicators)
        wanted = Slice(ids, level, periods, standardised, map_id or maps[0], within, by)
        written = [files.export(release, wanted, format_, lang, dialect)]
        if format_ == "csv":
            written.append(files.description(release, wanted, lang, dialect, output.name if output else None))
    except (QueryError, UnknownAreaError) as error:
        raise click.UsageError(str(error)) from None
    for file in written:
        path = output or Path(file.name)
        path = path.with_suffix(Path(file.name).suffix) if file is not written[0] else path
        try:
            path.write_bytes(file.content)
        except OSError as error:
            raise click.ClickException(f"{path}: cannot be written ({error.strerror}).") from None
        rows = f"{wanted.row_count(release)} rows, " if file is written[0] else ""
        click.echo(f"{path}: {rows}{len(file.content)} bytes, SHA-256 {fingerprint(file.content)}", err=True)


def _indicator(indicator_id: str) -> Any:
    from kpis.indicator import load_indicators

    indicators = load_indicators()
    if indicator_id not in indicators:
        raise click.UsageError(f"Indicator {_unknown(indicator_id, list(indicators))}")
    return indicators[indicator_id]


def _month(option: str, text: str) -> Any:
    from kpis.period import Period

    try:
        period = Period.from_id(text)
    except ValueError:
        period = None
    if period is None or period.grain != "month":
        raise click.UsageError(f"{option}: {text!r} is not a month. Write it as 2024-01.")
    return period.first


if __name__ == "__main__":
    main(prog_name="python -m kpis")
