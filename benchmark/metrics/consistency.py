"""Whether a restoration is compatible with what was measured: no truth is needed.

None of these can see added detail that the microscope would have blurred away: a structure drawn
twice below the resolution is as consistent as the right one. They catch what is missing, misplaced
or of the wrong brightness on the scale of the microscope. And a restoration that does nothing
scores perfectly: read them beside the resolution.

RSE, RSP and RSSIM are not applicable to images below 16 x 16 pixels or constant ones.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize

from benchmark.metrics.intensity import normalise
from benchmark.metrics.metric import Image, NotApplicable, metric
from benchmark.metrics.spectrum import Microscope
from benchmark.metrics.squirrel import resolution_scaled_fit
from benchmark.metrics.structure import ssim
from imaging.deconvolution import NoiseModel, blur_and_sample

# Of the fit to the photons, relative: far below what any score shows.
_TOLERANCE = 1e-6


def error_map(input: Image, prediction: Image) -> Image:
    """Return where a restoration, blurred and scaled, differs from the input.

    |α·(p ⊗ G_σ) + β − d| per pixel, see `benchmark.metrics.squirrel`; the input has percentiles 2
    and 99.8 at 0 and 1.

    Parameters
    ----------
    input, prediction
        Images of one shape (y, x), at least 16 x 16.

    Returns
    -------
    ndarray
        (y, x), as a fraction of the range of the input.

    Raises
    ------
    NotApplicable
        The images are too small, or one of them is constant.
    """
    measured = normalise(input)
    return np.abs(resolution_scaled_fit(measured, prediction).fitted - measured)


@metric(label="RSE", direction="lower")
def rse(input: Image, prediction: Image) -> float:
    """Resolution-scaled error: how far a restoration, blurred and scaled, is from the input.

    √⟨(α·(p ⊗ G_σ) + β − d)²⟩, see `benchmark.metrics.squirrel`; percentiles 2 and 99.8 of the input
    d are at 0 and 1, so that images compare. Source: Culley et al. 2018 (SQUIRREL,
    doi:10.1038/nmeth.4605), where it has the unit of the input. A blur of the input without any
    detail scores perfectly, and the noise of the input is a floor that no right answer gets below.
    A fraction of the range of the input.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> rse(image, 5 - image) > 0.2
    True
    """
    return math.sqrt(np.mean(error_map(input, prediction) ** 2))


@metric(label="RSP", direction="higher")
def rsp(input: Image, prediction: Image) -> float:
    """Resolution-scaled Pearson correlation of a restoration with the input.

    Correlation of p ⊗ G_σ with the input, σ as in `benchmark.metrics.squirrel`. Source: Culley et
    al. 2018 (SQUIRREL, doi:10.1038/nmeth.4605). A blur without any detail scores perfectly, and the
    noise of the input keeps the right answer below 1. −1 to 1.

    Examples
    --------
    >>> from scipy import ndimage
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> round(rsp(ndimage.gaussian_filter(image, 2), 3 * image + 1), 4)
    1.0
    """
    return resolution_scaled_fit(input, prediction).pearson


@metric(label="RSSIM", direction="higher")
def rssim(input: Image, prediction: Image) -> float:
    """Structural similarity of the input with a restoration that is blurred and scaled to it.

    `benchmark.metrics.structure.ssim` of the input and the fit of `benchmark.metrics.squirrel`. The
    traps are those of `rse`; noise of the input counts more. At most 1.

    Examples
    --------
    >>> from scipy import ndimage
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> round(rssim(ndimage.gaussian_filter(image, 2), 3 * image + 1), 3)
    1.0
    """
    return ssim(input, resolution_scaled_fit(input, prediction).fitted)


@metric(label="Data consistency", direction="closest", ideal=1.0)
def data_consistency(
    native: Image, prediction: Image, pixel_um: float, microscope: Microscope
) -> float:
    """Misfit between the known microscope's view of a restoration and its data, over the noise.

    χ² = ⟨(λ − d)² / (F·λ + r)⟩, λ = a·(A p) + b ≥ 0: d the photons of the microscope's own pixels,
    A its blur and sampling (`imaging.deconvolution`), a and b the most likely ones (`chi_square`)
    because a restoration has a scale of its own, F the excess noise factor and r the variance of
    readout. 1 is what the truth has under exactly this model, give or take √(2 / pixels) and more
    where there are few photons; above, the restoration contradicts the data; below, it has followed
    their noise (the input does: 0.72 on simulated membranes, where the truth has 1.04, means over
    60 images). What the model leaves out, such as motion, keeps even the truth above 1: read its
    value beside the others.

    Of the microscope it takes ``blur_fwhm_um``, ``gain_counts_per_photon``, ``offset_counts``,
    ``read_noise_counts`` and ``excess_noise_factor``; ``averaged_lines`` is 1 where it is not said.
    Not applicable where one of them is missing, where the microscope's pixels are not a whole
    number of pixels wide, and to a constant prediction.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scene = np.kron(rng.random((16, 16)), np.ones((4, 4))) * 100
    >>> view = blur_and_sample(64, 2, 4.0)
    >>> counts = 10 * rng.poisson(view @ scene @ view.T) + 100
    >>> known = dict(blur_fwhm_um=0.4, gain_counts_per_photon=10, offset_counts=100)
    >>> known |= dict(read_noise_counts=0, excess_noise_factor=1)
    >>> round(data_consistency(counts, scene, 0.1, known), 1)
    1.0
    """
    gain = _known(microscope, "gain_counts_per_photon")
    photons = (native - _known(microscope, "offset_counts")) / gain
    scans = float(microscope.get("averaged_lines", 1))
    detector = NoiseModel(
        background_photons=0.0,  # fitted, as b
        excess_noise_factor=_known(microscope, "excess_noise_factor") / scans,
        # A detector that counts in whole numbers adds the variance of rounding, 1/12.
        read_variance=(_known(microscope, "read_noise_counts") ** 2 / scans + 1 / 12) / gain**2,
    )
    fwhm = _known(microscope, "blur_fwhm_um") / pixel_um
    factors = {
        divmod(fine, coarse) for fine, coarse in zip(prediction.shape, native.shape, strict=True)
    }
    if len(factors) > 1 or any(rest for _, rest in factors):
        raise NotApplicable(
            f"The microscope's {native.shape[0]} x {native.shape[1]} pixels do not divide the "
            f"{prediction.shape[0]} x {prediction.shape[1]} pixels of the restoration."
        )
    ((factor, _),) = factors
    rows, columns = (blur_and_sample(side, factor, fwhm) for side in prediction.shape)
    return chi_square(photons, (columns @ (rows @ prediction).T).T, detector)


def chi_square(photons: Image, view: Image, detector: NoiseModel) -> float:
    """Return ⟨(λ − photons)² / variance⟩ with λ = a·view + b ≥ 0 of the highest quasi-likelihood.

    a and b minimise ⟨v − (F·d + r) ln v⟩, v = F·λ + r, found by the method of Nelder and Mead from
    the regression line. It is the quasi-likelihood of this variance (Wedderburn 1974), which is
    that of Poisson counts shifted by the readout (Snyder et al. 1993), convex but for the bound on
    λ. Least squares under the variance of the last round, round after round, has its optimum as
    fixed point, but need not come there: a pixel whose λ is 0 has so small a variance that the
    next round fits this pixel alone.

    Parameters
    ----------
    photons, view
        Images of one shape.
    detector
        Its noise; the background is fitted.

    Returns
    -------
    float
        1 when only noise is between them.

    Raises
    ------
    NotApplicable
        The view is constant, or no photons were counted.
    """
    if np.ptp(view) <= 1e-9 * np.abs(view).max():
        raise NotApplicable("The prediction is constant as the microscope sees it.")
    level = float(np.abs(photons).mean())
    if level == 0:
        raise NotApplicable("The microscope counted no photons.")
    shape = (view - view.mean()) / view.std()

    def model(line: Sequence[float]) -> tuple[Image, Image]:
        mean = np.maximum(level * (line[0] + line[1] * shape), 0)
        variance = detector.excess_noise_factor * mean + detector.read_variance
        return mean, np.maximum(variance, _TOLERANCE * level)

    def loss(line: Sequence[float]) -> float:
        _, variance = model(line)
        return float(np.mean(variance - expected * np.log(variance)))

    expected = detector.excess_noise_factor * photons + detector.read_variance
    start = np.array([photons.mean(), np.mean(shape * photons)]) / level
    found = optimize.minimize(
        loss,
        start,
        method="Nelder-Mead",
        options={
            "xatol": _TOLERANCE,
            "fatol": _TOLERANCE**2,
            "initial_simplex": start + np.array([[0, 0], [0.1, 0], [0, 0.1]]),
        },
    )
    mean, variance = model(found.x)
    return float(np.mean((mean - photons) ** 2 / variance))


def _known(microscope: Microscope, name: str) -> float:
    if name not in microscope:
        raise NotApplicable(f"dataset.toml does not say {name} of the microscope.")
    return float(microscope[name])
