"""An empty field: what is invented there.

Packages stretch the percentiles of what they are given, so the noise of an empty field alone would
become as bright as structure is elsewhere, and its brightness would mean nothing. The field is
therefore shown beside tubes of known brightness, in one image, as a user has it, and brightness is
measured in those tubes.

Objects are what a reader takes for structure, but what is a little dimmer than an object, or all
connected, would not be counted. So the light in the field is measured, too, which neither
splitting, merging nor dimming hides.
"""

from typing import cast

import numpy as np
import pandas as pd
from scipy import ndimage

from benchmark.trust.gaps import ridge
from benchmark.trust.plane import Floats, Geometry, Outcome, Plane
from benchmark.trust.values import TrustValue, mean, rate

_BRIGHT = 0.5
"""Objects are at least so bright, in tubes."""

_PER_UM2 = 1000.0
_FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


def look(plane: Plane, geometry: Geometry, psf_fwhm_um: float) -> list[Outcome]:
    """Count the objects in an empty field, and measure its light.

    The light is the contrast as root mean square (Peli 1990, J. Opt. Soc. Am. A 7, 2032) at the
    resolution of the microscope, √⟨((G∗I − g)/b)²⟩ over the field: G a Gaussian of the width of the
    PSF, under which noise shrinks and structure stays; g the ground, the median beside the field;
    b the brightness of the tubes above it, the median along their ridges.

    Of the geometry, the `tubes` beside the field, and the `fields`: two opposite corners.

    Returns
    -------
    list of dict
        One: ``objects``, connected (with diagonals) pixels at least half as bright as the tubes,
        ``area_um2``, and ``light``, 1 where it is no less than that of the tubes, and 0 where
        there is none.
    """
    (field,) = geometry["fields"]
    corners = np.round(np.array(field["points_um"]) / plane.pixel_um).astype(int)
    rows, columns = (slice(*ends) for ends in corners.T)
    beside = np.ones(plane.image.shape, bool)
    beside[rows, columns] = False
    ground = float(np.median(plane.image[beside]))
    tubes = [np.array(tube["points_um"], np.float64) for tube in geometry["tubes"]]
    ridges = [np.median(ridge(plane, *tube)) for tube in tubes if plane.holds(tube)]
    brightness = max(float(np.median(ridges)) + plane.ground - ground, 0.0)
    empty = plane.image[rows, columns] - ground
    bright = ndimage.label(empty > _BRIGHT * brightness, np.ones((3, 3)))
    _, objects = cast(tuple[Floats, int], bright)
    blurred = ndimage.gaussian_filter(empty, psf_fwhm_um / _FWHM_PER_SIGMA / plane.pixel_um)
    contrast = float(np.sqrt(np.mean(blurred**2)))
    outcome = {
        "objects": float(objects),
        "area_um2": empty.size * plane.pixel_um**2,
        "light": contrast / brightness if contrast < brightness else float(contrast != 0),
    }
    return [outcome]


def summarise(outcomes: pd.DataFrame) -> list[TrustValue]:
    """Add up the objects of all fields, and average their light.

    Of outcomes of `look`, with the column image.

    Returns
    -------
    list of TrustValue
        ``invented_per_1000_um2``, and ``invented_light``, a share of the tubes' brightness.
    """
    extent = float(outcomes.area_um2.sum()) / _PER_UM2
    return [
        rate("invented_per_1000_um2", int(outcomes.objects.sum()), extent, len(outcomes)),
        mean("invented_light", outcomes.light, outcomes.image),
    ]
