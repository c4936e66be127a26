"""Neurites filled with label, as if seen expanded: dendrites with spines, and beaded axons.

Every neurite is a union of balls along curved axes, filled evenly. An image shows it as an optical
section thicker than the neurite does, as bright as it is thick: a neck is dimmer than its head. In
a volume each place is filled or empty.

All lengths are µm before expansion. Shapes and sizes follow electron microscopy: Harris and
Stevens, Dendritic spines of CA 1 pyramidal cells, J. Neurosci. 1989; Arellano et al.,
Ultrastructure of dendritic spines, Front. Neurosci. 2007; Shepherd and Harris, Three-dimensional
structure of CA3-CA1 axons, J. Neurosci. 1998.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from simulation.structures.grid import FloatArray, Geometry, Grid, Specimen, entry
from simulation.structures.membrane import MARGIN_UM, Axis, Field
from simulation.structures.rasterise import fill_balls, resolved
from simulation.structures.walk import direction, persistent_walk

_STEP_UM = 0.06
"""Distance of neighbouring balls along an axis: the thinnest neck has no waists."""

_SECTION_UM = 3.0
"""Thickness of a volume that holds as many neurites per area as an image does."""

_KEPT_IN_GEOMETRY = 8
"""One of so many balls is written to the geometry, about every half micrometre."""

_DENDRITES, _AXONS = 0.1, 0.3  # mean number per 100 µm²


@dataclass(frozen=True)
class Spine:
    """A protrusion of a dendrite.

    Attributes
    ----------
    shape
        mushroom, thin, stubby, or filopodium.
    axis
        From the middle of the shaft to the tip.
    head_um
        Middle of the head, (axes,), µm; the tip of a filopodium.
    """

    shape: str
    axis: Axis
    head_um: FloatArray


@dataclass(frozen=True)
class _Neurite:
    kind: str
    shaft: Axis
    brightness: float  # of a µm of its thickness
    spines: list[Spine] = field(default_factory=list[Spine])


def dendrites(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw spiny dendrites, filopodia, and thin axons with boutons.

    The geometry has the axes of `dendrites` and `axons` with their radii, and `spines`, at the
    middle of their heads, with shape, radius of the head, length from the shaft's outline to the
    tip, and the number of their dendrite.
    """
    area = Field(grid, rng)
    image = _ground(area)
    sides_um = grid.sides_um[-2:] + MARGIN_UM
    sections = (grid.sides_um[0] + MARGIN_UM) / _SECTION_UM if grid.is_volume else 1.0
    expected = area.density * np.prod(sides_um) / 100 * sections
    drawn = [_dendrite(area, area.within())]  # no field is empty
    drawn += [_dendrite(area, area.place()) for _ in range(rng.poisson(expected * _DENDRITES))]
    drawn += [_axon(area) for _ in range(rng.poisson(expected * _AXONS))]
    for neurite in drawn:
        _add(neurite, area, image)
    return Specimen(resolved(image, grid), _geometry(drawn))


def spine(
    rng: np.random.Generator, shape: str, base: FloatArray, azimuth: float, elevation: float
) -> Spine:
    """Draw one protrusion.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        mushroom, thin, stubby, or filopodium.
    base
        Where it leaves the shaft's outline, (axes,), µm.
    azimuth, elevation
        Its direction, radians.

    Returns
    -------
    Spine
        Whose axis begins at the base.
    """
    long_um, neck_um, head_um = _SHAPES[shape](rng)
    length_um = long_um + 2 * head_um
    points = persistent_walk(rng, base, azimuth, elevation, length_um, 4.0, _STEP_UM)
    along = np.arange(1, len(points) + 1) * _STEP_UM
    centre_um = max(length_um - head_um, _STEP_UM)
    # the head is a ball at the end of a neck that widens towards both
    head = np.sqrt(np.clip(head_um**2 - (along - centre_um) ** 2, 0, None))
    foot = 0.5 * neck_um * np.exp(-along / 0.1)
    radii = np.maximum(head, neck_um + foot)
    return Spine(shape, Axis(points, radii), points[int(np.argmax(head))])


def _mushroom(rng: np.random.Generator) -> tuple[float, float, float]:
    return rng.uniform(0.2, 0.9), rng.uniform(0.05, 0.1), rng.uniform(0.18, 0.35)


def _thin(rng: np.random.Generator) -> tuple[float, float, float]:
    return rng.uniform(0.3, 1.6), rng.uniform(0.04, 0.09), rng.uniform(0.08, 0.18)


def _stubby(rng: np.random.Generator) -> tuple[float, float, float]:
    radius_um = rng.uniform(0.12, 0.28)
    return rng.uniform(0, 0.2), 0.8 * radius_um, radius_um


