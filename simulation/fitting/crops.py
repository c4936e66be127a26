"""The user's expanded images as a structure to compare real images with."""

from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imaging import images, resample
from imaging.cli import UserError
from imaging.inspection import inspect
from imaging.remarks import Remarks
from simulation.expanded import EMPTY_BELOW, EMPTY_FRACTION, find_files, read_planes
from simulation.expanded_sizes import find_pixel_size_um
from simulation.structures import Grid, Specimen, Structure
from simulation.targets import BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE, Array, relative_brightness

Floats = NDArray[np.floating]

_TRIES = 20  # to find a place that is not nearly empty


def crops_of(
    expanded: Path, expansion: float, remarks: Remarks, channel: str | None = None
) -> Structure:
    """Return what draws random crops of expanded images, turned and mirrored.

    Parameters
    ----------
    expanded
        An image, a folder of images, or a dataset, whose targets are taken.
    expansion
        Factor by which the pixel sizes that the files state are larger than before expansion.
    remarks
        To which is added what is found in the images.
    channel
        Name or number of the one to take of several.

    Returns
    -------
    Structure
        Draws on a grid of any pixel size, by linear interpolation.

    Raises
    ------
    UserError
        A file cannot be read, or, when it draws, is smaller than a field.
    """
    files = find_files(expanded)
    pixel_um = find_pixel_size_um(files, expansion)
    for name, path in files.items():
        remarks.add(name, inspect(images.read(path, lazy=True)))
    planes = [plane for path in files.values() for plane in read_planes(path, channel=channel)]
    levels = [np.percentile(p, [BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE]) for p in planes]

    def draw(grid: Grid, rng: np.random.Generator) -> Specimen:
        side = ceil(grid.shape[-1] * grid.pixel_size_um / pixel_um)
        large = [i for i, plane in enumerate(planes) if min(plane.shape) >= side]
        if not large:
            raise UserError(
                f"{expanded} holds no image of {side} pixels ({side * pixel_um:.0f} µm) on each "
                "side, which a field takes: give larger images, or leave --expanded out."
            )
        shown = _crop(planes, levels, large, side, rng)
        for _ in range(_TRIES):
            if (shown > EMPTY_BELOW).mean() >= EMPTY_FRACTION:
                break
            shown = _crop(planes, levels, large, side, rng)
        shown = resample.turned(shown, int(rng.integers(4)), bool(rng.integers(2)))
        image = resample.linear(shown, (grid.shape[-2], grid.shape[-1]))
        return Specimen(image.clip(0).astype(np.float32), {})

    return draw


def _crop(
    planes: list[Array],
    levels: list[Floats],
    large: list[int],
    side: int,
    rng: np.random.Generator,
) -> Floats:
    """Cut a square somewhere, as relative brightness."""
    index = int(rng.choice(large))
    top, left = (int(rng.integers(n - side + 1)) for n in planes[index].shape)
    square = planes[index][top : top + side, left : left + side]
    return relative_brightness(square, float(levels[index][0]), float(levels[index][1]))
