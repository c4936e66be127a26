"""Folded sheets, cut by the plane of focus."""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

from simulation.structures.grid import FloatArray, Geometry, Grid, Specimen, entry
from simulation.structures.rasterise import resolved, smooth_noise
from simulation.structures.walk import direction

_HALF_WIDTH_UM = 0.03
"""Standard deviation of a sheet across, before it is seen at the target's resolution."""

_SMALLEST_SLOPE = 0.35
"""µm of height per µm: where the folding is flatter, a sheet would spread over an area."""


def sheets(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw folded sheets with open borders: level sets of a slope that is crumpled.

    The geometry has the lines in which the plane of focus cuts them, as `sheets`.
    """
    height_um = _height_um(grid, rng)
    gradient = np.asarray(np.gradient(height_um, *grid.steps_um))
    slope = np.sqrt((gradient**2).sum(axis=0))
    spacing_um = rng.uniform(1.0, 2.5)
    nearest = np.round(height_um / spacing_um)
    distance_um = (height_um - nearest * spacing_um) / np.maximum(slope, _SMALLEST_SLOPE)
    across = np.exp(-((distance_um / _HALF_WIDTH_UM) ** 2) / 2)
    there = 1 / (1 + np.exp(-10 * (smooth_noise(grid, 2.0, rng) + rng.uniform(0.2, 1.0))))
    label = np.exp(0.3 * smooth_noise(grid, 0.5, rng) + 0.25 * smooth_noise(grid, 0.1, rng))
    image = rng.uniform(0.005, 0.03) + 0.9 * across * there * label
    levels_um = spacing_um * np.unique(nearest)
    return Specimen(resolved(image, grid), _geometry(grid, height_um, there > 0.5, levels_um))


def _height_um(grid: Grid, rng: np.random.Generator) -> FloatArray:
    """Draw a plane slope with crumples, of the grid's shape; equal heights are a sheet."""
    azimuth, tilt = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.3)
    uphill = direction(azimuth, tilt, len(grid.shape))
    height_um = np.zeros(())
    for axis, rise in enumerate(uphill):
        height_um = height_um[..., None] + rise * grid.centres_um(axis)
    crumple_um = rng.uniform(1.0, 2.0)
    # steep enough that some places slope the other way: there sheets fold back
    steepness = rng.uniform(0.8, 1.3)
    return height_um + steepness * crumple_um * smooth_noise(grid, crumple_um, rng)


def _geometry(
    grid: Grid, height_um: FloatArray, there: NDArray[np.bool_], levels_um: FloatArray
) -> Geometry:
    """Follow the sheets through the plane of focus."""
    if grid.is_volume:
        height_um, there = height_um[grid.shape[0] // 2], there[grid.shape[0] // 2]
    written = list[dict[str, object]]()
    for level_um in levels_um:
        for line in find_contours(height_um, float(level_um), mask=there):
            points_um = (line + 0.5) * grid.pixel_size_um
            depth_um = np.broadcast_to(grid.focus_um, (len(line), len(grid.focus_um)))
            written.append(entry(np.concatenate([depth_um, points_um], 1)[::3]))
    return {"sheets": written}
