"""Maps that bring one image onto another: an affine one, then a smooth displacement.

What is maximised is the correlation of both images where they overlap, coarse to fine (SimpleITK).
A map takes a point of the fixed image to the point of the moving image that belongs there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813  (so its users know it)
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from benchmark.metrics.metric import Image

Field = NDArray[np.float64]
"""(2, y, x): for each pixel, how far along y and x from it the moving image has its counterpart."""

_STARTS_DEG = (-8.0, 0.0, 8.0)
_KNOTS_PX = 64  # between the knots of a displacement
_ELASTIC_STEPS = 25


@dataclass(frozen=True)
class Affine:
    """An affine map x → centre + shift + matrix · (x − centre), about the centre of an image.

    Attributes
    ----------
    matrix
        (2, 2), of vectors (y, x).
    shift_px
        (y, x).
    """

    matrix: NDArray[np.float64]
    shift_px: NDArray[np.float64]

    def field(self, shape: tuple[int, ...]) -> Field:
        """Return the displacement of each pixel of an image."""
        offsets = _pixels(shape) - centre_of(shape)[:, None, None]
        moved = np.tensordot(self.matrix - np.eye(2), offsets, axes=1)
        return moved + self.shift_px[:, None, None]

    @property
    def scale(self) -> float:
        """Return the root of the determinant; 0 for a map that mirrors."""
        return math.sqrt(max(0.0, float(np.linalg.det(self.matrix))))

    @property
    def rotation_deg(self) -> float:
        """Return the angle by which the x axis turns, towards y."""
        return math.degrees(math.atan2(self.matrix[0, 1], self.matrix[1, 1]))

    @property
    def shear(self) -> float:
        """Return by what the y axis leans along the turned x axis, per unit of its height."""
        along_x, along_y = self.matrix[:, 1], self.matrix[:, 0]
        height = np.linalg.det(self.matrix) / np.linalg.norm(along_x)
        return float(along_x @ along_y / np.linalg.norm(along_x) / height)


IDENTITY = Affine(np.eye(2), np.zeros(2))


def align_affine(fixed: Image, moving: Image, starts: Sequence[Affine] = ()) -> Affine:
    """Find the affine map under which two images correlate best.

    Gradient descent from several angles, each with the shift of the highest correlation; or from
    the starts that are given.

    Parameters
    ----------
    fixed, moving
        One shape (y, x), at a common blur.
    starts
        Maps to begin with.

    Returns
    -------
    Affine
        The best that was found.
    """
    begun = [*starts] or [_shifted_best(fixed, moving, angle) for angle in _STARTS_DEG]
    found = [_descend(fixed, moving, start) for start in begun]
    return max(found, key=lambda affine: correlation(fixed, moving, affine.field(fixed.shape)))


def align_elastic(fixed: Image, moving: Image, begin: Affine) -> Field:
    """Find a smooth displacement beyond an affine map under which two images correlate best.

    A cubic B-spline with a knot every 64 pixels: what varies faster than that is left.

    Parameters
    ----------
    fixed, moving
        One shape (y, x), at a common blur.
    begin
        The map it comes on top of.

    Returns
    -------
    Field
        Of both together.
    """
    grid = image_of(fixed)
    knots = [max(2, round(length / _KNOTS_PX)) for length in reversed(fixed.shape)]
    method = _method(shrink=[4], smooth_px=[2.0])  # finer levels cost much and change nothing
    method.SetOptimizerAsLBFGSB(numberOfIterations=_ELASTIC_STEPS)
    method.SetMovingInitialTransform(transform_of(begin, fixed.shape))
    method.SetInitialTransform(sitk.BSplineTransformInitializer(grid, knots), inPlace=False)
    bent = method.Execute(grid, image_of(moving))
    return field_of(sitk.CompositeTransform([transform_of(begin, fixed.shape), bent]), fixed.shape)


def warp(image: Image, field: Field) -> Image:
    """Fetch for each pixel of a field what a displaced image has there; NaN where it has nothing.

    Cubic interpolation, within the range of the image: a spline overshoots beside what is sharp.
    """
    at = _pixels(field.shape) + field
    fetched = ndimage.map_coordinates(image, at, order=3, mode="nearest")
    last = np.array(image.shape)[:, None, None] - 1
    within = ((at >= 0) & (at <= last)).all(axis=0)
    return np.where(within, np.clip(fetched, image.min(), image.max()), np.nan)


def correlation(fixed: Image, moving: Image, field: Field) -> float:
    """Return the Pearson correlation with a displaced image where that has pixels; 0 for none."""
    warped = warp(moving, field)
    seen = np.isfinite(warped)
    one, two = fixed[seen], warped[seen]
    if one.size < 2 or one.min() == one.max() or two.min() == two.max():
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])


def _shifted_best(fixed: Image, moving: Image, angle_deg: float) -> Affine:
    angle = math.radians(angle_deg)
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = Affine(np.array([[cosine, sine], [-sine, cosine]]), np.zeros(2))
    seen = np.nan_to_num(warp(moving, turned.field(fixed.shape)), nan=float(moving.mean()))
    window = np.outer(*(np.hanning(length) for length in fixed.shape))
    one, two = ((image - image.mean()) * window for image in (fixed, seen))
    shift, _, _ = phase_cross_correlation(
        one,
        two,
        normalization=None,  # pyright: ignore[reportArgumentType]
    )
    return Affine(turned.matrix, turned.matrix @ -shift)


def _descend(fixed: Image, moving: Image, start: Affine) -> Affine:
    method = _method(shrink=[8, 4, 2], smooth_px=[4.0, 2.0, 1.0])
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=1e-3, numberOfIterations=200, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform_of(start, fixed.shape), inPlace=True)
    found = sitk.AffineTransform(method.Execute(image_of(fixed), image_of(moving)))
    matrix = np.array(found.GetMatrix()).reshape(2, 2)[::-1, ::-1]
    return Affine(matrix, np.array(found.GetTranslation())[::-1])


def _method(shrink: list[int], smooth_px: list[float]) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(shrink)
    method.SetSmoothingSigmasPerLevel(smooth_px)
    method.SetNumberOfThreads(1)  # sums shared among threads are rounded otherwise
    return method


def transform_of(affine: Affine, shape: tuple[int, ...]) -> sitk.AffineTransform:
    """Return a map of an image of this shape as SimpleITK has it, of vectors (x, y)."""
    transform = sitk.AffineTransform(2)
    transform.SetCenter(centre_of(shape)[::-1].tolist())
    transform.SetMatrix(affine.matrix[::-1, ::-1].ravel().tolist())
    transform.SetTranslation(affine.shift_px[::-1].tolist())
    return transform


def field_of(transform: sitk.Transform, shape: tuple[int, ...]) -> Field:
    """Return the displacement of each pixel of an image of this shape."""
    size = list(reversed(shape))
    field = sitk.TransformToDisplacementField(transform, sitk.sitkVectorFloat64, size)
    along_x_and_y = sitk.GetArrayFromImage(field)
    return np.stack([along_x_and_y[..., 1], along_x_and_y[..., 0]])


def image_of(plane: Image) -> sitk.Image:
    """Return a plane as SimpleITK has it."""
    return sitk.GetImageFromArray(np.ascontiguousarray(plane, dtype=np.float32))


def _pixels(shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.indices(shape[-2:], dtype=np.float64)


def centre_of(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return where the middle of an image is, y and x."""
    return (np.array(shape[-2:]) - 1) / 2
