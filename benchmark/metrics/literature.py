"""What papers on BioSR report: both images between their own extremes, without any fit.

Truth and restoration are each mapped by their own minimum and maximum to 0 and 1, as in the
evaluation code published with DFCAN (Qiao et al. 2021, doi:10.1038/s41592-020-01048-5), so that one
hot or dead pixel of a restoration changes all of it. Papers that match by least squares instead
report what `fidelity` and `structure` have: their PSNR is `si_psnr_a` where the truth lies between
its extremes and `si_psnr_b` where it lies between percentiles, their root mean square error over
the range 10^(−SI-PSNR A / 20), their SSIM `ssim_affine`.

Notation: g and p are the mapped truth and prediction, ⟨·⟩ a mean over pixels. None of these is
applicable to a constant truth or prediction.
"""

import math

import numpy as np

from benchmark.metrics import structure
from benchmark.metrics.intensity import normalise, value_range
from benchmark.metrics.metric import Image, NotApplicable, metric

_ROUNDING = 1e-12  # smaller errors are those of float64 arithmetic itself


@metric(label="PSNR, min-max", direction="higher", unit="dB")
def psnr_minmax(truth: Image, prediction: Image) -> float:
    """Peak signal-to-noise ratio of images that are each mapped by their own extremes.

    −10·log₁₀⟨(g − p)²⟩. Infinite for images that are equal up to gain and offset.

    Examples
    --------
    >>> round(psnr_minmax([[0.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 2.0]]), 2)
    12.04
    """
    error = _root_mean_square(_error(truth, prediction))
    return math.inf if error < _ROUNDING else -20 * math.log10(error)


@metric(label="MAE, min-max", direction="lower")
def mae_minmax(truth: Image, prediction: Image) -> float:
    """Mean absolute error of images that are each mapped by their own extremes.

    ⟨|g − p|⟩, a fraction of the range.

    Examples
    --------
    >>> mae_minmax([[0.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 2.0]])
    0.125
    """
    return float(np.mean(np.abs(_error(truth, prediction))))


@metric(label="NRMSE / range, min-max", direction="lower")
def nrmse_range(truth: Image, prediction: Image) -> float:
    """Root mean square error over the range of the truth, each image mapped by its own extremes.

    √⟨(g − p)²⟩, as the range of g is 1: 10^(−`psnr_minmax` / 20).

    Examples
    --------
    >>> nrmse_range([[0.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 2.0]])
    0.25
    """
    return _root_mean_square(_error(truth, prediction))


@metric(label="NRMSE / mean, min-max", direction="lower")
def nrmse_mean(truth: Image, prediction: Image) -> float:
    """Root mean square error over the mean of the truth, each image mapped by its own extremes.

    √⟨(g − p)²⟩ / ⟨g⟩. The sparser the truth, the larger: compare on the same images only.

    Examples
    --------
    >>> nrmse_mean([[0.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 2.0]])
    0.5
    """
    g, p = _mapped(truth, prediction)
    return _root_mean_square(g - p) / float(g.mean())


@metric(label="NRMSE (DFCAN)", direction="lower")
def nrmse_dfcan(truth: Image, prediction: Image) -> float:
    """Root mean square error over that of the truth, each image mapped by its own extremes.

    ‖g − p‖ / ‖g‖. Dividing by ‖g‖ makes sparse images look bad: prefer `nrmse_care`. 0 for images
    that are equal up to gain and offset, seldom above 1.

    Examples
    --------
    >>> round(nrmse_dfcan([[0.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 2.0]]), 4)
    0.3536
    """
    g, p = _mapped(truth, prediction)
    return _root_mean_square(g - p) / _root_mean_square(g)


@metric(label="MS-SSIM, min-max", direction="higher")
def ms_ssim_minmax(truth: Image, prediction: Image) -> float:
    """Structural similarity over five scales of images that are each mapped by their own extremes.

    `benchmark.metrics.structure.ms_ssim` of g and p. 0 to 1; not applicable where that is not.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((176, 176))
    >>> round(ms_ssim_minmax(truth, 3 * truth + 1), 6)
    1.0
    """
    return structure.ms_ssim(*_mapped(truth, prediction))


def _error(truth: Image, prediction: Image) -> Image:
    g, p = _mapped(truth, prediction)
    return g - p


def _mapped(truth: Image, prediction: Image) -> tuple[Image, Image]:
    value_range(truth)
    if prediction.min() == prediction.max():
        raise NotApplicable("The prediction is constant, so there is nothing to compare.")
    return normalise(truth, 0, 100), normalise(prediction, 0, 100)


def _root_mean_square(error: Image) -> float:
    return math.sqrt(np.vdot(error, error) / error.size)
