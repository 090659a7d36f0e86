"""What is shown while a load runs: a bar with rate and remaining time on a terminal, plain lines elsewhere."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from deliveries import month_of_contacts, write_contacts, write_folder

ROOT = Path(__file__).parents[2]


def run_on_a_terminal(*args: str) -> str:
    """What a person sees: standard error and output are a pseudo-terminal of 50 rows and 140 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 140, 0, 0))
    command = [sys.executable, "-m", "etl", *args]
    often = {**os.environ, "TQDM_MININTERVAL": "0"}
    with subprocess.Popen(command, cwd=ROOT, stdout=slave, stderr=slave, env=often) as run:
        os.close(slave)
        seen = b""
        while block := _read(master):
            seen += block
    os.close(master)
    assert run.returncode == 0, seen.decode()
    return seen.decode()


def _read(master: int) -> bytes:
    try:
        return os.read(master, 1 << 16)
    except OSError:  # the other end is closed
        return b""


def test_on_a_terminal_a_bar_shows_rate_and_remaining_time(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    write_contacts(folder / "mange.csv", month_of_contacts(6, 3000))
    seen = run_on_a_terminal("check", str(folder), "--data", str(tmp_path / "data"))
    assert re.search(r"mange\.csv \(3 af 3\): +\d+%\|.*18\.0k.*\[\d\d:\d\d<\d\d:\d\d, .*rækker/s\]", seen), seen
    assert "\x1b[" in seen  # and the report is in colours


def test_elsewhere_lines_are_plain(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    command = [sys.executable, "-m", "etl", "check", str(folder), "--data", str(tmp_path / "data")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(r"^\[ +\d+ s\] læser folk1a\.csv \(1 af 2\)$", run.stderr, re.M)
    assert "\x1b" not in run.stdout + run.stderr and "\r" not in run.stderr
