"""Pictures: a drawing that stands alone, says what it shows, and asks nobody for anything."""

from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from dash import html

from dashboard.app import create_app
from tests.dashboard.conftest import figure, shown, text_of, walk

VIEWS = {
    "maaneder": "/k/hjoerring/preventable_admissions_65plus",
    "opdeling-figur": "/k/hjoerring/preventable_admissions_65plus?sprog=en&opdeling=alder",
    "forventet": "/k/hjoerring/preventable_admissions_65plus",
    "potentiale": "/potentiale?omraade=kkr-nordjylland",
    "henvisere": "/akutpladser",
}


def ask(client, name: str, view: str):
    return client.get(f"/billede/{name}.svg?{urlencode({'adresse': view})}")


@pytest.mark.parametrize(("name", "view"), VIEWS.items(), ids=VIEWS)
def test_a_picture_holds_title_sentence_drawing_and_source(country, country_data, client, name, view) -> None:
    answer = ask(client, name, view)
    assert answer.status_code == 200 and answer.mimetype == "image/svg+xml"
    assert f"naerblik_{name}_{country.id}.svg" in answer.headers["Content-Disposition"]
    page = shown(country_data, view)
    root = ElementTree.fromstring(answer.text)
    texts = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]
    sentence = text_of(next(part for part in walk(figure(page.content, name)) if isinstance(part, html.Figcaption)))
    assert sentence in " ".join(texts)
    assert page.title.removesuffix(" – Nærblik") in texts
    assert country.id in " ".join(texts)
    assert "var(" not in answer.text, "colours of the page's style sheet do not reach a file"
    assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    # every class that the drawing uses has its rule in the file
    used = {cls for node in root.iter() for cls in node.get("class", "").split()}
    style = next(root.iter("{http://www.w3.org/2000/svg}style")).text or ""
    assert {cls for cls in used if f".{cls}" not in style} == set()


def test_every_figure_offers_its_picture(country_data, client) -> None:
    for view in set(VIEWS.values()):
        content = shown(country_data, view).content
        offered = [part.href for part in walk(content) if isinstance(part, html.A) and "/billede/" in part.href]
        assert offered
        for href in offered:
            assert client.get(href).status_code == 200


@pytest.mark.parametrize(
    ("name", "view", "status"),
    [
        ("nothing", "/akutpladser", 404),
        ("henvisere", "/akutpladser?visning=tabel", 404),
        ("henvisere", "/om", 404),
        ("view", "/", 404),
        ("henvisere", "//evil.example/x?%00", 404),
    ],
)
def test_what_is_no_drawing_is_told_plainly(client, name, view, status) -> None:
    answer = ask(client, name, view)
    assert answer.status_code == status
    assert answer.mimetype == "text/plain"


def test_without_a_release_there_is_no_picture(tmp_path) -> None:
    client = create_app(tmp_path).server.test_client()
    assert ask(client, "maaneder", "/k/hjoerring/preventable_admissions_65plus").status_code == 503
