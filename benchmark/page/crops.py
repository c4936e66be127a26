"""The same crop out of everything that shows one image."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmark.metrics import NotApplicable
from benchmark.metrics.intensity import affine_fit
from benchmark.running.grids import mean_channel, onto_grid
from imaging import images
from imaging.cli import UserError

Plane = NDArray[np.float64]
Window = tuple[slice, slice]


def readable(file: Path) -> xr.DataArray | None:
    """Read a plane of a restoration; a damaged one costs its own panels, not the page."""
    try:
        return _middle(images.read(file, lazy=True)).load() if file.exists() else None
    except UserError:
        return None


def _middle(image: xr.DataArray) -> xr.DataArray:
    """Return the middle plane, with all channels."""
    stacked = (dim for dim in image.dims if dim not in ("c", "y", "x"))
    return image.isel({dim: image.sizes[dim] // 2 for dim in stacked})


def on_grid(image: xr.DataArray, shape: tuple[int, int]) -> Plane:
    """Return the middle plane with a given shape."""
    return onto_grid(mean_channel(_middle(image)), shape).astype(np.float64)


def brightest(plane: Plane, side: int) -> Window:
    """Find the window of largest mean, with the brightest points held back."""
    held = np.clip(plane, *np.percentile(plane, [2, 99]))
    sums = np.pad(held.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows, columns = min(side, plane.shape[0]), min(side, plane.shape[1])
    y = np.arange(0, plane.shape[0] - rows + 1, 16)[:, None]
    x = np.arange(0, plane.shape[1] - columns + 1, 16)[None]
    total = sums[y + rows, x + columns] - sums[y, x + columns] - sums[y + rows, x] + sums[y, x]
    best_y, best_x = np.unravel_index(total.argmax(), total.shape)
    top, left = int(best_y) * 16, int(best_x) * 16
    return slice(top, top + rows), slice(left, left + columns)


def fitted(crop: Plane, reference: Plane) -> Plane:
    """Fit a crop to another one by least squares; a flat one becomes its mean."""
    try:
        return affine_fit(reference, crop)
    except NotApplicable:  # nothing in it to fit
        return np.full_like(reference, reference.mean())
