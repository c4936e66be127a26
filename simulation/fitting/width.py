"""The structure most like the real one, and the width of the PSF with which it is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.interpolate import CubicSpline

from simulation import psf
from simulation.fitting import brightness, power_spectrum
from simulation.fitting.brightness import Light
from simulation.fitting.classifier import describe
from simulation.fitting.noise import DetectorFit
from simulation.fitting.noise_free import Structure, generate, name_of, with_width
from simulation.fitting.power_spectrum import Spectrum
from simulation.fitting.stacks import cut
from simulation.microscope import Acquisition
from simulation.structures import Structure as Draw

Floats = NDArray[np.float64]

_STEPS, _FINE_STEPS = 12, 60
_BANDS_ALIKE = 3.0  # structure makes neighbouring bands of a spectrum deviate together
# In practice a PSF is one to two times as wide as the optics allow: a weak prior.
_PRIOR_RATIO, _PRIOR_LOG_SD = 1.4, 0.25
_WIDEST = 5.0  # times the narrowest PSF that the optics can have
_WIDEST_PX = 10.0
_MAGNIFICATIONS = (0.4, 1.0, 2.5)
_LAYERS = (1, 3)  # what lies above and below is seen, too
_FIELDS = 12  # of a structure; while many are compared, so many:
_FEW_FIELDS = 4
_LOOKED_AT_AGAIN = 2  # structures, on all fields
_PATCH_PX = 32
_SIMULATED = 24  # images to compare with
_NEAR = 1.25  # times the least distance: structures that explain the images about as well


def silent(_what: str, _share: float) -> None:
    """Say nothing of how far work is."""


@dataclass(frozen=True)
class Candidate:
    """How well one kind of structure explains real images.

    Attributes
    ----------
    structure
        Generated fields.
    width_um, log_sd
        Most likely lateral FWHM of the PSF, and the standard deviation of its logarithm.
    light
        Of each real square.
    distance
        Between what `classifier.describe` tells of real and of simulated patches.
    """

    structure: Structure
    width_um: float
    log_sd: float
    light: Light
    distance: float


def candidates(
    squares: Floats,
    fields: int,
    detector: DetectorFit,
    acquisition: Acquisition,
    pixel_size_um: float,
    kinds: Sequence[str],
    known_width_um: float | None,
    saturation_counts: float,
    seed: int,
    expanded: Draw | None = None,
    say: Callable[[str, float], None] = silent,
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
        Names in `STRUCTURES`; a single one is taken as it is, of several other sizes and
        densities are tried.
    known_width_um
        Of the PSF, where beads tell it.
    saturation_counts
        Where the converter clips.
    seed
        Of structures and noise.
    expanded
        What draws fields of the user's expanded images, which then are the only structure.
    say
        Is told before each structure its name and the share of the work that is done.

    Returns
    -------
    list of Candidate
        The nearest first.
    """
    widths = _widths(acquisition, pixel_size_um) if known_width_um is None else [known_width_um]
    through = {width: with_width(acquisition, width) for width in widths}
    real = power_spectrum.radial_power(squares)
    white = float(np.mean([detector.variance(float(square.mean())) for square in squares]))
    described = describe(_patches(squares))
    drawn = np.random.default_rng(seed).choice(len(squares), _SIMULATED)

    def draw(kind: str, magnification: float, first: int, count: int) -> Structure:
        return generate(
            kind, pixel_size_um, max(widths), seed, count, magnification, expanded, first
        )

    def compare(structure: Structure, layers: Sequence[int]) -> list[Candidate]:
        width, log_sd = _most_likely_width(real, structure, through, white, fields)
        seen = with_width(acquisition, width)
        found: list[Candidate] = []
        for denser in map(structure.layered, layers):
            sharp = denser.images(seen)
            lit = brightness.measure_light(list(squares), sharp, detector, saturation_counts, seed)
            photons, background = (part[drawn, None, None] for part in (lit.bright, lit.background))
            shown = sharp[np.arange(_SIMULATED) % len(sharp)]
            simulated = brightness.expose(
                shown, photons, background, detector, saturation_counts, (seed, 0)
            )
            apart = distance(described, describe(_patches(simulated)))
            found.append(Candidate(denser, width, log_sd, lit, apart))
        return found

    if expanded is not None or len(kinds) == 1:
        kind, layers = ("expanded images", _LAYERS) if expanded is not None else (kinds[0], (1,))
        say(kind, 0.0)
        return _nearest_first(compare(draw(kind, 1.0, 0, _FIELDS), layers))
    # Most structures are clearly behind the nearest, which few fields tell.
    begun: list[tuple[Structure, list[Candidate]]] = []
    tried = list(product(kinds, _MAGNIFICATIONS))
    steps = len(tried) + _LOOKED_AT_AGAIN
    for step, (kind, magnification) in enumerate(tried):
        say(name_of(kind, magnification), step / steps)
        structure = draw(kind, magnification, 0, _FEW_FIELDS)
        begun.append((structure, compare(structure, _LAYERS)))
    begun.sort(key=lambda one: min(found.distance for found in one[1]))
    for place, (structure, _) in enumerate(begun[:_LOOKED_AT_AGAIN]):
        say(f"{structure} once more", (len(tried) + place) / steps)
        more = draw(structure.kind, structure.magnification, _FEW_FIELDS, _FIELDS - _FEW_FIELDS)
        begun[place] = (structure, compare(structure.and_also(more), _LAYERS))
    return _nearest_first(one for _, found in begun for one in found)


