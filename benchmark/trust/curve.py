"""The distance from which on more than half are seen: a logistic curve through yes and no."""

import math
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.trust.values import TrustValue, bootstrapped, redrawn

_LONGEST_UM = 0.8
_HALVES_UM = np.arange(0.05, 1.2001, 0.005)
_WIDTHS_UM = np.geomspace(0.005, 0.3, 12)


def fit_half(
    metric: str,
    distance_um: pd.Series,
    seen: pd.Series,
    images: pd.Series,
    longest_um: float = _LONGEST_UM,
) -> TrustValue:
    """Fit P(seen) = 1 / (1 + exp(−(d − d₅₀)/w)) by maximum likelihood.

    The likelihood is evaluated on a grid, d₅₀ in steps of 0.005 µm and w from 0.005 to 0.3 µm, so
    that no curve is too steep to be fitted; both are larger where longer distances than 0.8 µm were
    tested, in proportion. The interval is the bootstrap's over images.

    Parameters
    ----------
    metric
        Name of the value.
    distance_um, seen, images
        (objects,): d, what was seen from 0 to 1, and in which image.
    longest_um
        The longest distance that was tested.

    Returns
    -------
    TrustValue
        d₅₀, µm; infinite where it lies beyond `longest_um`, for then it was not seen.

    Examples
    --------
    >>> distance_um = pd.Series(np.linspace(0.1, 0.8, 71))
    >>> fit_half("d50_um", distance_um, distance_um > 0.305, distance_um * 0).value
    0.305
    """
    if len(distance_um) == 0:
        return TrustValue(metric, None, 0)
    d = distance_um.to_numpy(np.float64)
    yes = seen.to_numpy(np.float64)[:, None]
    halves_um, widths_um = (longest_um / _LONGEST_UM * of for of in _grid())
    z = (d[:, None] - halves_um) / widths_um
    log_likelihood = -yes * np.logaddexp(0, -z) - (1 - yes) * np.logaddexp(0, z)
    best = (redrawn(images) @ log_likelihood).argmax(axis=1)
    found = np.where(halves_um[best] > longest_um, math.inf, halves_um[best].round(3))
    return bootstrapped(metric, found, len(d))


@cache
def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return d₅₀ and w of every point of the grid, (points,) each, the widest curves first."""
    widths_um, halves_um = np.meshgrid(_WIDTHS_UM[::-1], _HALVES_UM, indexing="ij")
    return halves_um.ravel(), widths_um.ravel()
