"""Membranes of tubes and cells: balls along curved axes, of which the outline is labelled.

A membrane is seen in an optical section, so the outline is bright and the interior dim: a tube
shows two bright edges. Structures add up where they overlap, as they do in a section of some
thickness. In a volume the membrane above and below is there itself.
"""

from dataclasses import dataclass
from functools import reduce
from types import EllipsisType

import numpy as np
from numpy.typing import NDArray

from simulation.structures.grid import FloatArray, Grid
from simulation.structures.rasterise import smooth_noise

MARGIN_UM = 6.0
"""Structures may start this far outside, in sum over both sides, and reach into the field."""

_REACH_UM = 0.5
"""How far outside its outline a structure may still be seen."""

_CYTOPLASM = 0.5
"""What is left of the interior's brightness in a volume: label inside, without the membrane seen
face-on that an image adds to it."""


class Field:
    """The pixels to fill, how full they get, and the source of randomness."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self.grid = grid
        self.rng = rng
        self.density = rng.uniform(0.5, 1.5)
        self._textures: dict[float, FloatArray] = {}

    def place(self) -> FloatArray:
        """Draw a position in the field or its margin, (axes,), µm."""
        return self.rng.uniform(-MARGIN_UM / 2, self.grid.sides_um + MARGIN_UM / 2)

    def within(self) -> FloatArray:
        """Draw a position in the field, in a volume in its focal plane, (axes,), µm."""
        in_plane = self.rng.uniform(0, self.grid.sides_um[-2:])
        return np.concatenate([self.grid.focus_um, in_plane])

    def elevation(self) -> float:
        """Draw an angle out of the plane, radians; 0 in an image."""
        return float(self.rng.normal(0, 0.15)) if self.grid.is_volume else 0.0

    def noise(self, correlation_um: float) -> FloatArray:
        """Draw a smooth Gaussian field of the grid's shape, mean 0 and standard deviation 1."""
        return smooth_noise(self.grid, correlation_um, self.rng)

    def texture(self, correlation_um: float, window: tuple[slice, ...]) -> FloatArray:
        """Return smooth noise in a window: fresh in an image, a part of one field in a volume.

        Structures that overlap in a volume share their noise, which nobody sees and which saves
        most of the time.
        """
        if not self.grid.is_volume:
            shape = tuple(part.stop - part.start for part in window)
            return smooth_noise(Grid(shape, self.grid.pixel_size_um), correlation_um, self.rng)
        if correlation_um not in self._textures:
            self._textures[correlation_um] = self.noise(correlation_um)
        return self._textures[correlation_um][window]


@dataclass(frozen=True)
class Axis:
    """Balls along a curve: centres (n, axes) in µm, radii (n,) in µm."""

    points: FloatArray
    radii: FloatArray


@dataclass(frozen=True)
class Membrane:
    """A union of balls and how its membrane is labelled.

    Attributes
    ----------
    kind
        What it is, as its geometry calls it.
    axes
        The balls; the first axis is the structure's own, the others branch off.
    brightness
        Of the membrane seen edge-on.
    interior
        Brightness of the membrane seen face-on, relative to its edge.
    patchiness
        How much denser the label is in patches, per standard deviation of their field.
    roughness_um
        Standard deviation of the outline.
    folds
        Brightness of the folds of a body, relative to its edge.
    """

    kind: str
    axes: list[Axis]
    brightness: float
    interior: float
    patchiness: float
    roughness_um: float
    folds: float


def add_membrane(membrane: Membrane, field: Field, image: FloatArray) -> None:
    """Add a labelled membrane, seen in an optical section, to an image.

    Parameters
    ----------
    membrane
        What to draw.
    field
        Where, and the randomness of its texture.
    image
        Changed in place, of the shape of the field's grid.
    """
    window = _window(membrane, field.grid)
    depth = _depth_um(membrane, field.grid, window)
    if depth.size == 0 or depth.max() <= -_REACH_UM:
        return
    if not field.grid.is_volume:
        image[window] += _label(membrane, field, window, depth, ...)
        return
    near = depth > -_REACH_UM  # most of a volume is not
    image[window][near] += _label(membrane, field, window, depth[near], near)


def _label(
    membrane: Membrane,
    field: Field,
    window: tuple[slice, ...],
    depth: FloatArray,
    where: NDArray[np.bool_] | EllipsisType,
) -> FloatArray:
    """Brightness of a membrane at a depth below its outline, µm, of the same shape."""

    def noise(correlation_um: float) -> FloatArray:
        return field.texture(correlation_um, window)[where]

    depth = depth + membrane.roughness_um * noise(0.22) * (depth > -_REACH_UM)
    edge = np.exp(-((depth / 0.1) ** 2) / 2)
    inside = 1 / (1 + np.exp(-depth / 0.04))
    # a membrane that curves away below the outline stays in focus for a while
    face = membrane.interior * (0.75 + 0.6 * np.exp(-np.maximum(depth, 0) / 0.3))
    if field.grid.is_volume:
        face = face * _CYTOPLASM
    # folds are the lines where a smooth field is zero, seen in places only
    lines = np.exp(-((noise(1.0) / 0.06) ** 2) / 2)
    folds = membrane.folds * lines * np.clip(noise(1.5) + 0.7, 0, 1)
    seen = np.maximum(edge, inside * (face + folds))
    patches = 1 + membrane.patchiness * np.clip(noise(0.4) - 0.7, 0, 1.5)
    label = patches * np.exp(0.2 * noise(0.12) + 0.15 * noise(0.7))
    puncta = 1 + 0.22 * noise(0.05) + 0.8 * np.clip(noise(0.08) - 2, 0, 2)
    return membrane.brightness * seen * label * np.clip(puncta, 0, None)


def _window(membrane: Membrane, grid: Grid) -> tuple[slice, ...]:
    """Voxels of the grid that a structure can reach; perhaps none."""
    low = np.min([(a.points - a.radii[:, None]).min(0) for a in membrane.axes], 0) - _REACH_UM
    high = np.max([(a.points + a.radii[:, None]).max(0) for a in membrane.axes], 0) + _REACH_UM
    first = np.floor(low / grid.steps_um).astype(int).clip(0, grid.shape)
    last = np.ceil(high / grid.steps_um).astype(int).clip(0, grid.shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))


def _depth_um(membrane: Membrane, grid: Grid, window: tuple[slice, ...]) -> FloatArray:
    """Depth below the outline of the union of balls in a window, µm; negative outside."""
    centres = [grid.centres_um(axis)[part] for axis, part in enumerate(window)]
    depth = np.full([len(along) for along in centres], -_REACH_UM)
    columns = [along.reshape(-1, *[1] * after) for after, along in enumerate(centres[::-1])][::-1]
    for axis in membrane.axes:
        reach = axis.radii + _REACH_UM
        boxes = [
            map(slice, np.searchsorted(along, x - reach), np.searchsorted(along, x + reach))
            for along, x in zip(centres, axis.points.T, strict=True)
        ]
        for point, radius, *box in zip(axis.points, axis.radii, *boxes, strict=True):
            near = depth[tuple(box)]
            if near.size == 0:
                continue
            away = [along[part] - x for along, part, x in zip(columns, box, point, strict=True)]
            np.maximum(near, radius - reduce(np.hypot, away), out=near)
    return depth
