"""A restored image that is looked at in micrometres, and what stands apart in its profiles."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, signal

Floats = NDArray[np.float64]
Geometry = dict[str, list[dict[str, Any]]]
"""Objects by kind, as geometry/NAME.json of a simulated dataset has them, in µm (y, x)."""
Outcome = dict[str, float]
"""What one object of a phantom, or one image, came out as."""

STEP_UM = 0.02
"""Distance of the places that a profile is looked up at: a quarter of a usual pixel."""

DIP = 0.265
"""How far below the lower of two peaks the valley between them lies when two are seen, relative to
that peak: as between two stars at Rayleigh's distance (1879)."""

FAINTEST = 0.25
"""Lower peaks, relative to the highest, are no second object."""

_EDGE_UM = 0.4
"""Along its edge an image is not judged: what a package sees there is half mirrored."""


@dataclass(frozen=True)
class Plane:
    """A restored image on the grid of the truth.

    Attributes
    ----------
    image
        (y, x), on any scale.
    pixel_um
        Side of a pixel.
    """

    image: Floats
    pixel_um: float

    @cached_property
    def ground(self) -> float:
        """Return the level of the empty ground, which is most of a phantom: the median."""
        return float(np.median(self.image))

    def at(self, points_um: ArrayLike) -> Floats:
        """Look up intensities above the ground, by cubic splines.

        Parameters
        ----------
        points_um
            (n, ..., 2), (y, x) from the corner of the image.

        Returns
        -------
        ndarray
            (n, ...).
        """
        places = np.moveaxis(np.asarray(points_um, np.float64), -1, 0) / self.pixel_um - 0.5
        return ndimage.map_coordinates(self._spline, places, prefilter=False, mode="mirror")

    def holds(self, points_um: ArrayLike) -> bool:
        """Tell whether all points (..., 2) lie well inside the image."""
        points = np.asarray(points_um, np.float64)
        sides_um = np.array(self.image.shape) * self.pixel_um
        return bool(((points >= _EDGE_UM) & (points <= sides_um - _EDGE_UM)).all())

    @cached_property
    def _spline(self) -> Floats:
        return np.asarray(ndimage.spline_filter(self.image - self.ground, mode="mirror"))


def line(start_um: Floats, end_um: Floats) -> Floats:
    """Return the places of a profile, (n, 2), from end to end, `STEP_UM` apart or a little less."""
    steps = int(np.ceil(np.linalg.norm(end_um - start_um) / STEP_UM)) + 1
    return np.linspace(start_um, end_um, max(steps, 2))


def unit(vector: Floats) -> Floats:
    """Return the direction of a vector (2,)."""
    return vector / np.linalg.norm(vector)


def peaks(profile: Floats) -> NDArray[np.intp]:
    """Find the objects in a profile: peaks that valleys part from every higher one.

    A peak counts when the valley towards any higher peak lies `DIP` of its own height or more below
    it, and when it is `FAINTEST` of the highest or more.

    Parameters
    ----------
    profile
        (n,), intensities above the ground.

    Returns
    -------
    ndarray
        Their indices, in order.

    Examples
    --------
    >>> peaks(np.array([0.0, 1.0, 0.7, 1.0, 0.8, 0.9, 0.0]))
    array([1, 3])
    """
    found, _ = signal.find_peaks(profile)
    apart = list[int]()
    for peak in map(int, found[np.argsort(-profile[found], kind="stable")]):
        height = profile[peak]
        if height <= 0 or height < FAINTEST * profile[apart[0] if apart else peak]:
            break
        valleys = [profile[min(peak, other) : max(peak, other)].min() for other in apart]
        if max(valleys, default=-np.inf) <= (1 - DIP) * height:
            apart.append(peak)
    return np.array(sorted(apart), dtype=np.intp)
