"""MRC2014, and the Priism/DeltaVision files from which it parted long ago.

Both begin with 1024 bytes of header and an extended header; they differ in what the three floats
at byte 40 are: the size of the whole cell in ångström (MRC2014), or of one pixel in micrometres
(Priism). Cheng et al., J. Struct. Biol. 192 (2015) 146; Priism: IVE header, msg.ucsf.edu/IVE.
"""

import math
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import mrcfile
import numpy as np

from imaging.cli import UserError
from imaging.formats.header import Header, Readable, Writable, pixel_sizes
from imaging.mapped import FileArray

_HEADER_BYTES = 1024
_DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_UNSIGNED_BYTES = "u1"  # what mode 0 is to Priism, and to IMOD until it marked signed ones
_IMOD = 1146047817
_COMPLEX_MODES = (3, 4)
_PRIISM = -16224
# Slow to fast, by the code in the header: all planes of a colour first, or colours alternate.
_PRIISM_ORDER = {0: "cbz", 1: "bzc", 2: "bcz"}
_VOLUME_STACK = 401
_LARGEST_PIXEL_UM = 10.0
_PLACEHOLDER_ANGSTROM = 1.0  # what IMOD writes where no pixel size is known


def read(path: Path) -> tuple[Header, Readable]:
    """Map an MRC, Priism or DeltaVision file (see `imaging.formats.header.Format`)."""
    with path.open("rb") as stream:
        raw = stream.read(_HEADER_BYTES)
    if len(raw) < _HEADER_BYTES:
        raise UserError(f"{path} is cut off within its header: copy or export it again.")
    # Read in the wrong order, sides are millions of pixels long; mode 0 is the same in both.
    order = min("<>", key=lambda order: max(map(abs, struct.unpack_from(f"{order}4i", raw, 0))))
    nx, ny, nz, mode = struct.unpack_from(f"{order}4i", raw, 0)
    if mode in _COMPLEX_MODES:
        raise UserError(f"{path} holds complex numbers: save their magnitude as float32.")
    if mode not in _DTYPES:
        raise UserError(f"{path} is no MRC file, or of an unknown mode: save it as TIFF.")
    if min(nx, ny, nz) < 1:
        raise UserError(f"{path} holds no pixels ({nx} x {ny} x {nz}): export it again.")
    if struct.unpack_from(f"{order}3i", raw, 64) not in ((1, 2, 3), (0, 0, 0)):
        raise UserError(f"{path} stores its axes in an unusual order: save it as TIFF.")
    # Some writers swap the two halves of 32-bit words, so the mark may stand two bytes later.
    marks = struct.unpack_from(f"{order}2h", raw, 96)
    is_priism = _PRIISM in marks or (raw[208:212] != b"MAP " and _is_of_pixels(raw, order))
    unsigned = mode == 0 and (is_priism or _is_unsigned_imod(raw, order))
    dtype = np.dtype(order + (_UNSIGNED_BYTES if unsigned else _DTYPES[mode]))
    (extended,) = struct.unpack_from(f"{order}i", raw, 92)
    offset = _HEADER_BYTES + max(extended, 0)
    if path.stat().st_size < offset + nx * ny * nz * dtype.itemsize:
        raise UserError(f"{path} is cut off: it is shorter than its header says; copy it again.")

    if is_priism:
        dims, stack, unit = _priism_sections(raw, order, nz, trusted=marks[0] == _PRIISM)
        sizes = struct.unpack_from(f"{order}3f", raw, 40)
    else:
        dims, stack = _mrc2014_sections(raw, order, nz)
        unit = "angstrom"
        cell = struct.unpack_from(f"{order}3f", raw, 40)
        intervals = struct.unpack_from(f"{order}3i", raw, 28)
        sizes = [side / max(count, 1) for side, count in zip(cell, intervals, strict=True)]
        if sizes == [_PLACEHOLDER_ANGSTROM] * 3:
            sizes = [0.0] * 3
    shape = (*stack, ny, nx)
    pixels = FileArray(path, dtype, shape, offset)
    # The header's floats have 32 bits: what lies beyond seven digits is not the microscope's.
    size_um, remarks = pixel_sizes(
        (dim, float(f"{size:.7g}"), unit) for dim, size in zip("xyz", sizes, strict=True)
    )
    return Header((*dims, "y", "x"), shape, dtype, size_um, remarks=remarks), pixels


def _is_of_pixels(raw: bytes, order: str) -> bool:
    """Tell Priism without its mark from MRC of before 2000 by the length along x.

    Of one pixel in micrometres it is small, of the whole cell in ångström large.
    """
    (length,) = struct.unpack_from(f"{order}f", raw, 40)
    return length < _LARGEST_PIXEL_UM


def _is_unsigned_imod(raw: bytes, order: str) -> bool:
    stamp, flags = struct.unpack_from(f"{order}2i", raw, 152)
    return stamp == _IMOD and not flags & 1


def _priism_sections(
    raw: bytes, order: str, nz: int, *, trusted: bool
) -> tuple[tuple[str, ...], tuple[int, ...], str]:
    times, sequence = struct.unpack_from(f"{order}2h", raw, 180)
    (colours,) = struct.unpack_from(f"{order}h", raw, 196)
    counts = {"b": max(times, 1), "c": max(colours, 1)}
    planes, rest = divmod(nz, math.prod(counts.values()))
    if not trusted or rest or sequence not in _PRIISM_ORDER:
        return ("z",), (nz,), "um"
    counts["z"] = planes
    dims = tuple(_PRIISM_ORDER[sequence])
    return dims, tuple(counts[dim] for dim in dims), "um"


def _mrc2014_sections(raw: bytes, order: str, nz: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Tell a volume (z) from a stack of images (b) and of volumes (b, z) by the space group."""
    (space_group,) = struct.unpack_from(f"{order}i", raw, 88)
    (mz,) = struct.unpack_from(f"{order}i", raw, 36)
    if space_group >= _VOLUME_STACK and mz > 0 and nz % mz == 0:
        return ("b", "z"), (nz // mz, mz)
    return ("b" if space_group == 0 else "z",), (nz,)


def refusal(path: Path, header: Header) -> str | None:
    """Say why MRC cannot hold this, or None."""
    if path.suffix.lower() in (".dv", ".r3d"):
        return "DeltaVision files can only be read: write .ome.tif instead"
    if header.dtype not in [np.dtype(code) for code in _DTYPES.values()]:
        return f"MRC cannot hold {header.dtype} pixels: write .ome.tif or .ome.zarr instead"
    if header.size("c") > 1:
        return "MRC cannot hold several channels: write .ome.tif instead"
    return None


@contextmanager
def create(path: Path, header: Header) -> Generator[Writable]:
    """Collect the volume in memory and write it as MRC2014 at the end."""
    pixels = np.zeros(header.shape, header.dtype)
    yield pixels
    stack = [header.size(dim) for dim in "bz" if header.size(dim) > 1]
    with mrcfile.new(path) as mrc:
        mrc.set_data(pixels.reshape(*stack, header.size("y"), header.size("x")))
        if len(stack) == 1 and header.size("b") > 1:
            mrc.set_image_stack()
        # µm to ångström; 0 is how the format says "unknown".
        mrc.voxel_size = tuple(1e4 * header.pixel_size_um.get(dim, 0.0) for dim in "xyz")
