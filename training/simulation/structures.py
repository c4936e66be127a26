"""Generated membrane-labelled glioblastoma cells and tumour microtubes, as if seen expanded.

Every structure is a union of discs along curved axes: a cell is a process that swells to a body,
a tumour microtube has varicosities, spikes and branches are short thin axes of the same union. Its
membrane is seen in an optical section, so the outline is bright and the interior dim: a tube shows
two bright edges. Structures add up where they overlap, as they do in a section of some thickness.

All lengths are µm before expansion.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.simulation.optics import FWHM_PER_SIGMA

TARGET_FWHM_UM = 0.07
"""Resolution of a fourfold expanded image in units before expansion."""

FloatArray = NDArray[np.floating]


def membranes(size_px: int, pixel_size_um: float, rng: np.random.Generator) -> FloatArray:
    """Generate one field of membrane-labelled tumour cells at the resolution of the target.

    Parameters
    ----------
    size_px
        Side of the square field.
    pixel_size_um
        Side of a pixel, µm before expansion.
    rng
        Source of all randomness: the same state gives the same field.

    Returns
    -------
    numpy.ndarray
        float32, (y, x), not negative. 0 is no label, 1 a typical membrane seen edge-on; bright
        patches reach several times that.
    """
    field = _Field(size_px, pixel_size_um, rng)
    image = _background(field)
    for draw, per_100_um2 in _POPULATION:
        expected = per_100_um2 * field.density * (field.side_um + _MARGIN_UM) ** 2 / 100
        for _ in range(rng.poisson(expected)):
            _add(draw(field), field, image)
    within = rng.uniform(0, field.side_um, 2)
    _add(_microtube(field, within), field, image)  # no field is empty
    sigma_px = TARGET_FWHM_UM / FWHM_PER_SIGMA / pixel_size_um
    return gaussian_filter(image, sigma_px).astype(np.float32)


_STEP_UM = 0.12
"""Distance of neighbouring discs along an axis."""

_MARGIN_UM = 6.0
"""Structures may start this far outside, in sum over both sides, and reach into the field."""


class _Field:
    """The pixels to fill, their size, and the source of randomness."""

    def __init__(self, size_px: int, pixel_size_um: float, rng: np.random.Generator) -> None:
        self.size_px = size_px
        self.pixel_size_um = pixel_size_um
        self.side_um = size_px * pixel_size_um
        self.rng = rng
        self.density = rng.uniform(0.5, 1.5)

    def place(self) -> FloatArray:
        """Draw a position (y, x) in the field or its margin, µm."""
        return self.rng.uniform(-_MARGIN_UM / 2, self.side_um + _MARGIN_UM / 2, 2)

    def noise(self, correlation_um: float, shape: tuple[int, int] | None = None) -> FloatArray:
        """Draw a smooth periodic Gaussian field, (y, x), of mean 0 and standard deviation 1."""
        rows, columns = shape or (self.size_px, self.size_px)
        by_row = self._low_pass(rows, correlation_um)
        by_column = self._low_pass(columns, correlation_um)
        gain = by_row[:, None] * by_column[: columns // 2 + 1]
        white = self.rng.standard_normal((rows, columns))
        smooth = np.fft.irfft2(np.fft.rfft2(white) * gain, s=white.shape)
        return smooth / np.sqrt(np.mean(by_row**2) * np.mean(by_column**2))

    def _low_pass(self, count: int, correlation_um: float) -> FloatArray:
        """Transfer of a Gaussian with this standard deviation, (count,)."""
        frequency = np.fft.fftfreq(count, self.pixel_size_um)
        return np.exp(-2 * (np.pi * correlation_um * frequency) ** 2)


@dataclass(frozen=True)
class _Axis:
    """Discs along a curve: centres (n, 2) as (y, x) in µm, radii (n,) in µm."""

    points: FloatArray
    radii: FloatArray


@dataclass(frozen=True)
class _Structure:
    """A union of discs and how its membrane is labelled."""

    axes: list[_Axis]
    brightness: float
    interior: float
    """Brightness of the membrane seen face-on, relative to its edge."""
    patchiness: float
    """How much denser the label is in patches, per standard deviation of their field."""
    roughness_um: float
    folds: float
    """Brightness of the folds of a body, relative to its edge."""


def _walk(
    field: _Field, start: FloatArray, angle: float, length_um: float, persistence_um: float
) -> FloatArray:
    """Walk with a direction that diffuses (worm-like chain): points (n, 2)."""
    steps = max(round(length_um / _STEP_UM), 2)
    turns = field.rng.normal(0, np.sqrt(_STEP_UM / persistence_um), steps)
    angles = angle + np.cumsum(turns)
    return start + _STEP_UM * np.cumsum(np.stack([np.sin(angles), np.cos(angles)], 1), 0)


def _varicosities(field: _Field, count: int, per_um: float, swelling: float) -> FloatArray:
    """Relative radii (count,) of a process: 1 plus bumps and a slow wander."""
    rng, along = field.rng, np.arange(count) * _STEP_UM
    relative = 1 + 0.15 * np.sin(along * rng.uniform(0.5, 1.5) + rng.uniform(0, 2 * np.pi))
    relative *= np.clip((along[-1] - along) / rng.uniform(0.5, 4), 0.15, 1)  # the ends taper
    relative *= np.clip(along / rng.uniform(0.5, 4), 0.4, 1)
    for centre in rng.uniform(0, along[-1], rng.poisson(per_um * along[-1])):
        width, height = rng.uniform(0.25, 0.7), rng.uniform(0.2, 1) * swelling
        relative += height * np.exp(-(((along - centre) / width) ** 2) / 2)
    return relative


def _spikes(field: _Field, axis: _Axis, per_um: float, longest_um: float) -> list[_Axis]:
    """Thin tapered protrusions that leave the outline of an axis."""
    rng, spikes = field.rng, list[_Axis]()
    for _ in range(rng.poisson(per_um * len(axis.radii) * _STEP_UM)):
        at = rng.integers(1, len(axis.radii))
        forward = np.arctan2(*(axis.points[at] - axis.points[at - 1]))
        outward = forward + rng.choice([-1, 1]) * rng.uniform(0.7, 1.8)
        start = axis.points[at] + axis.radii[at] * np.array([np.sin(outward), np.cos(outward)])
        length_um = rng.uniform(0.15, 1) ** 2 * longest_um + 0.2
        points = _walk(field, start, outward, length_um, 3.0)
        spikes.append(_Axis(points, np.linspace(rng.uniform(0.03, 0.1), 0.01, len(points))))
    return spikes


def _branch(field: _Field, axis: _Axis, length_um: float, persistence_um: float) -> _Axis:
    """Let a thinner process leave an axis at an angle."""
    rng = field.rng
    at = rng.integers(len(axis.radii) // 4, len(axis.radii))
    forward = np.arctan2(*(axis.points[at] - axis.points[at - 1]))
    angle = forward + rng.choice([-1, 1]) * rng.uniform(0.4, 1.3)
    points = _walk(field, axis.points[at], angle, length_um, persistence_um)
    radius = axis.radii[at] * rng.uniform(0.4, 0.8)
    return _Axis(points, radius * _varicosities(field, len(points), 0.1, 0.8))


def _microtube(field: _Field, start: FloatArray | None = None) -> _Structure:
    """Draw a tumour microtube: 0.8 to 2 µm wide, with varicosities, spikes and bright patches."""
    rng = field.rng
    start = field.place() if start is None else start
    points = _walk(field, start, rng.uniform(0, 2 * np.pi), rng.uniform(12, 40), 30.0)
    radius = rng.uniform(0.4, 0.85)
    axis = _Axis(points, radius * _varicosities(field, len(points), 0.12, 0.6))
    axes = [axis]
    if rng.random() < 0.35:
        axes.append(_branch(field, axis, rng.uniform(3, 12), 15.0))
    spiky = rng.random() < 0.5
    for tube in tuple(axes):
        axes += _spikes(field, tube, 0.9 if spiky else 0.15, 1.6 if spiky else 0.8)
    return _Structure(
        axes,
        brightness=rng.lognormal(-0.4, 0.45),
        interior=rng.uniform(0.3, 0.5),
        patchiness=rng.exponential(1.1),
        roughness_um=rng.uniform(0.02, 0.11),
        folds=0.3,
    )


def _cell(field: _Field) -> _Structure:
    """Draw a cell: a process that swells to a body of 8 to 12 µm and narrows again."""
    rng = field.rng
    body_um, half_width_um = rng.uniform(8, 12), rng.uniform(1.6, 2.8)
    tails_um = rng.uniform(3, 14, 2) * (rng.random(2) < 0.7)
    # starts so that the body, not the tail, lies around the drawn place
    angle = rng.uniform(0, 2 * np.pi)
    ahead = np.array([np.sin(angle), np.cos(angle)])
    start = field.place() - (tails_um[0] + body_um / 2) * ahead
    points = _walk(field, start, angle, body_um + tails_um.sum(), 30.0)
    along = np.arange(len(points)) * _STEP_UM
    from_centre = (along - tails_um[0] - body_um / 2) / (body_um / 2)
    skewed = from_centre + rng.uniform(-0.3, 0.3) * (1 - from_centre**2)
    squareness = rng.uniform(2, 3.2)
    body = np.clip(1 - np.abs(skewed) ** squareness, 0, None) ** 0.7
    tail = rng.uniform(0.3, 0.9) * _varicosities(field, len(points), 0.06, 0.5)
    tail *= np.where((from_centre < 0) & (tails_um[0] == 0), 0.1, 1)
    tail *= np.where((from_centre > 0) & (tails_um[1] == 0), 0.1, 1)
    axis = _Axis(points, np.hypot(tail, half_width_um * body))
    axes = [axis, *_spikes(field, axis, rng.uniform(0, 0.5), 0.9)]
    if rng.random() < 0.3:
        axes.append(_branch(field, axis, rng.uniform(4, 12), 12.0))
    return _Structure(
        axes,
        brightness=rng.lognormal(-0.45, 0.3),
        interior=rng.uniform(0.2, 0.38),
        patchiness=rng.exponential(0.5),
        roughness_um=rng.uniform(0.03, 0.12),
        folds=rng.uniform(0.3, 1.0),
    )


def _fine_process(field: _Field) -> _Structure:
    """Draw a long process thinner than 0.7 µm, smooth or beaded."""
    rng = field.rng
    points = _walk(field, field.place(), rng.uniform(0, 2 * np.pi), rng.uniform(6, 35), 15.0)
    radius = rng.uniform(0.06, 0.28)
    axis = _Axis(points, radius * _varicosities(field, len(points), 0.25, 1.5))
    axes = [axis]
    if rng.random() < 0.25:
        axes.append(_branch(field, axis, rng.uniform(2, 8), 8.0))
    return _Structure(
        axes,
        brightness=rng.lognormal(-1.1, 0.35),
        interior=rng.uniform(0.6, 0.9),
        patchiness=rng.exponential(0.5),
        roughness_um=rng.uniform(0.0, 0.04),
        folds=0.0,
    )


def _debris(field: _Field) -> _Structure:
    """Draw a faint short fragment of membrane."""
    rng = field.rng
    points = _walk(field, field.place(), rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 2.5), 1.0)
    radii = np.full(len(points), rng.uniform(0.03, 0.15))
    return _Structure(
        [_Axis(points, radii)],
        brightness=rng.lognormal(-1.3, 0.5),
        interior=0.8,
        patchiness=0.8,
        roughness_um=0.05,
        folds=0.0,
    )


_POPULATION: tuple[tuple[Callable[[_Field], _Structure], float], ...] = (
    (_cell, 0.3),
    (_microtube, 0.25),
    (_fine_process, 0.6),
    (_debris, 1.2),
)
"""What lives in a field, with its mean number per 100 µm²."""


_REACH_UM = 0.5
"""How far outside its outline a structure may still be seen."""


def _add(structure: _Structure, field: _Field, image: FloatArray) -> None:
    """Add the labelled membrane of a structure, seen in an optical section, to an image (y, x)."""
    window = _window(structure, field)
    depth = _depth_um(structure, field, window)
    if depth.size == 0 or depth.max() <= -_REACH_UM:
        return

    def noise(correlation_um: float) -> FloatArray:
        return field.noise(correlation_um, (depth.shape[0], depth.shape[1]))

    depth += structure.roughness_um * noise(0.22) * (depth > -_REACH_UM)
    edge = np.exp(-((depth / 0.1) ** 2) / 2)
    inside = 1 / (1 + np.exp(-depth / 0.04))
    # a membrane that curves away below the outline stays in focus for a while
    face = structure.interior * (0.75 + 0.6 * np.exp(-np.maximum(depth, 0) / 0.3))
    # folds are the lines where a smooth field is zero, seen in places only
    lines = np.exp(-((noise(1.0) / 0.06) ** 2) / 2)
    folds = structure.folds * lines * np.clip(noise(1.5) + 0.7, 0, 1)
    membrane = np.maximum(edge, inside * (face + folds))
    patches = 1 + structure.patchiness * np.clip(noise(0.4) - 0.7, 0, 1.5)
    label = patches * np.exp(0.2 * noise(0.12) + 0.15 * noise(0.7))
    puncta = 1 + 0.22 * noise(0.05) + 0.8 * np.clip(noise(0.08) - 2, 0, 2)
    image[window] += structure.brightness * membrane * label * np.clip(puncta, 0, None)


def _window(structure: _Structure, field: _Field) -> tuple[slice, slice]:
    """Rows and columns of the field that a structure can reach; perhaps none."""
    low = np.min([(a.points - a.radii[:, None]).min(0) for a in structure.axes], 0) - _REACH_UM
    high = np.max([(a.points + a.radii[:, None]).max(0) for a in structure.axes], 0) + _REACH_UM
    first = np.floor(low / field.pixel_size_um).astype(int).clip(0, field.size_px)
    last = np.ceil(high / field.pixel_size_um).astype(int).clip(0, field.size_px)
    return slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))


def _depth_um(structure: _Structure, field: _Field, window: tuple[slice, slice]) -> FloatArray:
    """Depth below the outline of the union of discs in a window, (y, x), µm; negative outside."""
    grid = (np.arange(field.size_px) + 0.5) * field.pixel_size_um
    grid_y, grid_x = grid[window[0]], grid[window[1]]
    depth = np.full((len(grid_y), len(grid_x)), -_REACH_UM)
    for axis in structure.axes:
        for (y, x), radius in zip(axis.points, axis.radii, strict=True):
            reach = radius + _REACH_UM
            rows = slice(*np.searchsorted(grid_y, [y - reach, y + reach]))
            columns = slice(*np.searchsorted(grid_x, [x - reach, x + reach]))
            near = depth[rows, columns]
            distance = np.hypot(grid_y[rows, None] - y, grid_x[None, columns] - x)
            np.maximum(near, radius - distance, out=near)
    return depth


def _background(field: _Field) -> FloatArray:
    """Speckle of stray label and a weak haze, (y, x)."""
    rng = field.rng
    image = np.zeros((field.size_px, field.size_px))
    count = rng.poisson(rng.uniform(1, 6) * field.side_um**2)
    places = rng.integers(0, field.size_px, (count, 2))
    area = (2 * np.pi * 0.05**2) / field.pixel_size_um**2
    np.add.at(image, (places[:, 0], places[:, 1]), rng.exponential(0.07, count) * area)
    image = gaussian_filter(image, 0.05 / field.pixel_size_um)
    haze = rng.uniform(0.005, 0.03) * np.exp(0.4 * field.noise(3.0))
    return image + haze
