"""How a package treats space: its axes, sizes, scale and halo, as its description states them."""

import math
from fractions import Fraction

from bioimageio.spec.model import v0_5

from imaging.cli import UserError
from imaging.tiles import AxisGeometry
from packages.package import Package, spatial_axes

SomeAxis = v0_5.InputAxis | v0_5.OutputAxis

# Overlap of windows where a package is silent about its halo, by number of spatial axes: about
# half the field of view of a U-Net with three levels.
_UNDECLARED_HALO = {2: 64, 3: 16}
# Windows of a fixed size start at multiples of a power of two: five poolings by 2 are the most in
# use. A quarter of the size leaves room for a halo.
_FIXED_SIZE_STEP = 32


def letters(tensor: v0_5.InputTensorDescr | v0_5.OutputTensorDescr) -> str:
    """Return the axes of a tensor in its order, by letters.

    Parameters
    ----------
    tensor
        An input or output of a description.

    Returns
    -------
    str
        Out of b, c, z, y, x; a question mark for any other axis, time for instance.
    """
    spatial = {str(axis.id): letter for letter, axis in spatial_axes(tensor).items()}
    kinds = {"batch": "b", "channel": "c"}
    return "".join(kinds.get(axis.type) or spatial.get(str(axis.id), "?") for axis in tensor.axes)


def geometry(package: Package) -> dict[str, AxisGeometry]:
    """Return how a package treats the spatial axes that it has.

    Parameters
    ----------
    package
        An open package.

    Returns
    -------
    dict
        By z, y, x.

    Raises
    ------
    UserError
        It does not turn an image into an image of the same axes, or it cannot be known how sizes
        follow from each other.
    """
    before, after = spatial_axes(package.input), spatial_axes(package.output)
    axes = letters(package.input) + letters(package.output)
    if "?" in axes or set(before) != set(after) or not {"y", "x"} <= set(before):
        raise UserError(
            f"{package.path} does not turn an image into an image of the same axes: "
            "only such models can be run."
        )
    return {d: _axis_geometry(package, before[d], after[d], len(before)) for d in before}


def _axis_geometry(package: Package, before: SomeAxis, after: SomeAxis, ndim: int) -> AxisGeometry:
    size = before.size
    scale = Fraction(before.scale / after.scale).limit_denominator(64)
    if isinstance(size, int):
        quarter = 2 ** max((size // 4).bit_length() - 1, 0)
        minimum, step = size, math.gcd(size, quarter, _FIXED_SIZE_STEP)
    elif isinstance(size, v0_5.ParameterizedSize):
        minimum, step = size.min, size.step
    else:
        raise _unclear(package, before)
    if isinstance(after.size, v0_5.SizeReference) and after.size.axis_id == before.id:
        offset = after.size.offset
    elif isinstance(after.size, int) and isinstance(size, int):
        if scale == 1 and after.size > size:
            scale = Fraction(after.size, size)
        offset = int(after.size - size * scale)
    else:
        raise _unclear(package, before)
    margin = Fraction(-offset, 2) / scale
    if margin < 0 or margin.denominator != 1:
        raise _unclear(package, before)
    halo = getattr(after, "halo", None)
    inside = _UNDECLARED_HALO[ndim] if halo is None else math.ceil(halo / scale)
    if halo is None and isinstance(size, int):
        inside = min(inside, size // 4)
    # A halo that ends between two output pixels is widened to the next.
    inside = math.ceil(inside / scale.denominator) * scale.denominator
    return AxisGeometry(minimum, step, isinstance(size, int), scale, inside, int(margin))


def _unclear(package: Package, axis: SomeAxis) -> UserError:
    return UserError(
        f"{package.path}: how the output's size follows from the input along '{axis.id}' "
        "is not something that can be done window by window."
    )
