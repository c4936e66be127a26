"""Phantoms whose truth is exact, for tests of what may be trusted.

All is drawn with brightness 1 as the peak of an isolated object, in a volume in the plane of focus,
on a ground that is exactly 0 (but for the empty field). Objects stand on a lattice so wide that
neighbours do not disturb each other. What belongs together has one number, which stays when the
edge of an image cuts some of it off.
"""

import math

import numpy as np

from simulation.structures.grid import TARGET_FWHM_UM, FloatArray, Geometry, Grid, Specimen, entry
from simulation.structures.rasterise import (
    add_lines,
    add_points,
    fill_balls,
    perlin_noise,
    resolved,
)
from simulation.structures.walk import direction

_PAIR_TILE_UM = 2.5
_TUBE_TILE_UM = 4.0
_TUBE_UM = 2.4
_CROSSING_TILE_UM = 5.0
_CROSSING_UM = 3.6
_SPINE_TILE_UM = 5.0
_SHAFT_UM, _SHAFT_RADIUS_UM = 4.0, 0.35
_HEAD_RADIUS_UM = 0.2
_DEPTH_TILE_UM = 3.0
_DEPTH_TUBE_UM = 2.0
_SHALLOWEST_UM, _DEEPEST_UM = 0.5, 4.0
_DEPTH_JITTER_UM = 0.25
"""How far a pair may lie above or below the plane of focus: no plane is always hit."""

_SINGLE = 0.2
"""Share of tiles that hold a single or unbroken object, which must not be split or broken."""


