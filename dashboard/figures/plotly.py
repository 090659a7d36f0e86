"""What all Plotly figures share. Dicts, not ``go.Figure``: building those costs 20–40 ms each, and a dict nothing."""

from typing import Any

from dashboard.words import Words

# Seen on white; on dark paper the style sheet lightens them. One figure serves both themes.
OWN, GROUP, OTHERS, RULE = "#1a5fa8", "#6fa3d8", "#9aa5b0", "rgba(128,140,152,0.25)"
STRONG = "#77818c"
MARGIN = {"l": 8, "r": 8, "t": 28, "b": 8}
FONT = '"Inter Variable", system-ui, sans-serif'


def layout(words: Words, **more: Any) -> dict[str, Any]:
    """Return a quiet layout with the language's separators; ``more`` adds to it."""
    return {
        "font": {"family": FONT, "size": 13},
        "separators": ",." if words.lang == "da" else ".,",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": MARGIN,
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": "#55626f", "font": {"family": FONT, "color": "#16202a"}},
        "dragmode": False,
    } | more


def axis(**more: Any) -> dict[str, Any]:
    """Return an axis with faint rules and room for its labels."""
    return {
        "gridcolor": RULE,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "tickfont": {"size": 12},
        "ticks": "",
    } | more
