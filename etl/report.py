"""The report that a load or check ends in: one HTML page to read, print and send back, its JSON, and the quarantine.

    build/reports/<UTC>-<load|check>.html      self-contained: no script, nothing fetched, Danish and English
    build/reports/<UTC>-<load|check>.json      the same facts
    build/reports/<UTC>-<load|check>.parquet   rows held back, one by one (columns of QUARANTINE)

Nothing in them names a person: values come masked, and every text is masked again here, file names too.
"""

import functools
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from etl.finding import Finding
from etl.load import FileReport, LoadReport
from etl.quarantine import mask

Occasion = Literal["load", "check"]
ROWS_SHOWN = 20  # of one rule in one file; the Parquet file has all


@functools.cache
def words() -> dict[str, Any]:
    """The texts of `words.toml`."""
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def rule_words(rule: str) -> dict[str, str]:
    """What a rule means (`da`, `en`) and what to do about it (`da_do`, `en_do`)."""
    rules = words()["rule"]
    return rules.get(rule) or rules.get(rule.split("-")[0]) or rules["other"]


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
    """The report as JSON; every finding carries the words of its rule."""
    files = [
        asdict(file) | {"findings": [asdict(finding) | rule_words(finding.rule) for finding in file.findings]}
        for file in report.files
    ]
    content = {
        "occasion": occasion,
        "created": created.isoformat(timespec="seconds"),
        "is_loadable": report.is_loadable,
        "problem": report.problem,
        "files": files,
        "passed_over": report.passed_over,
    }
    release = {"release": report.published.path.stem if report.published else None}  # no delivered text
    return json.dumps(_masked(content) | release, ensure_ascii=False, indent=1)


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
    if report.problem:
        body.append(f"<p>{_text(report.problem)}</p>")
    if report.published:
        body.append(f'<p class="quiet">{_both(text["release"])}: {report.published.path.stem}</p>')
    body += [f'<p class="quiet">{_both(text["no_persons"])}</p>', *_overview(report)]
    for file in report.files:
        body += _section(file)
    if report.passed_over:
        names = "".join(f"<li>{_text(name)}</li>" for name in report.passed_over)
        body.append(f"<section><h2>{_both(text['passed_over'])}</h2><ul>{names}</ul></section>")
    return _PAGE.format(title=_text(text["title"]["da"]), style=_STYLE, body="\n".join(body))


def _outcome(report: LoadReport, occasion: Occasion) -> dict[str, str]:
    text = words()["report"]
    if occasion == "check":
        return text["loadable" if report.is_loadable else "not_loadable"]
    if report.published is None:
        return text["not_loaded"]
    return text["published" if report.published.is_new else "nothing_new"]


def _tone(report: LoadReport) -> str:
    return "good" if report.is_loadable else "bad"


def _overview(report: LoadReport) -> Iterator[str]:
    text = words()["report"]
    heads = ("file", "kind", "status", "rows", "loaded", "duplicate", "superseded", "quarantined")
    yield f"<h2>{_both(text['overview'])}</h2>"
    yield "<table><thead><tr>" + "".join(f'<th scope="col">{_both(text[h])}</th>' for h in heads) + "</tr></thead>"
    yield "<tbody>"
    for file in report.files:
        numbers = (
            file.rows_in, file.rows_loaded, file.rows_duplicate, file.rows_superseded, file.rows_quarantined,
        )  # fmt: skip
        yield (
            f'<tr><th scope="row">{_text(Path(file.file).name)}</th><td>{_kind(file)}</td>'
            f'<td class="{file.status}">{_both(words()["status"][file.status])}</td>'
            + "".join(f'<td class="number">{_number(n)}</td>' for n in numbers)
            + "</tr>"
        )
    yield "</tbody></table>"


def _section(file: FileReport) -> Iterator[str]:
    text = words()["report"]
    yield f"<section><h2>{_text(file.file)}</h2>"
    yield f'<p>{_kind(file)} · <b class="{file.status}">{_both(words()["status"][file.status])}</b></p>'
    if file.status != "refused":
        parts = ("loaded", "duplicate", "superseded", "quarantined")
        counts = (file.rows_loaded, file.rows_duplicate, file.rows_superseded, file.rows_quarantined)
        sum_of = " + ".join(f"{_number(n)} {_both(text[part])}" for part, n in zip(parts, counts, strict=True))
        yield f"<p>{_number(file.rows_in)} {_both(text['equation'])} = {sum_of}</p>"
    if not file.findings:
        yield f'<p class="quiet">{_both(text["nothing_found"])}</p></section>'
        return
    heads = ("row", "column", "found")
    ordered = sorted(file.findings, key=lambda finding: (finding.rule, finding.row is not None, finding.row or 0))
    for rule, same in groupby(ordered, key=lambda finding: finding.rule):
        findings, said = list(same), rule_words(rule)
        yield f"<h3>{_text(rule)}: {_both(said)}</h3>"
        yield f'<p><span class="quiet">{_both(text["do"])}:</span> {_both(said, "_do")}</p>'
        yield "<table><thead><tr>" + "".join(f'<th scope="col">{_both(text[h])}</th>' for h in heads) + "</tr></thead>"
        yield "<tbody>" + "".join(_finding(finding) for finding in findings[:ROWS_SHOWN]) + "</tbody></table>"
        if len(findings) > ROWS_SHOWN:
            yield f'<p class="quiet">+ {_number(len(findings) - ROWS_SHOWN)} {_both(text["more"])}</p>'
    yield "</section>"


def _finding(finding: Finding) -> str:
    row = _number(finding.row) if finding.row is not None else _both(words()["report"]["whole_file"])
    return (
        f'<tr><td class="number">{row}</td><td>{_text(finding.column or "")}</td>'
        f'<td lang="en">{_text(finding.message)}</td></tr>'
    )


def _kind(file: FileReport) -> str:
    if file.kind is None:
        return _both(words()["report"]["unknown_kind"])
    return _both(words()["kind"].get(file.kind, {"da": file.kind, "en": file.kind}))


def _both(texts: dict[str, str], ending: str = "") -> str:
    da, en = texts["da" + ending], texts["en" + ending]
    return f'<span class="da" lang="da">{_text(da)}</span><span class="en" lang="en">{_text(en)}</span>'


def _number(n: int) -> str:
    """With thin spaces between thousands: read alike in both languages."""
    return f"{n:,}".replace(",", "\u202f")


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
thead th { color: #55606e; font-weight: 600; } tbody th { font-weight: 600; overflow-wrap: anywhere; }
section th:nth-child(1) { width: 6rem; } section th:nth-child(2) { width: 11rem; }
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
