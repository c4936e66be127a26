"""Restore images larger than memory, and race another program: ``python -m tools.large_images``.

``memory PACKAGE`` restores OME-Zarr of growing sides, each in a process of its own, and prints its
peak memory, and its speed beside that of the bare network on windows like those it used.

``race PACKAGE`` restores one image with `packages predict` and with bioimageio.core, whose blocks
are as it chooses them and of several sizes, and compares times and pixels.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from cyclopts import App
from numpy.typing import NDArray
from rich.table import Table

from imaging import images
from imaging.cli import console
from imaging.cli import run as run_app
from imaging.formats.header import Storage
from packages.network import Network
from packages.package import open_package
from packages.runner import Runner
from tools.predict_memory import measure

app = App(name="python -m tools.large_images", result_action="return_value")
_CHUNK_PX = 1024
_PIXEL_UM = 0.08
_BARE_RUNS = 3


@dataclass(frozen=True)
class Spent:
    """What a process needed: seconds of the clock and of processors, peak memory in MiB."""

    wall_s: float
    processor_s: float
    peak_mib: float


@app.command
def memory(
    package: Path, /, *, side: Sequence[int] = (4096, 16384), work: Path | None = None
) -> None:
    """Print peak memory and speed of `predict` on images of several sides.

    For instance:
        python -m tools.large_images memory dist/care.zip --side 4096 --side 16384

    Parameters
    ----------
    package
        Of planes.
    side
        Sides of the images in pixels, whole thousands of 1024.
    work
        Folder for images and results; a temporary one without it.
    """
    table = Table("side, pixels", "peak memory, MiB", "clock, s", "processor, s", "of the network")
    with tempfile.TemporaryDirectory(dir=work) as folder:
        for length in side:
            image, result = Path(folder) / f"{length}.ome.zarr", Path(folder) / "restored.ome.zarr"
            write_large(image, length)
            spent = _predict(package, image, result)
            bare_s = _bare_s(package, image)
            table.add_row(
                f"{length}²",
                f"{spent.peak_mib:.0f}",
                f"{spent.wall_s:.1f}",
                f"{spent.processor_s:.1f}",
                f"{bare_s / spent.processor_s:.3f}",
            )
            console.print(f"{length}: {spent}, bare network {bare_s:.1f} s")
            for made in (image, result):
                shutil.rmtree(made)
    console.print(table)


@app.command
def race(
    package: Path,
    /,
    *,
    side: int = 4096,
    block: Sequence[int] = (30, 60),
    rounds: int = 1,
    work: Path | None = None,
) -> None:
    """Print times of `predict` and of bioimageio.core on the same image.

    For instance:
        python -m tools.large_images race dist/care.zip

    Parameters
    ----------
    package
        Of planes.
    side
        Of the image, pixels.
    block
        Parameters of block sizes of bioimageio.core that are tried beside its own, 10.
    rounds
        How often all take turns.
    work
        Folder for images and results; a temporary one without it.
    """
    with tempfile.TemporaryDirectory(dir=work) as folder:
        image, ours = Path(folder) / "image.tif", Path(folder) / "ours.ome.tif"
        pixels = xr.DataArray(_texture(np.random.default_rng(0), side), dims=("y", "x"))
        pixels.attrs["pixel_size_um"] = dict.fromkeys("yx", _PIXEL_UM)
        images.write(image, pixels)
        for number in range(rounds):
            spent = {"packages predict": _predict(package, image, ours)}
            for parameter in (10, *block):
                theirs = Path(folder) / f"{parameter}.npy"
                spent[f"bioimageio.core, blocks {parameter}"] = _run(
                    "-m", "tools.large_images", "core", package, image, theirs, parameter
                )
                _compare(ours, theirs)
            table = Table(f"round {number + 1}", "clock, s", "processor, s", "peak memory, MiB")
            for name, of in spent.items():
                cells = (f"{of.wall_s:.1f}", f"{of.processor_s:.1f}", f"{of.peak_mib:.0f}")
                table.add_row(name, *cells)
            console.print(table)


@app.command(show=False)
def core(package: Path, image: Path, out: Path, parameter: int, /) -> None:
    """Restore an image with bioimageio.core, by blocks of one parameter.

    For instance:
        python -m tools.large_images core dist/care.zip IMAGE.tif RESTORED.npy 10
    """
    from bioimageio.core import Tensor, predict
    from bioimageio.core.digest_spec import get_member_id
    from bioimageio.spec import load_model_description

    model = load_model_description(package)
    pixels = images.read(image).values
    tensor = Tensor(pixels[None, None], dims=("batch", "channel", "y", "x"))
    given = {get_member_id(model.inputs[0]): tensor}
    made = predict(model=model, inputs=given, blocksize_parameter=parameter)
    np.save(out, np.asarray(next(iter(made.members.values())).data.data))


def write_large(path: Path, side: int) -> None:
    """Write a plane of uint16 chunk by chunk, as many pixels along both sides.

    Parameters
    ----------
    path
        An OME-Zarr.
    side
        Pixels, a whole number of 1024.
    """
    rng = np.random.default_rng(0)
    with images.create(
        path,
        dims=("y", "x"),
        shape=(side, side),
        dtype=np.uint16,
        pixel_size_um={"y": _PIXEL_UM, "x": _PIXEL_UM},
        storage=Storage((_CHUNK_PX, _CHUNK_PX)),
    ) as out:
        for top in range(0, side, _CHUNK_PX):
            for left in range(0, side, _CHUNK_PX):
                part = np.s_[top : top + _CHUNK_PX, left : left + _CHUNK_PX]
                out[part] = _texture(rng, _CHUNK_PX)


def _texture(rng: np.random.Generator, side: int) -> NDArray[np.uint16]:
    """Draw photons of blobs."""
    coarse = rng.gamma(1.0, 10.0, (side // 8, side // 8))
    return (100 + rng.poisson(np.kron(coarse, np.ones((8, 8))))).astype(np.uint16)


def _predict(package: Path, image: Path, out: Path) -> Spent:
    return _run("-m", "packages", "predict", package, image, out, "--device", "cpu")


def _run(*arguments: object) -> Spent:
    """Run Python, and return what that process needed."""
    begin, before = time.perf_counter(), os.times()
    peak = measure([sys.executable, *map(str, arguments)])
    after = os.times()
    processor_s = sum(after[2:4]) - sum(before[2:4])  # of processes that have ended
    return Spent(time.perf_counter() - begin, processor_s, peak.whole)


def _bare_s(package: Path, image: Path) -> float:
    """Return how long the network alone takes for all windows of an image, s."""
    with open_package(package) as opened:
        lazy = images.read(image, lazy=True)
        grid = (lazy.sizes["y"], lazy.sizes["x"])
        restoration = Runner(opened, device="cpu").prepare(lazy, grid)
        regions = restoration.regions()
        shape = [of[0].stop - of[0].start for of in regions[0].along]  # windows are alike
        network = Network(opened, device="cpu")
        block = np.zeros((1, *shape), np.float32)
        measured = restoration.known.measured[0]
        seconds: list[float] = []
        for _ in range(_BARE_RUNS):
            begin = time.process_time()
            with torch.inference_mode():
                network.run(block, measured)
            seconds.append(time.process_time() - begin)
    return min(seconds) * len(regions)


def _compare(ours: Path, theirs: Path) -> None:
    one, other = images.read(ours).values.squeeze(), np.load(theirs).squeeze()
    differing = np.abs(one - other)[256:-256, 256:-256].max() / np.ptp(one)
    console.print(f"{theirs.stem}: pixels differ by {differing:.1e} of their range at most")


if __name__ == "__main__":
    run_app(app)
