"""Whether local structure agrees: the SSIM family.

Images have at least 11 x 11 pixels, the window; over five scales both sides are above 160. None of
these is applicable to a constant truth.
"""

import functools
import math
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy import optimize, sparse

from benchmark.metrics.intensity import affine_fit, value_range
from benchmark.metrics.metric import Image, NotApplicable, metric

# Wang et al. 2004: an 11 x 11 Gaussian of σ = 1.5 px; K1 and K2 keep the ratios finite.
_SIGMA = 1.5
_RADIUS = 5
_K1, _K2 = 0.01, 0.03
# Wang, Simoncelli and Bovik 2003, from the finest scale to the coarsest.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Ashesh et al. 2024: the percentile that is taken for the background.
_BACKGROUND = 3
# Where brightness is compared before the scale is fitted.
_BRIGHT = 99.9
# Of microSSIM, between images of like brightness: the scales that are tried, and how many first.
_SCALES = (0.1, 10.0)
_STARTS = 33


@metric(label="SSIM", direction="higher")
def ssim(truth: Image, delivered: Image) -> float:
    """Structural similarity of the intensities as they were delivered.

    Mean of (2μ_g μ_p + C₁)(2σ_gp + C₂) / ((μ_g² + μ_p² + C₁)(σ_g² + σ_p² + C₂)) over Gaussian
    windows of 11 x 11 pixels, σ = 1.5, population covariance, C_i = (K_i·(max g − min g))²,
    without the border of 5 pixels. Source: Wang et al. 2004 (doi:10.1109/TIP.2003.819861), as in
    scikit-image.

    On dark backgrounds it reacts strongly to an offset (6/255 took one pair from 0.97 to 0.68):
    read it beside `ssim_affine`. At most 1.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((32, 32))
    >>> ssim(truth, truth)
    1.0
    >>> ssim(truth, truth + 0.5) < 0.9
    True
    """
    extent = value_range(truth)
    _refuse_below_window(truth)
    return _Moments.of(truth, delivered).similarity(extent)


@metric(label="SSIM, affine fit", direction="higher")
def ssim_affine(truth: Image, prediction: Image) -> float:
    """Structural similarity after the best affine intensity fit.

    `ssim` of g and a·p + b, with a and b by least squares over the whole image. A negative a is
    allowed: inverted contrast scores as the right one does. At most 1; not applicable to a constant
    prediction.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((32, 32))
    >>> round(ssim_affine(truth, 3 * truth + 0.5), 6)
    1.0
    """
    return ssim(truth, affine_fit(truth, prediction))


@metric(label="MS-SSIM", direction="higher")
def ms_ssim(truth: Image, delivered: Image) -> float:
    """Structural similarity over five scales, of the intensities as they were delivered.

    Π_j max(0, ⟨cs_j⟩)^w_j · max(0, ⟨l₅⋅cs₅⟩)^w₅, with l and cs the luminance and the
    contrast-structure factors of `ssim`, each scale the 2 x 2 mean of the one before. Source: Wang,
    Simoncelli and Bovik 2003 (doi:10.1109/ACSSC.2003.1292216), whose weights w and whose border
    rule (an odd side repeats its last line) are used. Negative means count as 0, as in
    pytorch-msssim, because their fractional power is not real. 0 to 1.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((176, 176))
    >>> round(ms_ssim(truth, truth), 6)
    1.0
    """
    extent = value_range(truth)
    _refuse_below_five_scales(truth)
    g, p = truth, delivered
    product = 1.0
    for weight in _SCALE_WEIGHTS[:-1]:
        _, contrast_structure = _Moments.of(g, p).factors(extent)
        product *= max(0.0, float(contrast_structure.mean())) ** weight
        g, p = _halve(g), _halve(p)
    last = _Moments.of(g, p).similarity(extent)
    return product * max(0.0, last) ** _SCALE_WEIGHTS[-1]


@metric(label="MS-SSIM, affine fit", direction="higher")
def ms_ssim_affine(truth: Image, prediction: Image) -> float:
    """Structural similarity over five scales after the best affine intensity fit.

    `ms_ssim` of g and a·p + b, with a and b as in `ssim_affine`. 0 to 1; not applicable to a
    constant prediction.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((176, 176))
    >>> round(ms_ssim_affine(truth, 3 * truth + 0.5), 6)
    1.0
    """
    return ms_ssim(truth, affine_fit(truth, prediction))


@metric(label="MicroSSIM", direction="higher")
def micro_ssim(truth: Image, prediction: Image) -> float:
    """Structural similarity at the background and brightness of microscopy.

    max over α > 0 of the mean of `ssim` between g' = (g − P₃(g)) / m and α·(p − P₃(p)) / m,
    m = max g − P₃(g), constants by the range of g'. Source: Ashesh et al. 2024 (arXiv 2408.08747).

    Two differences from its reference code. That fits α to a stack with the constants of its last
    image, so that the order of images counts: here each image is fitted with its own. And where the
    truth's background has no noise, α = 0 is best, SSIM of a prediction that vanished: here α stays
    within a factor of ten of the ratio of their percentiles 99.9 above the background. At most 1;
    not applicable to a constant prediction.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((32, 32))
    >>> round(micro_ssim(truth, 3 * truth + 0.5), 6)
    1.0
    """
    return _micro_fit(truth, prediction).similarity


