"""The README is true: its commands exist, and the places it names are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kpis.indicator import load_indicators

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_two_commands_are_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.M))
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", README, flags=re.M))
    assert {"run", "test"} <= named <= targets


def test_every_place_in_backticks_exists() -> None:
    places = re.findall(r"`((?:etl|kpis|dashboard|data|tests)/[\w./*-]*)`", README)
    assert len(places) > 15
    for place in places:
        assert list(ROOT.glob(place.rstrip("/"))), place


def test_the_picture_is_there() -> None:
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000


@pytest.mark.parametrize("package", ["etl", "kpis", "dashboard"])
def test_command_lines_teach(package: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", package, "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    for command in re.findall(rf"python -m {package} ([a-z]+)", README):
        assert command in shown


def test_indicators_named_in_the_readme_exist() -> None:
    for name in re.findall(r"(?:show|export) ([a-z_0-9]+)", README):
        assert name in load_indicators()


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "-s", "help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for target in re.findall(r"^([a-z]+):.*## ", MAKEFILE, flags=re.M):
        assert f"make {target}" in shown