def _nearest_first(found: Iterable[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda candidate: candidate.distance)


def width_over(found: Sequence[Candidate]) -> tuple[float, float]:
    """Return the width of the PSF over all structures that explain the images about as well.

    Parameters
    ----------
    found
        As `candidates` returns them.

    Returns
    -------
    tuple of float
        Lateral FWHM, µm, and the standard deviation of its logarithm.
    """
    near = [one for one in found if one.distance <= _NEAR * found[0].distance]
    logarithms = np.log([one.width_um for one in near])
    variance = float(np.mean([one.log_sd**2 for one in near]) + logarithms.var())
    return float(np.exp(logarithms.mean())), float(np.sqrt(variance))


def _most_likely_width(
    real: Spectrum,
    structure: Structure,
    through: Mapping[float, Acquisition],
    white: float,
    fields: int,
) -> tuple[float, float]:
    """Return the width with which a structure has the real spectrum, and its logarithm's error."""
    first, *others = through
    if not others:
        return first, 0.0
    spectra = [power_spectrum.radial_power(structure.images(seen)) for seen in through.values()]
    logarithms = np.log(list(through))
    between = CubicSpline(logarithms, np.log(np.stack([one.power for one in spectra])))
    fine = np.linspace(logarithms[0], logarithms[-1], _FINE_STEPS)
    costs = np.array(
        [
            power_spectrum.match(
                real, replace(spectra[0], power=np.exp(between(x))), white, fields
            ).cost
            for x in fine
        ]
    )
    usual = np.log(_PRIOR_RATIO * psf.reachable_fwhm_um(through[first].optics)[0])
    surprise = costs / _BANDS_ALIKE + ((fine - usual) / _PRIOR_LOG_SD) ** 2
    likelihood = np.exp(-(surprise - surprise.min()) / 2)
    likelihood /= likelihood.sum()
    mean = float(likelihood @ fine)
    return float(np.exp(mean)), float(np.sqrt(likelihood @ (fine - mean) ** 2))


def _widths(acquisition: Acquisition, pixel_size_um: float) -> list[float]:
    """Widths from the narrowest that the optics allow, which must be wider than the target's."""
    narrowest, widest = psf.reachable_fwhm_um(acquisition.optics)
    low = max(narrowest, 1.2 * acquisition.target_fwhm_um) * 1.001
    high = min(widest, max(_WIDEST * narrowest, 2 * pixel_size_um), _WIDEST_PX * pixel_size_um)
    return np.geomspace(low, max(high, 1.5 * low), _STEPS).tolist()


def _patches(images: Floats) -> Floats:
    """Cut images in patches side by side, (patches, y, x)."""
    return cut(list(images), _PATCH_PX)


def distance(real: Floats, simulated: Floats) -> float:
    """Compare descriptions of patches.

    Parameters
    ----------
    real, simulated
        (patches, features) each.

    Returns
    -------
    float
        Wasserstein distance over the standard deviation of both kinds together, each of the same
        weight, mean over the features: 0 where they are alike, and never more than 2, so that what
        hardly varies, such as a dark quantile that is clipped at 0, does not outweigh all else.
    """
    halfway = (real.mean(0) - simulated.mean(0)) / 2
    spread = np.sqrt((real.var(0) + simulated.var(0)) / 2 + halfway**2)
    apart = [stats.wasserstein_distance(*pair) for pair in zip(real.T, simulated.T, strict=True)]
    return float(np.mean(np.divide(apart, spread, out=np.zeros_like(spread), where=spread > 0)))
