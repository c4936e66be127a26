"""Planted spines beside two planted shafts, recorded with noise, and the marks that were set."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.running.cell import CellFiles, CellKey
from imaging import images
from imaging.annotations import Annotations, Line, Point, write_annotations
from imaging.benchmark_run import DatasetEntry
from tests import records

PIXEL = 0.1
SHAFTS = (60, 160)  # rows
SPINES = np.arange(20, 380, 24)  # columns
AWAY = 12  # pixels from the shaft
Planes = NDArray[np.float64]


def truth() -> Planes:
    plane = np.zeros((220, 400))
    for number, row in enumerate(SHAFTS):
        plane[row - 3 : row + 4] = 1.0
        for i, column in enumerate(SPINES):
            brightness = 0.05 + 0.3 * ((i * 7 + number * 3) % 11) / 10
            plane[row + AWAY - 2 : row + AWAY + 3, column - 2 : column + 3] = brightness
    return plane[None]


def recorded() -> Planes:
    rng = np.random.default_rng(1)
    blurred = ndimage.gaussian_filter(truth(), (0, 2, 2))
    return 100 + 50 * blurred + rng.normal(0, 15, blurred.shape)


def image_of(planes: NDArray[np.number]) -> xr.DataArray:
    stack = xr.DataArray(
        planes.astype(np.float32),
        dims=("z", "y", "x"),
        attrs={"pixel_size_um": {"y": PIXEL, "x": PIXEL}},
    )
    return stack if len(planes) > 1 else stack[0]


def annotations() -> Annotations:
    columns = np.arange(5.0, 395.0, 3.0)
    zeros = np.zeros(len(columns), dtype=np.int64)
    lines = [
        Line(f"shaft {row}", "shaft", columns * PIXEL, np.full(len(columns), row * PIXEL), zeros)
        for row in SHAFTS
    ]
    points = [
        Point(f"{row} {column}", "spine", column * PIXEL, (row + AWAY) * PIXEL, 0, f"shaft {row}")
        for row in SHAFTS
        for column in SPINES.tolist()
    ]
    return Annotations(tuple(points), tuple(lines))


def dataset(
    folder: Path,
    marks: Annotations | None = None,
    mask: NDArray[np.integer] | None = None,
    planes: int = 1,
) -> DatasetEntry:
    """Write the recording, so many times, with its marks, and a mask (y, x) where there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    file, csv = folder / "field.ome.tif", folder / "field.csv"
    images.write(file, image_of(np.repeat(recorded(), planes, axis=0)))
    write_annotations(csv, marks or annotations())
    files = {"input": str(file), "annotations": str(csv)}
    if mask is not None:
        files["mask"] = str(folder / "mask.tif")
        images.write(folder / "mask.tif", image_of(mask[None]))
    return records.dataset("day", records.image("field", **files))


def restore(results: CellFiles, restored: Planes, name: str = "net") -> None:
    """Write what a package made of the recording."""
    file = results.prediction_file(CellKey(name, "day", "field"))
    file.parent.mkdir(parents=True, exist_ok=True)
    images.write(file, image_of(restored))
