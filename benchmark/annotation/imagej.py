"""Selections that ImageJ and Fiji save: .roi, and .zip of the ROI Manager.

Of points and open lines, as opposed to areas, ImageJ counts pixels from the centre of the first.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import roifile

from benchmark.annotation.sketch import Shape, Sketch, Sketches, vertex
from imaging.cli import UserError, counted
from imaging.extent import Extent

_POINT = roifile.ROI_TYPE.POINT
_LINES = (roifile.ROI_TYPE.LINE, roifile.ROI_TYPE.POLYLINE, roifile.ROI_TYPE.FREELINE)


def read_rois(path: Path, shape: Shape, extent: Extent) -> Sketches:
    """Read the points, or the lines, of selections.

    Parameters
    ----------
    path
        A .roi file, or a .zip of such.
    shape
        What to read: of points each by itself, of lines straight, segmented and freehand ones.
    extent
        Of the image.

    Returns
    -------
    Sketches
        In the order of the file. In a stack each has the plane it was set in.

    Raises
    ------
    UserError
        The file is damaged, or a selection has no plane, or a time point after the first.
    """
    try:
        read = roifile.roiread(path)
    except OSError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} holds no selections of ImageJ ({reason}): save it again."
        ) from error
    found = Sketches()
    others: Counter[str] = Counter()
    for roi in read if isinstance(read, list) else [read]:
        name = f"selection '{roi.name}'"
        places = np.asarray(roi.coordinates(), float).tolist()
        if (shape == "point") != (roi.roitype == _POINT) or roi.roitype not in (_POINT, *_LINES):
            others[roi.roitype.name.lower()] += 1
            continue
        planes = _planes(path, roi, name, len(places), extent)
        vertices = [
            vertex(path, extent, (x, y, plane), "pixels", "pixels")
            for (x, y), plane in zip(places, planes, strict=True)
        ]
        if shape == "point":
            found.marks += [Sketch((place,), name) for place in vertices]
        else:
            found.marks.append(Sketch(tuple(vertices), name))
    found.left_out = [counted(number, kind) for kind, number in others.items()]
    return found


def _planes(path: Path, roi: roifile.ImagejRoi, name: str, count: int, extent: Extent) -> list[int]:
    """Return the plane of each vertex: that of the point, of the hyperstack, or of the stack."""
    if roi.t_position > 1:
        raise UserError(
            f"{path}: {name} stands at time point {roi.t_position}, and marks belong to an "
            "image of one: save that time point, and its selections, by themselves."
        )
    if extent.planes == 1:
        return [0] * count
    if roi.counter_positions is not None and roi.counter_positions.any():
        slices: list[int] = roi.counter_positions.tolist()
    elif roi.z_position > 0:
        return [roi.z_position - 1] * count
    else:
        slices = [roi.position] * count
    if min(slices) < 1:
        raise UserError(
            f"{path}: {name} stands in no plane of the {extent.planes}: give it one in ImageJ "
            "(Properties, Position)."
        )
    # A slice of ImageJ's stack counts the channels of a plane one by one.
    return [(number - 1) // extent.channels for number in slices]
