"""Image formation: what a microscope records of a field, step by step in its physical order."""

import math
from dataclasses import asdict

import torch
from torch import Generator, Tensor

from simulation import detector, motion, optics, psf, specimen
from simulation.microscope import Acquisition, Microscope, Value

__all__ = ["margin_px", "record"]

BRIGHT_PERCENTILE = 99.8

_REACH_FWHM = 2.5
"""Half-width of a kernel over that of the PSF at half maximum: less than 1e-3 of the light of a
two-photon PSF in focus lies beyond."""

FAINTEST = 0.2
"""Relative brightness that some pixel of a field has if it holds structure."""


def margin_px(microscope: Microscope, pixel_size_um: float, thickness_um: float = 0.0) -> int:
    """Return the surroundings of a field that its image needs: the reach of the widest PSF.

    Parameters
    ----------
    microscope
        What records.
    pixel_size_um
        Side of a pixel of the target, µm.
    thickness_um
        Of the volume around the plane in focus; 0 for a plane.

    Returns
    -------
    int
        Pixels of the target on each side.
    """
    in_focus_um = _REACH_FWHM * float(psf.fwhm_um(microscope.most_blurred().optics)[0])
    # Light from a plane out of focus fills a cone; its outer half is dim.
    sine = microscope.numerical_aperture[1] / microscope.refractive_index
    cone_um = thickness_um / 4 * math.tan(math.asin(sine))
    return math.ceil(max(in_focus_um, cone_um) / pixel_size_um)


def record(
    brightness: Tensor,
    pixel_size_um: float,
    acquisition: Acquisition,
    generator: Generator,
    *,
    sampling: int,
    reach_px: int,
    z_step_um: float = 0.0,
    bright_level: Value = 1.0,
) -> Tensor:
    """Record fields as a microscope does.

    Parameters
    ----------
    brightness
        (batch, y, x), or (batch, z, y, x) with the middle plane in focus, on the target's grid,
        floating point: 0 is background, 1 bright structure. Sides divisible by `sampling`.
        Darkness is assumed outside.
    pixel_size_um
        Side of a pixel of the target, µm before expansion.
    acquisition
        What happens; numbers, or tensors (batch, 1, 1). Numbers for a volume.
    generator
        Source of randomness, on the tensor's device.
    sampling
        Pixels of the target along one of the microscope.
    reach_px
        Of the PSF: `margin_px`.
    z_step_um
        Distance of the planes of a volume, µm.
    bright_level
        What structure is to give `Acquisition.photons`; see `measure_bright_level`. A number or
        a tensor (batch, 1, 1).

    Returns
    -------
    Tensor
        (batch, y / sampling, x / sampling), whole counts, of the type of `brightness`.
    """
    labelled = specimen.labelled(
        brightness.clamp(min=0), acquisition.labels_per_um2, pixel_size_um, generator
    )
    image = blur(labelled, pixel_size_um, acquisition, reach_px, z_step_um)
    native = scan(image, pixel_size_um, acquisition, generator, sampling=sampling) / bright_level
    background = specimen.background(
        (native.shape[0], native.shape[1], native.shape[2]),
        acquisition.background_photons,
        acquisition.background_variation,
        acquisition.background_length_um / (pixel_size_um * sampling),
        generator,
    )
    share = share_of_light(acquisition).to(native)
    return expose(native, share, background, acquisition, generator)


