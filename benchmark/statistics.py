"""Means over images with their uncertainty: the percentile bootstrap, clustered by source.

Images cut from one specimen are not independent, so whole specimens are drawn, with all their
images (Davison and Hinkley 1997, section 3.8). Pixels are never resampled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEED = 0
RESAMPLES = 9999
CONFIDENCE = 0.95
_FEWEST_SOURCES = 6


@dataclass(frozen=True)
class Estimate:
    """A mean over images.

    Attributes
    ----------
    mean
        Over images, each counting the same.
    low, high
        The 95 % confidence interval; None with fewer than two sources.
    images, sources
        How many entered.
    """

    mean: float
    low: float | None
    high: float | None
    images: int
    sources: int


def estimate_mean(values: ArrayLike, sources: ArrayLike) -> Estimate:
    """Estimate a mean over images and its 95 % confidence interval.

    Sources are drawn with replacement, as many as there are; a draw's mean is over all images of
    the drawn sources. The interval lies between percentiles 2.5 and 97.5 of 9999 such means, drawn
    from a fixed seed. With few sources it is too narrow, as any bootstrap is.

    Parameters
    ----------
    values
        (images,); may hold infinities, which leave no interval.
    sources
        (images,), the specimen or file of each.

    Returns
    -------
    Estimate
        The mean, its interval and the counts.

    Examples
    --------
    >>> estimate_mean([1.0, 2.0, 3.0], ["a", "a", "a"])
    Estimate(mean=2.0, low=None, high=None, images=3, sources=1)
    """
    scores = np.asarray(values, dtype=np.float64)
    members, cluster = np.unique(np.asarray(sources), return_inverse=True)
    mean = float(scores.mean())
    if len(members) < 2 or not np.isfinite(scores).all():
        return Estimate(mean, None, None, len(scores), len(members))
    means = _bootstrap_means(scores, cluster, len(members))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), len(scores), len(members))


def differs(first: ArrayLike, second: ArrayLike, sources: ArrayLike) -> bool:
    """Tell whether two packages differ on the same images beyond chance.

    Parameters
    ----------
    first, second
        (images,), scores on the same images in the same order.
    sources
        (images,), the specimen or file of each.

    Returns
    -------
    bool
        Whether the 95 % interval of the mean paired difference excludes 0; False below six sources,
        where even differences of one sign are not rare enough (sign test, 2 / 2⁶ = 0.03).
    """
    if len(np.unique(np.asarray(sources))) < _FEWEST_SOURCES:
        return False
    difference = estimate_mean(np.subtract(first, second), sources)
    if difference.low is None or difference.high is None:
        return False
    return difference.low > 0 or difference.high < 0


def _bootstrap_means(
    scores: NDArray[np.float64], cluster: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    sums = np.bincount(cluster, scores, count)
    sizes = np.bincount(cluster, minlength=count)
    drawn = np.random.default_rng(SEED).integers(0, count, (RESAMPLES, count))
    return sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
