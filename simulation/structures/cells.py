"""Membrane-labelled glioblastoma cells and tumour microtubes, as if seen expanded.

Every structure is a union of balls along curved axes: a cell is a process that swells to a body,
a tumour microtube has varicosities, spikes and branches are short thin axes of the same union.

All lengths are µm before expansion.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.ndimage import gaussian_filter

from simulation.structures.grid import FloatArray, Geometry, Grid, Specimen, entry
from simulation.structures.membrane import MARGIN_UM, Axis, Field, Membrane, add_membrane
from simulation.structures.rasterise import resolved
from simulation.structures.walk import direction, persistent_walk

_STEP_UM = 0.12
"""Distance of neighbouring balls along an axis."""

_SECTION_UM = 2.5
"""Thickness of a volume that holds as many structures per area as an image does."""

_SPECKLE_SECTION_UM = 0.5
"""Thickness of a volume that holds as much stray label per area as an image does."""

_KEPT_IN_GEOMETRY = 4
"""One of so many balls is written to the geometry, about every half micrometre."""


def cells(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw membrane-labelled tumour cells, microtubes and fine processes.

    1 is a typical membrane seen edge-on; bright patches reach several times that. The geometry has
    the axes of each kind with their radii; `structure` counts what belongs together.
    """
    return _populated(Field(grid, rng), _CELLS)


