"""BioSR in both of its layouts, written small, with values that are known in closed form.

Frame k of level l of cell c is c·100 + l·10 + k everywhere; the SIM image of cell c is a ramp from
c·1000 on.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tifffile

SIDE = 16
FRAMES = 9
RAW_UM, SIM_UM = 0.0626, 0.0313
_MODES = {"u2": 6, "f4": 2}


def write_priism(
    path: Path,
    planes: np.ndarray,
    pixel_um: float,
    *,
    reconstructed: bool = False,
    order: str = "<",
    extended: int = 0,
) -> None:
    """Write planes, (z, y, x), as Priism does: BioSR's reconstructed files lack the mark."""
    nz, ny, nx = planes.shape
    kind = planes.dtype.str[1:]
    header = bytearray(1024)
    struct.pack_into(f"{order}4i", header, 0, nx, ny, nz, _MODES[kind])
    struct.pack_into(f"{order}3f", header, 40, pixel_um, pixel_um, 0.16)
    struct.pack_into(f"{order}i", header, 92, extended)
    struct.pack_into(f"{order}h", header, 96, 0 if reconstructed else -16224)
    struct.pack_into(f"{order}2h", header, 180, 1, 0)
    struct.pack_into(f"{order}h", header, 196, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = planes.astype(np.dtype(order + kind)).tobytes()
    path.write_bytes(bytes(header) + b"\x7f" * extended + pixels)


def raw(cell: int, level: int, frames: int = FRAMES, side: int = SIDE) -> np.ndarray:
    values = cell * 100 + level * 10 + np.arange(frames)
    return np.broadcast_to(values[:, None, None], (frames, side, side)).astype("u2")


def sim(cell: int, factor: int = 2, side: int = SIDE) -> np.ndarray:
    length = factor * side
    return (cell * 1000 + np.arange(length**2)).reshape(1, length, length).astype("u2")


def write_cell(folder: Path, cell: int, levels: Iterable[int] = (1, 2)) -> Path:
    """Write a cell of linear SIM as published."""
    place = folder / f"Cell_{cell:03d}"
    for level in levels:
        write_priism(place / f"RawSIMData_level_{level:02d}.mrc", raw(cell, level), RAW_UM)
    write_priism(place / "RawSIMData_gt.mrc", raw(cell, 0), RAW_UM)
    write_priism(place / "SIM_gt.mrc", sim(cell), SIM_UM, reconstructed=True)
    return place


def write_nonlinear_cell(folder: Path, cell: int) -> Path:
    """Write a cell of nonlinear SIM: 25 frames, thrice as fine, with an overview beside."""
    place = folder / f"Cell_{cell:03d}"
    write_priism(place / "RawSIMData_level_01.mrc", raw(cell, 1, frames=25), 0.0604)
    for name, of in (("a", cell), ("b", cell + 1)):
        planes = sim(of, factor=3)
        write_priism(place / f"SIM_gt_{name}.mrc", planes, 0.0604 / 3, reconstructed=True)
    return place


def write_er_cell(folder: Path, cell: int, levels: Iterable[int] = (1, 6)) -> Path:
    """Write a cell of ER, which has a SIM image of each level."""
    place = folder / f"Cell_{cell:03d}"
    for level in levels:
        end = f"level_{level:02d}.mrc"
        write_priism(place / "RawSIMData" / f"RawSIMData_{end}", raw(cell, level), RAW_UM)
        write_priism(place / "RawGTSIMData" / f"RawGTSIMData_{end}", raw(cell, 9), RAW_UM)
        target = sim(cell + level)
        write_priism(place / "GTSIM" / f"GTSIM_{end}", target, SIM_UM, reconstructed=True)
    return place


def write_crops(folder: Path) -> Path:
    """Write two crops of each part as cut for networks, and two levels of the test images."""
    for name in ("training_wf", "validate_wf", "test_wf/level_01", "test_wf/level_03"):
        digits = 3 if "test" in name else 8
        for number in (1, 2):
            plane = raw(number, 0)[4]
            _write_tiff(folder / name / f"{number:0{digits}d}.tif", plane)
    for name in ("training_gt", "validate_gt", "test_gt"):
        digits = 3 if "test" in name else 8
        for number in (1, 2):
            _write_tiff(folder / name / f"{number:0{digits}d}.tif", sim(number)[0])
    return folder


def _write_tiff(path: Path, plane: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, plane)
