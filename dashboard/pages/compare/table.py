"""The twin of all drawings of a comparison."""

from dash import html

from dashboard import sentence
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import verdict_text
from dashboard.pages.compare.scope import Comparison
from dashboard.pages.scope import period_text
from dashboard.readings import Estimate
from dashboard.selection import Selection
from dashboard.words import Words


def table(shown: Comparison, selection: Selection, words: Words) -> html.Div:
    """Return the country, the group and then all areas by their values."""
    ordered = shown.peers.sort("value", "area_name", nulls_last=True).iter_rows(named=True)
    rows = [_table_row(shown.country, "country", shown, words, sentence.capitalised(words("area.in_country")))]
    if shown.group and shown.group_area:
        rows.append(_table_row(shown.group, "", shown, words, shown.group_area.name))
    rows += [
        _table_row(
            row,
            "own" if row["area_code"] == shown.own_code else "group" if row["area_code"] in shown.group_codes else "",
            shown,
            words,
        )
        for row in ordered
    ]
    columns = ["area", "value", "lower", "upper", "numerator", "denominator", "against", "verdict"]
    columns += ["place"] if shown.places else []
    caption = words("compare.table_caption", name=shown.texts.name, period=period_text(shown.period, words))
    return data_table(caption, [words(f"compare.column_{name}") for name in columns], rows, numeric=(0, 1, 2, 3, 4))


def _table_row(row: Estimate, kind: str, shown: Comparison, words: Words, name: str = "") -> Row:
    def number(column: str, digits: int) -> str:
        return words.number(row[column], digits) if row[column] is not None else ""

    judged = shown.verdicts.get(row["area_code"])
    place = shown.places.get(row["area_code"])
    cells = [
        sentence.value_text(row, shown.digits, words),
        number("lower", shown.digits),
        number("upper", shown.digits),
        number("numerator", 0),
        number("denominator", 0),
        sentence.side_text(row, shown.country, words) if kind != "country" else "",
        verdict_text(judged.verdict, words) if judged else "",
        *([words.interval(place.lower, place.upper) if place else ""] if shown.places else []),
    ]
    return Row(name or row["area_name"], cells, kind)