def scan(
    image: Tensor,
    pixel_size_um: float,
    acquisition: Acquisition,
    generator: Generator,
    *,
    sampling: int,
) -> Tensor:
    """Let the sample move under the lines of a scan, and average over the area of native pixels.

    Parameters
    ----------
    image
        (batch, y, x), as the optics show it on the target's grid.
    pixel_size_um, acquisition, generator, sampling
        See `record`.

    Returns
    -------
    Tensor
        (batch, y / sampling, x / sampling).
    """
    displacement_um = motion.line_displacement_um(
        (image.shape[0], image.shape[1] // sampling),
        acquisition.line_jitter_um,
        acquisition.breathing_um,
        acquisition.breathing_period_lines,
        acquisition.drift_um,
        generator,
    )
    moved = motion.displace(image, displacement_um.to(image.dtype) / pixel_size_um)
    return optics.sample(moved, sampling)


def share_of_light(acquisition: Acquisition) -> Tensor:
    """Return what tissue and bleaching leave of the light of the structure, 0 to 1."""
    attenuation = specimen.attenuation(acquisition.depth_um, acquisition.scattering_length_um)
    return attenuation * (1 - acquisition.bleaching)


def expose(
    native: Tensor,
    share: Tensor,
    background: Tensor,
    acquisition: Acquisition,
    generator: Generator,
) -> Tensor:
    """Let light fall on the detector, and count it.

    Parameters
    ----------
    native
        (batch, y, x), structure on native pixels, where 1 is bright.
    share
        What is left of its light, 0 to 1; broadcasts against `native`.
    background
        (batch, y, x), photons.
    acquisition, generator
        See `record`.

    Returns
    -------
    Tensor
        Same shape and type as `native`, whole counts.
    """
    expected = native * (acquisition.photons * share) + background.to(native)
    centre = torch.zeros(len(native), 2, dtype=native.dtype, device=native.device)
    expected = specimen.vignetted(expected, acquisition.vignetting, centre)
    return count(expected, acquisition, generator)


def count(expected: Tensor, acquisition: Acquisition, generator: Generator) -> Tensor:
    """Detect photons and write counts.

    Parameters
    ----------
    expected
        (batch, ...), mean number of photons of each native pixel; below 0 counts as 0.
    acquisition
        Values of the detector; tensors broadcast against `expected`.
    generator
        Source of randomness, on the tensor's device.

    Returns
    -------
    Tensor
        Same shape and type, whole numbers.
    """
    scans = acquisition.averaged_lines
    detected = detector.detect(expected.clamp(min=0), generator, scans)
    signal = detector.multiply(detected, acquisition.excess_noise_factor, generator, scans)
    counts = detector.read_out(
        signal,
        acquisition.gain_counts_per_photon,
        acquisition.offset_counts,
        acquisition.read_noise_counts,
        generator,
        scans,
    )
    return detector.digitise(counts, acquisition.saturation_counts)


def measure_bright_level(
    brightness: Tensor,
    pixel_size_um: float,
    microscope: Microscope,
    *,
    sampling: int,
    reach_px: int,
    z_step_um: float = 0.0,
) -> float:
    """Measure what bright structure becomes in the image of a typical acquisition.

    Blur dims thin structure. Photons are counted where an image is bright after that, so that a
    number measured on images of one structure holds for another.

    Parameters
    ----------
    brightness
        (y, x) or (z, y, x): one field with its margin of `reach_px`.
    pixel_size_um, microscope, sampling, reach_px, z_step_um
        See `record`.

    Returns
    -------
    float
        Percentile 99.8 of the image without noise and margin, relative to `brightness`; 1 for a
        field that holds no structure, so that it is not lit up.
    """
    if float(brightness.max()) < FAINTEST:
        return 1.0
    typical = microscope.typical()
    image = blur(brightness.clamp(min=0)[None], pixel_size_um, typical, reach_px, z_step_um)
    native = optics.sample(image, sampling)[0]
    cut = reach_px // sampling
    inner = native[cut : native.shape[0] - cut, cut : native.shape[1] - cut]
    return float(torch.quantile(inner.flatten().double(), BRIGHT_PERCENTILE / 100))


def describe(acquisition: Acquisition) -> dict[str, float | int | str]:
    """Return everything that is recorded of an image's formation, derived widths included.

    Parameters
    ----------
    acquisition
        Of one image.

    Returns
    -------
    dict
        Plain values. ``psf_fwhm_um`` and ``psf_axial_fwhm_um`` are those of the PSF,
        ``blur_fwhm_um`` that of the blur that the target lacks, in its own pixels.
    """
    lateral, axial = (float(width) for width in psf.fwhm_um(acquisition.optics))
    blur = math.sqrt(lateral**2 - acquisition.target_fwhm_um**2)
    return {
        **asdict(acquisition),
        "psf_fwhm_um": lateral,
        "psf_axial_fwhm_um": axial,
        "blur_fwhm_um": blur / (1 + float(acquisition.expansion_error)),
    }


def blur(
    fluorescence: Tensor,
    pixel_size_um: float,
    acquisition: Acquisition,
    reach_px: int,
    z_step_um: float = 0.0,
) -> Tensor:
    """Apply the optics alone.

    Parameters
    ----------
    fluorescence
        (batch, y, x) or (batch, z, y, x) on the target's grid.
    pixel_size_um, acquisition, reach_px, z_step_um
        See `record`.

    Returns
    -------
    Tensor
        (batch, y, x).
    """
    if fluorescence.ndim == 3:
        return optics.focus(
            fluorescence, kernel(pixel_size_um, acquisition, reach_px).to(fluorescence)
        )
    planes = fluorescence.shape[1]
    z_um = (torch.arange(planes, dtype=torch.float64) - planes // 2) * z_step_um
    of_planes = psf.kernel_3d(
        acquisition.optics,
        float(true_pixel_um(pixel_size_um, acquisition)),
        z_um.to(fluorescence.device),
        acquisition.target_fwhm_um,
        reach_px,
    )
    return optics.focus(fluorescence, of_planes.to(fluorescence))


def kernel(pixel_size_um: float, acquisition: Acquisition, reach_px: int) -> Tensor:
    """Return the blur of a plane in focus.

    Parameters
    ----------
    pixel_size_um, acquisition, reach_px
        See `record`.

    Returns
    -------
    Tensor
        (batch, 2 reach_px + 1, 2 reach_px + 1), unit sum.
    """
    true_um = true_pixel_um(pixel_size_um, acquisition)
    size_um = true_um.flatten() if isinstance(true_um, Tensor) else true_um
    return psf.kernel(acquisition.optics, size_um, acquisition.target_fwhm_um, reach_px)


def true_pixel_um(pixel_size_um: float, acquisition: Acquisition) -> Value:
    """Return the side of a pixel; less than stated where a specimen expanded more than assumed."""
    return pixel_size_um / (1 + acquisition.expansion_error)
