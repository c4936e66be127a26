"""Nikon ND2; positions of the stage are images of their own."""

import math
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.formats.header import Header, Readable, pixel_sizes
from imaging.formats.microscopes import (
    DIMS,
    StackReader,
    Stackwise,
    absent_planes,
    colour_picture,
    names_of,
    unknown_axes,
)
from imaging.formats.several import Held, choose_alike, scenes
from imaging.formats.times import interval_of


def read(library: Any, path: Path, choice: str | None) -> tuple[Header, Readable]:
    """Read the header of an ND2 file (see `imaging.formats.microscopes.Microscope`)."""
    with library.ND2File(path) as file:
        if file.is_legacy:
            raise UserError(
                f"{path} is an ND2 file of the old kind, in JPEG 2000: export it as OME-TIFF."
            )
        if file.is_rgb:
            raise colour_picture(path)
        said, sizes, dtype = file.attributes, dict(file.sizes), file.dtype
        if any(axis not in "PTCZYX" for axis in sizes) or not said.widthPx:
            raise unknown_axes(path, sizes)
        # What runs along the frames of a file, the slowest first; channels lie within a frame.
        loops = {axis: length for axis, length in sizes.items() if axis in "PTZ"}
        volume = file.metadata.channels[0].volume
        names = [one.channel.name for one in file.metadata.channels]
        called = [
            point.name
            for loop in file.experiment
            if loop.type == "XYPosLoop"
            for point in loop.parameters.points
        ]
        interval_s = _interval_s(file, loops, said.sequenceCount)
    count, times, depths = (loops.get(axis, 1) for axis in "PTZ")
    called = called if len(called) == count else [None] * count
    channels = said.componentCount
    one = {"T": times, "C": channels, "Z": depths, "Y": said.heightPx, "X": said.widthPx}
    held = [Held(name or f"position {at}", one, dtype) for at, name in enumerate(called, start=1)]
    chosen, of_choice = choose_alike(path, held, choice)
    calibrated = zip("xyz", volume.axesCalibration, volume.axesCalibrated, strict=True)
    found, of_sizes = pixel_sizes((dim, size, "um") for dim, size, known in calibrated if known)
    doubts = absent_planes(said.sequenceCount, math.prod(loops.values()))
    shape = (len(chosen) * times, channels, depths, said.heightPx, said.widthPx)

    @contextmanager
    def opened() -> Generator[StackReader]:
        with library.ND2File(path) as file:

            def read_stack(
                b: int, c: int, planes: slice, rows: slice, columns: slice
            ) -> NDArray[Any]:
                image, time = divmod(b, times)
                region = list[NDArray[Any]]()
                for z in range(depths)[planes]:
                    place = {"P": chosen[image], "T": time, "Z": z}
                    at = 0
                    for axis, length in loops.items():
                        at = at * length + place[axis]
                    frame = file.read_frame(at).reshape(channels, said.heightPx, said.widthPx)
                    region.append(frame[c, rows, columns])
                return np.stack(region)

            yield read_stack

    remarks = (*of_choice, *of_sizes, *doubts)
    header = Header(
        DIMS,
        shape,
        dtype,
        found,
        names_of(names, channels),
        remarks,
        interval_s=interval_s,
        scenes=scenes([one.name for one in held], chosen),
    )
    return header, Stackwise(shape, dtype, opened)


def _interval_s(file: Any, loops: dict[str, int], stored: int) -> float | None:
    """Compare when the first frames of the time points were taken, of those that are stored."""
    order = list(loops)
    if "T" not in order:
        return None
    within = math.prod(loops[axis] for axis in order[order.index("T") + 1 :])
    firsts = range(0, min(loops["T"] * within, stored), within)
    with warnings.catch_warnings():  # the library warns where the file keeps no times
        warnings.simplefilter("ignore")
        try:
            metadata = [file.frame_metadata(at) for at in firsts]
        except IndexError:
            return None
    return interval_of([one.channels[0].time.relativeTimeMs / 1000 for one in metadata])