def microtubes(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw tumour microtubes alone: hollow tubes with varicosities, protrusions and patches.

    Brightness and geometry are as of `cells`.
    """
    return _populated(Field(grid, rng), _MICROTUBES)


def _populated(field: Field, population: "_Population") -> Specimen:
    """Fill a field with the mean numbers of each kind per 100 µm²."""
    grid, rng = field.grid, field.rng
    image = _background(field)
    sides_um = grid.sides_um[-2:] + MARGIN_UM
    sections = (grid.sides_um[0] + MARGIN_UM) / _SECTION_UM if grid.is_volume else 1.0
    drawn = list[Membrane]()
    for draw, per_100_um2 in population:
        expected = per_100_um2 * field.density * np.prod(sides_um) / 100 * sections
        for _ in range(rng.poisson(expected)):
            drawn.append(draw(field))
            add_membrane(drawn[-1], field, image)
    drawn.append(_microtube(field, field.within()))  # no field is empty
    add_membrane(drawn[-1], field, image)
    return Specimen(resolved(image, grid), _geometry(drawn))


def _geometry(drawn: list[Membrane]) -> Geometry:
    geometry: Geometry = {}
    for number, membrane in enumerate(drawn):
        for axis in membrane.axes:
            points = axis.points[::_KEPT_IN_GEOMETRY]
            radii = axis.radii[::_KEPT_IN_GEOMETRY]
            geometry.setdefault(membrane.kind, []).append(
                entry(points, radii_um=radii, structure=number)
            )
    return geometry


def _walk(
    field: Field,
    start: FloatArray,
    azimuth: float,
    length_um: float,
    persistence_um: float,
    elevation: float | None = None,
) -> FloatArray:
    """Walk in a field: points (n, axes). It starts near the plane where no elevation is given."""
    elevation = field.elevation() if elevation is None else elevation
    return persistent_walk(
        field.rng, start, azimuth, elevation, length_um, persistence_um, _STEP_UM
    )


def _forward(axis: Axis, at: int) -> float:
    """Azimuth of an axis at one of its points."""
    return np.arctan2(*(axis.points[at] - axis.points[at - 1])[-2:])


def _varicosities(field: Field, count: int, per_um: float, swelling: float) -> FloatArray:
    """Relative radii (count,) of a process: 1 plus bumps and a slow wander."""
    rng, along = field.rng, np.arange(count) * _STEP_UM
    relative = 1 + 0.15 * np.sin(along * rng.uniform(0.5, 1.5) + rng.uniform(0, 2 * np.pi))
    relative *= np.clip((along[-1] - along) / rng.uniform(0.5, 4), 0.15, 1)  # the ends taper
    relative *= np.clip(along / rng.uniform(0.5, 4), 0.4, 1)
    for centre in rng.uniform(0, along[-1], rng.poisson(per_um * along[-1])):
        width, height = rng.uniform(0.25, 0.7), rng.uniform(0.2, 1) * swelling
        relative += height * np.exp(-(((along - centre) / width) ** 2) / 2)
    return relative


def _spikes(field: Field, axis: Axis, per_um: float, longest_um: float) -> list[Axis]:
    """Thin tapered protrusions that leave the outline of an axis."""
    rng, spikes = field.rng, list[Axis]()
    for _ in range(rng.poisson(per_um * len(axis.radii) * _STEP_UM)):
        at = int(rng.integers(1, len(axis.radii)))
        outward = _forward(axis, at) + rng.choice([-1, 1]) * rng.uniform(0.7, 1.8)
        elevation = 5 * field.elevation()
        away = direction(outward, elevation, len(field.grid.shape))
        start = axis.points[at] + axis.radii[at] * away
        length_um = rng.uniform(0.15, 1) ** 2 * longest_um + 0.2
        points = _walk(field, start, outward, length_um, 3.0, elevation)
        spikes.append(Axis(points, np.linspace(rng.uniform(0.03, 0.1), 0.01, len(points))))
    return spikes


def _branch(field: Field, axis: Axis, length_um: float, persistence_um: float) -> Axis:
    """Let a thinner process leave an axis at an angle."""
    rng = field.rng
    at = int(rng.integers(len(axis.radii) // 4, len(axis.radii)))
    angle = _forward(axis, at) + rng.choice([-1, 1]) * rng.uniform(0.4, 1.3)
    points = _walk(field, axis.points[at], angle, length_um, persistence_um)
    radius = axis.radii[at] * rng.uniform(0.4, 0.8)
    return Axis(points, radius * _varicosities(field, len(points), 0.1, 0.8))


def _microtube(field: Field, start: FloatArray | None = None) -> Membrane:
    """Draw a tumour microtube: 0.8 to 2 µm wide, with varicosities, spikes and bright patches."""
    rng = field.rng
    start = field.place() if start is None else start
    points = _walk(field, start, rng.uniform(0, 2 * np.pi), rng.uniform(12, 40), 30.0)
    radius = rng.uniform(0.4, 0.85)
    axis = Axis(points, radius * _varicosities(field, len(points), 0.12, 0.6))
    axes = [axis]
    if rng.random() < 0.35:
        axes.append(_branch(field, axis, rng.uniform(3, 12), 15.0))
    spiky = rng.random() < 0.5
    for tube in tuple(axes):
        axes += _spikes(field, tube, 0.9 if spiky else 0.15, 1.6 if spiky else 0.8)
    return Membrane(
        "microtubes",
        axes,
        brightness=rng.lognormal(-0.4, 0.45),
        interior=rng.uniform(0.3, 0.5),
        patchiness=rng.exponential(1.1),
        roughness_um=rng.uniform(0.02, 0.11),
        folds=0.3,
    )


def _cell(field: Field) -> Membrane:
    """Draw a cell: a process that swells to a body of 8 to 12 µm and narrows again."""
    rng = field.rng
    body_um, half_width_um = rng.uniform(8, 12), rng.uniform(1.6, 2.8)
    tails_um = rng.uniform(3, 14, 2) * (rng.random(2) < 0.7)
    # starts so that the body, not the tail, lies around the drawn place
    angle, elevation = rng.uniform(0, 2 * np.pi), field.elevation()
    ahead = direction(angle, elevation, len(field.grid.shape))
    start = field.place() - (tails_um[0] + body_um / 2) * ahead
    points = _walk(field, start, angle, body_um + tails_um.sum(), 30.0, elevation)
    along = np.arange(len(points)) * _STEP_UM
    from_centre = (along - tails_um[0] - body_um / 2) / (body_um / 2)
    skewed = from_centre + rng.uniform(-0.3, 0.3) * (1 - from_centre**2)
    squareness = rng.uniform(2, 3.2)
    body = np.clip(1 - np.abs(skewed) ** squareness, 0, None) ** 0.7
    tail = rng.uniform(0.3, 0.9) * _varicosities(field, len(points), 0.06, 0.5)
    tail *= np.where((from_centre < 0) & (tails_um[0] == 0), 0.1, 1)
    tail *= np.where((from_centre > 0) & (tails_um[1] == 0), 0.1, 1)
    axis = Axis(points, np.hypot(tail, half_width_um * body))
    axes = [axis, *_spikes(field, axis, rng.uniform(0, 0.5), 0.9)]
    if rng.random() < 0.3:
        axes.append(_branch(field, axis, rng.uniform(4, 12), 12.0))
    return Membrane(
        "cells",
        axes,
        brightness=rng.lognormal(-0.45, 0.3),
        interior=rng.uniform(0.2, 0.38),
        patchiness=rng.exponential(0.5),
        roughness_um=rng.uniform(0.03, 0.12),
        folds=rng.uniform(0.3, 1.0),
    )


def _fine_process(field: Field) -> Membrane:
    """Draw a long process thinner than 0.7 µm, smooth or beaded."""
    rng = field.rng
    points = _walk(field, field.place(), rng.uniform(0, 2 * np.pi), rng.uniform(6, 35), 15.0)
    radius = rng.uniform(0.06, 0.28)
    axis = Axis(points, radius * _varicosities(field, len(points), 0.25, 1.5))
    axes = [axis]
    if rng.random() < 0.25:
        axes.append(_branch(field, axis, rng.uniform(2, 8), 8.0))
    return Membrane(
        "processes",
        axes,
        brightness=rng.lognormal(-1.1, 0.35),
        interior=rng.uniform(0.6, 0.9),
        patchiness=rng.exponential(0.5),
        roughness_um=rng.uniform(0.0, 0.04),
        folds=0.0,
    )


def _debris(field: Field) -> Membrane:
    """Draw a faint short fragment of membrane."""
    rng = field.rng
    points = _walk(field, field.place(), rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 2.5), 1.0)
    radii = np.full(len(points), rng.uniform(0.03, 0.15))
    return Membrane(
        "debris",
        [Axis(points, radii)],
        brightness=rng.lognormal(-1.3, 0.5),
        interior=0.8,
        patchiness=0.8,
        roughness_um=0.05,
        folds=0.0,
    )


_Population: TypeAlias = tuple[tuple[Callable[[Field], Membrane], float], ...]
"""What lives in a field, with its mean number per 100 µm²."""

_CELLS: _Population = ((_cell, 0.3), (_microtube, 0.25), (_fine_process, 0.6), (_debris, 1.2))
_MICROTUBES: _Population = ((_microtube, 0.6),)


def _background(field: Field) -> FloatArray:
    """Speckle of stray label and a weak haze, of the grid's shape."""
    grid, rng = field.grid, field.rng
    image = np.zeros(grid.shape)
    sections = grid.sides_um[0] / _SPECKLE_SECTION_UM if grid.is_volume else 1.0
    count = rng.poisson(rng.uniform(1, 6) * grid.area_um2 * sections)
    places = rng.integers(0, grid.shape, (count, len(grid.shape)))
    area = (2 * np.pi * 0.05**2) / grid.pixel_size_um**2
    sigmas_um = np.full(len(grid.shape), 0.05)
    if grid.is_volume:
        sigmas_um[0] = 0.1
        area *= np.sqrt(2 * np.pi) * sigmas_um[0] / grid.z_step_um
    np.add.at(image, tuple(places.T), rng.exponential(0.07, count) * area)
    image = gaussian_filter(image, sigmas_um / grid.steps_um)
    haze = rng.uniform(0.005, 0.03) * np.exp(0.4 * field.noise(3.0))
    return image + haze
