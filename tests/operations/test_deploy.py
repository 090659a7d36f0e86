"""What `deploy/` and `docs/drift.md` say fits what there is: commands, options, folders, and who must not see what."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from importlib.util import cache_from_source
from pathlib import Path

import pytest

import dashboard.app as dashboard_app
import etl.load as etl_load
from dashboard.__main__ import main as serve
from etl.__main__ import main as etl
from tests.server import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
DRIFT = (ROOT / "docs" / "drift.md").read_text("utf-8")


def unit(path: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


def commands(path: Path) -> list[list[str]]:
    """The words after `python -m`, of a unit."""
    return [shlex.split(found) for found in re.findall(r"python -m ([^'\n]*)", path.read_text("utf-8"))]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_commands_have_these_options(path: Path) -> None:
    found = commands(path)
    assert found
    for package, *words in found:
        command = serve if package == "dashboard" else etl.commands[words[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_users_are_made(path: Path) -> None:
    user = unit(path)["Service"]["User"]
    assert f"u {user} " in (DEPLOY / "naerblik.sysusers").read_text("utf-8")


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_run_where_nothing_can_be_written(path: Path) -> None:
    """Compiled passes need a place to be kept, and a call that is younger than systemd is refused, not punished."""
    service = unit(path)["Service"]
    if any(package == "etl" for package, *_ in commands(path)):
        assert "NUMBA_CACHE_DIR=/var/cache/naerblik" in service["Environment"]
        assert service["CacheDirectory"] == "naerblik"
    assert service["SystemCallErrorNumber"] == "EPERM"


def test_nothing_is_compiled_at_a_start() -> None:
    """A unit may not write beside its code: what is set up is compiled, or every start would take seconds longer."""
    assert all("PYTHONDONTWRITEBYTECODE=1" in path.read_text("utf-8") for path in UNITS)
    started = [sys.executable, "-v", "-c", "import etl.load, dashboard.app"]
    bare = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(started, capture_output=True, text=True, check=True, cwd=ROOT, env=bare).stderr
    loaded = re.findall(r"# code object from '?(/[^'\n]+?\.pyc?)'?$", said, flags=re.M)
    assert sum(path.endswith(".pyc") for path in loaded) > 500
    assert not [path for path in loaded if path.endswith(".py") and "site-packages" in path]
    for module in (etl_load, dashboard_app):  # where somebody edits, Python sees that it is older
        assert Path(cache_from_source(str(module.__file__))).exists()


def test_names_of_users_are_such_as_systemd_takes() -> None:
    for line in (DEPLOY / "naerblik.sysusers").read_text("utf-8").splitlines():
        if line.startswith("u "):
            assert ":" not in line


def test_the_web_user_sees_no_persons_and_the_loader_no_network() -> None:
    web, load = (unit(DEPLOY / f"naerblik-{name}.service")["Service"] for name in ("web", "load"))
    assert web["User"] != load["User"]
    hidden = {"-/var/lib/naerblik/raw", "-/var/lib/naerblik/build", "-/var/backups/naerblik"}
    assert hidden <= set(web["InaccessiblePaths"].split())
    assert web["ReadWritePaths"] == "/var/lib/naerblik/web"
    assert load["PrivateNetwork"] == "yes"
    folders = (DEPLOY / "naerblik.tmpfiles").read_text("utf-8")
    for folder in ("raw", "build"):
        assert re.search(rf"^d /var/lib/naerblik/{folder} +0700 naerblik-etl naerblik-etl$", folders, re.MULTILINE)


def test_keys_do_not_stay_beside_the_copies() -> None:
    """Only where `--keys-to` is said are they left out of the copy, so it is said: to a place that ends with the unit."""
    service = unit(DEPLOY / "naerblik-backup.service")["Service"]
    words = commands(DEPLOY / "naerblik-backup.service")[0]
    assert words[2].startswith("/var/backups/naerblik/")
    assert words[words.index("--keys-to") + 1] == "$$RUNTIME_DIRECTORY/keys.tar"
    assert service["RuntimeDirectory"] and service["RuntimeDirectoryMode"] == "0700"
    assert "RuntimeDirectoryPreserve" not in service


def test_documents_keep_what_the_machine_keeps() -> None:
    """`find -mtime +13` takes what is 14 days old."""
    older_than = int(re.findall(r"-mtime \+(\d+)", (DEPLOY / "naerblik-backup.service").read_text("utf-8"))[0])
    for name in ("drift.md", "databeskyttelse.md"):
        assert f"{older_than + 1} dage" in (ROOT / "docs" / name).read_text("utf-8")
    folders = (DEPLOY / "naerblik.tmpfiles").read_text("utf-8")
    ages = dict(re.findall(r"^[de] /var/lib/naerblik/(\S+) .*:(\d+)d$", folders, re.MULTILINE))
    assert ages == {"raw/new": "30", "build/reports": "396", "web/audit": "396"}
    told = (ROOT / "docs" / "databeskyttelse.md").read_text("utf-8")
    for row, age in (("raw/", "30 dage"), ("build/reports", "13 måneder"), ("web/audit", "13 måneder")):
        assert re.search(rf"^\| `{row}` .*{age}", told, re.MULTILINE), row


def test_commands_of_the_document_exist() -> None:
    """`nb` stands for `python -m etl … --data …`, see the document."""
    found = re.findall(r"(?:\bnb|-m etl) ([a-z]+)([^`\n]*)", DRIFT)
    assert {"load", "withdraw", "restore"} <= {name for name, _ in found}
    for name, rest in found:
        known = {option for parameter in etl.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, name


def test_alarms_ask_for_what_is_measured() -> None:
    measured = (ROOT / "dashboard" / "running" / "metrics.py").read_text("utf-8")
    found = {re.sub("_(total|bucket)$", "", name) for name in re.findall(r"\bnaerblik_\w+", DRIFT)}
    assert len(found) > 3
    for name in found:
        assert f'"{name}"' in measured


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here to ask")
@pytest.mark.parametrize("path", [*UNITS, *DEPLOY.glob("*.timer")], ids=lambda path: path.name)
def test_systemd_understands_the_units(path: Path) -> None:
    said = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True).stderr
    assert not [line for line in said.splitlines() if path.name in line and "is not executable" not in line]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here to ask")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_are_allowed_little(path: Path) -> None:
    """systemd's own measure of what a service that went wrong could reach, from 0 to 10: "OK" ends at 4."""
    asked = ["systemd-analyze", "security", "--offline=yes", "--threshold=30", "--no-pager", str(path)]
    said = subprocess.run(asked, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout.splitlines()[-1]


def test_images_copy_what_there_is_and_keep_the_two_apart() -> None:
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    for source in re.findall(r"^COPY (\S+) ", text, re.MULTILINE):
        assert (ROOT / source).exists(), source
    _, loading, web = text.split("\nFROM ")[-3:]
    assert "COPY dashboard" not in loading and "COPY etl" not in web
    assert "--require-hashes" in text and "USER naerblik-web" in web and "USER naerblik-etl" in loading
