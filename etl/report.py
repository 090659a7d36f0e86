"""The report that a load or check ends in: one HTML page to read, print and send back, its JSON, and the quarantine.

    build/reports/<UTC>-<load|check>.html      self-contained: no script, nothing fetched, Danish and English
    build/reports/<UTC>-<load|check>.json      the same facts
    build/reports/<UTC>-<load|check>.parquet   rows held back, one by one (columns of QUARANTINE)

Nothing in them names a person: values come masked, and every text is masked again here, file names too.
"""

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from babel.numbers import format_decimal

from etl.finding import Finding
from etl.load import QUIET, FileReport, LoadReport
from etl.quarantine import mask
from etl.shape import EXPECTED_RULES
from etl.words import Both, words
from kpis.indicator import LANGUAGES, Language

Occasion = Literal["load", "check"]
WORST_FIRST = ("refused", "accepted_with_warnings", "accepted")
ROWS_SHOWN = 20  # of one rule in one file; the Parquet file has all


def rule_words(rule: str) -> dict[str, str]:
    """What a rule means (`da`, `en`) and what to do about it (`da_do`, `en_do`)."""
    rules = words()["rule"]
    return rules.get(rule) or rules.get(rule.split("-")[0]) or rules["other"]


def to_terminal(report: LoadReport, occasion: Occasion, language: Language) -> Iterator[tuple[str, str]]:
    """The report as lines for a terminal, each with its tone: a status, `good`, `bad`, `quiet` or none."""
    text = {key: entry[language] for key, entry in words()["report"].items()}
    for file in report.files:
        kind = words()["kind"].get(file.kind, words()["report"]["unknown_kind"])[language]
        yield f"{file.file}: {words()['status'][file.status][language]} – {kind}", file.status
        yield f"    {_sum(file, language)}", "quiet"
        for (rule, _), same in groupby(_by_rule(file), key=_sentence):
            first, *more = same
            where = "" if first.row is None else f"{text['row'].lower()} {first.row}"
            place = ", ".join(part for part in (where, first.column) if part)
            said = mask(first.in_words(language))
            yield f"    {rule:<10} {f'{place}: ' if place else ''}{said}", ""
            if more:
                yield f"    {'':<10} + {len(more)} {text[_one_or('more', len(more))]}", "quiet"
            if not _is_quiet(first):
                yield f"    {'':<10} → {rule_words(rule)[f'{language}_do']}", "quiet"
    for name in report.passed_over:
        yield f"{name}: {text['not_data']}", "accepted_with_warnings"
    yield _outcome(report, occasion)[language], _tone(report)
    for reason in (report.problem, report.lacking):
        if reason:
            yield reason[language], _tone(report)
    if report.period:
        yield report.period[language], "quiet"


def write_report(report: LoadReport, occasion: Occasion, data_dir: Path) -> Path:
    """Write the report's three files to the data folder; return the path of the HTML page. Raises OSError."""
    created = datetime.now(tz=UTC)
    folder = data_dir / "build" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{created:%Y%m%dT%H%M%S%f}-{occasion}.html"
    report.held_back.write_parquet(page.with_suffix(".parquet"))
    page.with_suffix(".json").write_text(to_json(report, occasion, created), encoding="utf-8")
    page.write_text(to_html(report, occasion, created), encoding="utf-8")
    return page


def to_json(report: LoadReport, occasion: Occasion, created: datetime) -> str:
    """The report as JSON; every finding carries its sentence and the words of its rule, in both languages."""
    files = [
        asdict(file) | {"findings": [_finding_json(finding) for finding in file.findings]} for file in report.files
    ]
    content = {
        "occasion": occasion,
        "created": created.isoformat(timespec="seconds"),
        "is_loadable": report.is_loadable,
        "problem": report.problem,
        "lacking": report.lacking,
        "period": report.period,
        "files": files,
        "passed_over": report.passed_over,
    }
    release = {"release": report.published.path.stem if report.published else None}  # no delivered text
    return json.dumps(_masked(content) | release, ensure_ascii=False, indent=1)


def _finding_json(finding: Finding) -> dict[str, Any]:
    where = {"row": finding.row, "column": finding.column, "rule": finding.rule}
    return where | {"found_da": finding.da, "found_en": finding.en} | rule_words(finding.rule)


def _masked(value: Any) -> Any:
    match value:
        case str():
            return mask(value)
        case list():
            return [_masked(item) for item in value]
        case dict():
            return {key: _masked(item) for key, item in value.items()}
        case _:
            return value


