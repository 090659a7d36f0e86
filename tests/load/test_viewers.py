"""L1 in short: viewers and publications at once, no errors. How fast and how long is measured by `make soak`."""

from tests.load.viewers import opened, watched


def test_viewers_see_every_publication_and_no_error(country_data) -> None:
    outcome = watched(country_data, minutes=0.4, viewers=12, every=1.0, publications=2, settle=2.0)
    print("\n" + outcome.in_words())
    assert outcome.seen.errors == []
    assert len(outcome.seen.releases) == 2
    assert len(outcome.seen.seconds) > 60
    assert set(outcome.after) == set(outcome.before), "a worker was replaced"


def test_first_visits_get_all_that_they_ask_for(country_data) -> None:
    seen = opened(country_data, visitors=6, seconds=1.0)
    assert seen.errors == []
    assert len(seen.seconds) == 6
