"""The page about the API for people: what there is, what can be asked, and what the answers mean."""

from typing import Any

from dash import html

from dashboard.api.document import parameters
from dashboard.api.encoding import KINDS, MEDIA_TYPE
from dashboard.api.filters import MOST_ROWS
from dashboard.api.quota import BURST, ROWS_A_SECOND
from dashboard.api.resources import RESOURCES, Resource
from dashboard.components.table import Row, data_table
from dashboard.feeds import RELEASES
from dashboard.pages import Body
from dashboard.selection import Selection
from dashboard.words import Words, load_words
from kpis.release import Release

_STATUSES = (200, 304, 400, 404, 406, 410, 429, 503)


def page(selection: Selection, release: Release) -> Body:
    """Return the page: an example, every resource with its filters and columns, kinds, limits, answers."""
    words = load_words(selection.lang)
    first = RESOURCES[0]
    example = f"/api/v1/{first.path}.json?{first.example}"
    head = html.Div(
        [
            html.H1(words("api.heading"), tabIndex=-1),
            html.P(words("api.lead"), className="conclusion"),
            html.P([html.A(example, href=example, className="recipe"), ". ", words("api.example")]),
        ],
        className="page-head",
    )
    rules = [words(f"api.rule_{name}") for name in ("filters", "release", "same", "etag", "retired")]
    limits = words(
        "api.rule_limits",
        rate=words.number(ROWS_A_SECOND),
        burst=words.number(BURST),
        most=words.number(MOST_ROWS),
    )
    ways = [
        html.A("openapi.json", href=f"/api/v1/openapi.json{'?sprog=en' if words.lang == 'en' else ''}"),
        html.A("datapackage.json", href="/datapackage.json"),
        html.A("DCAT-AP", href="/katalog.jsonld"),
        html.A(words("data.way_feed"), href=RELEASES),
    ]
    listed: list[Any] = [part for way in ways for part in (" · ", way)][1:]
    return Body(
        words("api.title"),
        [
            head,
            html.Section([html.H2(words("api.resources")), *(_resource(item, release, words) for item in RESOURCES)]),
            html.Section(
                [html.H2(words("api.rules")), html.Ul([html.Li(text) for text in (*rules, limits)])],
                className="prose",
            ),
            html.Section([html.H2(words("api.kinds")), _kinds(words)], className="prose"),
            html.Section([html.H2(words("api.answers")), _answers(words)], className="prose"),
            html.Section([html.H2(words("api.more")), html.P(listed)], className="prose"),
        ],
    )


def _resource(resource: Resource, release: Release, words: Words) -> html.Details:
    path = f"/api/v1/{resource.path}"
    shown = path.replace("{id}", resource.example_id) + (f"?{resource.example}" if resource.example else "")
    filters = [
        Row(html.Code(told["name"]), [_allowed(told, words), told["description"]])
        for told in parameters(resource.filters, words)
    ]
    meanings = resource.meanings(words.lang, words)
    columns = [Row(html.Code(name), [str(kind), meanings[name]]) for name, kind in resource.columns.items()]
    filter_head = [words(f"api.column_head_{name}") for name in ("filter", "allowed", "meaning")]
    column_head = [words(f"api.column_head_{name}") for name in ("column", "type", "meaning")]
    summary = html.Summary([html.Code(path), " ", words(f"api.resource_{resource.name}")])
    return html.Details(
        [
            summary,
            html.P(html.A(shown, href=shown, className="recipe")),
            data_table(words("api.filters_of", path=path), filter_head, filters),
            data_table(words("api.columns_of", path=path), column_head, columns),
        ],
        id=f"ressource-{resource.name}",
    )


def _allowed(told: dict[str, Any], words: Words) -> str:
    schema = told["schema"]
    if schema.get("type") == "array":
        text = words("api.many")
    elif "enum" in schema:
        default = schema.get("default")
        text = ", ".join(words("api.default", value=item) if item == default else item for item in schema["enum"])
    else:
        text = words("api.such_as", value=", ".join(schema.get("examples", ())))
    return text + (f" ({words('api.required')})" if told["required"] else "")


def _kinds(words: Words) -> html.Div:
    rows = [
        Row(html.Code(f".{kind}"), [MEDIA_TYPE[kind].partition(";")[0], words(f"api.kind_{kind}")]) for kind in KINDS
    ]
    return data_table(
        words("api.kinds"), [words(f"api.column_head_{name}") for name in ("ending", "accept", "meaning")], rows
    )


def _answers(words: Words) -> html.Div:
    rows = [Row(html.Code(str(status)), [words(f"api.answer_{status}")]) for status in _STATUSES]
    return data_table(words("api.answers"), [words(f"api.column_head_{name}") for name in ("status", "meaning")], rows)
