"""Areas by size with their intervals: many as a caterpillar, few as a list of names."""

from collections.abc import Collection
from typing import Any

import numpy as np
import polars as pl

from dashboard.figures.plotly import GROUP, MARGIN, OTHERS, OWN, STRONG, axis, layout
from dashboard.figures.svg import dot, ornament
from dashboard.words import Words

NAMED_UP_TO = 30
"""So many areas still get a line and a name each; more are drawn side by side."""
_ROW = 26


def height(n_areas: int) -> int:
    """Return the height in pixels that so many areas need."""
    return 90 + _ROW * n_areas if n_areas <= NAMED_UP_TO else 390


def caterpillar(
    estimates: pl.DataFrame,
    own: str | None,
    group: Collection[str],
    country: tuple[str, float] | None,
    axis_title: str,
    digits: int,
    words: Words,
) -> dict[str, Any]:
    """Return the figure of ``estimates`` (rows of ESTIMATES, one an area) by rising value.

    ``own`` and ``group`` are codes of the areas that stand out; ``country`` is name and value of the line across.
    Areas without a value are left out: the page names them.
    """
    shown = estimates.drop_nulls("value").sort("value", "area_name")
    is_list = shown.height <= NAMED_UP_TO
    place, size = ("y", "x") if is_list else ("x", "y")
    traces = []
    for kind, (color, width, size_of_dot), codes in (
        ("others", (OTHERS, 1.2, 6), set(shown["area_code"]) - set(group) - {own}),
        ("group", (GROUP, 1.8, 7), set(group) - {own}),
        ("own", (OWN, 2.6, 10), {own}),
    ):
        rows = shown.with_row_index("place").filter(pl.col("area_code").is_in(list(codes)))
        if rows.is_empty():
            continue
        spread = {
            "type": "data",
            "symmetric": False,
            "array": (rows["upper"] - rows["value"]).fill_null(0).to_list(),
            "arrayminus": (rows["value"] - rows["lower"]).fill_null(0).to_list(),
            "color": color,
            "thickness": width,
            "width": 0,
        }
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "uid": kind,  # becomes the class "traceown", by which the style sheet fits the colour to the theme
                place: rows["place"].to_list(),
                size: rows["value"].to_list(),
                f"error_{size}": spread,
                "marker": {"color": color, "size": size_of_dot + 2 * (is_list and kind != "own")},
                "customdata": [_hover(row, digits, words) for row in rows.iter_rows(named=True)],
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    numbers = axis(tickformat=",~f", range=_span(shown), autorange=False)
    places = axis(showgrid=False, range=[-1, shown.height])
    if is_list:
        places |= {
            "tickvals": list(range(shown.height)),
            "ticktext": [
                f"<b>{name}</b>" if code == own else name
                for code, name in shown.select("area_code", "area_name").iter_rows()
            ],
            "autorange": False,
            "range": [shown.height - 0.4, -0.6],
        }
    else:
        places |= {"showticklabels": False}
    return {
        "data": traces,
        "layout": layout(
            words,
            **{f"{place}axis": places, f"{size}axis": numbers},
            margin=MARGIN | ({"b": 48} if is_list else {"r": 110}),
            shapes=_lines(country, size),
            annotations=[
                _title(axis_title, is_list),
                *_country_label(country, size, digits, words),
                *_own_label(shown, own, is_list),
            ],
        ),
    }


def _span(shown: pl.DataFrame) -> list[float]:
    """Ends of the axis: every value, and the intervals of all but the few widest, whose lines run off the edge.

    One tiny municipality would otherwise squeeze all others into a third of the height.
    """
    if shown.is_empty():
        return [0.0, 1.0]
    values = shown["value"].to_numpy()
    lower, upper = shown["lower"].drop_nulls().to_numpy(), shown["upper"].drop_nulls().to_numpy()
    few = shown.height <= NAMED_UP_TO  # a list has room for every line
    low = min(values.min(), *np.quantile(lower, [0.0 if few else 0.03])) if lower.size else values.min()
    high = max(values.max(), *np.quantile(upper, [1.0 if few else 0.97])) if upper.size else values.max()
    margin = 0.05 * ((high - low) or abs(high) or 1.0)
    return [float(low - margin), float(high + margin)]


def _title(text: str, is_list: bool) -> dict[str, Any]:
    """Say over the plot what its numbers are; along an upright axis one would have to bend the head."""
    place = {"y": 0, "yanchor": "top", "yshift": -24} if is_list else {"y": 1, "yanchor": "bottom", "yshift": 6}
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "xanchor": "left",
        "font": {"size": 12},
    } | place


def mark_key(kind: str) -> str:
    """Draw one mark of the figure for the legend: own, group or others."""
    cls, radius = {"own": ("d-last", 5), "group": ("d-group", 4.5), "others": ("d-all", 4)}[kind]
    return ornament(28, 20, [dot(14, 10, radius, cls)])


def _hover(row: dict[str, Any], digits: int, words: Words) -> str:
    value = words.number(row["value"], digits)
    if row["lower"] is None:
        return f"<b>{row['area_name']}</b><br>{value}"
    return f"<b>{row['area_name']}</b><br>{value} ({words.interval(row['lower'], row['upper'], digits)})"


def _lines(country: tuple[str, float] | None, size: str) -> list[dict[str, Any]]:
    if country is None:
        return []
    along = {"x": ("x0", "x1", "y0", "y1"), "y": ("y0", "y1", "x0", "x1")}[size]
    across = "y" if size == "x" else "x"
    ends = dict(zip(along, (country[1], country[1], 0, 1), strict=True))
    return [
        {"type": "line", **ends, f"{across}ref": "paper", "line": {"color": STRONG, "width": 1.2, "dash": "4px,3px"}}
    ]


def _country_label(country: tuple[str, float] | None, size: str, digits: int, words: Words) -> list[dict[str, Any]]:
    if country is None:
        return []
    between = " " if size == "x" else "<br>"
    text = f"{country[0]}{between}{words.number(country[1], digits)}"
    at = (
        {"x": country[1], "y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "center"}
        if size == "x"
        else {"x": 1, "xref": "paper", "xshift": 6, "y": country[1], "xanchor": "left", "yanchor": "middle"}
    )
    return [{"text": text, "showarrow": False, "font": {"size": 12}, "align": "left", **at}]


def _own_label(shown: pl.DataFrame, own: str | None, is_list: bool) -> list[dict[str, Any]]:
    """Name the own area beside its mark; in a list the name stands at the axis already."""
    if is_list or own is None:
        return []
    found = shown.with_row_index("place").filter(pl.col("area_code") == own)
    if found.is_empty():
        return []
    row = found.row(0, named=True)
    to_the_left = row["place"] > shown.height / 2
    return [
        {
            "text": f"<b>{row['area_name']}</b>",
            "x": row["place"],
            "y": row["upper"] if row["upper"] is not None else row["value"],
            "showarrow": True,
            "arrowcolor": OWN,
            "arrowhead": 0,
            "arrowwidth": 1,
            "ax": -30 if to_the_left else 30,
            "ay": -28,
            "xanchor": "right" if to_the_left else "left",
            "font": {"size": 13},
        }
    ]
