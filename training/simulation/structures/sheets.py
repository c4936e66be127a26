"""Folded sheets, cut by the plane of focus."""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

from training.simulation.structures.grid import FloatArray, Geometry, Grid, Specimen, entry
from training.simulation.structures.light import resolved, smooth_noise

_HALF_WIDTH_UM = 0.03
"""Standard deviation of a sheet across, before it is seen at the target's resolution."""

_SMALLEST_SLOPE = 0.25
"""Of the folding field, over its typical slope: where it is flatter, a sheet would spread."""


def sheets(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw folded sheets with open borders: level sets of a smooth random field.

    Parameters
    ----------
    grid
        Where to draw.
    rng
        Source of all randomness.

    Returns
    -------
    Specimen
        The geometry has the lines in which the plane of focus cuts them, as `sheets`.
    """
    fold_um = rng.uniform(0.9, 1.8)
    folding = smooth_noise(grid, fold_um, rng)
    steps = list(grid.steps_um)
    slope = np.sqrt(np.sum([part**2 for part in np.gradient(folding, *steps)], axis=0))
    # a Gaussian field blurred by s has a slope of standard deviation 1 / (s √2) along each axis
    slope = np.maximum(slope, _SMALLEST_SLOPE * np.sqrt(len(steps) / 2) / fold_um)
    levels = np.arange(-1.5, 1.6, rng.uniform(0.7, 1.3)) + rng.uniform(-0.3, 0.3)
    there = 1 / (1 + np.exp(-8 * (smooth_noise(grid, 2.5, rng) + rng.uniform(0.0, 0.8))))
    label = np.exp(0.3 * smooth_noise(grid, 0.5, rng) + 0.25 * smooth_noise(grid, 0.1, rng))
    image = np.full(grid.shape, rng.uniform(0.005, 0.03), folding.dtype)
    for level in levels:
        distance_um = (folding - level) / slope
        image += np.exp(-((distance_um / _HALF_WIDTH_UM) ** 2) / 2) * there * label
    return Specimen(resolved(image, grid), _geometry(grid, folding, there > 0.5, levels))


def _geometry(
    grid: Grid, folding: FloatArray, there: NDArray[np.bool_], levels: FloatArray
) -> Geometry:
    """Follow the sheets through the plane of focus."""
    if grid.is_volume:
        folding, there = folding[grid.shape[0] // 2], there[grid.shape[0] // 2]
    written = list[dict[str, object]]()
    for level in levels:
        for line in find_contours(folding, float(level), mask=there):
            points_um = (line + 0.5) * grid.pixel_size_um
            depth_um = np.broadcast_to(grid.focus_um, (len(line), len(grid.focus_um)))
            written.append(entry(np.concatenate([depth_um, points_um], 1)[::3]))
    return {"sheets": written}
