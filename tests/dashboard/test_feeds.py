"""Feeds: a reader of feeds understands them, and they say what the pages say."""

import feedparser
import pytest
from lxml import etree

from dashboard.app import create_app
from dashboard.feeds import RELEASES, head_links
from dashboard.news import area_news
from dashboard.view import show
from kpis.area import find_area
from kpis.indicator import LANGUAGES, load_indicators
from kpis.release import open_release
from tests.dashboard.conftest import walk
from tests.helpers import build_release

OLD, NEW = "v20260115T030000Z-old", "v20260215T030000Z-new"
HEADLINE = "preventable_admissions_65plus"
FEEDS = [RELEASES, "/feed/k-hjoerring.atom", "/feed/kkr-nordjylland.atom", f"/feed/indikator/{HEADLINE}.atom"]
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    build_release(folder, OLD, seed=2)
    build_release(folder, NEW, seed=1)
    return folder


@pytest.fixture(scope="module")
def client(data):
    return create_app(data).server.test_client()


@pytest.mark.parametrize("path", FEEDS)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_feed_is_atom_that_a_reader_understands(client, path, lang):
    answer = client.get(f"{path}?sprog={lang}")
    assert answer.mimetype == "application/atom+xml"
    read = feedparser.parse(answer.data)
    assert not read.bozo and read.version == "atom10"
    assert read.entries and all(entry.title and entry.link and entry.updated_parsed for entry in read.entries)
    root = etree.fromstring(answer.data)
    for part in (root, *root.iter(f"{ATOM}entry")):  # RFC 4287, 4.1: each exactly once
        for name in ("id", "title", "updated"):
            assert len(part.findall(ATOM + name)) == 1
    ids = [part.text for part in root.iter(f"{ATOM}id")]
    assert len(set(ids)) == len(ids)
    assert client.get(f"{path}?sprog={lang}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_ids_stay_the_same_and_words_do_not_change_them(client):
    once, again = (feedparser.parse(client.get("/feed/k-hjoerring.atom").data) for _ in range(2))
    assert [entry.id for entry in once.entries] == [entry.id for entry in again.entries]


def test_every_release_that_is_kept_is_told_the_newest_first(client):
    entries = feedparser.parse(client.get(RELEASES).data).entries
    assert [entry.link.partition("udgave=")[2] for entry in entries] == [NEW, OLD]
    assert entries[0].title == "Ny udgivelse med data til og med december 2025"


def test_the_feed_of_an_area_tells_its_signals_and_revisions_apart(data, client):
    release = open_release(data)
    area = find_area(release, "hjoerring", "2024", "municipality")
    news = area_news(release, area, "2024", load_indicators())
    titles = [entry.title for entry in feedparser.parse(client.get("/feed/k-hjoerring.atom").data).entries]
    assert sum(title.startswith("Nyt signal, Hjørring") for title in titles) == len(news.signals)
    assert f"Revision, Hjørring: {len(news.revisions)} tal er talt om" in titles and len(news.revisions) > 3
    assert sum(title.startswith("Ny udgivelse") for title in titles) == 2


def test_an_entry_leads_to_the_figures_on_its_release(data, client):
    for entry in feedparser.parse(client.get("/feed/k-hjoerring.atom").data).entries[:3]:
        address = entry.link.removeprefix("http://localhost")
        assert show(data, *address.partition("?")[::2]).address == address


def test_what_is_not_there_is_told(client):
    assert client.get("/feed/k-atlantis.atom").status_code == 400
    assert client.get("/feed/weather.atom").status_code == 404
    assert client.get("/feed/indikator/weather.atom").status_code == 404
    assert client.get("/feed/region-hovedstaden.atom?kort=2027").status_code == 410


@pytest.mark.parametrize(
    ("path", "feed"),
    [
        ("/k/hjoerring", "/feed/k-hjoerring.atom"),
        (f"/k/hjoerring/{HEADLINE}", "/feed/k-hjoerring.atom"),
        (f"/sammenlign/{HEADLINE}", f"/feed/indikator/{HEADLINE}.atom"),
        ("/", RELEASES),
        ('/k/"><script>', RELEASES),
    ],
)
def test_a_page_leads_to_its_feed(data, client, path, feed):
    head = client.get(path).text.partition("</head>")[0]
    links = etree.HTML(head).xpath("//link[@type='application/atom+xml']/@href")
    assert feed in links and set(links) <= {feed, RELEASES}
    assert client.get(feed).status_code == 200
    if path in ("/", "/k/hjoerring"):
        footer = next(part for part in walk(show(data, path, "").content) if getattr(part, "id", "") == "foot-feed")
        assert footer.href == feed


def test_a_path_cannot_write_into_the_head():
    assert '"><' not in head_links('/k/"><script>alert(1)</script>')
    assert head_links("/k/" + "x" * 40).count("<link") == 2
