"""An empty field: what is invented there.

Packages stretch the percentiles of what they are given, so the noise of an empty field alone would
become as bright as structure is elsewhere, and its brightness would mean nothing. The field is
therefore shown beside tubes of known brightness, in one image, as a user has it. What becomes at
least half as bright as the package makes those tubes counts as an object.
"""

from typing import cast

import numpy as np
import pandas as pd
from scipy import ndimage

from benchmark.trust.gaps import ridge
from benchmark.trust.plane import Floats, Geometry, Outcome, Plane
from benchmark.trust.values import Value, rate

_BRIGHT = 0.5
_PER_UM2 = 1000.0


def look(plane: Plane, geometry: Geometry) -> list[Outcome]:
    """Count the objects in an empty field.

    Parameters
    ----------
    plane
        The restored image.
    geometry
        With the `tubes` beside the field, and the `fields`: two opposite corners.

    Returns
    -------
    list of dict
        One: ``objects``, connected (with diagonals) pixels, and ``area_um2``.
    """
    tubes = [np.array(tube["points_um"], np.float64) for tube in geometry["tubes"]]
    brightness = [np.median(ridge(plane, *tube)) for tube in tubes if plane.holds(tube)]
    level = plane.ground + _BRIGHT * max(float(np.median(brightness)), 0.0)
    (field,) = geometry["fields"]
    corners = np.round(np.array(field["points_um"]) / plane.pixel_um).astype(int)
    rows, columns = (slice(*ends) for ends in corners.T)
    empty = plane.image[rows, columns]
    bright = ndimage.label(empty > level, np.ones((3, 3)))
    _, objects = cast(tuple[Floats, int], bright)
    return [{"objects": float(objects), "area_um2": empty.size * plane.pixel_um**2}]


def summarise(outcomes: pd.DataFrame) -> list[Value]:
    """Add up the fields.

    Parameters
    ----------
    outcomes
        Of `look`.

    Returns
    -------
    list of Value
        ``invented_per_1000_um2``.
    """
    extent = float(outcomes.area_um2.sum()) / _PER_UM2
    return [rate("invented_per_1000_um2", int(outcomes.objects.sum()), extent, len(outcomes))]
