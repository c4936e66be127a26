"""Which image of a TIFF file is meant, and what its axes are."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imaging.cli import UserError
from imaging.formats.several import not_chosen, place_of, positions
from imaging.formats.tiff_planes import Planes
from imaging.remarks import Remark

_DIM_OF_AXIS = {
    **dict.fromkeys("TPRM", "b"),  # time, and tifffile's names for positions
    **{axis: axis.lower() for axis in "CZYX"},
}
# tifffile's letters for a stack of pages of which the file does not say what it runs along.
_UNNAMED = ("I", "Q")
_THUMBNAIL_PX = 256  # what is longer is no thumbnail
_THUMBNAIL_PART = 0.25  # of the image's sides, at most
_PASSED_OVER = (
    "the file also holds what seem to be reduced versions of its image, or thumbnails; they are "
    "passed over (--scene, or a path that ends in #1, #2 and so on, means one of all)."
)
_GREY = "a colour picture whose samples are all equal: it is read as the grey image that it shows."


def choose(
    path: Path, series: Sequence[Any], choice: str | None
) -> tuple[list[Any], tuple[Remark, ...]]:
    """Find the image of a file among all that it holds.

    Parameters
    ----------
    path
        The file.
    series
        What tifffile takes for its images.
    choice
        Which of them is meant: its number from 1, or its name; None where nobody said so.

    Returns
    -------
    images, remarks
        The image, or several of one shape, which are positions; and what was found.

    Raises
    ------
    UserError
        None of them is clearly the image, or there is none of this number or name.
    """
    place = place_of(choice, [one.name for one in series])
    if place is not None:
        return [series[place]], ()
    largest = max(series, key=lambda one: math.prod(one.shape))
    alike = [one for one in series if _kind(one) == _kind(largest)]
    others = [one for one in series if _kind(one) != _kind(largest)]
    if choice is not None or not all(_is_reduced(one, largest) for one in others):
        raise not_chosen(path, [_described(one) for one in series])
    remarks = positions(len(alike), _described(largest))
    unmarked = [_described(one) for one in others if not one.keyframe.is_reduced]
    if unmarked:
        remarks += (Remark(_PASSED_OVER, "; ".join(unmarked)),)
    return alike, remarks


def _kind(series: Any) -> tuple[Any, ...]:
    return series.axes, series.shape, series.dtype


def _described(series: Any) -> str:
    size = " x ".join(f"{length}" for length in series.shape)
    return f"{series.name} {size} {series.dtype}".strip()


def _is_reduced(series: Any, image: Any) -> bool:
    """Tell a smaller version of an image, or a thumbnail of whatever it is, from another image."""
    if series.keyframe.is_reduced:
        return True
    sides = [(page.imagelength, page.imagewidth) for page in (series.keyframe, image.keyframe)]
    parts = [small / large for small, large in zip(*sides, strict=True)]
    if max(sides[0]) <= _THUMBNAIL_PX and max(parts) <= _THUMBNAIL_PART:
        return True
    factor = round(1 / max(parts))
    return factor > 1 and all(
        small in (large // factor, -(-large // factor)) for small, large in zip(*sides, strict=True)
    )


def name_axes(path: Path, series: Any, pixels: Planes) -> tuple[tuple[str, ...], list[Remark]]:
    """Name an image's axes; those of length 1 keep tifffile's letter, which is no name of ours.

    Parameters
    ----------
    path, series
        The file, and what tifffile says of the image.
    pixels
        The same image.

    Returns
    -------
    dims, remarks
        A name for each axis, in which b may occur twice; and what was found.

    Raises
    ------
    UserError
        A colour picture, or axes of unknown meaning.
    """
    # "Q" may occur twice, so the axes are told apart by their place.
    axes, remarks = list(series.axes), list[Remark]()
    colours = [at for at, length in enumerate(series.shape) if axes[at] == "S" and length > 1]
    for at in colours:
        before_y = at < axes.index("Y")
        if _all_equal(pixels, at):
            remarks.append(Remark(_GREY))
        elif before_y and series.kind == "shaped":
            # So a stack of 3 or 4 planes is written that nobody said to be grey.
            axes[at] = "Q"
        else:
            stack = ' or write a stack of planes with photometric="minisblack"' if before_y else ""
            raise UserError(
                f"{path} is a colour picture ({series.shape[at]} samples per pixel): "
                f"save each channel as a greyscale image{stack}."
            )
    long = [length > 1 and axis != "S" for axis, length in zip(axes, series.shape, strict=True)]
    names = dict(_DIM_OF_AXIS)
    unknown = [
        axis for axis, is_long in zip(axes, long, strict=True) if is_long and axis not in names
    ]
    if len(unknown) == 1 and unknown[0] in _UNNAMED and "Z" not in axes:
        names[unknown[0]] = "z"
    elif unknown or not {"Y", "X"} <= set(axes):
        raise UserError(
            f"{path} has axes of unknown meaning ({series.axes}, {series.shape}): "
            "save it as OME-TIFF or ImageJ hyperstack with axes out of t, c, z, y and x."
        )
    dims = [
        names[axis] if is_long or axis in "YX" else axis
        for axis, is_long in zip(axes, long, strict=True)
    ]
    return tuple(dims), remarks


def _all_equal(pixels: Planes, axis: int) -> bool:
    """Compare the samples of a picture, page by page."""
    return all((page == page.take([0], axis)).all() for page in pixels.by_page())
