"""Fit a microscope to real images: what can be measured is measured, with a range."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.cli import UserError
from simulation import psf
from simulation.fitting import brightness, noise, photon_transfer
from simulation.fitting.brightness import Light
from simulation.fitting.jitter import line_jitter
from simulation.fitting.measurement import Measurement, spread
from simulation.fitting.noise import DetectorFit
from simulation.fitting.noise_free import with_width
from simulation.fitting.photon_transfer import Transfer
from simulation.fitting.stacks import Stack, cut
from simulation.fitting.width import Candidate, candidates, silent, width_over
from simulation.microscope import Acquisition, Microscope
from simulation.structures import Structure as Draw

Floats = NDArray[np.float64]

SQUARE_PX = 128
_RESAMPLINGS = 12
_MOST_SD = 0.5  # of a logarithm: some resampled squares hold hardly any light to fit to
_LEAST_PHOTONS = 0.01
_NOISE_SHARE, _LIGHT_FROM = 0.1, 0.95  # of the time

# What fits to simulated stacks of known microscopes miss beyond the scatter over resampled squares:
# standard deviations, relative but for the offset's. From docs/fit.md's calibration stacks.
_GAIN_SD, _READ_SD, _WIDTH_SD, _PHOTONS_SD, _BACKGROUND_SD = 0.03, 0.03, 0.03, 0.06, 0.15
_COVERED_SD = 0.05
_OFFSET_SD_COUNTS = 0.3
# Of the width by beads: what aberration makes of the PSF's shape, and how well one bead is measured
# at the best; on 60 more microscopes.
_BEADS_SD, _BEAD_SD = 0.015, 0.035
_SLOPE_SD = 0.1  # of a line that has to be drawn on to the offset


@dataclass(frozen=True)
class Given:
    """What a fit is told.

    Attributes
    ----------
    stacks, repeats
        Real images; images of one field taken again and again, perhaps none.
    bead_widths_um
        (beads,) lateral FWHM, where beads were imaged.
    base
        The kind of microscope: what is not measured is taken from it.
    pixel_size_um
        Side of a pixel.
    saturation_counts
        Where the converter clips.
    excess_noise_factor
        Where it is known; otherwise a photomultiplier's is assumed.
    kinds
        Structures to compare with.
    seed
        Of all randomness.
    expanded
        Draws fields of the user's expanded images, to be compared with in place of `kinds`.
    """

    stacks: Sequence[Stack]
    repeats: Sequence[Stack]
    bead_widths_um: Floats | None
    base: Microscope
    pixel_size_um: float
    saturation_counts: float
    excess_noise_factor: float | None
    kinds: Sequence[str]
    seed: int
    expanded: Draw | None = None


@dataclass(frozen=True)
class MicroscopeFit:
    """What was measured.

    Attributes
    ----------
    transfer
        Of the repeats where there are any, else of the images.
    detector
        The most likely.
    gain, offset, read_noise, width_um, photons, background
        In the units of `Microscope`; the width is the PSF's lateral FWHM.
    covered
        Density of structure: the share of a field that it covers, see `brightness.share_covered`.
    background_variation
        Standard deviation of the logarithm of the background over parts of the images.
    jitter_px
        Of the lines, pixels.
    depth_decay, time_decay
        Loss of light per plane of the longest stack in depth or time; None where there is none.
    relative_light
        (squares,) how bright structure is in parts of the images, over the bright level of whole
        ones: structure is denser in some places than in others.
    candidates
        Structures, the most similar first.
    """

    transfer: Transfer
    detector: DetectorFit
    gain: Measurement
    offset: Measurement
    read_noise: Measurement
    width_um: Measurement
    photons: Measurement
    background: Measurement
    covered: Measurement
    background_variation: float
    jitter_px: Measurement
    depth_decay: Measurement | None
    time_decay: Measurement | None
    relative_light: Floats
    candidates: Sequence[Candidate]


def fit(given: Given, say: Callable[[str, float], None] = silent) -> MicroscopeFit:
    """Measure what images tell of their microscope.

    Parameters
    ----------
    given
        Images and what else is known.
    say
        Is told before each step what comes and the share of the fit that is done.

    Returns
    -------
    MicroscopeFit
        Noise by photon transfer and the histogram of the darkest pixels, the PSF by the spectrum
        or by beads, light by percentiles whose rise by noise is taken out.

    Raises
    ------
    UserError
        There is no noise of photons.
    """
    planes = [plane for stack in given.stacks for plane in stack.planes]
    squares = cut(planes, SQUARE_PX)
    say("gain and noise", 0.0)
    transfer, detector, scatter = _fit_detector(given, squares)
    found = candidates(
        squares,
        fields=_count_fields(given.stacks, squares.shape[-1]),
        detector=detector,
        acquisition=in_effect(given.base),
        pixel_size_um=given.pixel_size_um,
        kinds=given.kinds,
        known_width_um=_bead_width(given),
        saturation_counts=given.saturation_counts,
        seed=given.seed,
        expanded=given.expanded,
        say=lambda name, share: say(
            f"structure and blur: {name}", _NOISE_SHARE + (_LIGHT_FROM - _NOISE_SHARE) * share
        ),
    )
    say("light", _LIGHT_FROM)
    nearest = found[0]
    sharp = nearest.structure.images(with_width(in_effect(given.base), nearest.width_um))
    lit = brightness.measure_light(planes, sharp, detector, given.saturation_counts, given.seed)
    photons = Measurement.of_fields(lit.bright, lit.bright_error, _PHOTONS_SD)
    extrapolated = transfer.mean.min() - detector.offset_counts
    offset_sd = _OFFSET_SD_COUNTS if detector.offset_is_seen else _SLOPE_SD * extrapolated
    return MicroscopeFit(
        transfer=transfer,
        detector=detector,
        gain=Measurement.relative(
            detector.gain_counts_per_photon, np.hypot(scatter["gain_counts_per_photon"], _GAIN_SD)
        ),
        offset=Measurement.absolute(
            detector.offset_counts, float(np.hypot(scatter["offset_counts"], offset_sd))
        ),
        read_noise=Measurement.relative(
            detector.read_noise_counts, np.hypot(scatter["read_noise_counts"], _READ_SD)
        ),
        width_um=_width(given, found),
        photons=photons,
        background=Measurement.of_fields(lit.background, lit.background_error, _BACKGROUND_SD),
        covered=Measurement.of_fields(lit.covered, 0.0, _COVERED_SD).at_most(1.0),
        background_variation=spread(nearest.light.background, nearest.light.background_error),
        jitter_px=line_jitter(squares, detector),
        depth_decay=_decay(given.stacks, "depth", detector.offset_counts),
        time_decay=_decay(given.stacks, "time", detector.offset_counts),
        relative_light=_relative(nearest.light, photons.best),
        candidates=found,
    )


def in_effect(base: Microscope) -> Acquisition:
    """Return optics whose numerical aperture stands for everything that widens the PSF.

    The aperture is uniformly filled, and there is no aberration.
    """
    return replace(base.typical(), aperture_filling=float("inf"), depth_um=0.0)


def to_microscope(
    fitted: MicroscopeFit, given: Given, provenance: dict[str, str | int | float]
) -> Microscope:
    """Write what was measured as a microscope to draw from.

    Parameters
    ----------
    fitted, given
        A fit and what it was made from.
    provenance
        How it came about.

    Returns
    -------
    Microscope
        What was not measured is the base's; motion other than jitter is left out, and so are
        depth and bleaching unless a stack shows them.
    """
    optics = in_effect(given.base).optics
    narrowest, widest = psf.reachable_fwhm_um(optics)

    def aperture(width_um: float) -> float:
        return psf.numerical_aperture_for(float(np.clip(width_um, narrowest, widest)), optics)

    excess = given.excess_noise_factor
    jitter_um = fitted.jitter_px.times(given.pixel_size_um)
    return replace(
        given.base,
        numerical_aperture=(aperture(fitted.width_um.high), aperture(fitted.width_um.low)),
        aperture_filling=(float("inf"), float("inf")),
        **_depth(fitted, given),
        bleaching=_bleaching(fitted, given),
        background_photons=(fitted.background.low, fitted.background.high),
        background_variation=(0.0, fitted.background_variation),
        vignetting=(0.0, 0.0),
        line_jitter_um=(jitter_um.low, jitter_um.high),
        breathing_um=(0.0, 0.0),
        drift_um=(0.0, 0.0),
        photons=(fitted.photons.low, fitted.photons.high),
        excess_noise_factor=(excess, excess) if excess else excess_range(fitted.detector),
        gain_counts_per_photon=(fitted.gain.low, fitted.gain.high),
        offset_counts=(fitted.offset.low, fitted.offset.high),
        read_noise_counts=(fitted.read_noise.low, fitted.read_noise.high),
        saturation_counts=given.saturation_counts,
        pixel_size_um=given.pixel_size_um,
        provenance=provenance,
    )


def _fit_detector(given: Given, squares: Floats) -> tuple[Transfer, DetectorFit, dict[str, float]]:
    """Return the detector and the scatter of its entries over resampled squares.

    Of the offset the scatter is in counts, of the others that of the logarithm.
    """
    rng = np.random.default_rng((given.seed, 0))
    runs = [stack.planes for stack in given.repeats]
    repeated = photon_transfer.transfer_of_repeats(runs) if runs else None
    dark = [*squares, *(square for run in runs for square in cut(list(run), SQUARE_PX))]

    def of(
        chosen: Sequence[Floats], near: DetectorFit | None = None
    ) -> tuple[Transfer, DetectorFit]:
        transfer = repeated or photon_transfer.transfer_of_images(chosen)
        found = noise.fit_detector(
            chosen, transfer, from_repeats=bool(runs), excess=given.excess_noise_factor, near=near
        )
        return transfer, found

    transfer, detector = of(dark)
    if not transfer.shows_photons:
        path = (given.repeats or given.stacks)[0].path
        raise UserError(
            f"The noise of {path} and of what was given with it does not grow with brightness as "
            "that of photons: give images that hold light and were not smoothed or denoised."
        )
    others = [
        of([dark[i] for i in rng.integers(len(dark), size=len(dark))], detector)[1]
        for _ in range(_RESAMPLINGS)
    ]
    entries = ("gain_counts_per_photon", "offset_counts", "read_noise_counts")
    values = {entry: np.array([getattr(one, entry) for one in others]) for entry in entries}
    scatter = {
        entry: float(np.std(found))
        if entry == "offset_counts"
        else min(float(np.std(np.log(found))), _MOST_SD)
        for entry, found in values.items()
    }
    return transfer, detector, scatter


def excess_range(detector: DetectorFit) -> tuple[float, float]:
    """Return what the excess noise factor of a fitted detector may be."""
    factor = detector.excess_noise_factor
    return max(factor - 0.05, 1.0), factor + 0.05


def _relative(lit: Light, bright: float) -> Floats:
    """Return the light of squares over that of images, without the scatter of measuring it."""
    logarithms = np.log(np.maximum(lit.bright, _LEAST_PHOTONS) / bright)
    variance = max(float(logarithms.var()), 1e-9)
    shrink = np.sqrt(max(1 - lit.bright_error**2 / variance, 0))
    return np.exp(logarithms.mean() + shrink * (logarithms - logarithms.mean()))


def _bead_width(given: Given) -> float | None:
    return None if given.bead_widths_um is None else float(np.median(given.bead_widths_um))


def _width(given: Given, found: Sequence[Candidate]) -> Measurement:
    if given.bead_widths_um is None:
        width_um, log_sd = width_over(found)
        return Measurement.relative(width_um, float(np.hypot(log_sd, _WIDTH_SD)))
    scatter = max(float(np.log(given.bead_widths_um).std()), _BEAD_SD)
    # The standard error of a median of normal numbers is √(π/2) times that of their mean.
    of_median = np.sqrt(np.pi / 2 / len(given.bead_widths_um)) * scatter
    return Measurement.relative(
        float(np.median(given.bead_widths_um)), float(np.hypot(of_median, _BEADS_SD))
    )


def _count_fields(stacks: Sequence[Stack], side_px: int) -> int:
    """Count squares that show different structure; planes of a stack show much the same."""
    return sum(
        (stack.planes.shape[1] // side_px) * (stack.planes.shape[2] // side_px) for stack in stacks
    )


def _decay(stacks: Sequence[Stack], order: str, offset_counts: float) -> Measurement | None:
    ordered = [stack for stack in stacks if stack.order == order]
    if not ordered:
        return None
    return brightness.decay(max(ordered, key=lambda stack: len(stack.planes)).planes, offset_counts)


def _depth(fitted: MicroscopeFit, given: Given) -> dict[str, Any]:
    """Attenuation, where a stack of known distances shows it; the PSF holds all aberration."""
    unscattered = (float("inf"), float("inf"))
    without = {
        "depth_um": (0.0, 0.0),
        "scattering_length_um": unscattered,
        "tissue_refractive_index": given.base.refractive_index,
    }
    deepest = max(
        (stack for stack in given.stacks if stack.order == "depth"),
        key=lambda stack: len(stack.planes),
        default=None,
    )
    decay = fitted.depth_decay
    if deepest is None or deepest.z_step_um is None or decay is None or decay.low <= 0:
        return without
    # Light falls as exp(−2 z / length).
    lengths_um = (2 * deepest.z_step_um / decay.high, 2 * deepest.z_step_um / decay.low)
    height_um = (len(deepest.planes) - 1) * deepest.z_step_um
    return without | {"depth_um": (0.0, height_um), "scattering_length_um": lengths_um}


def _bleaching(fitted: MicroscopeFit, given: Given) -> tuple[float, float]:
    """Light lost by the last image of a series."""
    decay = fitted.time_decay
    if decay is None or decay.low <= 0:
        return (0.0, 0.0)
    frames = max(len(stack.planes) for stack in given.stacks if stack.order == "time")
    return (0.0, float(1 - np.exp(-decay.best * (frames - 1))))
