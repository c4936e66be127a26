"""A run that is killed again and again ends in the table of one that never was.

Processes are killed by SIGKILL at file operations drawn at random: whatever lies half-written on
the disk then, the next process finds. The seed is fixed, so the moments are the same each time.
"""

import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark.running import cell as cells_module
from benchmark.running import restore
from benchmark.running.run import run_benchmark
from tests.benchmark import stand_ins

KILLS = 10
SEED = 1

# Processes are made from one that has all modules, and no threads, which a plain fork would miss.
SERVER = multiprocessing.get_context("forkserver")


def run(folder: Path, out: Path) -> list[tuple[str, str]]:
    """Run stand-ins on two datasets; return what was restored."""
    packages = [
        stand_ins.package(folder / f"{name}.zip", does)
        for name, does in (("sharp", "sharpen"), ("unsure", "be uncertain"))
    ]
    known = stand_ins.StandIns()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "open_package", stand_ins.open_package)
        patch.setattr(restore, "open_method", known.open_method)
        patch.setattr(cells_module, "METRICS", dict(stand_ins.FEW_METRICS))
        run_benchmark(packages, [folder / "one", folder / "two"], out, controls=False)
    return known.restored


def run_and_die(folder: Path, out: Path, operations: int) -> None:
    """Run, and kill the process at a file operation under the results folder."""
    left = operations

    def count(event: str, arguments: Sequence[object]) -> None:
        nonlocal left
        if event in ("open", "os.rename", "os.remove", "os.mkdir"):
            left -= isinstance(arguments[0], str | Path) and str(out) in str(arguments[0])
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    run(folder, out)


def killed(folder: Path, out: Path, operations: int) -> bool:
    """Run in a process of its own; tell whether it was killed before it was done."""
    process = SERVER.Process(target=run_and_die, args=(folder, out, operations))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def table(out: Path) -> bytes:
    return (out / "scores.csv").read_bytes()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_run_killed_ten_times_ends_in_the_same_table(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    for name in ("one", "two"):
        stand_ins.dataset(tmp_path / name, 3)
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    run(tmp_path, whole)

    half_written = 0
    for _ in range(KILLS):
        # A cell takes about 20 operations, and so does finding out what is there already.
        assert killed(tmp_path, torn, rng.randint(1, 80))
        half_written += len(list(torn.rglob(".*")))
    restored = run(tmp_path, torn)

    assert half_written  # or the moments were too kind
    assert len(restored) < 12  # what was finished was kept
    assert table(torn) == table(whole)
    assert not list(torn.rglob(".*"))
    assert run(tmp_path, torn) == []
    assert table(torn) == table(whole)
