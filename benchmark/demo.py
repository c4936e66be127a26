"""The main job in one go: simulate, train, package, check, benchmark, report.

Training and packaging are run through their command lines, as a user would: the benchmark knows
them by their files only.
"""

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from benchmark.metrics.fetch import fetching_weights
from benchmark.page.report import write_report
from benchmark.running.run import run_benchmark
from imaging.cli import STATUS_INTERRUPTED, UserError, complain, console
from imaging.datasets import open_dataset
from imaging.images import read, write

_IMAGES = 60
_STACK_PLANES = 4
_TRAINING_MINUTES = 1
_PATIENCE_S = 60  # for a slow network; the page does without what takes longer


def demo(*, out: Path = Path("demo"), seed: int = 0) -> int:
    """Do the main job in one go, in less than five minutes on two cores.

    Parameters are those of `python -m benchmark demo`, described in its help.

    Returns
    -------
    int
        Exit status: 0, or 1 when cells of the benchmark failed.
    """
    began = time.monotonic()
    with fetching_weights() as finish_weights:
        data, packages = _make(out, seed)
        start = _heading("Weights of LPIPS")
        try:
            finish_weights(_PATIENCE_S)
        except UserError as error:
            complain(f"{error} The page says n/a for LPIPS.")
        _done(start)
    start = _heading("Benchmark both beside the controls")
    scores = run_benchmark(packages, data, out / "results")
    page = write_report(out / "results")
    _done(start)
    console.print(f"\nAll done in {time.monotonic() - began:.0f} s. Open the page in a browser:")
    console.print(str(page.resolve()), soft_wrap=True, highlight=False)
    return 1 if scores.run.failures else 0


def _make(out: Path, seed: int) -> tuple[list[Path], list[Path]]:
    """Return the data and the packages that are to be compared on them."""
    data, unseen, run = out / "synthetic", out / "unseen", out / "run"
    package, reference = out / "care.zip", out / "reference.zip"
    stack = out / "real" / "stack.ome.tif"
    seeded = ["--seed", str(seed)]
    other = ["--seed", str(seed + 100)]  # the reference package has seen images of seed 1
    _step("Simulate images", "training", "simulate", data, "--images", _IMAGES, *seeded)
    _step("Simulate a specimen", "training", "simulate", unseen, "--images", _STACK_PLANES, *other)
    if not stack.exists():
        write_stack(unseen, stack)
    _step(
        f"Train CARE for {_TRAINING_MINUTES} min",
        *("training", "care", "--data", data, "--out", run),
        *("--preset", "small", "--minutes", _TRAINING_MINUTES, *seeded),
    )
    _step("Package it", "packages", "build", "care", "--checkpoint", run, "--out", package)
    _step("Check the package", "packages", "check", package)
    if not reference.exists():
        _step("Package the reference weights", "packages", "build", "care", "--out", reference)
    return [data, stack.parent], [package, reference]


def write_stack(dataset: Path, path: Path) -> None:
    """Stack what the microscope recorded into one file, as real data come.

    Parameters
    ----------
    dataset
        With native/; its images become planes, in the order of their names.
    path
        OME-TIFF to write, axes z, y, x; type and pixel size as recorded.
    """
    natives = [item.native for item in open_dataset(dataset).items]
    planes = [read(native) for native in natives if native is not None]
    if not planes:
        raise UserError(f"{dataset} has no native/ images to stack: remove it and try again.")
    stack = xr.DataArray(np.stack([plane.values for plane in planes]), dims=("z", "y", "x"))
    stack.attrs["pixel_size_um"] = planes[0].attrs["pixel_size_um"]
    write(path, stack)


def _step(heading: str, *words: str | Path | float) -> None:
    """Run ``python -m WORDS...`` under a heading."""
    start = _heading(heading)
    command = [str(word) for word in words]
    console.print(
        shlex.join(["python", "-m", *command]), style="dim", soft_wrap=True, highlight=False
    )
    status = _run([sys.executable, "-m", *command])
    if status == STATUS_INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise UserError(
            f"The step '{heading}' ended with status {status}: see its message above; "
            "the same command goes on from here."
        )
    _done(start)


def _run(command: Sequence[str]) -> int:
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # it was interrupted too, and may be saving
            raise


def _heading(text: str) -> float:
    console.print(f"\n{text}", style="bold")
    return time.monotonic()


def _done(start: float) -> None:
    console.print(f"{time.monotonic() - start:.0f} s", style="dim", highlight=False)
