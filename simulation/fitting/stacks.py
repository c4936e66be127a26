"""The user's real images, read and refused where nothing can be fitted to them."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from imaging import images
from imaging.channels import one_channel
from imaging.cli import UserError
from imaging.datasets import Item, open_dataset
from imaging.inspection import inspect
from imaging.remarks import Remarks
from imaging.valid import common_rectangle, find_valid

Floats = NDArray[np.float64]
Order = Literal["depth", "time"]

_SMALLEST_PX = 48
_FEWEST_PX = 128 * 128
_MOST_PLANES = 64
_MOST_PX = 2**23  # of a stack: what more of them tell is little, and takes minutes
_MOST_SATURATED = 0.01
_ORDERS: dict[tuple[Hashable, ...], Order] = {("z",): "depth", ("b",): "time"}
_LEAST_BITS, _MOST_BITS = 8, 16  # of converters


@dataclass(frozen=True)
class Stack:
    """One file.

    Attributes
    ----------
    path
        The file.
    planes
        (plane, y, x) counts, float64.
    order
        What the planes differ in: depth, time (any other axis), or nothing known, as where they
        differ in both.
    pixel_size_um, z_step_um
        As the file states them.
    """

    path: Path
    planes: Floats
    order: Order | None
    pixel_size_um: float | None
    z_step_um: float | None


def read_stacks(paths: Sequence[Path], remarks: Remarks, channel: str | None = None) -> list[Stack]:
    """Read images, folders of images or datasets.

    Parameters
    ----------
    paths
        Of a dataset the input is taken, and native/ in its stead where it is kept.
    remarks
        To which is added what is found in the images.
    channel
        Name or number of the one to take of several.

    Returns
    -------
    list of Stack
        At least one.

    Raises
    ------
    UserError
        An image is too small, of several channels, constant, saturated, or not as a converter of
        up to 16 bits wrote it.
    """
    datasets = [open_dataset(path) for path in paths]
    for dataset in datasets:
        remarks.update(dataset.remarks)
    stacks = [_read(item, remarks, channel) for dataset in datasets for item in dataset.items]
    pixels = sum(stack.planes.size for stack in stacks)
    if pixels < _FEWEST_PX:
        raise UserError(
            f"{paths[0]} and what was given with it hold {pixels} pixels in all, too few to fit a "
            f"microscope to: give at least {_FEWEST_PX}, for instance more planes or fields."
        )
    return stacks


def saturation_counts(stacks: Sequence[Stack]) -> float:
    """Return the largest count that the converter can have written: a power of two, less one."""
    brightest = max(float(stack.planes.max()) for stack in stacks)
    return float(2 ** max(int(np.ceil(np.log2(brightest + 1))), _LEAST_BITS) - 1)


def common_pixel_size_um(stacks: Sequence[Stack], given_um: float | None, example: str) -> float:
    """Return the one pixel size of all stacks.

    Parameters
    ----------
    stacks
        As read.
    given_um
        By the user; it overrules the files.
    example
        Command that gives one, of 0.1 µm.

    Returns
    -------
    float
        µm.

    Raises
    ------
    UserError
        None is known, or files disagree.
    """
    if given_um is not None:
        return given_um
    sizes = {stack.path: stack.pixel_size_um for stack in stacks if stack.pixel_size_um}
    if not sizes:
        raise UserError(
            f"{stacks[0].path} does not state its pixel size: say how large a pixel is in "
            f"micrometres and what the microscope is, as in `{example}` (0.1 is an example)."
        )
    (first, size_um), *others = sizes.items()
    for path, other_um in others:
        if abs(other_um / size_um - 1) > 0.01:
            raise UserError(
                f"{first} has pixels of {size_um:g} µm, but {path} of {other_um:g} µm: "
                "fit them one by one, or give --pixel-size if the files are wrong."
            )
    return size_um


def cut(planes: Sequence[Floats], side_px: int) -> Floats:
    """Cut planes in squares.

    Parameters
    ----------
    planes
        (y, x) each, of any size.
    side_px
        Of the squares; the smallest side of all planes where that is less. They overlap where a
        plane is no multiple of it.

    Returns
    -------
    ndarray
        (squares, side, side).
    """
    side = min(side_px, *(length for plane in planes for length in plane.shape))
    squares = [
        plane[top : top + side, left : left + side]
        for plane in planes
        for top in _corners(plane.shape[0], side)
        for left in _corners(plane.shape[1], side)
    ]
    return np.stack(squares)


def _corners(length: int, side: int) -> list[int]:
    """Return where squares begin, so that they cover a length."""
    return np.linspace(0, length - side, -(-length // side)).round().astype(int).tolist()


def _read(item: Item, remarks: Remarks, channel: str | None) -> Stack:
    path = item.native or item.input
    image = images.read(path) if item.native else item.read_input()
    image = one_channel(path, image, channel)
    remarks.add(item.name, inspect(image))
    if min(image.sizes["y"], image.sizes["x"]) < _SMALLEST_PX:
        raise UserError(
            f"{path} is {image.sizes['x']} x {image.sizes['y']} pixels, too small to fit a "
            f"microscope to: give images of at least {_SMALLEST_PX} on each side."
        )
    order = _ORDERS.get(image.dims[:-2])
    planes = np.asarray(image.values, np.float64).reshape(-1, *image.shape[-2:])
    most = min(_MOST_PLANES, max(_MOST_PX // planes[0].size, 1))
    thinned = 1.0
    if len(planes) > most:
        thinned = (len(planes) - 1) / max(most - 1, 1)
        planes = planes[np.linspace(0, len(planes) - 1, most).round().astype(int)]
    planes = _with_data(planes)
    if min(planes.shape[1:]) < _SMALLEST_PX:
        raise UserError(
            f"{path} holds data in {planes.shape[2]} x {planes.shape[1]} pixels only, the rest is "
            f"constant: give images with data in at least {_SMALLEST_PX} pixels on each side."
        )
    _refuse_unusable(path, planes)
    z_step_um = _stated(image, "z")
    return Stack(
        path,
        planes,
        order,
        _stated(image, "x"),
        None if z_step_um is None else float(z_step_um * thinned),
    )


def _with_data(planes: Floats) -> Floats:
    """Return the planes that are not blank, cut to the largest rectangle with data in all."""
    not_blank = planes.max((1, 2)) > planes.min((1, 2))
    planes = planes[not_blank] if not_blank.any() else planes
    rectangle = common_rectangle(list(map(find_valid, planes)), planes.shape[1:])
    return planes if rectangle is None else planes[:, *rectangle]


def _stated(image: xr.DataArray, axis: str) -> float | None:
    sizes: dict[str, float] = image.attrs["pixel_size_um"]
    return sizes.get(axis)


def _refuse_unusable(path: Path, planes: Floats) -> None:
    if (planes % 1).any():
        raise UserError(
            f"{path} holds fractions, so that it was scaled, averaged or denoised: "
            "give whole counts as the microscope wrote them."
        )
    if planes.min() < 0:
        raise UserError(
            f"{path} holds negative counts (down to {planes.min():g}): "
            "add a constant, such as 32768, and save it as 16 bits without sign."
        )
    if planes.max() >= 2**_MOST_BITS:
        raise UserError(
            f"{path} holds counts up to {planes.max():g}, more than a converter of {_MOST_BITS} "
            "bits writes: give images that were not scaled or summed."
        )
    low, high = np.percentile(planes, [1, 99])
    if low == high:
        raise UserError(
            f"{path} is flat (almost all pixels are {low:g}): nothing can be fitted to it."
        )
    brightest = planes.max()
    share = float((planes == brightest).mean())
    if share > _MOST_SATURATED:
        raise UserError(
            f"{path} is saturated: {share:.1%} of its pixels are {brightest:g}; "
            "give images taken with less light or gain."
        )
