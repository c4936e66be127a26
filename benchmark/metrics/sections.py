"""Sections of volumes along z: xz and yz planes of square pixels."""

from collections.abc import Iterator

import numpy as np

from benchmark.metrics.metric import Image, NotApplicable, Volume
from imaging.resample import linear

_SECTIONS = 16  # in each of both directions


def axial_sections(
    truth: Volume, prediction: Volume, pixel_um: float, step_um: float
) -> Iterator[tuple[Image, Image]]:
    """Yield sections of two volumes across y and across x.

    Of each direction 16, evenly spread, or all where there are fewer; those in which the truth is
    constant are left out. Along z they are interpolated linearly (where planes lie closer than
    pixels, averaged under a triangle) to the pixel size along y and x, so that windows and networks
    which expect square pixels find some; both volumes alike.

    Parameters
    ----------
    truth, prediction
        (z, y, x).
    pixel_um, step_um
        Side of a pixel along y and x, and distance of planes.

    Yields
    ------
    tuple of ndarray
        Of truth and prediction, (z, x) or (z, y), from top to bottom as the planes are in order.

    Raises
    ------
    NotApplicable
        The truth is constant in all of them.
    """
    rows = max(round(len(truth) * step_um / pixel_um), 1)
    found = False
    for axis in (1, 2):
        length = truth.shape[axis]
        number = min(length, _SECTIONS)
        for place in ((np.arange(number) + 0.5) * length / number).astype(int).tolist():
            section = truth.take(place, axis)
            if section.min() == section.max():
                continue
            found = True
            shape = rows, section.shape[1]
            both = (linear(of, shape) for of in (section, prediction.take(place, axis)))
            one, other = (np.asarray(of, dtype=np.float64) for of in both)
            yield one, other
    if not found:
        raise NotApplicable("The truth is constant along all sections.")
