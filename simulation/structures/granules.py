"""Small bodies: granules, and point sources far below the resolution."""

import numpy as np

from simulation.structures.grid import TARGET_FWHM_UM, Grid, Specimen, entry
from simulation.structures.rasterise import add_ball, add_points, perlin_noise, resolved

_SECTION_UM = 0.3
"""Thickness of a volume that holds as many of them per area as an image does."""


def granules(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw granules as CARE's: filled balls, denser in places, over a Perlin background.

    The geometry has each granule as `granules`, with radius and brightness. Source: Weigert et al.,
    Content-aware image restoration, Nature Methods 2018, supplementary note on synthetic tubules
    and granules.
    """
    cloud = perlin_noise(grid, 2.5, rng)
    image = rng.uniform(0.05, 0.25) * cloud
    typical_um = rng.uniform(0.08, 0.16)
    crowd = perlin_noise(grid, 4.0, rng)
    geometry = {"granules": list[dict[str, object]]()}
    for place in rng.uniform(0, grid.sides_um, (_count(grid, rng, 1.0, 4.0), len(grid.shape))):
        voxel = tuple((place / grid.steps_um).astype(int))
        radius_um = float(np.clip(rng.lognormal(np.log(typical_um), 0.3), 0.04, 0.35))
        brightness = float(rng.lognormal(-0.3, 0.35))
        if rng.random() < crowd[voxel] ** 2:
            add_ball(image, grid, place, radius_um, brightness)
            written = entry(place, radius_um=radius_um, brightness=brightness)
            geometry["granules"].append(written)
    return Specimen(resolved(image, grid), geometry)


def points(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw point sources anywhere, of different brightness, on a dark ground.

    The geometry has each source as `points`, with the brightness of its peak.
    """
    places = rng.uniform(0, grid.sides_um, (_count(grid, rng, 0.4, 2.0), len(grid.shape)))
    brightness = rng.lognormal(-0.2, 0.4, len(places))
    image = np.zeros(grid.shape)
    add_points(image, grid, places, brightness)
    written = [
        entry(place, brightness=peak, fwhm_um=TARGET_FWHM_UM)
        for place, peak in zip(places, brightness, strict=True)
    ]
    return Specimen(resolved(image, grid), {"points": written})


def _count(grid: Grid, rng: np.random.Generator, fewest: float, most: float) -> int:
    """Draw a number from a density between two, per µm²; one at least."""
    sections = grid.sides_um[0] / _SECTION_UM if grid.is_volume else 1.0
    return max(int(rng.poisson(rng.uniform(fewest, most) * grid.area_um2 * sections)), 1)
