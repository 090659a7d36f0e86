"""Sentences say what the estimates say. Every estimate here is written out; the answers are by hand."""

import pytest

from dashboard import sentence
from dashboard.words import load_words

DA, EN = load_words("da"), load_words("en")


def estimate(value: float | None, lower: float | None = None, upper: float | None = None, status: str = "ok") -> dict:
    return {"area_name": "Hjørring", "value": value, "lower": lower, "upper": upper, "status": status}


OWN, KKR, COUNTRY = estimate(51.2, 46.8, 55.9), estimate(56.4, 55.0, 57.8), estimate(55.1, 54.9, 55.3)


def compared(own: dict | None, group: dict | None = KKR, words=DA) -> str:
    return sentence.comparison(
        own, "Hjørring", group, "KKR Nordjylland", COUNTRY, [OWN, KKR], "kommuner", "2025", "pr. 1.000", 0, words
    )


def test_an_area_differs_from_what_lies_outside_its_interval() -> None:
    assert compared(OWN) == (
        "Hjørring: 51 pr. 1.000 (47–56). "
        "Det er lavere end KKR Nordjylland (56) og kan ikke skelnes fra hele landet (55)."
    )


def test_without_a_group_the_country_alone_is_the_benchmark() -> None:
    assert compared(estimate(70, 60, 80), None) == "Hjørring: 70 pr. 1.000 (60–80). Det er højere end hele landet (55)."


def test_two_like_findings_are_told_together() -> None:
    told = compared(estimate(55, 40, 70))
    assert told == "Hjørring: 55 pr. 1.000 (40–70). Det kan ikke skelnes fra KKR Nordjylland (56) og hele landet (55)."


def test_a_figure_without_interval_is_set_beside_and_not_judged() -> None:
    assert compared(estimate(51.2)) == "Hjørring: 51 pr. 1.000. KKR Nordjylland: 56. Hele landet: 55."


def test_a_missing_figure_has_a_word_and_no_number() -> None:
    told = compared(estimate(None, status="too_few"))
    assert told == "Hjørring: for få hændelser til metoden."


def test_without_an_area_the_sentence_tells_how_all_lie() -> None:
    assert compared(None) == "Kommuner ligger mellem 51 og 56; KKR Nordjylland 56 og hele landet 55 pr. 1.000."
    assert compared(None, None) == "Kommuner ligger mellem 51 og 56; hele landet 55 pr. 1.000."
    assert compared(None, None, words=EN) == "Kommuner lie between 51 and 56; whole country 55 pr. 1.000."


@pytest.mark.parametrize(
    ("value", "half", "digits"),
    [
        (57.0, 4.3, 0),
        (57.0, 1.0, 1),
        (11.4, 0.05, 1),
        (9.2, 0.05, 2),
        (4.11, None, 2),
        (79.9, None, 1),
        (240.0, None, 0),
    ],
)
def test_no_more_decimals_than_the_interval_supports(value: float, half: float | None, digits: int) -> None:
    row = estimate(value) if half is None else estimate(value, value - half, value + half)
    assert sentence.digits_of([row]) == digits


def test_no_estimates_need_no_decimals() -> None:
    assert sentence.digits_of([estimate(None)]) == 0


@pytest.mark.parametrize(("probability", "told"), [(0.0, 5), (0.04, 5), (0.52, 50), (0.93, 95), (1.0, 95)])
def test_no_forecast_is_told_as_certain(probability: float, told: int) -> None:
    assert sentence.odds(probability) == told


def test_overview_gathers_what_stands_out_by_verdict() -> None:
    def told(findings: dict[str, list[str]], judged: int = 4, words=DA) -> str:
        return sentence.overview("Hjørring", findings, judged, 4, "2025", False, words)

    assert told({}) == "Hjørring ligger som ventet på alle fire hovedindikatorer."
    assert told({}, judged=1) == "Hjørring ligger som ventet på de hovedindikatorer, der kan vurderes (én af fire)."
    assert told({}, judged=0, words=EN) == "None of the headline indicators can be judged for Hjørring in 2025."
    assert told({"bedre end ventet": ["Hoftebrud"]}) == (
        "Én af fire hovedindikatorer skiller sig ud i Hjørring. Bedre end ventet: Hoftebrud."
    )
    assert told({"klart bedre end ventet": ["Hoftebrud"]}, judged=1) == (
        "Én af fire hovedindikatorer skiller sig ud i Hjørring. Klart bedre end ventet: Hoftebrud. "
        "Kun én af de fire kan vurderes."
    )
    assert told({"dårligere end ventet": ["KOL", "Hoftebrud"], "bedre end ventet": ["Genindlæggelser"]}) == (
        "Tre af fire hovedindikatorer skiller sig ud i Hjørring. "
        "Dårligere end ventet: KOL og Hoftebrud. Bedre end ventet: Genindlæggelser."
    )
    assert sentence.overview("hele landet", {}, 4, 4, "2025", True, DA) == (
        "Hele landet: ingen tegn på ændring i nogen af de fire hovedindikatorer."
    )


def test_counterweights_that_cannot_be_judged_are_not_said_to_be_well() -> None:
    assert sentence.counterweights([], 2, 2, DA) == (
        "Ingen af modvægtene er dårligere end ventet eller bliver dårligere."
    )
    assert sentence.counterweights([], 1, 2, DA).startswith("Af modvægtene kan én af to vurderes;")
    assert sentence.counterweights([], 0, 2, DA) == "Ingen af modvægtene kan vurderes."
    assert sentence.counterweights(["Liggetid"], 1, 2, DA) == "Se efter: Liggetid."
