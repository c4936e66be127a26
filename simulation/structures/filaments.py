"""Filaments thinner than the resolution: tubules that wander, and nets."""

from collections.abc import Callable

import numpy as np
from scipy.spatial import Voronoi

from simulation.structures.grid import TARGET_FWHM_UM, FloatArray, Grid, Specimen, entry
from simulation.structures.rasterise import add_lines, perlin_noise, resolved
from simulation.structures.walk import persistent_walk

_STEP_UM = 0.1
_KEPT_IN_GEOMETRY = 4
_MARGIN_UM = 5.0
"""Filaments may start this far outside on each side."""

_SECTION_UM = 0.5
"""Thickness of a volume that holds as much length of filament per area as an image does."""


def tubes(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw tubules as CARE's: persistent random walks over a Perlin background.

    The geometry has each tubule's line as `tubes`, with its brightness and apparent width. Source:
    Weigert et al., Content-aware image restoration, Nature Methods 2018, supplementary note on
    synthetic tubules and granules.
    """
    # tubules run along the plane: few would reach a volume from above or below
    margins_um = np.array([0.5, _MARGIN_UM, _MARGIN_UM])[-len(grid.shape) :]
    sides_um = grid.sides_um + 2 * margins_um
    persistence_um = rng.uniform(4, 25)
    sections = sides_um[0] / _SECTION_UM if grid.is_volume else 1.0
    wanted_um = rng.uniform(0.3, 0.9) * np.prod(sides_um[-2:]) * sections
    lines, brightness = list[FloatArray](), list[float]()
    while wanted_um > 0:
        start = rng.uniform(0, sides_um) - margins_um
        length_um = rng.uniform(8, 30)
        elevation = float(rng.normal(0, 0.04)) if grid.is_volume else 0.0
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

    In a volume wavy nets lie over each other, one of them in the plane of focus. The geometry has
    each thread's line as `threads`.
    """
    mesh_um, torn = rng.uniform(1.2, 3.0), rng.uniform(0, 0.25)
    lines = list[FloatArray]()
    for depth_um in _layers_um(grid, rng):
        wave = _wave(rng)
        for flat in _net(grid.sides_um[-2:], mesh_um, torn, rng):
            depths = depth_um + wave(flat)[:, None]
            lines.append(np.concatenate([depths, flat], 1) if grid.is_volume else flat)
    brightness = list(rng.uniform(0.4, 1.0, len(lines)))
    image = rng.uniform(0.02, 0.08) * perlin_noise(grid, 2.5, rng)
    add_lines(image, grid, lines, brightness)
    written = [
        entry(line, fwhm_um=TARGET_FWHM_UM, brightness=peak)
        for line, peak in zip(lines, brightness, strict=True)
    ]
    return Specimen(resolved(image, grid), {"threads": written})


def _layers_um(grid: Grid, rng: np.random.Generator) -> FloatArray:
    """Draw the depths of nets over each other, µm; a single one in an image."""
    if not grid.is_volume:
        return np.zeros(1)
    distance_um = rng.uniform(1.5, 3.0)
    focus_um = grid.focus_um[0]
    above, below = focus_um // distance_um, (grid.sides_um[0] - focus_um) // distance_um
    return focus_um + distance_um * np.arange(-above, below + 1)


def _wave(rng: np.random.Generator) -> Callable[[FloatArray], FloatArray]:
    """Draw how a layer departs from its plane: from places (n, 2) to heights (n,), µm."""
    azimuths = rng.uniform(0, 2 * np.pi, 3)
    waves = 2 * np.pi / rng.uniform(5, 12, 3) * np.stack([np.sin(azimuths), np.cos(azimuths)])
    phases = rng.uniform(0, 2 * np.pi, 3)
    return lambda places: 0.08 * np.sin(places @ waves + phases).sum(1)


def _net(
    sides_um: FloatArray, mesh_um: float, torn: float, rng: np.random.Generator
) -> list[FloatArray]:
    """Draw the threads (7, 2) of a plane net, µm."""
    outer_um = sides_um + 4 * mesh_um
    count = round(float(np.prod(outer_um / mesh_um)))
    polygons = Voronoi(rng.uniform(0, outer_um, (count, 2)) - 2 * mesh_um)
    threads = list[FloatArray]()
    for a, b in polygons.ridge_vertices:
        if a < 0 or rng.random() < torn:  # the outermost borders have no end
            continue
        ends = polygons.vertices[[a, b]]
        if np.all(np.abs(ends - sides_um / 2) < sides_um / 2 + mesh_um):
            threads.append(_sagging(ends[0], ends[1], rng))
    return threads


def _sagging(start: FloatArray, end: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw a thread from one place to another that is not quite straight, (7, 2)."""
    length_um = np.linalg.norm(end - start)
    along = np.linspace(0, 1, 7)[:, None]
    sag = rng.normal(0, 0.08 * length_um, 2)
    return start + (end - start) * along + sag * np.sin(np.pi * along)