def to_html(report: LoadReport, occasion: Occasion, created: datetime) -> str:
    """The report as one HTML page. The language is switched by two radio buttons and CSS."""
    text = words()["report"]
    body = [
        f"<h1>{_both(text['title'])}</h1>",
        f'<p class="quiet">{_both(text[occasion])} · {_both(text["made"])} {created:%Y-%m-%d %H:%M} UTC</p>',
        f'<p class="outcome {_tone(report)}">{_both(_outcome(report, occasion))}</p>',
    ]
    body += [f"<p>{_both(reason)}</p>" for reason in (report.problem, report.lacking) if reason]
    if report.period:
        body.append(f'<p class="quiet">{_both(report.period)}</p>')
    if report.published:
        body.append(f'<p class="quiet">{_both(text["release"])}: {report.published.path.stem}</p>')
    files = sorted(report.files, key=lambda file: WORST_FIRST.index(file.status))
    name_of = _short_names(files)
    body += [f'<p class="quiet">{_both(text["no_persons"])}</p>', *_overview(files, name_of)]
    for file in files:
        body += _section(file, name_of[file.file])
    if report.passed_over:
        names = "".join(f"<li>{_text(Path(name).name)}</li>" for name in report.passed_over)
        body.append(f"<section><h2>{_both(text['passed_over'])}</h2><ul>{names}</ul></section>")
    return _PAGE.format(title=_text(text["title"]["da"]), style=_STYLE, body="\n".join(body))


def _outcome(report: LoadReport, occasion: Occasion) -> Both:
    text = words()["report"]
    if occasion == "check":
        if report.lacking:
            return text["files_fine"]
        return text["loadable" if report.is_loadable else "not_loadable"]
    if report.published is None:
        return text["not_loaded"]
    return text["published" if report.published.is_new else "nothing_new"]


def _tone(report: LoadReport) -> str:
    return "good" if report.is_loadable else "bad"


def _short_names(files: list[FileReport]) -> dict[str, str]:
    """The files' names without the folder that all lie in: where that is concerns nobody who delivers."""
    folder = os.path.commonpath([Path(file.file).parent for file in files]) if files else ""
    return {file.file: os.path.relpath(file.file, folder) for file in files}


def _overview(files: list[FileReport], name_of: dict[str, str]) -> Iterator[str]:
    text = words()["report"]
    heads = ("file", "kind", "status", "rows", "loaded", "duplicate", "superseded", "quarantined")
    yield f"<h2>{_both(text['overview'])}</h2>"
    yield '<div class="wide"><table><thead><tr>' + _heads(heads) + "</tr></thead><tbody>"
    for file in files:
        numbers = (
            file.rows_in, file.rows_loaded, file.rows_duplicate, file.rows_superseded, file.rows_quarantined,
        )  # fmt: skip
        yield (
            f'<tr><th scope="row">{_name(name_of[file.file])}</th><td>{_kind(file)}</td>'
            f'<td class="{file.status}">{_both(words()["status"][file.status])}</td>'
            + "".join(f'<td class="number">{_number(n) if file.is_counted else "–"}</td>' for n in numbers)
            + "</tr>"
        )
    yield "</tbody></table></div>"


def _section(file: FileReport, name: str) -> Iterator[str]:
    """A file: what there is to do, each with the rows it is about, and below it what is only told."""
    text = words()["report"]
    yield f"<section><h2>{_text(name)}</h2>"
    yield f'<p>{_kind(file)} · <b class="{file.status}">{_both(words()["status"][file.status])}</b></p>'
    yield f"<p>{_both({language: _sum(file, language) for language in LANGUAGES})}</p>"
    if not file.findings:
        yield f'<p class="quiet">{_both(text["nothing_found"])}</p>'
    to_mend = [finding for finding in _by_rule(file) if not _is_quiet(finding)]
    for _, same in groupby(to_mend, key=lambda finding: rule_words(finding.rule)["da_do"]):
        findings = list(same)
        yield f"<h3>{_both(rule_words(findings[0].rule), '_do')}</h3>"
        yield "<table><thead><tr>" + _heads(("row", "column", "found", "rule")) + "</tr></thead><tbody>"
        for _, of_rule in groupby(findings, key=lambda finding: finding.rule):
            yield from _rows(list(of_rule))
        yield "</tbody></table>"
    if quiet := [finding for finding in _by_rule(file) if _is_quiet(finding)]:
        yield f'<h3>{_both(text["only_told"])}</h3><ul class="quiet">'
        for _, of_rule in groupby(quiet, key=lambda finding: finding.rule):
            first, *more = of_rule
            count = (
                f" (+ {_number(len(more))} {_both(text[_one_or('more', len(more))])})"
                if more and first.row is not None
                else ""
            )
            for finding in [first] if count else [first, *more]:
                yield f"<li>{_both({'da': finding.da, 'en': finding.en})}{count}</li>"
        yield "</ul>"
    yield "</section>"


def _heads(keys: tuple[str, ...]) -> str:
    return "".join(f'<th scope="col">{_both(words()["report"][key])}</th>' for key in keys)