@metric(label="MicroMS3IM", direction="higher")
def micro_ms3im(truth: Image, prediction: Image) -> float:
    """Structural similarity over five scales at the background and brightness of microscopy.

    `ms_ssim` of g' and α·p', with g', p' and α of `micro_ssim`. Source: Ashesh et al. 2024 (arXiv
    2408.08747). 0 to 1; not applicable to a constant prediction.

    Examples
    --------
    >>> truth = np.random.default_rng(0).random((176, 176))
    >>> round(micro_ms3im(truth, 3 * truth + 0.5), 6)
    1.0
    """
    _refuse_below_five_scales(truth)
    fit = _micro_fit(truth, prediction)
    return ms_ssim(fit.truth, fit.prediction)


@dataclass(frozen=True)
class _MicroFit:
    """Both images without background and at one brightness, and how similar they are."""

    truth: Image
    prediction: Image
    similarity: float


def _micro_fit(truth: Image, prediction: Image) -> _MicroFit:
    value_range(truth)
    if prediction.min() == prediction.max():
        raise NotApplicable("The prediction is constant, so its brightness cannot be fitted.")
    _refuse_below_window(truth)
    g, p = (image - np.percentile(image, _BACKGROUND) for image in (truth, prediction))
    if g.max() == 0:
        raise NotApplicable(f"The truth has its maximum at percentile {_BACKGROUND}: no structure.")
    # A hot pixel must not say how bright a prediction is, but there may be no more than one pixel.
    tops = [float(np.percentile(image, _BRIGHT)) for image in (g, p)]
    if min(tops) <= 0:
        tops = [float(np.abs(image).max()) for image in (g, p)]
    p = p * (tops[0] / tops[1] / g.max())
    g = g / g.max()
    moments = _Moments.of(g, p)
    thinned = moments.every(4)
    extent = value_range(g)

    def loss(log_scale: float, of: _Moments) -> float:
        return -of.similarity(extent, math.exp(log_scale))

    # A quarter of rows and columns tells where the best scale is, all of them what it is.
    starts = np.log(np.geomspace(*_SCALES, _STARTS))
    best = int(np.argmin([loss(start, thinned) for start in starts]))
    bounds = starts[max(best - 1, 0)], starts[min(best + 1, _STARTS - 1)]
    found = optimize.minimize_scalar(
        loss, bounds=bounds, args=(moments,), method="bounded", options={"xatol": 1e-4}
    )
    return _MicroFit(g, math.exp(found.x) * p, -float(found.fun))


@dataclass(frozen=True)
class _Moments:
    """What each Gaussian window of 11 x 11 pixels sees of two images."""

    mean_g: Image
    mean_p: Image
    variance_g: Image
    variance_p: Image
    covariance: Image

    @classmethod
    def of(cls, g: Image, p: Image) -> Self:
        mean_g, mean_p = _window(g), _window(p)
        return cls(
            mean_g,
            mean_p,
            _window(g * g) - mean_g**2,
            _window(p * p) - mean_p**2,
            _window(g * p) - mean_g * mean_p,
        )

    def every(self, step: int) -> Self:
        """Return every so many rows and columns of them."""
        return type(self)(
            *(np.ascontiguousarray(getattr(self, f.name)[::step, ::step]) for f in fields(self))
        )

    def factors(self, extent: float, scale: float = 1.0) -> tuple[Image, Image]:
        """Return luminance and contrast-structure of g and scale·p."""
        c1, c2 = (_K1 * extent) ** 2, (_K2 * extent) ** 2
        luminance = (2 * scale * self.mean_g * self.mean_p + c1) / (
            self.mean_g**2 + scale**2 * self.mean_p**2 + c1
        )
        contrast_structure = (2 * scale * self.covariance + c2) / (
            self.variance_g + scale**2 * self.variance_p + c2
        )
        return luminance, contrast_structure

    def similarity(self, extent: float, scale: float = 1.0) -> float:
        """Return the mean SSIM of g and scale·p."""
        luminance, contrast_structure = self.factors(extent, scale)
        return float(np.mean(luminance * contrast_structure))


def _window(image: Image) -> Image:
    rows, columns = (_band(side) for side in image.shape)
    return (columns @ (rows @ image).T).T


@functools.lru_cache(maxsize=32)
def _band(side: int) -> sparse.csr_array:
    """Return the window along one axis as a matrix (side − 10, side): twice as fast as a filter."""
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    inside = np.arange(side - 2 * _RADIUS)[:, None]
    columns = inside + np.arange(len(weights))
    rows = np.broadcast_to(inside, columns.shape)
    values = np.broadcast_to(weights / weights.sum(), columns.shape)
    return sparse.csr_array(
        (values.ravel(), (rows.ravel(), columns.ravel())), shape=(len(inside), side)
    )


def _halve(image: Image) -> Image:
    even = np.pad(image, [(0, side % 2) for side in image.shape], mode="edge")
    rows, columns = even.shape[0] // 2, even.shape[1] // 2
    return even.reshape(rows, 2, columns, 2).mean(axis=(1, 3))


def _refuse_below_window(image: Image) -> None:
    side = 2 * _RADIUS + 1
    if min(image.shape) < side:
        raise NotApplicable(f"SSIM needs at least {side} x {side} pixels, not {_sides(image)}.")


def _refuse_below_five_scales(image: Image) -> None:
    smallest = 2 * _RADIUS * 2 ** (len(_SCALE_WEIGHTS) - 1)
    if min(image.shape) <= smallest:
        raise NotApplicable(
            f"MS-SSIM needs more than {smallest} pixels per side, not {_sides(image)}."
        )


def _sides(image: Image) -> str:
    return " x ".join(str(side) for side in image.shape)
