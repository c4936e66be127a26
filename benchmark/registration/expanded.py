"""Bring an image of a field after expansion onto the image of it before, and say how surely.

Expansion turns, stretches and bends a field, labels are lost on the way, and each image may show
less of the field than the other. So the target is sought at any angle, brought to the input by an
affine map and then by smooth bends.

How far the result is off is measured on copies of this very pair: the target is bent as much as was
found, but elsewhere, and given the input's blur and all that the input differs by from its target,
also elsewhere. The copies are registered in the same way, and where their truth lies is known.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.metric import Image, NotApplicable
from benchmark.metrics.squirrel import resolution_scaled_fit
from benchmark.registration.alignment import IDENTITY, Affine, Field, align_affine, warp
from benchmark.registration.placement import bend, find_similarity
from benchmark.registration.registration import (
    FIRST_BLUR_PX,
    Registration,
    detail,
    fit_under,
    folded,
    implausible,
    refuse_images,
)

# Where a copy has its bends: mirrored along axes, and of which sign.
_COPIES = tuple((axes, sign) for axes in ((0,), (1,), (0, 1)) for sign in (1, -1))
COPIES = len(_COPIES)
_LEAST_ABOVE_CHANCE = 1.5  # times what the mirror image reaches
_SMOOTHING_PX = (4.0, 8.0, 16.0, 32.0)  # Gaussian σ, where bends fold what no structure holds
_FWHM = 2.355  # of a Gaussian, in σ


@dataclass(frozen=True)
class ExpandedRegistration:
    """Where a target after expansion has what belongs to each pixel of its input.

    Attributes
    ----------
    placed
        The affine map, whose matrix holds the turn and the error of the expansion factor.
    registration
        What came on top of it: bends of a target that was placed by that map, or nothing.
    field
        (2, y, x), of both together, pixels of the input.
    errors
        What registering copies of the pair got wrong: fields like `field`.
    """

    placed: Affine
    registration: Registration
    field: Field
    errors: tuple[Field, ...]

    @property
    def relative(self) -> Registration:
        """Return the bends as a registration of the target that is placed already."""
        # A placed target at x + b is the target at x + b + straight(x + b).
        straight = self.placed.field(self.field.shape[1:])
        turn_back = np.linalg.inv(self.placed.matrix)
        bends = np.tensordot(turn_back, self.field - straight, axes=1)
        before = replace(self.registration.before, field=np.zeros_like(bends))
        after = replace(self.registration.after, field=bends)
        return replace(self.registration, before=before, after=after)

    @property
    def error_px(self) -> NDArray[np.float64]:
        """Return the root mean square error at each pixel of the input."""
        return np.sqrt(np.mean([(error**2).sum(axis=0) for error in self.errors], axis=0))

    @property
    def reliable(self) -> NDArray[np.bool_]:
        """Tell where the error is below the width of the input's blur."""
        return self.error_px < _FWHM * self.registration.blur_sigma_px


