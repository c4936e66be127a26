"""A mean over images with its 95 % interval: the bootstrap; specimens count, not pixels.

Images cut from one specimen are not independent, so the bootstrap draws whole specimens with all
their images (Davison and Hinkley 1997, section 3.8).
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEED = 0
RESAMPLES = 9999
CONFIDENCE = 0.95


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
    means = bootstrap_means(scores, cluster, len(members))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), len(scores), len(members))


def bootstrap_means(
    scores: NDArray[np.float64], cluster: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    """Return the mean of each resample.

    Parameters
    ----------
    scores, cluster
        (images,), and the number of the source of each.
    count
        Of the sources.

    Returns
    -------
    ndarray
        (RESAMPLES,), of draws of sources that are the same for any scores.
    """
    sums = np.bincount(cluster, scores, count)
    sizes = np.bincount(cluster, minlength=count).astype(np.float64)
    times = times_drawn(count)
    return (times @ sums) / (times @ sizes)


@functools.lru_cache(maxsize=1)
def times_drawn(count: int) -> NDArray[np.float64]:
    """Return how often each of the sources is in each resample; the same for every metric."""
    drawn = np.random.default_rng(SEED).integers(0, count, (RESAMPLES, count))
    places = drawn + count * np.arange(RESAMPLES)[:, None]
    times = np.bincount(places.ravel(), minlength=RESAMPLES * count)
    return times.reshape(RESAMPLES, count).astype(np.float64)
