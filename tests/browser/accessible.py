"""Every page as axe-core sees it: what it finds that is serious or critical."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from dashboard.agenda import Agenda, AgendaItem
from tests.browser.conftest import open_page

AXE = Path(__file__).with_name("axe.min.js")
AGENDA = Agenda(
    *("x", "Sundhed i Nordjylland", "KKR-møde", None, "v20260115T030000Z-test", "2024", "da"),
    (AgendaItem("Status", "/kkr/nordjylland", "At status tages til efterretning.", "Spørg til tallene."),),
)
PAGES = {
    "front": "/",
    "search": "/?soeg=s",
    "overview": "/k/hjoerring?visning=tabel",
    "small": "/k/laesoe",
    "region": "/region/nordjylland/overblik",
    "country": "/land",
    "carpet": "/kkr/nordjylland",
    "cluster": "/klynge/klynge-nord",
    "group as one area": "/kkr/nordjylland/overblik",
    "council": "/sundhedsraad/nordjylland?kort=2027",
    "compare": "/sammenlign/preventable_admissions_65plus?omraade=k-hjoerring",
    "funnel": "/sammenlign/preventable_admissions_65plus?omraade=k-hjoerring&visning=tragt",
    "map": "/sammenlign/preventable_admissions_65plus?omraade=k-hjoerring&visning=kort",
    "tiles": "/sammenlign/readmissions_30d?kommuner=aalborg,hjoerring&visning=felter",
    "group": "/sammenlign/readmissions_30d?omraade=k-hjoerring&udsnit=gruppe&visning=tabel",
    "own list": "/sammenlign/hip_fractures_65plus?kommuner=aalborg,laesoe",
    "levels": "/sammenlign/acute_place_occupancy?niveau=region&periode=2024",
    "depth": "/k/hjoerring/preventable_admissions_65plus",
    "depth by age": "/k/hjoerring/preventable_admissions_65plus?opdeling=alder",
    "depth by sex": "/land/readmissions_30d?opdeling=koen",
    "depth of years": "/k/hjoerring/preventive_home_visits_75plus",
    "depth of acute places": "/k/hjoerring/acute_place_capacity",
    "depth as a table": "/k/laesoe/chronic_admissions_18plus?opdeling=laengde&visning=tabel",
    "potential of the country": "/potentiale?maalestok=median&andel=50",
    "potential": "/potentiale?omraade=kkr-nordjylland",
    "across sectors": "/paa-tvaers?omraade=k-hjoerring",
    "across sectors, the country": "/paa-tvaers",
    "too uncertain": "/k/hjoerring/psychiatric_admissions_18plus",
    "psychiatry": "/sammenlign/psychiatric_readmissions_30d?omraade=region-nordjylland",
    "places of all": "/akutpladser",
    "places": "/akutpladser?soeg=hj",
    "places of an area": "/akutpladser?omraade=kkr-nordjylland",
    "effects": "/effekt",
    "effect": "/effekt/IND-01",
    "registering an effect": "/effekt/ny",
    "wall": "/k/hjoerring/preventable_admissions_65plus?m=1",
    "wall of an overview": "/k/hjoerring?m=1",
    "wall of a carpet": "/kkr/hovedstaden?m=1",
    "wall with a table": "/sammenlign/readmissions_30d?visning=tabel&m=1",
    "wall with a map": "/sammenlign/readmissions_30d?visning=kort&m=1",
    "agendas": "/moede?tilfoej=/k/hjoerring",
    "agenda": f"/moede/x?{AGENDA.to_link()}",
    "item of an agenda": f"/moede/x?punkt=1&{AGENDA.to_link()}",
    "data": "/data?indikatorer=preventable_admissions_65plus,days_after_ready",
    "api": "/api",
    "unknown passport": "/p/0000000000",
    "methods": "/metode",
    "method": "/metode/chronic_admissions_18plus",
    "about": "/om",
    "statement": "/tilgaengelighed?fejl=1",
    "wrong area": "/k/hjorring",
    "wrong address": "/findes/ikke",
}


def serious_faults(page: Page, name: str) -> list[str]:
    """What axe-core finds on the page that is open, with all of its details unfolded."""
    expect(page.locator("h1")).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.add_script_tag(path=AXE)
    result = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{name}: {fault['id']} ({fault['impact']}) {node['target']} {node['failureSummary']}"
        for fault in result["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def serious_faults_of_all(browser: Browser, address: str, lang: str, width: int, theme: str) -> str:
    """What axe-core finds on all pages, a line each."""
    # axe is a script of the test, not of the page: without bypass the page's own policy refuses it.
    page, _ = open_page(browser, address, bypass_csp=True, color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    found = []
    for name, url in PAGES.items():
        page.goto(f"{url}{'&' if '?' in url else '?'}sprog={lang}")
        found += serious_faults(page, name)
    page.context.close()
    return "\n".join(found)
