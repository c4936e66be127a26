"""Width of the PSF from images of beads smaller than it."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, optimize, special

from imaging.cli import UserError
from simulation import psf
from simulation.optics import sample
from simulation.psf import Optics
from simulation.structures.grid import FWHM_PER_SIGMA

Floats = NDArray[np.float64]

_FEWEST_SIGMAS = 6.0
"""A peak that stands out less from the noise is none."""
_WINDOW_FWHM = 2.0
_PARTS = 5  # of a pixel, along each side, over which a PSF is averaged; odd


@dataclass(frozen=True)
class BeadWidths:
    """Full widths at half maximum of the Gaussians fitted to beads, one per bead.

    Attributes
    ----------
    lateral_um
        (beads,) mean of both lateral axes, the pixel's own width taken out.
    axial_um
        (beads,) where the image is a stack with a known distance of planes.
    """

    lateral_um: Floats
    axial_um: Floats | None


def measure_beads(
    stack: NDArray[np.floating], pixel_size_um: float, z_step_um: float | None, name: str
) -> BeadWidths:
    """Fit a Gaussian to every bead that stands alone.

    Parameters
    ----------
    stack
        (z, y, x) counts; one plane where the image is none.
    pixel_size_um, z_step_um
        Distances of pixels and of planes.
    name
        Of the file, for sentences.

    Returns
    -------
    BeadWidths
        Of the beads whose fit succeeds.

    Raises
    ------
    UserError
        No bead can be fitted.
    """
    none = UserError(
        f"{name} shows no bead that stands alone and out of the noise: "
        "give an image of single beads, or leave --beads out."
    )
    volume = stack.astype(np.float64)
    projection = volume.max(0)
    background = np.median(projection)
    noise = 1.4826 * np.median(np.abs(projection - background))
    brightest = projection.max()
    if brightest == background:
        raise none
    # Half of the brightest bead's height sets a window; both follow from the image itself.
    above_half, _ = ndimage.label(projection > (background + brightest) / 2)  # pyright: ignore
    diameter_px = 2 * np.sqrt(np.bincount(above_half.ravel())[1:].max() / np.pi)
    reach = max(int(np.ceil(_WINDOW_FWHM * diameter_px)), 3)
    smooth = ndimage.gaussian_filter(projection, max(diameter_px / 4, 0.5))
    peaks = (smooth == ndimage.maximum_filter(smooth, 2 * reach + 1)) & (
        projection > background + max(_FEWEST_SIGMAS * noise, 0.1 * (brightest - background))
    )
    lateral: list[float] = []
    axial: list[float] = []
    for y, x in np.argwhere(peaks):
        rows, columns = slice(y - reach, y + reach + 1), slice(x - reach, x + reach + 1)
        window = volume[:, max(y - reach, 0) : rows.stop, max(x - reach, 0) : columns.stop]
        if window.shape[1:] != (2 * reach + 1, 2 * reach + 1):
            continue  # cut off by the border
        focus = int(ndimage.gaussian_filter1d(window[:, reach, reach], 1.0).argmax())
        sigma_px = _fit_spot(window[focus], diameter_px / FWHM_PER_SIGMA)
        if sigma_px is None:
            continue
        lateral.append(float(sigma_px * FWHM_PER_SIGMA * pixel_size_um))
        if z_step_um is not None and len(volume) > 4:
            inner = slice(reach - 1, reach + 2)
            profile = window[:, inner, inner].mean((1, 2))
            width = _fit_profile(profile, focus)
            if width is not None:
                axial.append(float(width * FWHM_PER_SIGMA * z_step_um))
    if not lateral:
        raise none
    return BeadWidths(np.array(lateral), np.array(axial) if axial else None)


def psf_widths_um(gaussian_um: Floats, optics: Optics, pixel_size_um: float) -> Floats:
    """Return the widths of PSFs to which Gaussians were fitted.

    By least squares a Gaussian becomes narrower than the PSF at half its maximum: by 2 % where
    pixels are fine, by up to 6 % otherwise. How much, follows from fitting one to the PSF itself.

    Parameters
    ----------
    gaussian_um
        (beads,) as `measure_beads` found them.
    optics
        Their numerical aperture is ignored.
    pixel_size_um
        Side of a pixel of the image of the beads.

    Returns
    -------
    ndarray
        (beads,) lateral full widths at half maximum, µm.
    """
    seen_um = float(np.median(gaussian_um))
    narrowest, widest = psf.reachable_fwhm_um(optics)
    ratio = 1.0
    for _ in range(2):
        width_um = float(np.clip(seen_um * ratio, narrowest, widest))
        aperture = psf.numerical_aperture_for(width_um, optics)
        reach = max(int(np.ceil(_WINDOW_FWHM * width_um / pixel_size_um)), 3)
        part_um, reach_parts = pixel_size_um / _PARTS, _PARTS * reach + _PARTS // 2
        fine = psf.kernel(replace(optics, numerical_aperture=aperture), part_um, 0.0, reach_parts)
        image = sample(fine.to(torch.float64), _PARTS)[0].numpy()
        sigma_px = _fit_spot(image, width_um / pixel_size_um / FWHM_PER_SIGMA)
        if sigma_px is not None:
            ratio = width_um / (sigma_px * FWHM_PER_SIGMA * pixel_size_um)
    return gaussian_um * ratio


def _fit_spot(window: Floats, sigma_px: float) -> float | None:
    """Return the standard deviation of a round Gaussian on a constant, pixels.

    Its integral over each pixel is fitted, so that the pixel's own width is taken out.
    """
    reach = window.shape[0] // 2
    edges = np.arange(-reach, reach + 2) - 0.5

    def model(_: object, light: float, y0: float, x0: float, sigma: float, base: float) -> Floats:
        along_y, along_x = (np.diff(special.ndtr((edges - at) / sigma)) for at in (y0, x0))
        return (light * along_y[:, None] * along_x + base).ravel()

    base = float(np.median(window))
    start = [float((window - base).sum()), 0.0, 0.0, sigma_px, base]
    return _fitted(model, window.ravel(), start, width=3, widest=float(reach))


def _fit_profile(profile: Floats, focus: int) -> float | None:
    """Return the standard deviation of a Gaussian on a constant, planes."""
    z = np.arange(len(profile), dtype=np.float64)

    def model(_: object, height: float, z0: float, sigma: float, base: float) -> Floats:
        return height * np.exp(-((z - z0) ** 2) / (2 * sigma**2)) + base

    base = float(profile.min())
    start = [float(profile.max()) - base, float(focus), len(profile) / 8, base]
    return _fitted(model, profile, start, width=2, widest=len(profile) / 2)


def _fitted(
    model: object, data: Floats, start: list[float], width: int, widest: float
) -> float | None:
    """Fit by least squares and return one parameter; None where that fails."""
    try:
        with warnings.catch_warnings():
            # The covariance is not used.
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            found, _ = optimize.curve_fit(model, np.zeros(1), data, p0=start, maxfev=2000)
    except RuntimeError:
        return None
    sigma = abs(float(found[width]))
    return sigma if 0 < sigma < widest and found[0] > 0 else None
