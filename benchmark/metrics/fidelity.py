"""How far intensities are from the truth, pixel by pixel.

Notation: g is the truth, p the prediction, ⟨·⟩ a mean over pixels, P_k a percentile of g.
None of these is applicable to a constant truth.
"""

import math

import numpy as np

from benchmark.metrics.intensity import affine_fit, normalise, value_range
from benchmark.metrics.metric import Image, NotApplicable, metric

# The percentiles at which Weigert et al. 2018 map the truth to 0 and 1.
_LOW, _HIGH = 0.1, 99.9
# Relative to the range; smaller errors are those of float64 arithmetic itself.
_ROUNDING = 1e-12


@metric(label="SI-PSNR A", direction="higher", unit="dB")
def si_psnr_a(truth: Image, prediction: Image) -> float:
    """Scale-invariant PSNR on the full range of the truth.

    10·log₁₀((max g − min g)² / ⟨(g − p̂)²⟩), p̂ = a·p + b the least-squares fit of p to g. Source:
    the evaluation code of the Jug lab (HDN, CAREamics).

    Two traps. Inverted contrast scores the same, because a may be negative. A prediction that has
    nothing to do with the truth scores about 20·log₁₀((max g − min g)/σ(g)), 20 dB and more on
    sparse images: read a value against that floor, not against zero. Infinite where the fit is
    perfect; not applicable to a constant prediction.

    Examples
    --------
    >>> truth = np.array([[0.0, 1.0], [2.0, 3.0]])
    >>> round(si_psnr_a(truth, [[0.0, 1.0], [3.0, 2.0]]), 2)
    13.01
    >>> si_psnr_a(truth, 5 - 2 * truth)
    inf
    """
    extent = value_range(truth)
    return _decibel(truth - affine_fit(truth, prediction), extent)


@metric(label="SI-PSNR B", direction="higher", unit="dB")
def si_psnr_b(truth: Image, prediction: Image) -> float:
    """Scale-invariant PSNR on the range between two percentiles of the truth.

    10·log₁₀(1 / ⟨(g' − p̂)²⟩), g' = (g − P₀.₁)/(P₉₉.₉ − P₀.₁), p̂ the least-squares fit of p to g'.
    Source: Weigert et al. 2018 (doi:10.1038/s41592-018-0216-7) and its code. It lies 20·log₁₀((max
    g − min g)/(P₉₉.₉ − P₀.₁)) below variant A, 5 dB on sparse images; the traps are those of
    variant A. Infinite where the fit is perfect; not applicable to a constant prediction, nor to a
    truth that is constant between these percentiles.

    Examples
    --------
    >>> truth = np.array([[0.0, 1.0], [2.0, 3.0]])
    >>> round(si_psnr_b(truth, [[0.0, 1.0], [3.0, 2.0]]), 2)
    12.99
    """
    g = normalise(truth, _LOW, _HIGH)
    return _decibel(g - affine_fit(g, prediction), 1.0)


@metric(label="PSNR", direction="higher", unit="dB")
def psnr(truth: Image, delivered: Image) -> float:
    """Peak signal-to-noise ratio of the intensities as they were delivered.

    10·log₁₀((max g − min g)² / ⟨(g − p)²⟩). A wrong offset or scale costs as much as wrong
    structure, so compare it with SI-PSNR. Infinite where both are equal.

    Examples
    --------
    >>> round(psnr([[0.0, 1.0], [0.0, 1.0]], [[0.1, 0.9], [0.1, 0.9]]), 2)
    20.0
    """
    return _decibel(truth - delivered, value_range(truth))


@metric(label="NRMSE (CARE)", direction="lower")
def nrmse_care(truth: Image, prediction: Image) -> float:
    """Root mean square error after the best affine intensity fit, truth normalised as in CARE.

    √⟨(g' − p̂)²⟩, g' = (g − P₀.₁)/(P₉₉.₉ − P₀.₁), p̂ the least-squares fit of p to g'. Source:
    Weigert et al. 2018 (doi:10.1038/s41592-018-0216-7). It is 10^(−SI-PSNR B / 20). Other papers
    divide by other norms under the same name (`benchmark.metrics.literature`: 1.014 for a pair that
    reads 0.040 here). A
    fraction of the truth's range, 0 for a perfect fit; not applicable where `si_psnr_b` is not.

    Examples
    --------
    >>> truth = np.array([[0.0, 1.0], [2.0, 3.0]])
    >>> round(nrmse_care(truth, [[0.0, 1.0], [3.0, 2.0]]), 4)
    0.2241
    """
    g = normalise(truth, _LOW, _HIGH)
    return _root_mean_square(g - affine_fit(g, prediction))


@metric(label="MAE", direction="lower")
def mae(truth: Image, delivered: Image) -> float:
    """Mean absolute error of the intensities as they were delivered, over the truth's range.

    ⟨|g − p|⟩ / (max g − min g). A wrong offset or scale costs as much as wrong structure; the
    median of a posterior is best, not its mean, so on sparse images a flat background wins. A
    fraction of the truth's range.

    Examples
    --------
    >>> mae([[0.0, 2.0], [0.0, 2.0]], [[0.0, 2.0], [0.0, 1.0]])
    0.125
    """
    return float(np.mean(np.abs(truth - delivered))) / value_range(truth)


@metric(label="Pearson", direction="higher")
def pearson(truth: Image, prediction: Image) -> float:
    """Pearson correlation of truth and prediction.

    ⟨g₀·p₀⟩ / √(⟨g₀²⟩⟨p₀²⟩), g₀ and p₀ without their means. Up to its sign the same as SI-PSNR A on
    another scale, −10·log₁₀(1 − ρ²) plus what depends on the truth alone; it sees inverted
    contrast, which SI-PSNR does not. −1 to 1; not applicable to a constant prediction.

    Examples
    --------
    >>> round(pearson([[0.0, 1.0], [2.0, 3.0]], [[0.0, 1.0], [3.0, 2.0]]), 4)
    0.8
    """
    value_range(truth)
    _refuse_constant(prediction)
    g, p = (image / np.abs(image).max() for image in (truth, prediction))
    g, p = g - g.mean(), p - p.mean()
    return float(np.vdot(g, p) / (np.linalg.norm(g) * np.linalg.norm(p)))


def _refuse_constant(prediction: Image) -> None:
    if prediction.min() == prediction.max():
        raise NotApplicable("The prediction is constant, so there is nothing to compare.")


def _decibel(error: Image, extent: float) -> float:
    relative = _root_mean_square(error / extent)
    return math.inf if relative < _ROUNDING else -20 * math.log10(relative)


def _root_mean_square(error: Image) -> float:
    return math.sqrt(np.vdot(error, error) / error.size)
