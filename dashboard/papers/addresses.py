"""Where papers are had, for the pages that link to them."""

from dataclasses import replace

from dashboard.selection import Selection


def overview_address(selection: Selection) -> str:
    """Return where the overview of the selected area is had as one page in PDF, on the release that is selected."""
    chosen = replace(selection, page="area", view="chart", meeting=False)
    path, _, query = chosen.to_url().partition("?")
    return f"{path.removesuffix('/overblik')}.pdf" + (f"?{query}" if query else "")
