"""How bright the brightest small disc at a place is, relative to the line beside which it lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from benchmark.metrics.metric import NotApplicable
from imaging.annotations import Line

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Definition:
    """What is measured at a place, and how.

    Attributes
    ----------
    disc_um
        Radius of the disc over which intensities are averaged, µm: about half of what a two-photon
        microscope resolves, so that one bright pixel is no object.
    search_um
        How far from the place the middle of the disc may lie, µm. Marks are set by hand, at the tip
        of an object or beside it.
    depth_um
        How far in z, µm.
    shaft_um
        Length of the line on each side over which its own brightness is taken, µm.
    """

    disc_um: float = 0.25
    search_um: float = 0.4
    depth_um: float = 1.0
    shaft_um: float = 2.5


@dataclass(frozen=True)
class Places:
    """Places in an image, each beside a line.

    Attributes
    ----------
    x_um, y_um
        (n,), from the middle of the first pixel.
    plane
        (n,), from 0.
    vertex
        (n,), the nearest vertex of all lines, counted through.
    """

    x_um: Values
    y_um: Values
    plane: NDArray[np.intp]
    vertex: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.x_um)

    def followed_by(self, others: "Places") -> "Places":
        """Return these places and then others."""
        return Places(
            *(
                np.concatenate([getattr(self, name), getattr(others, name)])
                for name in ("x_um", "y_um", "plane", "vertex")
            )
        )


@dataclass(frozen=True)
class Brightest:
    """The brightest disc near each of some places.

    Attributes
    ----------
    value
        (n,), its mean intensity.
    away_um
        (n,), how far its middle lies from the place, µm, in the plane.
    """

    value: Values
    away_um: Values


class Volume:
    """Planes of an image that are looked up in micrometres.

    Parameters
    ----------
    planes
        (z, y, x).
    size_um
        Of the field along y and x, µm.
    first_um
        Where the field begins, along y and x, µm: half a pixel of the image that was annotated
        before 0.
    step_um
        From plane to plane; planes beside that of a place are not looked at without it.
    """

    def __init__(
        self,
        planes: NDArray[np.number],
        size_um: tuple[float, float],
        first_um: tuple[float, float],
        step_um: float | None,
    ) -> None:
        self.planes = planes
        self.pixel_um = tuple(
            size / pixels for size, pixels in zip(size_um, planes.shape[1:], strict=True)
        )
        self.first_um = first_um
        self.step_um = step_um

    def disc_means(
        self, x_um: Values, y_um: Values, plane: NDArray[np.intp], radius_um: float
    ) -> Values:
        """Return the mean intensity of the disc around each place, (n,); linear between pixels."""
        around = _lattice(radius_um, min(*self.pixel_um, radius_um / 2))
        means = np.empty(len(x_um))
        for z in np.unique(plane):
            here = np.flatnonzero(plane == z)
            at = np.stack(
                [
                    (place[here, None] + around[None, :, axis] - self.first_um[axis])
                    / self.pixel_um[axis]
                    - 0.5
                    for axis, place in enumerate((y_um, x_um))
                ]
            )
            values = map_coordinates(self.planes[z], at, output=np.float64, order=1, mode="nearest")
            means[here] = values.mean(axis=1)
        return means

    def brightest(self, places: Places, definition: Definition) -> Brightest:
        """Return the brightest disc within the search around each place."""
        step = definition.disc_um / 2
        shifts = _lattice(definition.search_um, step)
        best = np.full(len(places), -np.inf)
        away = np.zeros(len(places))
        for plane, inside in self.within(places.plane, definition.depth_um):
            for dy, dx in shifts:
                found = self.disc_means(
                    places.x_um[inside] + dx,
                    places.y_um[inside] + dy,
                    plane[inside],
                    definition.disc_um,
                )
                better = inside[found > best[inside]]
                away[better] = np.hypot(dy, dx)
                best[inside] = np.maximum(best[inside], found)
        return Brightest(best, away)

    def within(
        self, plane: NDArray[np.intp], depth_um: float
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield planes (n,) up to a depth above and below, and which of them there are."""
        deep = int(depth_um / self.step_um + 1e-9) if self.step_um else 0
        for depth in range(-deep, deep + 1):
            moved = plane + depth
            yield moved, np.flatnonzero((moved >= 0) & (moved < len(self.planes)))

    @cached_property
    def background(self) -> float:
        """Return the intensity of what is empty: most of the field, so its median."""
        return float(np.median([np.median(plane) for plane in self.planes]))


def line_brightness(
    volume: Volume, lines: Sequence[NDArray[np.float64]], definition: Definition
) -> Values:
    """Return how bright the lines are around each of their vertices.

    Parameters
    ----------
    volume
        Of the image.
    lines
        Each (vertices, 3): x and y in µm, and plane.
    definition
        Of the disc, and the length that counts.

    Returns
    -------
    ndarray
        (all vertices,): the median of the discs on the same line within `shaft_um`.
    """
    brightness: list[Values] = []
    for line in lines:
        means = volume.disc_means(
            line[:, 0], line[:, 1], line[:, 2].astype(np.intp), definition.disc_um
        )
        along = length_along(line)
        first = np.searchsorted(along, along - definition.shaft_um)
        last = np.searchsorted(along, along + definition.shaft_um, side="right")
        brightness.append(
            np.array([np.median(means[a:b]) for a, b in zip(first, last, strict=True)])
        )
    return np.concatenate(brightness)


def vertices_of(line: Line) -> NDArray[np.float64]:
    """Return the vertices of a line, (n, 3): x and y in µm, and plane."""
    return np.stack([line.x_um, line.y_um, line.plane.astype(np.float64)], axis=1)


def length_along(line: NDArray[np.float64]) -> Values:
    """Return how far along a line each vertex (x and y in µm, and plane) lies, µm."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line[:, :2], axis=0).T))])


def relative(values: Values, shaft: Values, background: float) -> Values:
    """Return intensities above the background in those of the line, which 1 is as bright as.

    Raises
    ------
    NotApplicable
        The line is not brighter than the background.
    """
    above = shaft - background
    if not np.all(above > 0):
        raise NotApplicable(
            "A line that was traced is not brighter than the background here, so nothing can be "
            "compared with it."
        )
    return (values - background) / above


def _lattice(radius: float, step: float) -> Values:
    """Return the points (n, 2) of a square lattice within a circle around one of them."""
    count = int(radius / step + 1e-9)
    reach = np.arange(-count, count + 1, dtype=np.float64) * step
    y, x = np.meshgrid(reach, reach, indexing="ij")
    within = np.hypot(y, x) <= radius * (1 + 1e-9)
    return np.stack([y[within], x[within]], axis=1)
