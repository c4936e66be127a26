"""What a trust test finds, with 95 % intervals."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from imaging.bootstrap import CONFIDENCE, SEED, estimate_mean

RESAMPLES = 999
BIN_UM = 0.1
"""Width of the bins of distances in the plane, in tables and figures."""

_Z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))


@dataclass(frozen=True)
class TrustValue:
    """A number that a trust test finds.

    Attributes
    ----------
    metric
        What it is.
    value
        None where nothing was seen to tell it from.
    n
        Objects or images that entered.
    low, high
        The 95 % confidence interval; None where there is none.
    at_um
        The distance it holds for; None where it holds for all.
    """

    metric: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    at_um: float | None = None


def share(metric: str, seen: ArrayLike, at_um: float | None = None) -> TrustValue:
    """Estimate a share of objects.

    The interval is Wilson's (1927), objects taken as independent.

    Parameters
    ----------
    metric, at_um
        See `TrustValue`.
    seen
        (objects,), from 0 to 1 each.

    Returns
    -------
    TrustValue
        The mean.

    Examples
    --------
    >>> found = share("split", [0, 0, 0, 1])
    >>> found.value, round(found.low or 0, 3), round(found.high or 0, 3)
    (0.25, 0.046, 0.699)
    """
    numbers = np.asarray(seen, np.float64)
    n = len(numbers)
    if n == 0:
        return TrustValue(metric, None, 0, at_um=at_um)
    p = float(numbers.mean())
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    low, high = (0.0 if p == 0 else centre - half), (1.0 if p == 1 else centre + half)
    return TrustValue(metric, p, n, low, high, at_um)


def by_distance(
    metric: str, distance_um: pd.Series, seen: pd.Series, bin_um: float = BIN_UM
) -> list[TrustValue]:
    """Estimate a share in bins of 0.1 µm or another width; each value stands at the middle."""
    bins = np.floor(distance_um / bin_um + 1e-9)
    return [
        share(metric, of_bin, at_um=round((float(str(number)) + 0.5) * bin_um, 4))
        for number, of_bin in seen.groupby(bins)
    ]


def rate(metric: str, events: int, extent: float, n: int) -> TrustValue:
    """Estimate a number per extent, with the exact interval of a Poisson count (Garwood 1936).

    Parameters
    ----------
    metric, n
        See `TrustValue`.
    events
        How many were counted.
    extent
        In what, above 0.

    Examples
    --------
    >>> found = rate("invented", 0, 2.0, 1)
    >>> found.low, round(found.high or 0, 3)
    (0.0, 1.844)
    """
    tail = (1 - CONFIDENCE) / 2
    low = float(stats.chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    high = float(stats.chi2.ppf(1 - tail, 2 * events + 2)) / 2
    return TrustValue(metric, events / extent, n, low / extent, high / extent)


def mean(metric: str, numbers: ArrayLike, images: ArrayLike) -> TrustValue:
    """Estimate a mean over images, with the interval of `imaging.bootstrap.estimate_mean`."""
    estimate = estimate_mean(numbers, images)
    return TrustValue(metric, estimate.mean, estimate.images, estimate.low, estimate.high)


def redrawn(images: Iterable[object]) -> NDArray[np.float64]:
    """Draw images with replacement, as the bootstrap does.

    Parameters
    ----------
    images
        (objects,), the image of each.

    Returns
    -------
    ndarray
        (1 + 999, objects): how often each object enters; first as it is, then in each draw.
    """
    names, of_object = np.unique(np.asarray(list(images), dtype=str), return_inverse=True)
    count = len(names)
    drawn = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return np.vstack([np.ones(count), drawn])[:, of_object].astype(np.float64)


def bootstrapped(metric: str, estimates: NDArray[np.float64], n: int) -> TrustValue:
    """Make a value of an estimate and its bootstrap draws, (1 + draws,), as `redrawn` has rows."""
    tail = (1 - CONFIDENCE) / 2
    # Order statistics, not interpolated: some estimates are infinite.
    low, high = np.quantile(estimates[1:], [tail, 1 - tail], method="nearest")
    return TrustValue(metric, float(estimates[0]), n, float(low), float(high))
