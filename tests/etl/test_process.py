"""What the process of a load asks of the libraries."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from deliveries import write_folder

from tests.server import ROOT


@pytest.mark.parametrize(("asked", "threads"), [({}, "1"), ({"POLARS_MAX_THREADS": "2"}, "2")])
def test_a_load_wakes_no_second_thread_for_small_steps(asked: dict[str, str], threads: str, tmp_path: Path) -> None:
    """Also by the command, which imports other parts of the package too; who asks for more threads gets them."""
    assert told_after_a_check("import polars; print(polars.thread_pool_size())", tmp_path, asked) == threads


def test_a_load_does_not_wait_for_linear_algebra_that_it_does_not_use(tmp_path: Path) -> None:
    """It is there for who asks for it afterwards."""
    ask = "print(*(bool(sys.modules.get(name)) for name in ('numba.np.arraymath', 'scipy.linalg')), sep='-')"
    assert told_after_a_check(ask, tmp_path) == "True-False"
    assert told_after_a_check("import scipy.linalg; print(scipy.linalg.det([[2.0]]))", tmp_path) == "2.0"


def told_after_a_check(statement: str, folder: Path, environment: Mapping[str, str] = MappingProxyType({})) -> str:
    """The last word that a statement prints where the command has checked a folder, in a process of its own."""
    script = f"""
import sys
from etl.__main__ import main
try:
    main(sys.argv[1:])
finally:
    {statement}
"""
    own = {name: value for name, value in os.environ.items() if name != "POLARS_MAX_THREADS"}
    paths = [str(write_folder(folder / "in")), "--data", str(folder / "data")]
    command = [sys.executable, "-c", script, "check", *paths]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env={**own, **environment})
    return said.stdout.split()[-1]
