"""Masks that people drew: images of whole numbers, a number for each object, 0 for none."""

from pathlib import Path

import numpy as np
import xarray as xr

from imaging.cli import UserError
from imaging.images import read
from imaging.pixel_sizes import are_unlike

__all__ = ["read_mask"]


def read_mask(path: Path, image: xr.DataArray) -> xr.DataArray:
    """Read the mask of an image.

    Parameters
    ----------
    path
        A file of any format of `imaging.images`.
    image
        The image that it was drawn on, as `imaging.images.read` gives it; it may be lazy.

    Returns
    -------
    xr.DataArray
        The labels, integers, on axes y and x, and z where the image has it.

    Raises
    ------
    UserError
        It is of another size or pixel size than the image, or holds other values than whole
        numbers from 0 with something above 0.
    """
    mask = read(path)
    own = {str(dim): size for dim, size in mask.sizes.items()}
    due = {str(dim): size for dim, size in image.sizes.items() if dim in ("z", "y", "x")}
    if own != due:
        raise UserError(
            f"{path} is {_sizes(own)}, and its image {_sizes(due)}: draw the mask on the image's "
            "own pixels."
        )
    for dim, size in mask.attrs["pixel_size_um"].items():
        stated = image.attrs["pixel_size_um"].get(dim)
        if stated is not None and are_unlike(stated, size):
            raise UserError(
                f"{path} states pixels of {size:g} µm along {dim}, and its image {stated:g} µm: "
                "correct the wrong one."
            )
    values = mask.values
    odd = values[(values < 0) | (values != np.rint(values))]
    if odd.size:
        raise UserError(
            f"{path} holds {odd[0]:g}, and a mask is of whole numbers from 0: save the labels "
            "themselves, without interpolation."
        )
    if not values.any():
        raise UserError(f"{path} is 0 everywhere: draw something, or remove the mask.")
    return mask if values.dtype.kind in "iu" else mask.astype(np.int64)


def _sizes(sizes: dict[str, int]) -> str:
    return " x ".join(f"{size} ({dim})" for dim, size in sizes.items())
