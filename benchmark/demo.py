"""The main job in one go: simulate, train, package, check, benchmark, report.

Training and packaging are run through their command lines, as a user would: the benchmark knows
them by their files only.
"""

import time
from pathlib import Path

import numpy as np
import xarray as xr

from benchmark.metrics.fetch import fetching_weights
from benchmark.page.report import write_report
from benchmark.running.run import run_benchmark
from imaging.cli import UserError, complain, console
from imaging.datasets import open_dataset
from imaging.images import read, write
from imaging.steps import command, step

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
        with step("Weights of LPIPS"):
            try:
                finish_weights(_PATIENCE_S)
            except UserError as error:
                complain(f"{error} The page says n/a for LPIPS.")
    with step("Benchmark both beside the controls"):
        scores = run_benchmark(packages, data, out / "results")
        page = write_report(out / "results")
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
    command("Simulate images", "training", "simulate", data, "--images", _IMAGES, *seeded)
    command(
        "Simulate a specimen", "training", "simulate", unseen, "--images", _STACK_PLANES, *other
    )
    if not stack.exists():
        write_stack(unseen, stack)
    command(
        f"Train CARE for {_TRAINING_MINUTES} min",
        *("training", "care", "--data", data, "--out", run),
        *("--preset", "small", "--minutes", _TRAINING_MINUTES, *seeded),
    )
    command("Package it", "packages", "build", "care", "--checkpoint", run, "--out", package)
    command("Check the package", "packages", "check", package)
    if not reference.exists():
        command("Package the reference weights", "packages", "build", "care", "--out", reference)
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
