"""Filaments thinner than the resolution: tubules that wander, and nets."""

import itertools

import numpy as np
from scipy.spatial import Voronoi

from training.simulation.structures.grid import (
    TARGET_FWHM_UM,
    FloatArray,
    Grid,
    Specimen,
    entry,
)
from training.simulation.structures.light import add_lines, perlin_noise, resolved
from training.simulation.structures.walk import persistent_walk

_STEP_UM = 0.1
_KEPT_IN_GEOMETRY = 4
_MARGIN_UM = 5.0
"""Filaments may start this far outside on each side."""


def tubes(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw tubules as CARE's: persistent random walks over a Perlin background.

    Parameters
    ----------
    grid
        Where to draw.
    rng
        Source of all randomness.

    Returns
    -------
    Specimen
        The geometry has each tubule's line as `tubes`, with its brightness and apparent width.

    References
    ----------
    Weigert et al., Content-aware image restoration, Nature Methods 2018, supplementary note on
    synthetic tubules and granules.
    """
    sides_um = grid.sides_um + 2 * _MARGIN_UM
    persistence_um = rng.uniform(4, 25)
    # length of tubule per µm², or per section of 1 µm of a volume
    wanted_um = rng.uniform(0.3, 0.9) * np.prod(sides_um)
    lines, brightness = list[FloatArray](), list[float]()
    while wanted_um > 0:
        start = rng.uniform(0, sides_um) - _MARGIN_UM
        length_um = rng.uniform(8, 30)
        elevation = float(rng.normal(0, 0.3)) if grid.is_volume else 0.0
        azimuth = rng.uniform(0, 2 * np.pi)
        line = persistent_walk(rng, start, azimuth, elevation, length_um, persistence_um, _STEP_UM)
        lines.append(line)
        brightness.append(rng.uniform(0.5, 1.2))
        wanted_um -= length_um
    image = rng.uniform(0.05, 0.2) * perlin_noise(grid, 2.5, rng) ** 2
    add_lines(image, grid, lines, brightness)
    written = [
        entry(line[::_KEPT_IN_GEOMETRY], fwhm_um=TARGET_FWHM_UM, brightness=peak)
        for line, peak in zip(lines, brightness, strict=True)
    ]
    return Specimen(resolved(image, grid), {"tubes": written})


def nets(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw a net: threads along the borders of random polygons, some of them torn.

    Parameters
    ----------
    grid
        Where to draw.
    rng
        Source of all randomness.

    Returns
    -------
    Specimen
        The geometry has each thread's line as `threads`.
    """
    mesh_um = rng.uniform(1.2, 3.0)
    sides_um = grid.sides_um + 4 * mesh_um
    count = round(float(np.prod(sides_um / mesh_um)))
    nodes = Voronoi(rng.uniform(0, sides_um, (count, len(grid.shape))) - 2 * mesh_um)
    pairs = {
        (min(a, b), max(a, b))
        for ridge in nodes.ridge_vertices
        for a, b in itertools.pairwise([*ridge, ridge[0]])
        if -1 not in (a, b) and a != b
    }
    middle_um = grid.sides_um / 2
    near = np.all(np.abs(nodes.vertices - middle_um) < middle_um + mesh_um, axis=1)
    torn = rng.uniform(0, 0.25)
    lines, brightness = list[FloatArray](), list[float]()
    for a, b in sorted(pairs):
        if not (near[a] and near[b]) or rng.random() < torn:
            continue
        lines.append(_sagging(nodes.vertices[a], nodes.vertices[b], rng))
        brightness.append(rng.uniform(0.4, 1.0))
    image = rng.uniform(0.02, 0.08) * perlin_noise(grid, 2.5, rng)
    add_lines(image, grid, lines, brightness)
    written = [
        entry(line, fwhm_um=TARGET_FWHM_UM, brightness=peak)
        for line, peak in zip(lines, brightness, strict=True)
    ]
    return Specimen(resolved(image, grid), {"threads": written})


def _sagging(start: FloatArray, end: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw a thread from one place to another that is not quite straight, (7, axes)."""
    length_um = np.linalg.norm(end - start)
    along = np.linspace(0, 1, 7)[:, None]
    sag = rng.normal(0, 0.08 * length_um, len(start))
    return start + (end - start) * along + sag * np.sin(np.pi * along)
