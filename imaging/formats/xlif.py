"""Leica XLIF: a description whose pixels lie in a LOF, or in a TIFF file for each plane."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.formats.microscopes import unknown_axes


def lof_of(path: Path, file: Any) -> Path | None:
    """Return the LOF that an XLIF names, which says the same of its pixels; None of other files."""
    for image in file.images:
        frames = image.memory_block.frames
        if len(frames) == 1 and frames[0].file.lower().endswith(".lof"):
            return _there(path, frames[0].file)
    return None


class TiffPlanes:
    """Pixels along the axes of an image in files of one plane each; only those asked for are read.

    Parameters
    ----------
    path, image
        The XLIF, and its image as liffile has it.
    order
        Of the axes that are indexed.

    Raises
    ------
    UserError
        The files are no planes, or are not there.
    """

    def __init__(self, path: Path, image: Any, order: str) -> None:
        sizes = dict(image.sizes)
        self._ahead = [axis for axis in sizes if axis not in "YX"]
        if list(sizes) != [*self._ahead, "Y", "X"]:
            raise unknown_axes(path, sizes)
        self._shape = [sizes[axis] for axis in self._ahead]
        self._plane = (sizes["Y"], sizes["X"])
        self._dtype = image.dtype
        self._order = order
        frames = image.memory_block.frames
        plane_bytes = math.prod(self._plane) * image.dtype.itemsize
        self._files = {frame.offset // plane_bytes: frame.file for frame in frames}
        for number in range(math.prod(self._shape)):
            name = self._files.get(number, "files beside it")
            if not name.lower().endswith(".tif") or any(one.size != plane_bytes for one in frames):
                raise UserError(
                    f"{path} has its pixels in {name}, neither a LOF nor a TIFF file for each "
                    "plane: export the image as OME-TIFF, or give that file if it is one."
                )
            self._files[number] = str(_there(path, name))

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Return planes, rows and columns, given one place along each axis before."""
        places = dict(zip(self._order, key, strict=True))
        depths = self._shape[self._ahead.index("Z")] if "Z" in self._ahead else 1
        planes = list[NDArray[Any]]()
        for depth in range(depths)[places["Z"]]:
            at = places | {"Z": depth}
            number = 0
            for axis, length in zip(self._ahead, self._shape, strict=True):
                number = number * length + int(at[axis])
            plane = tifffile.imread(self._files[number])
            if (plane.shape, plane.dtype) != (self._plane, self._dtype):
                raise UserError(
                    f"{self._files[number]} is not the plane of {self._plane[0]} x "
                    f"{self._plane[1]} pixels that its XLIF describes: export it again."
                )
            planes.append(plane[places["Y"], places["X"]])
        return np.stack(planes)


def _there(path: Path, name: str) -> Path:
    file = path.parent / name
    if not file.is_file():
        raise UserError(
            f"{path} has its pixels in {name}, which is not there: copy it with the files that "
            "it names again."
        )
    return file
