"""Person keys: what a delivery calls a person becomes a keyed 64-bit number before anything is written.

The database engine, its spill files and our Parquet files only ever see the number. The key is a file that
only its owner can read; without it the numbers cannot be turned back, nor made again.
"""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from etl.words import Problem, told

BIRTH_IN_ID = r"(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])(?:0[1-9]|1[0-2])\d{2}"
"""How a CPR number begins, as a pattern: day (plus 60 in a replacement number), month, year."""

KEY_BYTES = 32
CPR_DIGITS = 10


class KeyProblem(Problem):
    """The pseudonym key is missing, another one, too short, or readable by others."""


@dataclass(frozen=True)
class PseudonymKey:
    """A secret key; `key_id` names it in manifests without telling anything about it."""

    secret: bytes

    @property
    def key_id(self) -> str:
        """Eight hex digits that differ between keys."""
        return hashlib.blake2b(b"key id", key=self.secret, digest_size=4).hexdigest()

    def __repr__(self) -> str:
        return f"PseudonymKey({self.key_id})"


def read_key(path: Path) -> PseudonymKey:
    """Read the key file. Raises KeyProblem where it is missing, short or open to others."""
    if not path.is_file():
        raise KeyProblem(told("key.missing", path=path))
    if path.stat().st_mode & 0o077:
        raise KeyProblem(told("key.open", path=path))
    secret = path.read_bytes()
    if len(secret) < KEY_BYTES:
        raise KeyProblem(told("key.short", path=path, bytes=len(secret), needed=KEY_BYTES))
    return PseudonymKey(secret[:64])


def make_key(path: Path) -> PseudonymKey:
    """Make a new random key at `path` (mode 0400) unless one is there; return the one that is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        part.write_bytes(secrets.token_bytes(KEY_BYTES))
        part.chmod(0o400)
        part.rename(path)
    return read_key(path)


def normalise_persons(text: pl.Series) -> pl.Series:
    """One spelling per person: no spaces or dash, lost leading zero put back; blank and all-zero become null.

    A civil registration number is ten digits, the first six a date (test persons have 60 added to the day).
    Nine digits are taken as a lost leading zero only where that makes a date. Modulus 11 is never asked: numbers
    without it have been given out since 2007. What is no such number (register person ids) is kept as it stands.
    """
    is_plain = _has_digits_only(text, CPR_DIGITS)
    if not (is_plain | text.is_null()).all():
        odd = pl.DataFrame({"text": text.filter(~is_plain).unique()})
        bare = pl.col("text").str.replace_all(r"[\s\u00a0-]", "").str.to_uppercase()
        lost_zero = bare.str.contains(r"^[1-9](0[1-9]|1[0-2])\d{6}$")
        normal = pl.when(lost_zero).then("0" + bare).when(~bare.str.contains(r"^[0.]*$")).then(bare)
        odd = odd.with_columns(normal.alias("normal"))
        mended = text.replace_strict(odd["text"], odd["normal"], default=None, return_dtype=pl.String)
        text = text.zip_with(is_plain, mended)
    is_zero = (text.cast(pl.UInt64, strict=False) == 0).fill_null(False)
    return text.set(is_zero, None) if is_zero.any() else text


def _has_digits_only(text: pl.Series, fewest: int) -> pl.Series:
    """Whether each text is a number of `fewest` to 18 digits; false for null."""
    numbers, length = text.cast(pl.UInt64, strict=False), text.str.len_bytes()
    return (numbers.is_not_null() & length.is_between(fewest, 18) & ~text.str.starts_with("+")).fill_null(False)


def is_cpr(person: pl.Expr) -> pl.Expr:
    """Whether a normalised person is a civil registration number: ten digits that begin with a date.

    Made-up test persons are, too.
    """
    return person.str.contains(r"^(0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])(0[1-9]|1[0-2])\d{6}$")


def some_are_test_persons(persons: pl.Series) -> bool:
    """Whether any normalised person is one of the numbers set aside for made-up persons (day of birth + 60)."""
    is_number = (persons.str.len_bytes() == CPR_DIGITS).fill_null(False).to_numpy()
    numbers = persons.cast(pl.UInt64, strict=False).fill_null(0).to_numpy()[is_number]
    day, month = numbers // 10**8, numbers // 10**6 % 100
    return bool(((day > 60) & (day <= 91) & (month >= 1) & (month <= 12)).any())


def birth_date(person: pl.Expr) -> pl.Expr:
    """Date of birth from a civil registration number; null where there is none in it.

    The seventh digit gives the century (CPR-kontoret, "Personnummeret i CPR").
    """
    day = person.str.slice(0, 2).cast(pl.Int32, strict=False)
    month = person.str.slice(2, 2).cast(pl.Int32, strict=False)
    year = person.str.slice(4, 2).cast(pl.Int32, strict=False)
    seventh = person.str.slice(6, 1).cast(pl.Int32, strict=False)
    century = (
        pl.when(seventh <= 3)
        .then(1900)
        .when(seventh.is_in([4, 9]))
        .then(pl.when(year <= 36).then(2000).otherwise(1900))
        .otherwise(pl.when(year <= 57).then(2000).otherwise(1800))
    )
    day = pl.when(day > 60).then(day - 60).otherwise(day)
    text = pl.format("{}-{}-{}", century + year, month, day)
    return pl.when(person.str.contains(r"^\d{10}$")).then(text.str.to_date("%Y-%m-%d", strict=False))


def pseudonymise(persons: pl.Series, key: PseudonymKey) -> pl.Series:
    """The keyed number (UInt64) of each normalised person, null for null; the same person gives the same number.

    A person is one block of 128 bits (its digits as a number, and how many they are), encrypted with AES-256 under
    the secret key, cut to 64 bits: a pseudorandom function like a keyed hash, and millions a second. Ids with other
    signs than digits are hashed to a block first. Two of six million persons share a number with probability one in
    a million.
    """
    blocks = np.zeros((len(persons), 2), dtype="<u8")
    digits = _has_digits_only(persons, 1)
    plain = digits.to_numpy()
    blocks[:, 0] = persons.cast(pl.UInt64, strict=False).fill_null(0).to_numpy()
    blocks[:, 1] = persons.str.len_bytes().fill_null(0).to_numpy()
    if not plain.all():
        secret, mac = key.secret, hashlib.blake2b
        others = persons.filter(~digits).fill_null("")
        hashed = b"".join([mac(person.encode(), key=secret, digest_size=16).digest() for person in others.to_list()])
        blocks[~plain] = np.frombuffer(hashed, dtype="<u8").reshape(-1, 2)
    return pl.Series(_encrypted(blocks, key), dtype=pl.UInt64).set(persons.is_null(), None)


def pseudonymise_cprs(cprs: NDArray[np.uint64], key: PseudonymKey) -> NDArray[np.uint64]:
    """As `pseudonymise`, of civil registration numbers as the numbers that their ten digits write."""
    blocks = np.full((len(cprs), 2), CPR_DIGITS, dtype="<u8")
    blocks[:, 0] = cprs
    return _encrypted(blocks, key)


def _encrypted(blocks: NDArray[np.uint64], key: PseudonymKey) -> NDArray[np.uint64]:
    cipher = Cipher(algorithms.AES(key.secret[:32]), modes.ECB())
    encrypted = cipher.encryptor().update(blocks.view(np.uint8).ravel())  # type: ignore[arg-type]  # any buffer will do
    return np.frombuffer(encrypted, dtype="<u8")[::2].copy()