def point_pairs(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw pairs of point sources 0.1 to 0.8 µm apart, of the same or different brightness.

    The geometry has `pairs`, at their middle, with distance and brightness ratio (1 to 5), and
    their `points` with brightness, the brighter 1. A distance of 0 is one source of the brightness
    of both.
    """
    image = np.zeros(grid.shape)
    geometry: Geometry = {"pairs": [], "points": []}
    for number, middle in enumerate(_tiles(grid, rng, _PAIR_TILE_UM)):
        distance_um = _distance_um(rng, 0.1, 0.8)
        ratio = 1.0 if rng.random() < 0.5 else float(rng.uniform(1, 5))
        half = distance_um / 2 * _across(grid, rng.uniform(0, 2 * np.pi))
        geometry["pairs"].append(
            entry(middle, pair=number, distance_um=distance_um, brightness_ratio=ratio)
        )
        pair = np.array([middle - half, middle + half])
        brightness = np.array([1.0, 1 / ratio])
        if distance_um == 0:
            pair, brightness = pair[:1], brightness.sum(keepdims=True)
        add_points(image, grid, pair, brightness)
        geometry["points"] += [
            entry(place, brightness=peak, fwhm_um=TARGET_FWHM_UM, pair=number)
            for place, peak in zip(pair, brightness, strict=True)
        ]
    return Specimen(resolved(image, grid), geometry)


def tube_pairs(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw pairs of parallel straight tubes, thinner than the resolution, 0.1 to 0.8 µm apart.

    The geometry has `pairs`, at their middle, with distance, and their `tubes` from end to end. A
    distance of 0 is one tube of the brightness of both.
    """
    image = np.zeros(grid.shape)
    geometry: Geometry = {"pairs": [], "tubes": []}
    for number, middle in enumerate(_tiles(grid, rng, _TUBE_TILE_UM)):
        distance_um = _distance_um(rng, 0.1, 0.8)
        angle = rng.uniform(0, 2 * np.pi)
        aside = distance_um / 2 * _across(grid, angle + np.pi / 2)
        geometry["pairs"].append(entry(middle, pair=number, distance_um=distance_um))
        for shift in (-aside, aside) if distance_um else (aside,):
            brightness = 1.0 if distance_um else 2.0
            tube = middle + shift + _TUBE_UM / 2 * _across(grid, angle) * [[-1], [1]]
            _draw(image, grid, geometry, tube, brightness, pair=number)
    return Specimen(resolved(image, grid), geometry)


def gaps(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw straight tubes, thinner than the resolution, broken by gaps of 0 to 1 µm.

    The geometry has `gaps` from end to end, with length (0 where the tube is unbroken), and the
    `tubes` on both sides.
    """
    image = np.zeros(grid.shape)
    geometry: Geometry = {"gaps": [], "tubes": []}
    for number, middle in enumerate(_tiles(grid, rng, _TUBE_TILE_UM)):
        length_um = _distance_um(rng, 0.05, 1.0)
        ahead = _across(grid, rng.uniform(0, 2 * np.pi))
        # anywhere along the tube, but leaving something on both sides
        start = rng.uniform(-0.9, 0.9 - length_um)
        ends = middle + ahead * np.array([[start], [start + length_um]])
        geometry["gaps"].append(entry(ends, gap=number, length_um=length_um))
        outer = middle + ahead * _TUBE_UM / 2 * np.array([[-1], [1]])
        pieces = [[outer[0], ends[0]], [ends[1], outer[1]]] if length_um else [outer]
        for piece in pieces:
            _draw(image, grid, geometry, np.array(piece), 1.0, gap=number)
    return Specimen(resolved(image, grid), geometry)


def crossings(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw two tubes, thinner than the resolution, that cross, or that approach and part again.

    The geometry has `crossings`, at their middle, with the angle between the tubes far away, their
    closest approach (0 where they cross) and whether they cross, and the `tubes`.
    """
    image = np.zeros(grid.shape)
    geometry: Geometry = {"crossings": [], "tubes": []}
    for number, middle in enumerate(_tiles(grid, rng, _CROSSING_TILE_UM)):
        crosses = bool(rng.random() < 0.5)
        closest_um = 0.0 if crosses else float(rng.uniform(0.1, 0.8))
        half_angle = rng.uniform(np.radians(15), np.radians(90)) / 2
        turn = rng.uniform(0, 2 * np.pi)
        along = np.linspace(-_CROSSING_UM / 2, _CROSSING_UM / 2, 61)
        # straight lines, or the two branches of the hyperbola that has them as asymptotes
        slope = np.tan(half_angle) * along
        aside = slope if crosses else np.hypot(closest_um / 2, slope)
        geometry["crossings"].append(
            entry(
                middle,
                crossing=number,
                angle_deg=math.degrees(2 * half_angle),
                closest_um=closest_um,
                crosses=crosses,
            )
        )
        ahead, across = _across(grid, turn), _across(grid, turn + np.pi / 2)
        for side in (-1, 1):
            tube = middle + along[:, None] * ahead + side * aside[:, None] * across
            _draw(image, grid, geometry, tube, 1.0, crossing=number)
    return Specimen(resolved(image, grid), geometry)


def spines(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw straight shafts, each with the head of a spine beside it, without a neck.

    A shaft is a filled cylinder of 0.7 µm, whose middle has brightness 1, and a head a ball of
    0.4 µm, whose middle is 0.05 to 1 as bright as that of the shaft.

    The geometry has `spines`, at the middle of the head, with brightness and its distance from the
    shaft's outline to its own (0.1 to 1.5 µm), and the `shafts` from end to end.
    """
    image = np.zeros(grid.shape)
    geometry: Geometry = {"spines": [], "shafts": []}
    thickness_um = 1.0 if grid.is_volume else 2 * _SHAFT_RADIUS_UM
    for number, middle in enumerate(_tiles(grid, rng, _SPINE_TILE_UM)):
        angle = rng.uniform(0, 2 * np.pi)
        ahead, aside = _across(grid, angle), _across(grid, angle + np.pi / 2)
        distance_um = float(rng.uniform(0.1, 1.5))
        brightness = float(np.exp(rng.uniform(np.log(0.05), 0)))
        axis_um = _SHAFT_RADIUS_UM + distance_um + _HEAD_RADIUS_UM
        head = middle + rng.uniform(-1.2, 1.2) * ahead + axis_um * aside
        along = np.linspace(-_SHAFT_UM / 2, _SHAFT_UM / 2, 201)[:, None]
        shaft, spine = np.zeros(grid.shape), np.zeros(grid.shape)
        fill_balls(shaft, grid, middle + along * ahead, np.full(len(along), _SHAFT_RADIUS_UM))
        fill_balls(spine, grid, head[None], np.array([_HEAD_RADIUS_UM]))
        head_um = 1.0 if grid.is_volume else 2 * _HEAD_RADIUS_UM
        image += shaft / thickness_um + brightness * spine / head_um
        geometry["spines"].append(
            entry(head, spine=number, brightness=brightness, distance_um=distance_um)
        )
        geometry["shafts"].append(
            entry(middle + along[[0, -1]] * ahead, spine=number, brightness=1.0)
        )
    return Specimen(resolved(image, grid), geometry)


def axial_pairs(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw pairs of point sources of one brightness above each other, 0.5 to 4 µm apart.

    They lie anywhere between planes, shared between the two nearest, so that centroids are exact.
    The geometry has `pairs`, at their middle, with distance, and their `points`. A distance of 0 is
    one source of the brightness of both; in a single plane all pairs look like that.
    """
    image = np.zeros(grid.shape)
    geometry: Geometry = {"pairs": [], "points": []}
    for number, focus in enumerate(_tiles(grid, rng, _PAIR_TILE_UM)):
        distance_um, pair = _above_each_other(grid, rng, focus)
        brightness = np.full(len(pair), 2.0 / len(pair))
        add_points(image, grid, pair, brightness)
        geometry["pairs"].append(entry(pair.mean(axis=0), pair=number, distance_um=distance_um))
        geometry["points"] += [
            entry(place, brightness=peak, fwhm_um=TARGET_FWHM_UM, pair=number)
            for place, peak in zip(pair, brightness, strict=True)
        ]
    return Specimen(resolved(image, grid), geometry)


def depth_crossings(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw two straight tubes, thinner than the resolution, that cross 0.5 to 4 µm apart in depth.

    They lie anywhere between planes, as `axial_pairs` do. The geometry has `pairs`, where they
    cross, midway between them, with distance and the angle between them, and the `tubes` from end
    to end. A distance of 0 is a crossing in one plane; in a single plane all are.
    """
    image = np.zeros(grid.shape)
    geometry: Geometry = {"pairs": [], "tubes": []}
    for number, focus in enumerate(_tiles(grid, rng, _DEPTH_TILE_UM)):
        distance_um, pair = _above_each_other(grid, rng, focus)
        between = rng.uniform(np.radians(30), np.radians(90))
        turn = rng.uniform(0, 2 * np.pi)
        geometry["pairs"].append(
            entry(
                pair.mean(axis=0),
                pair=number,
                distance_um=distance_um,
                angle_deg=math.degrees(between),
            )
        )
        for place, angle in zip((pair[0], pair[-1]), (turn, turn + between), strict=True):
            tube = place + _DEPTH_TUBE_UM / 2 * _across(grid, angle) * [[-1], [1]]
            _draw(image, grid, geometry, tube, 1.0, pair=number)
    return Specimen(resolved(image, grid), geometry)


def empty(grid: Grid, rng: np.random.Generator) -> Specimen:
    """Draw a weak smooth background without any object; the geometry is empty."""
    image = rng.uniform(0.01, 0.05) * perlin_noise(grid, 4.0, rng)
    return Specimen(resolved(image, grid), {})


def _tiles(grid: Grid, rng: np.random.Generator, tile_um: float) -> FloatArray:
    """Places (n, axes) on a lattice, each moved a little, in the plane of focus; one at least."""
    counts = np.maximum(grid.sides_um[-2:] // tile_um, 1).astype(int)
    nodes = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 2)
    places = grid.sides_um[-2:] / 2 + (nodes - (counts - 1) / 2) * tile_um
    places = places + rng.uniform(-0.1, 0.1, places.shape)
    depth_um = np.broadcast_to(grid.focus_um, (len(places), len(grid.focus_um)))
    return np.concatenate([depth_um, places], 1)


def _above_each_other(
    grid: Grid, rng: np.random.Generator, focus: FloatArray
) -> tuple[float, FloatArray]:
    """Draw a distance, now and then 0, and two places so far apart in depth, or one."""
    distance_um = _distance_um(rng, _SHALLOWEST_UM, _DEEPEST_UM)
    below = np.eye(len(focus))[0] if grid.is_volume else np.zeros(len(focus))
    middle = focus + rng.uniform(-_DEPTH_JITTER_UM, _DEPTH_JITTER_UM) * below
    if distance_um == 0:
        return 0.0, middle[None]
    return distance_um, np.array(
        [middle - distance_um / 2 * below, middle + distance_um / 2 * below]
    )


def _across(grid: Grid, angle: float) -> FloatArray:
    """Return a unit vector (axes,) in the plane."""
    return direction(angle, 0.0, len(grid.shape))


def _distance_um(rng: np.random.Generator, shortest: float, longest: float) -> float:
    """Draw a distance, or now and then 0."""
    return 0.0 if rng.random() < _SINGLE else float(rng.uniform(shortest, longest))


def _draw(
    image: FloatArray,
    grid: Grid,
    geometry: Geometry,
    tube: FloatArray,
    brightness: float,
    **belongs: int,
) -> None:
    """Add a tube to the image and to the geometry."""
    add_lines(image, grid, [tube], [brightness])
    geometry["tubes"].append(entry(tube, brightness=brightness, fwhm_um=TARGET_FWHM_UM, **belongs))
