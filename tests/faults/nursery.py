"""Runs `python -m etl …` many times over, each in a process of its own, without importing everything each time.

Reads one job of JSON per line from standard input and answers each with one line: how the process ended. A job:

    args         as on the command line
    output       file that takes what the run prints
    fault        how a call goes wrong, see `Hook`
    under        only calls on files below this folder are counted
    kill_after   seconds after which the run is killed (kill -9)
    largest_file bytes that a file may have (the system then says “File too large”)
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import etl.load
import etl.report  # noqa: F401 – commands import it when they run; here that is done once for all
from etl.__main__ import main
from tests.faults.hook import Hook


def run(job: dict) -> None:
    """In the child: become the command."""
    handle = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    if largest := job.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    log = job.get("log")
    Hook(Path(job["under"]), **job.get("fault", {}), log=Path(log) if log else None).install()
    main(job["args"], prog_name="python -m etl")


def wait(child: int, kill_after: float | None) -> int:
    """In the parent: how the child ended, as waitpid says it."""
    until = time.monotonic() + (kill_after or 120)
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            run(job)
            os._exit(0)
        code = os.waitstatus_to_exitcode(wait(child, job.get("kill_after")))
        print(json.dumps({"code": code}), flush=True)
