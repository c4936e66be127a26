"""Where an image lies in another that was recorded apart: at any angle, of another size, bent.

Points and maps are those of `alignment`; the moving image may have a shape of its own, and may lack
pixels.
"""

import itertools
import math

import numpy as np
import SimpleITK as sitk  # noqa: N813  (so its users know it)
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from benchmark.metrics.metric import Image
from benchmark.registration.alignment import (
    Affine,
    Field,
    centre_of,
    correlation,
    field_of,
    image_of,
    transform_of,
    warp,
)
from imaging.resample import linear

_ANGLES_DEG = range(-180, 180, 10)
_SCALES = (0.95, 1.0, 1.05)
_COARSE_PX = 96  # of the longer side, for the search through all angles
_LEAST_OVERLAP = 0.3  # of the smaller image
_HIGHEST = 0.999  # correlation
_COARSEST_KNOTS_PX = 256  # between knots at the first level; each further level halves it
_LEVELS = (1, 2, 4)
_SHRINK = (8, 4, 4)
_STEPS = 30


def find_similarity(fixed: Image, moving: Image) -> tuple[Affine, float]:
    """Find roughly where an image lies in another: any angle and shift, scales within 7 %.

    The shift of the highest correlation of what both show (Padfield 2012,
    doi:10.1109/TIP.2011.2181402), at each of 36 angles and 3 scales of coarse images. Of these the
    one least likely by chance: small overlaps reach high correlations.

    Parameters
    ----------
    fixed, moving
        (y, x) each, with pixels of one size.

    Returns
    -------
    affine, evidence
        The map, and the correlation of the coarse images under it, after Fisher's transform and
        times the root of the share of the field in which both have pixels.
    """
    shrink = max(1.0, max(*fixed.shape, *moving.shape) / _COARSE_PX)
    one, two = (_coarse(image, shrink) for image in (fixed, moving))
    found = [_shifted_best(one, two, *turn) for turn in itertools.product(_ANGLES_DEG, _SCALES)]
    scores = [_evidence(one, two, affine) for affine in found]
    best = int(np.argmax(scores))
    middle = (centre_of(fixed.shape) + 0.5) / shrink - 0.5
    coarse = found[best]
    offset = coarse.matrix @ (middle - centre_of(one.shape)) + centre_of(one.shape)
    place = (offset + coarse.shift_px + 0.5) * shrink - 0.5
    return Affine(coarse.matrix, place - centre_of(fixed.shape)), scores[best]


def bend(fixed: Image, moving: Image, begin: Affine) -> Field:
    """Find a smooth displacement of many pixels beyond an affine map.

    A cubic B-spline whose knots move closer level by level, from 256 to 64 pixels, and the image
    finer with them: `alignment.align_elastic`, which begins with close knots, loses its way where
    bends are wider than the structure.

    Parameters
    ----------
    fixed, moving
        (y, x) each, at a common blur.
    begin
        The map it comes on top of.

    Returns
    -------
    Field
        Of both together.
    """
    grid, placed = image_of(fixed), transform_of(begin, fixed.shape)
    knots = [max(1, round(length / _COARSEST_KNOTS_PX)) for length in reversed(fixed.shape)]
    spline = sitk.BSplineTransformInitializer(grid, knots)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(_SHRINK)
    method.SetSmoothingSigmasPerLevel([factor / 2 for factor in _SHRINK])
    method.SetNumberOfThreads(1)  # sums shared among threads are rounded otherwise
    method.SetOptimizerAsGradientDescentLineSearch(
        5.0, _STEPS, convergenceMinimumValue=1e-4, convergenceWindowSize=5
    )
    method.SetMovingInitialTransform(placed)
    method.SetInitialTransformAsBSpline(spline, inPlace=True, scaleFactors=_LEVELS)
    method.Execute(grid, image_of(moving))
    return field_of(sitk.CompositeTransform([placed, spline]), fixed.shape)


def _coarse(image: Image, shrink: float) -> Image:
    rows, columns = (max(1, round(length / shrink)) for length in image.shape)
    return linear(image, (rows, columns)).astype(np.float64)


def _shifted_best(fixed: Image, moving: Image, angle_deg: float, scale: float) -> Affine:
    """Turn and scale an image, and shift it to where it correlates best."""
    angle = math.radians(angle_deg)
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = scale * np.array([[cosine, sine], [-sine, cosine]])
    # A canvas that holds all of the turned image.
    rows, columns = np.ceil(np.abs(matrix.T / scale**2) @ np.array(moving.shape)).astype(int)
    middle, own = (np.array([rows, columns]) - 1) / 2, centre_of(moving.shape)
    turned = ndimage.affine_transform(
        moving,
        matrix,
        own - matrix @ middle,  # pyright: ignore[reportArgumentType]  # the stubs know no vector
        (rows, columns),
        order=1,
        cval=np.nan,
    )
    seen = np.isfinite(turned)
    shape = np.maximum(turned.shape, fixed.shape)
    shift = phase_cross_correlation(
        _padded(fixed, shape),
        _padded(np.where(seen, turned, 0), shape),
        reference_mask=_padded(np.ones(fixed.shape, np.bool_), shape),
        moving_mask=_padded(seen, shape),
        overlap_ratio=_LEAST_OVERLAP,
    )[0]
    place = matrix @ (centre_of(fixed.shape) - shift - middle) + own
    return Affine(matrix, place - centre_of(fixed.shape))


def _evidence(fixed: Image, moving: Image, affine: Affine) -> float:
    field = affine.field(fixed.shape)
    shared = float(np.isfinite(warp(moving, field)).mean())
    return math.sqrt(shared) * math.atanh(min(correlation(fixed, moving, field), _HIGHEST))


def _padded(image: NDArray[np.generic], shape: NDArray[np.int_]) -> NDArray[np.generic]:
    missing = (shape - np.array(image.shape)).tolist()
    return np.pad(image, [(0, count) for count in missing])