def register_expanded(input: Image, target: Image, *, copies: int = COPIES) -> ExpandedRegistration:
    """Find where a target after expansion has what belongs to each pixel of its input.

    Parameters
    ----------
    input, target
        (y, x) each, at least 64 x 64, with pixels of one size before expansion.
    copies
        How often the error is measured.

    Returns
    -------
    ExpandedRegistration
        With bends, or without where they fit no better.

    Raises
    ------
    NotApplicable
        An image is too small, constant or without structure that both show.
    """
    refuse_images(input, target)
    fixed, roughly_blurred = detail(input, 0), detail(target, FIRST_BLUR_PX)
    start, reached = find_similarity(fixed, roughly_blurred)
    _, by_chance = find_similarity(fixed, roughly_blurred[::-1])
    _refuse_chance(reached, by_chance)
    roughly = align_affine(fixed, roughly_blurred, [start])
    sharp = warp(detail(target, 0), roughly.field(fixed.shape))
    sigma_px = resolution_scaled_fit(fixed, np.nan_to_num(sharp)).sigma_px
    moving = detail(target, sigma_px)
    placed = align_affine(fixed, moving, [roughly])
    if reason := implausible(placed, turned=True):
        raise NotApplicable(reason)
    straight = placed.field(fixed.shape)
    field = bend(fixed, moving, placed)
    bends, reason = _unfolded(field - straight, np.isfinite(warp(moving, field)))
    field, kept = straight + bends, "elastic"
    before, after = fit_under(fixed, moving, straight), fit_under(fixed, moving, field)
    if not reason and after.correlation <= before.correlation:
        reason = "both correlate no better"
    if reason:
        field, after, kept = straight, before, "affine"
        reason = f"The displacement is not kept, as {reason}."
    registration = Registration(kept, reason, IDENTITY, sigma_px, before, after)
    errors = tuple(
        _error_on_copy(input, target, placed, bends, registration, number)
        for number in range(copies)
    )
    return ExpandedRegistration(placed, registration, field, errors)


def _unfolded(bends: Field, shown: NDArray[np.bool_]) -> tuple[Field, str]:
    """Smooth bends until they do not fold the target; say why where they always do.

    Beside what is `shown` a spline is held by nothing: there they go on as at the border.
    """
    bends = _continued(bends, shown)
    smoothed, reason = bends, folded(bends, shown)
    for sigma_px in _SMOOTHING_PX:
        if not reason:
            break
        smoothed = ndimage.gaussian_filter(bends, (0, sigma_px, sigma_px))
        reason = folded(smoothed, shown)
    return smoothed, reason


def _continued(field: Field, shown: NDArray[np.bool_]) -> Field:
    """Put what a field is at the nearest pixel that is shown into those that are not."""
    nearest = np.empty((shown.ndim, *shown.shape), np.int32)
    ndimage.distance_transform_edt(
        ~shown, return_distances=False, indices=nearest, return_indices=True
    )
    return field[:, *nearest]


def _refuse_chance(reached: float, by_chance: float) -> None:
    if by_chance > reached:
        raise NotApplicable(
            "The mirror image of the target fits the input better than the target: flip it, or "
            "check that both show the same field."
        )
    if reached < _LEAST_ABOVE_CHANCE * by_chance:
        raise NotApplicable(
            f"The target fits the input only {reached / by_chance:.2f} times as well as its mirror "
            f"image, and {_LEAST_ABOVE_CHANCE:g} are asked for, so that nothing says that both "
            "show structure of one field."
        )


def _error_on_copy(
    input: Image,
    target: Image,
    placed: Affine,
    bends: Field,
    registration: Registration,
    number: int,
) -> Field:
    """Register a copy of a pair, and return the found map less the true one."""
    straight = placed.field(input.shape)
    axes, sign = _COPIES[number % len(_COPIES)]
    truth = straight + sign * np.flip(bends, tuple(axis + 1 for axis in axes))
    blurred = ndimage.gaussian_filter(target, registration.blur_sigma_px)
    seen = warp(blurred, straight + bends)
    shown = np.isfinite(seen)
    slope, offset = np.polyfit(seen[shown], input[shown], 1)
    differing = np.where(shown, input - slope * seen - offset, 0)
    again_seen = warp(blurred, truth)
    copy = slope * np.nan_to_num(again_seen, nan=float(blurred.min())) + offset
    # By half of the image from where it belongs.
    steps = [length // 2 + number for length in input.shape]
    copy += np.roll(np.flip(differing, axes), steps, axis=(0, 1))
    fixed, moving = detail(copy, 0), detail(target, registration.blur_sigma_px)
    again = align_affine(fixed, moving, [placed])
    found = again.field(input.shape)
    if registration.kept == "elastic":
        bent = bend(fixed, moving, again)
        found = found + _unfolded(bent - found, np.isfinite(warp(moving, bent)))[0]
    return _continued(found - truth, np.isfinite(again_seen))
