"""How long TIFF stacks of many small pages take to read: ``python -m tools.tiff_speed``.

Seconds of processor time for a whole stack and plane by plane, of each layout and of the same stack
in one block, beside tifffile's own reading of the whole, which is the floor.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from cyclopts import App
from rich.table import Table

from imaging import images
from imaging.cli import console
from imaging.cli import run as run_app

app = App(name="python -m tools.tiff_speed", result_action="return_value")
_SIDE_PX = 64
_RUNS = 3
_LAYOUTS: dict[str, dict[str, Any]] = {
    "one block": {},
    "scattered": {"contiguous": False},
    "LZW": {"contiguous": False, "compression": "lzw"},
    "LZW tiles": {"contiguous": False, "compression": "lzw", "tile": (32, 32)},
}


@dataclass(frozen=True)
class Timing:
    """Seconds of processor time for one stack, the fastest of some runs."""

    layout: str
    pages: int
    floor_s: float
    whole_s: float
    by_plane_s: float


def measure(folder: Path, layout: str, pages: int) -> Timing:
    """Write a stack and time how it is read.

    Parameters
    ----------
    folder
        Where to write it.
    layout
        See `_LAYOUTS`.
    pages
        How many.

    Returns
    -------
    Timing
        See there.
    """
    path = folder / f"{layout}_{pages}.tif"
    rng = np.random.default_rng(0)
    pixels = rng.poisson(20, (pages, _SIDE_PX, _SIDE_PX)).astype(np.uint16)
    with tifffile.TiffWriter(path) as writer:
        for plane in pixels:
            writer.write(plane, metadata=None, **_LAYOUTS[layout])

    def by_plane() -> None:
        image = images.read(path, lazy=True)
        for at in range(pages):
            _ = image.isel(z=at).values

    return Timing(
        layout,
        pages,
        _seconds(lambda: tifffile.imread(path)),
        _seconds(lambda: images.read(path)),
        _seconds(by_plane),
    )


@app.default
def compare(*, pages: tuple[int, ...] = (400, 1600)) -> None:
    """Print seconds, and their ratios to those of the same stack in one block.

    For instance:
        python -m tools.tiff_speed --pages 100

    Parameters
    ----------
    pages
        Of the stacks.
    """
    names = ("layout", "pages", "tifffile (s)", "whole (s)", "ratio", "by plane (s)", "ratio")
    table = Table(*names, title=f"{_SIDE_PX} x {_SIDE_PX}")
    with tempfile.TemporaryDirectory() as folder:
        for number in pages:
            block = measure(Path(folder), "one block", number)
            others = (measure(Path(folder), name, number) for name in list(_LAYOUTS)[1:])
            for timing in (block, *others):
                table.add_row(
                    timing.layout,
                    f"{number}",
                    f"{timing.floor_s:.3f}",
                    f"{timing.whole_s:.3f}",
                    f"{timing.whole_s / block.whole_s:.1f}",
                    f"{timing.by_plane_s:.3f}",
                    f"{timing.by_plane_s / block.by_plane_s:.1f}",
                )
    console.print(table)


def _seconds(work: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(_RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    run_app(app)
