"""S1: forged requests. None gets an answer of 500 or more, none makes a page fail, none learns what is inside."""

import os
from collections import Counter
from urllib.parse import urlsplit

from dashboard.app import create_app
from dashboard.words import load_words
from kpis.indicator import LANGUAGES
from tests.attack.forged import forged
from tests.server import ROOT

REQUESTS = 20_000 if os.environ.get("NAERBLIK_ATTACK") == "full" else 300
INSIDE = ("Traceback (most", "site-packages", "_duckdb", "polars.", "object at 0x", "werkzeug", "gunicorn", 'File "/')


def test_no_forged_request_succeeds_or_learns_anything(country_data) -> None:
    client = create_app(country_data).server.test_client()
    trouble = [load_words(lang)("trouble.error").partition(".")[0] for lang in LANGUAGES]
    assert all(map(str.isascii, trouble)), "JSON would write it in another way"
    statuses: Counter[int] = Counter()
    failed: list[str] = []
    for request in forged(REQUESTS):
        path, query = urlsplit(request.path).path, request.path.partition("?")[2]
        answer = client.open(
            path, method=request.method, query_string=query, data=request.body, headers=request.headers
        )
        statuses[answer.status_code] += 1
        text = answer.get_data().decode("utf-8", "replace")
        told = [part for part in (*INSIDE, str(ROOT), str(country_data), *trouble) if part in text]
        if answer.status_code >= 500 or told:
            failed.append(f"{answer.status_code} {told} {request}"[:600])
    print(f"\n{REQUESTS} forged requests: {dict(sorted(statuses.items()))}, {len(failed)} failed")
    assert failed == []
    assert statuses[400] > REQUESTS / 20, "the requests are not forged enough"
    assert statuses[200] > REQUESTS / 20, "none comes as far as a page"
