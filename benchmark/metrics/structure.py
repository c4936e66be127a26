"""Whether local structure agrees: the SSIM family."""

import numpy as np
from scipy import ndimage
from skimage.metrics import structural_similarity

from benchmark.metrics.intensity import affine_fit, value_range
from benchmark.metrics.metric import Image, NotApplicable, metric

# Wang et al. 2004: an 11 x 11 Gaussian of σ = 1.5 px; K1 and K2 keep the ratios finite.
_SIGMA = 1.5
_RADIUS = 5
_K1, _K2 = 0.01, 0.03
# Wang, Simoncelli and Bovik 2003, from the finest scale to the coarsest.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@metric(label="SSIM", direction="higher")
def ssim(truth: Image, prediction: Image) -> float:
    """Structural similarity of the intensities as they were delivered.

    Mean of (2μ_g μ_p + C₁)(2σ_gp + C₂) / ((μ_g² + μ_p² + C₁)(σ_g² + σ_p² + C₂)) over Gaussian
    windows of 11 x 11 pixels, σ = 1.5, population covariance, C_i = (K_i·(max g − min g))²,
    without the border of 5 pixels. Source: Wang et al. 2004 (doi:10.1109/TIP.2003.819861), as in
    scikit-image.

    On dark backgrounds it reacts strongly to an offset (6/255 took one pair from 0.97 to 0.68):
    read it beside `ssim_affine`.

    Parameters
    ----------
    truth, prediction
        Images of one shape (y, x), at least 11 x 11.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    NotApplicable
        The images are too small, or the truth is constant.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((32, 32))
    >>> ssim(truth, truth)
    1.0
    >>> ssim(truth, truth + 0.5) < 0.9
    True
    """
    extent = value_range(truth)
    side = 2 * _RADIUS + 1
    if min(truth.shape) < side:
        raise NotApplicable(f"SSIM needs at least {side} x {side} pixels, not {_sides(truth)}.")
    value = structural_similarity(  # pyright: ignore[reportUnknownVariableType]
        truth,
        prediction,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=extent,
    )
    return float(value)  # pyright: ignore[reportArgumentType]


@metric(label="SSIM, affine fit", direction="higher")
def ssim_affine(truth: Image, prediction: Image) -> float:
    """Structural similarity after the best affine intensity fit.

    `ssim` of g and a·p + b, with a and b by least squares over the whole image. A negative a
    is allowed: inverted contrast scores as the right one does.

    Parameters
    ----------
    truth, prediction
        Images of one shape (y, x), at least 11 x 11.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    NotApplicable
        The images are too small, or one of them is constant.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((32, 32))
    >>> round(ssim_affine(truth, 3 * truth + 0.5), 6)
    1.0
    """
    return ssim(truth, affine_fit(truth, prediction))


@metric(label="MS-SSIM", direction="higher")
def ms_ssim(truth: Image, prediction: Image) -> float:
    """Structural similarity over five scales, of the intensities as they were delivered.

    Π_j max(0, ⟨cs_j⟩)^w_j · max(0, ⟨l₅⋅cs₅⟩)^w₅, with l and cs the luminance and the
    contrast-structure factors of `ssim`, each scale the 2 x 2 mean of the one before. Source: Wang,
    Simoncelli and Bovik 2003 (doi:10.1109/ACSSC.2003.1292216), whose weights w and whose border
    rule (an odd side repeats its last line) are used. Negative means count as 0, as in
    pytorch-msssim, because their fractional power is not real.

    Parameters
    ----------
    truth, prediction
        Images of one shape (y, x), both sides above 160.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    NotApplicable
        The images are too small, or the truth is constant.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((176, 176))
    >>> round(ms_ssim(truth, truth), 6)
    1.0
    """
    extent = value_range(truth)
    smallest = 2 * _RADIUS * 2 ** (len(_SCALE_WEIGHTS) - 1)
    if min(truth.shape) <= smallest:
        raise NotApplicable(
            f"MS-SSIM needs more than {smallest} pixels per side, not {_sides(truth)}."
        )
    g, p = truth, prediction
    product = 1.0
    for weight in _SCALE_WEIGHTS[:-1]:
        _, contrast_structure = _ssim_factors(g, p, extent)
        product *= max(0.0, float(contrast_structure.mean())) ** weight
        g, p = _halve(g), _halve(p)
    luminance, contrast_structure = _ssim_factors(g, p, extent)
    last = float((luminance * contrast_structure).mean())
    return product * max(0.0, last) ** _SCALE_WEIGHTS[-1]


def _ssim_factors(g: Image, p: Image, extent: float) -> tuple[Image, Image]:
    c1, c2 = (_K1 * extent) ** 2, (_K2 * extent) ** 2
    mean_g, mean_p = _window(g), _window(p)
    variances = _window(g * g + p * p) - mean_g**2 - mean_p**2
    covariance = _window(g * p) - mean_g * mean_p
    luminance = (2 * mean_g * mean_p + c1) / (mean_g**2 + mean_p**2 + c1)
    return luminance, (2 * covariance + c2) / (variances + c2)


def _window(image: Image) -> Image:
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    blurred = ndimage.correlate1d(ndimage.correlate1d(image, weights, axis=0), weights, axis=1)
    return blurred[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _halve(image: Image) -> Image:
    even = np.pad(image, [(0, side % 2) for side in image.shape], mode="edge")
    rows, columns = even.shape[0] // 2, even.shape[1] // 2
    return even.reshape(rows, 2, columns, 2).mean(axis=(1, 3))


def _sides(image: Image) -> str:
    return " x ".join(str(side) for side in image.shape)
