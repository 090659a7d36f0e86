"""Short names for figures: a few letters that stand for one request on one release.

The same request on the same release has the same id everywhere, on a page, in a file, from the API and from the
command line, so that it can be told from a print what it shows. What an id stands for cannot be read from it:
`dashboard.passport` keeps that.
"""

import hashlib
import re

LENGTH = 10
"""Letters of an id: 50 bits, so that among 100,000 of them two alike are met once in 200,000 such collections."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: without i, l, o and u, which are misread or misheard
_MISREAD = str.maketrans("oilu", "011v")


def passport_of(request: str, release_id: str) -> str:
    """The id of a request on a release: the first 50 bits of their SHA-256, as ten letters."""
    number = int.from_bytes(hashlib.sha256(f"{request}\n{release_id}".encode()).digest()[:7], "big") >> 6
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(LENGTH)))


def read_passport(text: str) -> str | None:
    """The id that somebody typed: capitals, hyphens and spaces do not matter, o is 0, i and l are 1; None if none."""
    spelled = re.sub(r"[\s-]", "", text[:40]).casefold().translate(_MISREAD)
    return spelled if len(spelled) == LENGTH and set(spelled) <= set(_ALPHABET) else None
