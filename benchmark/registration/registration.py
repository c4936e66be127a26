"""Bring a target that shows the same field approximately onto its input: affine, then elastic.

The input is blurred and noisy, the target sharp, so both are compared at a common blur: the target
under the Gaussian that makes it most like the input, the input under a little, against noise. What
is wider than detail is taken from both: bright regions correlate wherever they lie on each other.

An optimiser always ends somewhere, so no step is trusted by its own word. It is kept only if the
map is plausible, if mirrored targets, which have nothing to do with the input, do not fit nearly as
well, if the correlation grows, and if blocks find themselves closer (`displacement`).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.metric import Image, NotApplicable
from benchmark.metrics.squirrel import resolution_scaled_fit
from benchmark.registration.alignment import (
    IDENTITY,
    Affine,
    Field,
    align_affine,
    align_elastic,
    correlation,
    warp,
)
from benchmark.registration.displacement import Residual, measure_residual, shared

Kept = Literal["nothing", "affine", "elastic"]

SMALLEST_SIDE = 64
_DENOISING_PX = 1.5
_BACKGROUND_PX = 16.0
FIRST_BLUR_PX = 4.0
_LARGEST_DEG = 20.0
_LARGEST_SCALE = 1.25
_LARGEST_SHEAR = 0.15
_LEAST_OVERLAP = 0.25
_LEAST_ABOVE_CHANCE = 1.5  # times, after Fisher's transform
# What sparse fields correlate by chance, whatever their mirror image does.
_LEAST_CHANCE = 0.1

# By how much blocks must find themselves closer. An affine map is six numbers over the whole image;
# a displacement is a hundred, which follow noise.
_LEAST_GAIN_PX = {"affine": 0.1, "elastic": 0.15}
_LEAST_AREA = 0.3  # of a displaced pixel: below, the map all but folds
_LARGEST_BEND = 4.0  # of what blocks are displaced by: beyond, it bends where nothing asks for it


@dataclass(frozen=True)
class DisplacementFit:
    """How well a target fits its input under some map.

    Attributes
    ----------
    field
        (2, y, x), pixels of the input.
    correlation
        Pearson, of detail at the common blur, where the displaced target has pixels.
    residual
        What blocks are still displaced by.
    """

    field: Field
    correlation: float
    residual: Residual


@dataclass(frozen=True)
class Registration:
    """How a target was brought to its input.

    Attributes
    ----------
    kept
        The last step that was kept.
    why
        Why not more, one sentence; empty when all that was asked for was kept.
    affine
        The affine map that was kept; the identity where none was.
    blur_sigma_px
        Gaussian σ that makes the target most like the input.
    before, after
        The target as it was, and as it is now.
    """

    kept: Kept
    why: str
    affine: Affine
    blur_sigma_px: float
    before: DisplacementFit
    after: DisplacementFit


def register_pair(input: Image, target: Image, *, elastic: bool = True) -> Registration:
    """Find where a target has what belongs to each pixel of its input.

    Parameters
    ----------
    input, target
        One shape (y, x), at least 64 x 64.
    elastic
        Whether a smooth displacement follows the affine map.

    Returns
    -------
    Registration
        Where a step fails, what was before it.

    Raises
    ------
    NotApplicable
        An image is too small or constant.
    """
    refuse_images(input, target)
    fixed = detail(input, 0)
    roughly = align_affine(fixed, detail(target, FIRST_BLUR_PX))
    moved = warp(detail(target, 0), roughly.field(fixed.shape))
    sigma_px = resolution_scaled_fit(fixed, np.nan_to_num(moved)).sigma_px
    moving = detail(target, sigma_px)
    affine = align_affine(fixed, moving, [roughly])

    before = fit_under(fixed, moving, IDENTITY.field(fixed.shape))
    kept: Kept = "nothing"
    after, reasons = before, []
    if reason := implausible(affine) or _as_good_as_chance(fixed, moving, affine):
        return Registration(kept, reason, IDENTITY, sigma_px, before, after)
    straight = fit_under(fixed, moving, affine.field(fixed.shape))
    if reason := _no_better(straight, after, _LEAST_GAIN_PX["affine"]):
        affine = IDENTITY
        reasons.append(f"The affine map is not kept, as {reason}.")
    else:
        after, kept = straight, "affine"
    if elastic:
        bent = fit_under(fixed, moving, align_elastic(fixed, moving, affine))
        begun = affine.field(fixed.shape)
        if reason := _excessive(bent.field - begun, after) or _no_better(
            bent, after, _LEAST_GAIN_PX["elastic"]
        ):
            reasons.append(f"The displacement is not kept, as {reason}.")
        else:
            after, kept = bent, "elastic"
    return Registration(kept, " ".join(reasons), affine, sigma_px, before, after)


def refuse_images(input: Image, target: Image) -> None:
    """Refuse images of which nothing can be registered."""
    for name, plane in (("input", input), ("target", target)):
        if min(plane.shape) < SMALLEST_SIDE:
            raise NotApplicable(
                f"Registration needs at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels of the "
                f"{name}, not {plane.shape[0]} x {plane.shape[1]}."
            )
        if plane.min() == plane.max():
            raise NotApplicable(f"The {name} is constant, so nothing can be registered.")


def detail(image: Image, sigma_px: float) -> Image:
    """Blur an image by so much more than against noise, and take its background off."""
    blurred, background = (
        ndimage.gaussian_filter(image, math.hypot(sigma_px, width))
        for width in (_DENOISING_PX, _BACKGROUND_PX)
    )
    return np.asarray(blurred - background)


def fit_under(fixed: Image, moving: Image, field: Field) -> DisplacementFit:
    """Measure how well a target fits its input under a map."""
    residual = measure_residual(fixed, warp(moving, field))
    return DisplacementFit(field, correlation(fixed, moving, field), residual)


def implausible(affine: Affine, *, turned: bool = False) -> str:
    """Say what no two recordings of one field differ by; nothing when all is plausible.

    Specimens that were `turned` between recordings may have any rotation.
    """
    upright = turned or abs(affine.rotation_deg) <= _LARGEST_DEG
    limits = (
        ("a rotation of {:.1f}°", affine.rotation_deg, upright),
        ("a scale of {:.2f}", affine.scale, 1 / _LARGEST_SCALE <= affine.scale <= _LARGEST_SCALE),
        ("a shear of {:.2f}", affine.shear, abs(affine.shear) <= _LARGEST_SHEAR),
    )
    for words, value, is_plausible in limits:
        if not is_plausible:
            return (
                f"Nothing is kept, as the affine map has {words.format(value)}: fields may differ."
            )
    return ""


def _as_good_as_chance(fixed: Image, moving: Image, affine: Affine) -> str:
    """Say when mirrored targets, brought to the input in the same way, fit nearly as well."""
    chance = max(
        correlation(fixed, mirrored, align_affine(fixed, mirrored).field(fixed.shape))
        for mirrored in (moving[::-1], moving[:, ::-1])
    )
    reached = correlation(fixed, moving, affine.field(fixed.shape))
    seen = np.isfinite(warp(moving, affine.field(fixed.shape))).mean()
    is_above = np.arctanh(reached) > _LEAST_ABOVE_CHANCE * np.arctanh(max(chance, _LEAST_CHANCE))
    if is_above and seen >= _LEAST_OVERLAP:
        return ""
    return (
        f"Nothing is kept, as the target correlates by {reached:.2f} over {seen:.0%} of the field, "
        f"and its mirror image by {chance:.2f}: that may be chance."
    )


def _no_better(new: DisplacementFit, old: DisplacementFit, least_gain_px: float) -> str:
    """Say why a step is not worth keeping; nothing when it is."""
    if new.correlation <= old.correlation:
        return f"the correlation is {new.correlation:.3f} with it and {old.correlation:.3f} without"
    new_px, old_px = (of.median_px for of in shared(new.residual, old.residual))
    if new_px > old_px - least_gain_px:
        return (
            f"blocks are displaced by {new_px:.2f} pixels with it and {old_px:.2f} without, a gain "
            f"of less than {least_gain_px:g}"
        )
    return ""


def _excessive(bend: Field, old: DisplacementFit) -> str:
    """Say where a displacement does more than blocks ask for; nothing when it does not."""
    largest_px, asked_px = float(np.linalg.norm(bend, axis=0).max()), old.residual.median_px
    if largest_px > _LARGEST_BEND * asked_px:
        return f"it moves pixels by up to {largest_px:.1f} where blocks ask for {asked_px:.1f}"
    return folded(bend, np.ones(bend.shape[1:], np.bool_))


def folded(bend: Field, shown: NDArray[np.bool_]) -> str:
    """Say where a displacement all but folds what is shown; nothing when it does not."""
    (yy, yx), (xy, xx) = np.gradient(bend[0]), np.gradient(bend[1])
    smallest = float(((1 + yy) * (1 + xx) - yx * xy)[shown].min(initial=1.0))
    if smallest < _LEAST_AREA:
        return f"it shrinks pixels to {smallest:.2f} of their area, which all but folds the target"
    return ""
