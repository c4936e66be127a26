"""What a stated uncertainty is worth: sharp, and where the errors are.

Notation as in `benchmark.metrics.calibration`: g is the truth, μ and σ what a package states, e = g
− μ, z = e/σ; nothing is fitted. NLL and CRPS are proper scores: what states its true belief expects
the lowest. Width and sharpness say nothing by themselves, as a σ of 0 is the sharpest.
None of these is applicable where a σ is negative, or all are 0.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from benchmark.metrics.calibration import own_factor, standardise
from benchmark.metrics.metric import Image, NotApplicable, metric
from imaging.calibration import FLOOR, gaussian_factor, gaussian_nll

_SEED = 0


@metric(label="NLL", direction="lower", unit="nat")
def nll(truth: Image, mean: Image, std: Image) -> float:
    """Negative log-likelihood of the truth under the Gaussian that a package states.

    ⟨½·ln 2πσ² + z²/2⟩ over pixels, in nats, with intensities on the scale of the normalised truth.
    Any sign.

    Examples
    --------
    >>> round(nll([[1.0]], [[0.0]], [[1.0]]), 4)
    1.4189
    """
    return gaussian_nll(*standardise(truth, mean, std))


@metric(label="CRPS", direction="lower")
def crps(truth: Image, mean: Image, std: Image) -> float:
    """Continuous ranked probability score of the Gaussian that a package states.

    ⟨σ·(z·(2Φ(z) − 1) + 2φ(z) − 1/√π)⟩ over pixels. Source: Gneiting and Raftery 2007
    (doi:10.1198/016214506000001437). In units of the normalised truth; for σ → 0 it is the mean
    absolute error, so it compares with packages that state none. Not negative.

    Examples
    --------
    >>> round(crps([[0.0]], [[0.0]], [[1.0]]), 4)
    0.2337
    """
    z, sigma = standardise(truth, mean, std)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    spread = special.erf(z / math.sqrt(2))  # 2Φ(z) − 1
    return float(np.mean(sigma * (z * spread + 2 * density - 1 / math.sqrt(math.pi))))


@metric(label="Width of 90 %", direction="neither")
def width_90(mean: Image, std: Image) -> float:
    """Mean width of the central 90 % of the Gaussian that a package states.

    2·1.645·⟨σ⟩, as a fraction of the range of the normalised truth; that of 50 % and 95 % differ by
    a factor only. Among packages of right coverage the narrowest says most.

    Examples
    --------
    >>> round(width_90([[0.0]], [[1.0]]), 3)
    3.29
    """
    return _width(mean, std, gaussian_factor(0.9))


@metric(label="Width of own 90 %", direction="neither")
def own_width_90(mean: Image, std: Image, interval_factors: Mapping[str, float]) -> float:
    """Mean width of the package's own interval of 90 %.

    2·f·⟨σ⟩, f the half-width in standard deviations that its rdf.yaml states; not
    applicable where it states no such interval.

    Examples
    --------
    >>> own_width_90([[0.0]], [[1.0]], {"0.9": 1.5})
    3.0
    """
    return _width(mean, std, own_factor(interval_factors, "0.9"))


@metric(label="Sharpness", direction="neither")
def sharpness(mean: Image, std: Image) -> float:
    """Root mean variance that a package states.

    √⟨σ²⟩, what its root mean square error would be if σ were right.

    Examples
    --------
    >>> sharpness([[0.0, 0.0]], [[3.0, 3.0]])
    3.0
    """
    _, sigma = standardise(mean, mean, std)
    return math.sqrt(np.vdot(sigma, sigma) / sigma.size)


@metric(label="AUSE", direction="lower")
def ause(truth: Image, mean: Image, std: Image) -> float:
    """Area under the sparsification error: whether removing the most uncertain removes the worst.

    ∫ (S_σ(f) − S_e(f)) df, S(f) the root mean square error of what is left after removing the
    fraction f of pixels with the largest σ, or |e|, relative to that of all. Pixels of equal σ are
    removed in random order, which is to say that they share their mean e². Source: Ilg et al. 2018
    (arXiv 1802.07228). 0 where σ orders pixels as their errors do; not applicable where the mean is
    without error.

    Examples
    --------
    >>> ause([[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0]], [[0.1, 0.2, 0.3]])
    0.0
    """
    z, sigma = standardise(truth, mean, std)
    squares = (z * sigma).ravel() ** 2
    if not squares.any():
        raise NotApplicable("The mean is without error, so no order of pixels is better.")
    flat = sigma.ravel()
    ascending = np.argsort(flat)
    first = np.flatnonzero(np.diff(flat[ascending], prepend=-1.0))
    lengths = np.diff(first, append=flat.size)
    of_equals = np.add.reduceat(squares[ascending], first) / lengths
    by_sigma = _sparsification(np.repeat(of_equals, lengths))
    return float(np.mean(by_sigma - _sparsification(np.sort(squares))) / by_sigma[-1])


@metric(label="Spearman of |error| and std", direction="higher")
def error_rank_correlation(truth: Image, mean: Image, std: Image) -> float:
    """Rank correlation of absolute errors with stated standard deviations.

    Spearman's ρ of |e| and σ over pixels. Even a perfect σ does not reach 1, as it says how large
    errors are and not which: read it beside `share_of_rank_ceiling`. −1 to 1; not applicable where
    all errors or all σ are equal.

    Examples
    --------
    >>> round(error_rank_correlation([[1.0, 2.0]], [[0.0, 0.0]], [[0.3, 0.4]]), 6)
    1.0
    """
    z, sigma = standardise(truth, mean, std)
    return _rank_correlation(np.abs(z * sigma), sigma)


@metric(label="Spearman, share of ceiling", direction="neither")
def share_of_rank_ceiling(truth: Image, mean: Image, std: Image) -> float:
    """Rank correlation of absolute errors with std, relative to what a right std would reach.

    ρ(|e|, σ) / ρ(|σn|, σ), see `error_rank_correlation` and `rank_ceiling`; n is standard normal
    noise of a fixed seed. Above 1 when errors have lighter tails than a Gaussian, as bounded ones.
    About 1 for a right σ; not applicable where `error_rank_correlation` is not.

    Examples
    --------
    >>> sigma = np.linspace(0.1, 1, 10000).reshape(100, 100)
    >>> error = sigma * np.random.default_rng(1).normal(size=sigma.shape)
    >>> round(share_of_rank_ceiling(error, np.zeros_like(error), sigma), 1)
    1.0
    """
    return error_rank_correlation(truth, mean, std) / rank_ceiling(std)


@metric(label="Spearman of |error| and disagreement", direction="higher")
def disagreement_rank_correlation(truth: Image, mean: Image, disagreement: Image) -> float:
    """Rank correlation of absolute errors with the disagreement of an ensemble's members.

    Spearman's ρ of |e| and D over pixels. D, 0 to 1, is what an ensemble delivers as its channel
    `disagreement`: (H(mixture) − ⟨H(member)⟩) / ln M of its M members' distributions, H being the
    entropy. Source: Weigert et al. 2018 (doi:10.1038/s41592-018-0216-7). −1 to 1; not applicable
    where all errors or all disagreements are equal.

    Examples
    --------
    >>> round(disagreement_rank_correlation([[1.0, 2.0]], [[0.0, 0.0]], [[0.3, 0.4]]), 6)
    1.0
    """
    return _rank_correlation(np.abs(truth - mean), disagreement)


def rank_ceiling(std: Image) -> float:
    """Return the rank correlation with |error| that this σ would reach if it were right.

    Parameters
    ----------
    std
        (y, x), not negative.

    Returns
    -------
    float
        Spearman's ρ of σ and |σn|, n standard normal noise of a fixed seed.

    Raises
    ------
    NotApplicable
        All standard deviations are equal.
    """
    sigma = np.maximum(std, FLOOR)
    noise = np.random.default_rng(_SEED).normal(size=sigma.shape)
    return _rank_correlation(np.abs(sigma * noise), sigma)


def _width(mean: Image, std: Image, factor: float) -> float:
    _, sigma = standardise(mean, mean, std)
    return float(2 * factor * sigma.mean())


def _sparsification(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root mean of the first n squared errors, for every n."""
    return np.sqrt(np.cumsum(squares) / np.arange(1, squares.size + 1))


def _rank_correlation(error: Image, uncertainty: Image) -> float:
    for what, values in (("errors", error), ("uncertainties", uncertainty)):
        if values.min() == values.max():
            raise NotApplicable(f"All {what} are equal, so they have no order.")
    ranks = [stats.rankdata(values, axis=None) for values in (error, uncertainty)]
    return float(np.corrcoef(*ranks)[0, 1])
