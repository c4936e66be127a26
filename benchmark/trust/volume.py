"""A restored volume that is looked at in micrometres."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from benchmark.trust.plane import Floats

_EDGE_UM = 0.4
"""Along its sides a volume is not judged: what a package sees there is half mirrored."""


@dataclass(frozen=True)
class Volume:
    """A restored volume on the grid of the truth.

    Attributes
    ----------
    image
        (z, y, x), on any scale.
    pixel_um, step_um
        Side of a pixel, and distance of planes.
    """

    image: Floats
    pixel_um: float
    step_um: float

    @cached_property
    def ground(self) -> float:
        """Return the level of the empty ground, which is most of a phantom: the median."""
        return float(np.median(self.image))

    def at(self, points_um: ArrayLike) -> Floats:
        """Look up intensities above the ground, by cubic splines.

        Parameters
        ----------
        points_um
            (n, 3), (z, y, x) from the corner of the volume.

        Returns
        -------
        ndarray
            (n,).
        """
        places = (np.asarray(points_um, np.float64) / self._steps_um - 0.5).T
        return ndimage.map_coordinates(self._spline, places, prefilter=False, mode="mirror")

    def holds(self, points_um: ArrayLike) -> bool:
        """Tell whether all points (n, 3) lie well inside: along z a plane from the ends."""
        points = np.asarray(points_um, np.float64)
        sides_um = np.array(self.image.shape) * self._steps_um
        edges_um = np.array([self.step_um, _EDGE_UM, _EDGE_UM])
        return bool(((points >= edges_um) & (points <= sides_um - edges_um)).all())

    @property
    def _steps_um(self) -> Floats:
        return np.array([self.step_um, self.pixel_um, self.pixel_um])

    @cached_property
    def _spline(self) -> Floats:
        return np.asarray(ndimage.spline_filter(self.image - self.ground, mode="mirror"))
