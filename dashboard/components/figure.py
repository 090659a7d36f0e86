"""A figure as the reader meets it: its sentence, the chart, the table with the same numbers, and its files."""

from typing import Any

from dash import dcc, html

from dashboard.components.attributes import aria
from dashboard.words import Words


def graph(figure: dict[str, Any], label: str, words: Words, height: int) -> html.Div:
    """Return a Plotly figure that asks no other host; ``label`` is what is read aloud first.

    Plotly's own defaults would offer to upload the figure's data, so every graph is made here.
    """
    chart = dcc.Graph(
        figure=figure,
        responsive=True,
        style={"height": f"{height}px"},
        config={
            "displaylogo": False,
            "displayModeBar": "hover",
            "modeBarButtons": [["toImage"]],
            "toImageButtonOptions": {"format": "png", "scale": 3, "filename": "naerblik"},
            "showSendToCloud": False,
            "plotlyServerURL": "",
            "displayNotifier": False,
            "topojsonURL": "/assets/topojson/",
            "scrollZoom": False,
            "locale": words.lang,
            "locales": {words.lang: {"dictionary": {"Download plot as a PNG": words("figure.picture")}}},
        },
    )
    return html.Div(chart, role="group", **aria(label=label))


def figure_block(sentence: str, chart: Any, twin: Any, actions: list[Any], words: Words, as_table: bool) -> html.Figure:
    """Return the figure with its sentence as heading; ``as_table`` shows the table in the place of the chart."""
    heading = html.Figcaption(html.H2(sentence))
    if as_table:
        return html.Figure([heading, twin, html.Div(actions, className="actions")])
    details = html.Details([html.Summary(words("figure.as_table")), twin])
    return html.Figure([heading, chart, html.Div(actions, className="actions"), details])
