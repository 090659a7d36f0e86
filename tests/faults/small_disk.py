"""Loads on a file system that is nearly full, run inside a mount of its own: python -m tests.faults.small_disk DIR RUNS."""

import os
import random
import shutil
import sys
from pathlib import Path

from tests.faults.runs import Country, nursery


def main(folder: Path, runs: int) -> None:
    """Leave some kilobytes free, load, look; print how it went, fail by an assertion."""
    moments = random.Random(2)
    refused = 0
    with nursery() as process:
        country = Country(folder, process)
        kept = country.data.stat().st_dev
        assert kept != folder.parent.stat().st_dev, "the data folder must lie on the small file system"
        for number in range(runs):
            before, delivery = country.loaded, country.next_delivery()
            room = moments.randrange(0, 6_000_000) if number else 0
            with (folder / "ballast").open("wb") as ballast:
                os.posix_fallocate(ballast.fileno(), 0, max(1, shutil.disk_usage(folder).free - room))
            ended = country.load(delivery)
            country.check_whole(before)
            assert ended.code in (0, 1), ended
            if ended.code == 1:
                refused += 1
                assert country.loaded == before
                assert "the disk is full" in ended.output and "Make room" in ended.output, ended.output
                assert str(folder) in ended.output and "Traceback" not in ended.output, ended.output
            (folder / "ballast").unlink()
        country.check_next_run()
    assert refused
    print(f"{runs} runs, {refused} without room, 0 bad releases")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
