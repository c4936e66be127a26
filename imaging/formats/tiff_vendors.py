"""Pixel sizes of the TIFF files of LSM microscopes (Zeiss) and of MetaMorph."""

import numpy as np
import tifffile

from imaging.formats.header import known, micrometres


def vendor_sizes(tiff: tifffile.TiffFile) -> dict[str, float] | None:
    """Read the pixel size where microscopes of these makers write it.

    Parameters
    ----------
    tiff
        An open file of any kind.

    Returns
    -------
    dict or None
        Micrometres along z, y and x, where known; None for a file of another kind.
    """
    if tiff.is_lsm:
        voxel = tiff.lsm_metadata or {}
        return known(
            (dim, micrometres(float(voxel.get(f"VoxelSize{dim.upper()}", 0)), "m")) for dim in "zyx"
        )
    if tiff.is_stk:
        said = tiff.stk_metadata or {}
        unit = str(said.get("CalibrationUnits", ""))
        steps = np.unique(said.get("ZDistance", 0))
        lengths = {
            "z": float(steps[0]) if len(steps) == 1 else 0.0,
            "y": float(said.get("YCalibration", 0)),
            "x": float(said.get("XCalibration", 0)),
        }
        return known((dim, micrometres(length, unit)) for dim, length in lengths.items())
    return None