def _filopodium(rng: np.random.Generator) -> tuple[float, float, float]:
    radius_um = rng.uniform(0.04, 0.09)
    return rng.uniform(1.5, 5.0), radius_um, radius_um


_SHAPES: dict[str, Callable[[np.random.Generator], tuple[float, float, float]]] = {
    "mushroom": _mushroom,
    "thin": _thin,
    "stubby": _stubby,
    "filopodium": _filopodium,
}
"""Length and radius of the neck, and radius of the head, µm."""

_SHARES = (0.3, 0.4, 0.22, 0.08)


def _dendrite(area: Field, through: FloatArray) -> _Neurite:
    """Draw a dendrite that passes a place, with its spines."""
    rng = area.rng
    azimuth, elevation = rng.uniform(0, 2 * np.pi), area.elevation()
    behind, ahead = (
        persistent_walk(rng, through, azimuth + turn, side * elevation, length_um, 40.0, _STEP_UM)
        for turn, side, length_um in zip((np.pi, 0), (-1, 1), rng.uniform(20, 50, 2), strict=True)
    )
    points = np.concatenate([behind[::-1], ahead])
    along = np.arange(len(points)) * _STEP_UM
    rates = rng.uniform(0.2, 4, 6)  # radians per µm
    phases = rng.uniform(0, 2 * np.pi, 6)
    wander = 0.06 * np.sin(along[:, None] * rates + phases).sum(axis=1)
    shaft = Axis(points, np.exp(rng.uniform(np.log(0.08), np.log(0.35))) * (1 + wander))
    spines = list[Spine]()
    for _ in range(rng.poisson(rng.uniform(0.1, 1.0) * along[-1])):
        at = int(rng.integers(1, len(points)))
        forward = np.arctan2(*(points[at] - points[at - 1])[-2:])
        outward = forward + rng.choice([-1, 1]) * rng.normal(np.pi / 2, 0.35)
        rise = rng.uniform(-1.2, 1.2) if area.grid.is_volume else 0.0
        away = direction(outward, rise, len(area.grid.shape))
        base = points[at] + shaft.radii[at] * away
        shape = str(rng.choice(list(_SHAPES), p=_SHARES))
        spines.append(spine(rng, shape, base, outward, rise))
    return _Neurite("dendrites", shaft, rng.lognormal(-0.3, 0.5), spines)


def _axon(area: Field) -> _Neurite:
    """Draw a thin axon with boutons every few micrometres."""
    rng = area.rng
    points = persistent_walk(
        rng,
        area.place(),
        rng.uniform(0, 2 * np.pi),
        area.elevation(),
        rng.uniform(10, 50),
        20.0,
        _STEP_UM,
    )
    along = np.arange(len(points)) * _STEP_UM
    radii = np.full(len(points), rng.uniform(0.05, 0.14))
    for centre in rng.uniform(0, along[-1], rng.poisson(along[-1] / rng.uniform(2.5, 8))):
        long_um, high_um = rng.uniform(0.2, 0.6), rng.uniform(0.15, 0.42)
        radii = np.maximum(
            radii, high_um * np.sqrt(np.clip(1 - ((along - centre) / long_um) ** 2, 0, 1))
        )
    return _Neurite("axons", Axis(points, radii), rng.lognormal(-0.3, 0.5))


def _add(neurite: _Neurite, area: Field, image: FloatArray) -> None:
    """Add a neurite to an image or a volume; where its parts overlap they are one."""
    thickness = np.zeros(image.shape)
    for axis in (neurite.shaft, *(one.axis for one in neurite.spines)):
        fill_balls(thickness, area.grid, axis.points, axis.radii)
    image += neurite.brightness * thickness


def _ground(area: Field) -> FloatArray:
    """Draw a weak haze, of the grid's shape."""
    return area.rng.uniform(0.002, 0.02) * np.exp(0.4 * area.noise(3.0))


def _geometry(drawn: list[_Neurite]) -> Geometry:
    geometry: Geometry = {"dendrites": [], "axons": [], "spines": []}
    for number, neurite in enumerate(drawn):
        geometry[neurite.kind].append(
            entry(
                neurite.shaft.points[::_KEPT_IN_GEOMETRY],
                radii_um=neurite.shaft.radii[::_KEPT_IN_GEOMETRY],
                brightness=neurite.brightness,
                structure=number,
            )
        )
        for one in neurite.spines:
            geometry["spines"].append(
                entry(
                    one.head_um,
                    shape=one.shape,
                    radius_um=float(one.axis.radii.max()),
                    length_um=len(one.axis.points) * _STEP_UM,
                    structure=number,
                )
            )
    return geometry
