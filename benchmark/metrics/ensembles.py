"""What several samples of one posterior say together.

A package delivers at most one sample, so these are functions and not entries of `METRICS`; studies
and figures use them where samples are at hand.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def crps_of_samples(truth: ArrayLike, samples: ArrayLike) -> NDArray[np.float64]:
    """Continuous ranked probability score of samples, pixel by pixel.

    ⟨|x_i − g|⟩ − Σ_{i<j} |x_i − x_j| / (M(M − 1)), the fair form: its expectation is that of a
    posterior from which infinitely many samples are drawn, whatever M; dividing by M² instead
    punishes few samples (0.438 against 0.389 for M = 5). Source: Ferro 2014 (doi:10.1002/qj.2270).
    With x_(k) in order the double sum is Σ_k (2k − M − 1)·x_(k).

    Lower is better, in the unit of the truth. It needs two samples at least; a package delivers
    one, so that its page has `benchmark.metrics.uncertainty.crps` of the stated Gaussian instead.

    Parameters
    ----------
    truth
        Shape (...).
    samples
        Shape (M, ...), M at least 2.

    Returns
    -------
    ndarray
        Shape (...), float64; may be slightly negative in single pixels.

    Raises
    ------
    ValueError
        Fewer than two samples, or shapes that do not fit.

    Examples
    --------
    >>> crps_of_samples([0.0], [[1.0], [3.0]])
    array([1.])
    """
    g, x = _checked(truth, samples)
    count = len(x)
    weights = (2 * np.arange(1, count + 1) - count - 1) / (count * (count - 1))
    spread = np.tensordot(weights, np.sort(x, axis=0), axes=1)
    return np.mean(np.abs(x - g), axis=0) - spread


def rank_histogram(truth: ArrayLike, samples: ArrayLike) -> NDArray[np.intp]:
    """Count how many pixels have how many samples below the truth.

    Flat where truth and samples are drawn from one distribution; U-shaped where samples scatter too
    little, domed where too much; a shape has no better end. Equal values are ranked at random, from
    a fixed seed. Source: Hamill 2001 (doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2).

    The share of counts between k and M − k is the coverage of the interval from the k-th smallest
    sample to the k-th largest, whose nominal coverage is exactly (M + 1 − 2k)/(M + 1); quantiles
    interpolated between samples cover too little (0.62 of 0.9 for M = 5).

    Parameters
    ----------
    truth
        Shape (...).
    samples
        Shape (M, ...), M at least 2.

    Returns
    -------
    ndarray
        Shape (M + 1,).

    Raises
    ------
    ValueError
        Fewer than two samples, or shapes that do not fit.

    Examples
    --------
    >>> rank_histogram([2.0, 0.0], [[1.0, 1.0], [3.0, 3.0]])
    array([1, 1, 0])
    """
    g, x = _checked(truth, samples)
    below = np.sum(x < g, axis=0)
    equal = np.sum(x == g, axis=0)
    rank = below + np.random.default_rng(0).integers(0, equal + 1)
    return np.bincount(rank.ravel(), minlength=len(x) + 1)


def _checked(
    truth: ArrayLike, samples: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    g, x = np.asarray(truth, dtype=np.float64), np.asarray(samples, dtype=np.float64)
    if x.ndim != g.ndim + 1 or x.shape[1:] != g.shape or len(x) < 2:
        raise ValueError(f"samples {x.shape} must be two or more of the truth's shape {g.shape}")
    return g, x
