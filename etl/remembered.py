"""What earlier releases have fixed: the thresholds that are left to every cell that was ever published.

    build/protection/thresholds.npz

It lies on the secure side beside the history, never in a release: together with a release it would tell true counts.
Without it a load stops until somebody says that it is lost (`etl.load`): all figures would be rounded anew.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from numba import njit

from etl.disk import replace_bytes

Bytes = npt.NDArray[np.uint8]

FILE = Path("build") / "protection" / "thresholds.npz"


class Thresholds(NamedTuple):
    """Of one family of counts: lowest (low four bits) and highest (high four bits) threshold left to each cell."""

    months: tuple[int, ...]  # year · 12 + month − 1
    municipalities: tuple[str, ...]
    strata: tuple[str, ...]
    left: Bytes  # [months, municipalities, strata]

    def on(self, months: Sequence[int], municipalities: Sequence[str], strata: Sequence[str], base: int) -> Bytes:
        """`left` on other axes; all thresholds where nothing was published before."""
        found = np.full((len(months), len(municipalities), len(strata)), nothing_known(base), np.uint8)
        axes = (self.months, months), (self.municipalities, municipalities), (self.strata, strata)
        here, there = zip(*(_shared(*axis) for axis in axes), strict=True)
        found[_crossing(there)] = self.left[_crossing(here)]
        return found

    def then(self, newer: "Thresholds", base: int) -> "Thresholds":
        """What `newer` says, which knew this, and this where `newer` has no such month, municipality or stratum."""
        axes = (
            tuple(sorted({*self.months, *newer.months})),
            tuple(sorted({*self.municipalities, *newer.municipalities})),
            tuple(sorted({*self.strata, *newer.strata})),
        )
        if tuple(map(len, axes)) == newer.left.shape:
            return newer
        left = self.on(*axes, base)
        pairs = zip((newer.months, newer.municipalities, newer.strata), axes, strict=True)
        here, there = zip(*(_shared(*pair) for pair in pairs), strict=True)
        left[_crossing(there)] = newer.left[_crossing(here)]
        return Thresholds(*axes, left)


@dataclass(frozen=True)
class Memory:
    """Thresholds by family of counts, and the base and the fewest persons they were chosen for."""

    base: int
    threshold: int
    families: Mapping[str, Thresholds] = field(default_factory=lambda: MappingProxyType({}))

    def with_family(self, name: str, thresholds: Thresholds) -> "Memory":
        """The same with one family told anew."""
        before = self.families.get(name)
        told = before.then(thresholds, self.base) if before else thresholds
        return replace(self, families=MappingProxyType({**self.families, name: told}))

    def save(self, path: Path) -> None:
        """Write it in one step."""
        arrays: dict[str, npt.NDArray[np.generic]] = {"rule": np.array([self.base, self.threshold])}
        for name, family in self.families.items():
            arrays[f"{name}/months"] = np.array(family.months, np.int32)
            arrays[f"{name}/municipalities"] = np.array(family.municipalities)
            arrays[f"{name}/strata"] = np.array(family.strata)
            arrays[f"{name}/left"] = family.left
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, content.getvalue())


def read_memory(path: Path, base: int, threshold: int) -> Memory | None:
    """What was remembered for this base and threshold; None where there is nothing, or nothing that can be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if arrays["rule"].tolist() != [base, threshold]:
                return None
            names = [key.removesuffix("/left") for key in arrays.files if key.endswith("/left")]
            return Memory(base, threshold, {name: _family(arrays, name) for name in names})
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def packed(lowest: Bytes, highest: Bytes) -> Bytes:
    """Both ends in one byte each."""
    return lowest | (highest << 4).astype(np.uint8)


@njit(cache=True)
def unpacked(left):  # type: ignore[no-untyped-def]
    """Lowest and highest threshold, of one byte or of many."""
    return left & 15, left >> 4


def nothing_known(base: int) -> int:
    """The byte of a cell that was never published."""
    return (base - 1) << 4


def _family(arrays: Mapping[str, npt.NDArray[np.generic]], name: str) -> Thresholds:
    months, municipalities, strata = (
        tuple(arrays[f"{name}/{axis}"].tolist()) for axis in ("months", "municipalities", "strata")
    )
    left = arrays[f"{name}/left"]
    if left.shape != (len(months), len(municipalities), len(strata)) or left.dtype != np.uint8:
        raise ValueError(f"{name}: axes and content do not belong together")
    return Thresholds(months, municipalities, strata, left.astype(np.uint8))


def _shared(mine: Sequence[object], theirs: Sequence[object]) -> tuple[list[int], list[int]]:
    """Positions of the labels that both have, in mine and in theirs."""
    position = {label: at for at, label in enumerate(mine)}
    both = [(position[label], at) for at, label in enumerate(theirs) if label in position]
    return [here for here, _ in both], [there for _, there in both]


def _crossing(positions: Sequence[list[int]]) -> tuple[Any, ...]:
    """Where these positions of the axes cross; as slices where they lie side by side, which is copied at once."""
    if all(axis and axis == list(range(axis[0], axis[0] + len(axis))) for axis in positions):
        return tuple(slice(axis[0], axis[0] + len(axis)) for axis in positions)
    return np.ix_(*positions)
