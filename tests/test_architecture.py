"""Who may import whom: dashboard → kpis ← etl, and each heavy library in its own room."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("dashboard", "etl", "kpis") for path in (ROOT / package).rglob("*.py"))

# package → what its files may import of our own
ALLOWED = {"kpis": {"kpis"}, "etl": {"etl", "kpis"}, "dashboard": {"dashboard", "kpis"}}
# library → the only places that may import it
ROOMS = {
    "duckdb": ("kpis/release.py", "etl/warehouse.py"),
    "dash": ("dashboard/",),
    "dash_bootstrap_components": (),  # pages are plain HTML and drawings: neither its scripts nor those of plotly are sent
    "flask": ("dashboard/",),
    "plotly": (),
    "xlsxwriter": ("etl/template.py", "etl/synthetic/", "kpis/export.py", "dashboard/papers/charts.py"),
}


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_stay_in_their_rooms(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    package = name.split("/")[0]
    names = imported(path)
    assert names & set(ALLOWED) <= ALLOWED[package]
    for library, rooms in ROOMS.items():
        if library in names:
            assert name.startswith(rooms), f"{library} belongs to {rooms}"


def test_the_search_sees_files_of_every_package() -> None:
    assert {str(path.relative_to(ROOT)).split("/")[0] for path in FILES} == set(ALLOWED)


def test_no_python_lies_in_the_data_folder() -> None:
    assert not list((ROOT / "data").rglob("*.py"))
