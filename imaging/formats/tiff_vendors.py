"""What LSM microscopes (Zeiss), MetaMorph and ScanImage write of the pixels of their TIFF files."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from imaging.cli import UserError
from imaging.formats.units import seconds


def vendor_lengths(tiff: tifffile.TiffFile) -> list[tuple[str, object, str | None]] | None:
    """Read the pixel size where microscopes of these makers write it.

    Parameters
    ----------
    tiff
        An open file of any kind.

    Returns
    -------
    list or None
        Axis, length and unit, for `imaging.formats.header.pixel_sizes`; None for a file of another
        kind.
    """
    if tiff.is_lsm:
        voxel = tiff.lsm_metadata or {}
        return [(axis.lower(), voxel.get(f"VoxelSize{axis}", 0), "m") for axis in "ZYX"]
    if tiff.is_stk:
        said = tiff.stk_metadata or {}
        unit = str(said.get("CalibrationUnits", ""))
        steps = np.unique(said.get("ZDistance", 0))
        return [
            ("z", steps[0] if len(steps) == 1 else 0, unit),
            ("y", said.get("YCalibration", 0), unit),
            ("x", said.get("XCalibration", 0), unit),
        ]
    return None


def vendor_interval_s(tiff: tifffile.TiffFile) -> float | None:
    """Return the seconds between time points, which only LSM microscopes say; None if unknown."""
    said = (tiff.lsm_metadata or {}) if tiff.is_lsm else {}
    return seconds(said.get("TimeIntervall", 0.0), "s")


def scanimage_axes(path: Path, page: Any, planes: int) -> list[tuple[str, int]]:
    """Read along what the planes of a ScanImage recording run, which follow each other in a file.

    Parameters
    ----------
    path, page
        The file and its first page.
    planes
        How many there are.

    Returns
    -------
    list
        Axes longer than 1 with their lengths, that of the fastest last; b may occur twice.

    Raises
    ------
    UserError
        The planes are not as many as the settings say.
    """
    said = f"{page.software}\n{page.description}"
    saved = _setting(said, "channelSave", "channelsSave")
    channels = len(saved) if saved else sum(_setting(said, "numberOfChannelsSave")) or 1
    frames, rest = divmod(planes, channels)
    stated = sum(_setting(said, "numSlices", "stackNumSlices", "numberOfZSlices"))
    slices = max(1, min(stated, frames))
    if rest or frames % slices:
        raise UserError(
            f"{path} ends within a volume: {planes} planes are no multiple of {channels} "
            f"channel(s) and {slices} depth(s); save its whole volumes as OME-TIFF."
        )
    repeated = sum(_setting(said, "framesPerSlice", "acqNumFrames", "numberOfFrames"))
    if not stated and not repeated:
        axes = [("z", frames), ("c", channels)]  # of frames nothing more is known
    else:
        times = frames // slices
        of_slice = repeated if slices > 1 and repeated and times % repeated == 0 else 1
        axes = [("b", times // of_slice), ("z", slices), ("b", of_slice), ("c", channels)]
    return [(axis, length) for axis, length in axes if length > 1]


def _setting(said: str, *names: str) -> list[int]:
    """Return the whole numbers of a setting, by whichever of its names."""
    found = re.search(rf"\b(?:{'|'.join(names)})\s*=\s*([^\r\n]*)", said)
    return [int(number) for number in re.findall(r"\d+", found[1])] if found else []
