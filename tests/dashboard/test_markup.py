"""A page as HTML says what its components say, and nothing that a text holds can become an element."""

from dash import html

from dashboard.components.markup import Input, Markup, Tag, to_markup
from dashboard.components.svg import Svg


def test_components_become_the_elements_they_stand_for() -> None:
    page = html.Div(
        [
            html.A("Hjørring", href="/k/hjoerring?a=1&b=2", className="own", **{"aria-current": "page"}),
            html.Label("Søg", htmlFor="soeg"),
            Input(id="soeg", type="search", maxlength=80),
            html.Details(["mere", None, 3], open=True),
            html.Details("lukket", open=False),
            html.Div(style={"gridColumn": 2}),
        ],
        id="view",
    )
    written = to_markup(page)
    link = written.partition("<a ")[2].partition(">")[0]
    assert {'href="/k/hjoerring?a=1&amp;b=2"', 'class="own"', 'aria-current="page"'} == set(link.split(" "))
    assert '<label for="soeg">Søg</label>' in written
    assert "<input " in written and "</input>" not in written and 'maxlength="80"' in written
    assert "<details open>mere3</details>" in written and "<details>lukket</details>" in written
    assert 'style="grid-column:2"' in written
    assert written.startswith('<div id="view">') and written.endswith("</div>")


def test_texts_and_attributes_cannot_break_out() -> None:
    evil = '<img src=x onerror="alert(1)">'
    for part in (html.P(evil), Tag("td", evil), html.P("", title=evil), Tag("td", "", title=evil)):
        written = to_markup(part)
        assert written.count("<") == 2, "an element and its end"
        assert 'x" onerror' not in written


def test_a_light_tag_writes_what_the_component_writes() -> None:
    light = Tag("td", ["1 ", Tag("b", "2")], **{"class": "n"})
    assert to_markup(light) == to_markup(html.Td(["1 ", html.B("2")], className="n"))


def test_drawings_go_in_as_they_are() -> None:
    assert to_markup(Svg("<svg></svg>", className="svg")) == '<span class="svg"><svg></svg></span>'


def test_the_app_sends_one_piece_of_html(ask) -> None:
    children = ask("/k/hjoerring").json["response"]["view"]["children"]
    assert (children["namespace"], children["type"]) == ("naerblik", Markup._type)
    assert "<h1" in children["props"]["markup"] and "Hjørring" in children["props"]["markup"]