def _rows(findings: list[Finding]) -> Iterator[str]:
    """The rows of one rule, so many as are shown, and how many more there are."""
    for finding in findings[:ROWS_SHOWN]:
        row = _number(finding.row) if finding.row is not None else _both(words()["report"]["whole_file"])
        found = {"da": finding.da, "en": finding.en}
        yield (
            f'<tr><td class="number">{row}</td><td>{_text(finding.column or "")}</td><td>{_both(found)}</td>'
            f'<td class="quiet">{_text(finding.rule)}</td></tr>'
        )
    if len(findings) > ROWS_SHOWN:
        n = len(findings) - ROWS_SHOWN
        more = f"+ {_number(n)} {_both(words()['report'][_one_or('more', n)])}"
        yield f'<tr><td class="quiet" colspan="4">{more}</td></tr>'


def _sentence(finding: Finding) -> tuple[str, str]:
    """What findings told once have in common: of rows the rule; each sentence on a whole file stands for itself."""
    return finding.rule, finding.en if finding.row is None else ""


def _is_quiet(finding: Finding) -> bool:
    return finding.rule in (*QUIET, *EXPECTED_RULES)


def _by_rule(file: FileReport) -> list[Finding]:
    """The findings: what refused the file, then what there is to mend, then what is only told; by remedy and row."""
    first = file.findings[0].rule if file.status == "refused" else None

    def place(finding: Finding) -> tuple[Any, ...]:
        remedy = rule_words(finding.rule)["da_do"]
        return finding.rule != first, _is_quiet(finding), remedy, finding.rule, finding.row or 0

    return sorted(file.findings, key=place)


def _sum(file: FileReport, language: Language) -> str:
    """How the rows of a file add up, in words."""
    text = {key: entry[language] for key, entry in words()["report"].items()}
    if not file.is_counted:
        return text["not_counted"]
    number = functools.partial(format_decimal, format="#,##0", locale=language)
    in_file = f"{number(file.rows_in)} {text[_one_or('equation', file.rows_in)]}"
    if file.status == "refused":
        return f"{in_file}, {text['none_loaded']}"
    parts = ("loaded", "duplicate", "superseded", "quarantined")
    counts = [f"{number(getattr(file, f'rows_{part}'))} {text[part]}" for part in parts]
    return f"{in_file} = {' + '.join(counts)}"


def _one_or(key: str, n: int) -> str:
    """The key of a word for one, or for several."""
    return f"{key}_one" if n == 1 else key


def _kind(file: FileReport) -> str:
    if file.kind is None:
        return _both(words()["report"]["unknown_kind"])
    return _both(words()["kind"].get(file.kind, {"da": file.kind, "en": file.kind}))


def _both(texts: Mapping[Any, str], ending: str = "") -> str:
    da, en = texts["da" + ending], texts["en" + ending]
    return f'<span class="da" lang="da">{_text(da)}</span><span class="en" lang="en">{_text(en)}</span>'


def _name(name: str) -> str:
    """A file's name, which may be broken where its parts meet."""
    return re.sub(r"(?<=[_/.-])(?=\w)", "<wbr>", _text(name))


def _number(n: int) -> str:
    return _both({language: format_decimal(n, "#,##0", locale=language) for language in LANGUAGES})


def _text(text: str) -> str:
    return escape(mask(text))


_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2733; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1.25rem; }
h1 { font-size: 1.75rem; margin: .5rem 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .25rem 0; } .quiet { color: #55606e; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid #d9dee5; }
thead th { color: #55606e; font-weight: 600; } tbody th { font-weight: 600; overflow-wrap: break-word; }
.wide { overflow-x: auto; } .wide table { min-width: 46rem; } .wide th:nth-child(1) { width: 14rem; }
section th:nth-child(1) { width: 5rem; } section th:nth-child(2) { width: 11rem; }
section th:nth-child(4) { width: 8rem; }
section td { overflow-wrap: anywhere; } ul { margin: .25rem 0; padding-left: 1.25rem; font-size: .9rem; }
@media (max-width: 40rem) { section th { width: auto !important; } section td:nth-child(4), section th:nth-child(4) {
  display: none; }
  /* what is hidden here stands with each file */
  .wide table { min-width: 0; font-size: .8rem; } .wide :is(th, td) { padding-right: .4rem; width: auto; }
  .wide :is(th, td):is(:nth-child(2), :nth-child(n + 5):nth-child(-n + 7)) { display: none; } }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.outcome { font-size: 1.1rem; padding: .6rem .9rem; border-left: 4px solid; margin: 1rem 0; background: #f5f7f9; }
.good, .accepted { color: #17603a; } .accepted_with_warnings { color: #7a4f00; } .bad, .refused { color: #a3211d; }
label { margin-right: 1rem; } #da:checked ~ main .en, #en:checked ~ main .da { display: none; }
section { border-top: 2px solid #d9dee5; margin-top: 2rem; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } input, label { display: none; }
  section { break-inside: avoid-page; } }
""".strip()

_PAGE = """<!doctype html>
<html lang="da">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>Nærblik – {title}</title>
<style>
{style}
</style>
</head>
<body>
<input type="radio" name="language" id="da" checked><label for="da" lang="da">Dansk</label>
<input type="radio" name="language" id="en"><label for="en" lang="en">English</label>
<main>
{body}
</main>
</body>
</html>
"""
