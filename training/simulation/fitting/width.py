"""The structure most like the real one, and the width of the PSF with which it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.simulation import psf
from training.simulation.fitting import light, spectrum
from training.simulation.fitting.noise import Detector
from training.simulation.fitting.structure import Structure, generate, with_width
from training.simulation.microscope import Acquisition

Floats = NDArray[np.float64]

_STEPS = 20
_WIDEST = 5.0  # times the narrowest PSF that the optics can have
_WIDEST_PX = 10.0


@dataclass(frozen=True)
class Candidate:
    """How well one kind of structure explains real images.

    Attributes
    ----------
    structure
        Generated fields.
    width_um, log_sd
        Most likely lateral FWHM of the PSF, and the standard deviation of its logarithm.
    distance
        Root mean square of the difference of logarithmic spectra, plus the Wasserstein distance
        of the counts over their standard deviation.
    """

    structure: Structure
    width_um: float
    log_sd: float
    distance: float


def candidates(
    squares: Floats,
    fields: int,
    detector: Detector,
    acquisition: Acquisition,
    pixel_size_um: float,
    kinds: Sequence[str],
    known_width_um: float | None,
    saturation_counts: float,
    seed: int,
) -> list[Candidate]:
    """Compare real images with those of every kind of structure through PSFs of many widths.

    Parameters
    ----------
    squares
        (squares, y, x) counts.
    fields
        How many of them show different structure.
    detector
        Fitted to them.
    acquisition
        Its optics, but for the numerical aperture.
    pixel_size_um
        Side of a real pixel.
    kinds
        Names in `STRUCTURES`.
    known_width_um
        Of the PSF, where beads tell it.
    saturation_counts
        Where the converter clips.
    seed
        Of structures and noise.

    Returns
    -------
    list of Candidate
        The nearest first.
    """
    widths = _widths(acquisition, pixel_size_um) if known_width_um is None else [known_width_um]
    real = spectrum.radial_power(squares)
    white = float(np.mean([detector.variance(float(square.mean())) for square in squares]))
    found: list[Candidate] = []
    for kind in kinds:
        structure = generate(kind, pixel_size_um, max(widths), seed)
        images = [structure.images(with_width(acquisition, width)) for width in widths]
        costs = np.array(
            [spectrum.match(real, spectrum.radial_power(i), white, fields).cost for i in images]
        )
        likelihood = np.exp(-(costs - costs.min()) / 2)
        likelihood /= likelihood.sum()
        logarithms = np.log(widths)
        mean = float(likelihood @ logarithms)
        log_sd = float(np.sqrt(likelihood @ (logarithms - mean) ** 2))
        width = float(np.exp(mean))
        best = structure.images(with_width(acquisition, width))
        photons = light.bright_photons(squares, best, detector, saturation_counts, seed)
        drawn = np.random.default_rng(seed).choice(photons, len(best))[:, None, None]
        simulated = light.expose(best, drawn, detector, saturation_counts, seed)
        found.append(Candidate(structure, width, log_sd, _distance(squares, simulated)))
    return sorted(found, key=lambda candidate: candidate.distance)


def _widths(acquisition: Acquisition, pixel_size_um: float) -> list[float]:
    """Widths from the narrowest that the optics allow, which must be wider than the target's."""
    narrowest, widest = psf.reachable_fwhm_um(acquisition.optics)
    low = max(narrowest, 1.2 * acquisition.target_fwhm_um) * 1.001
    high = min(widest, max(_WIDEST * narrowest, 2 * pixel_size_um), _WIDEST_PX * pixel_size_um)
    return np.geomspace(low, max(high, 1.5 * low), _STEPS).tolist()


def _distance(real: Floats, simulated: Floats) -> float:
    one, other = (spectrum.radial_power(images) for images in (real, simulated))
    used = one.coefficients > 0
    ratio = np.log(one.power.mean(0)[used] / other.power.mean(0)[used])
    wasserstein = float(stats.wasserstein_distance(real.ravel(), simulated.ravel()))
    return float(np.sqrt(np.mean(ratio**2))) + wasserstein / float(real.std())
