"""Writing TIFF: ImageJ hyperstacks and OME-TIFF.

A name that ends in .ome.tif is written as OME-TIFF. A plain .tif of 8- or 16-bit whole or 32-bit
floating-point pixels is written as an ImageJ hyperstack, which Fiji opens with its pixel size and
its channel names (slice labels); of other pixels, or beyond 4 GB, as OME-TIFF under that name.
"""

import itertools
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from imaging.formats.header import Header, Writable
from imaging.mapped import let_go, map_file

_AXIS_OF_DIM = {"b": "T", "c": "C", "z": "Z", "y": "Y", "x": "X"}
_IMAGEJ_DIMS = "bzcyx"
_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_OME_DTYPES = (
    *("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64"),
)  # fmt: skip
# Offsets are of 32 bits; the rest is for the metadata.
_CLASSIC_BYTES = 2**32 - 2**25


def refusal(path: Path, header: Header) -> str | None:
    """Say why OME-TIFF cannot hold this, or None."""
    if not path.name.lower().endswith((".tif", ".tiff")):
        return f"{path.suffix} files are only read: end the name in .ome.tif"
    if header.dtype.name not in _OME_DTYPES:
        return f"OME-TIFF cannot hold {header.dtype} pixels: write .ome.zarr instead"
    return None


@contextmanager
def create(path: Path, header: Header) -> Generator[Writable]:
    """Make an uncompressed file of its full size, whose pixels are written where they lie."""
    imagej = _fits_imagej(path, header)
    dims = [dim for dim in _IMAGEJ_DIMS if dim in header.dims] if imagej else list(header.dims)
    mapped = tifffile.memmap(
        path,
        shape=[header.size(dim) for dim in dims],
        dtype=header.dtype,
        photometric="minisblack",
        **(_imagej_options(header, dims) if imagej else _ome_options(header, dims)),
    )
    out = _Pixels(
        path, mapped.dtype, mapped.shape, mapped.offset, [dims.index(dim) for dim in header.dims]
    )
    del mapped
    _reserve(path)
    yield out
    with path.open("r+b") as stream:
        os.fsync(stream.fileno())


@dataclass(frozen=True)
class _Pixels:
    """Pixels in a file, mapped into memory anew for each region, and written plane by plane.

    What was written leaves the memory of the process, however large the file is; and nothing stays
    open, as not every system renames open files.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    order: list[int]

    def __setitem__(self, key: Any, value: Any) -> None:
        mapped = map_file(self.path, write=True)
        pixels = np.ndarray(self.shape, self.dtype, mapped, self.offset).transpose(self.order)
        region = pixels[key]
        if region.ndim < 2:
            pixels[key] = value
            return
        planes = np.broadcast_to(value, region.shape)
        for place in np.ndindex(region.shape[:-2]):
            region[place] = planes[place]
            let_go(mapped)


def _fits_imagej(path: Path, header: Header) -> bool:
    return (
        ".ome." not in path.name.lower()
        and header.dtype.name in _IMAGEJ_DTYPES
        and header.nbytes < _CLASSIC_BYTES
        # A hyperstack has one unit for all axes, so either x and y are known or nothing is.
        and (not header.pixel_size_um or {"x", "y"} <= set(header.pixel_size_um))
        and header.size("x") > 1  # tifffile would take it for an axis of samples
    )


def _imagej_options(header: Header, dims: list[str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": "".join(_AXIS_OF_DIM[dim] for dim in dims)}
    if header.pixel_size_um:
        metadata["unit"] = "um"
    if "z" in header.pixel_size_um:
        metadata["spacing"] = header.pixel_size_um["z"]
    if header.interval_s is not None:
        metadata["finterval"] = header.interval_s
    if header.channels is not None:
        planes = itertools.product(*(range(header.size(dim)) for dim in dims if dim not in "yx"))
        place = dims.index("c") if "c" in dims else None
        metadata["Labels"] = [
            header.channels[0 if place is None else plane[place]] for plane in planes
        ]
    metadata |= header.annotations
    return {
        "imagej": True,
        "metadata": metadata,
        "resolutionunit": "NONE",
        "resolution": _pixels_per(1.0, header),
    }


def _ome_options(header: Header, dims: list[str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": "".join(_AXIS_OF_DIM[dim] for dim in dims)}
    for dim, size in header.pixel_size_um.items():
        metadata[f"PhysicalSize{dim.upper()}"] = size
        metadata[f"PhysicalSize{dim.upper()}Unit"] = "µm"
    if header.channels is not None:
        metadata["Channel"] = {"Name": header.channels}
    if header.interval_s is not None:
        metadata["TimeIncrement"] = header.interval_s
        metadata["TimeIncrementUnit"] = "s"
    if header.annotations:
        metadata["MapAnnotation"] = header.annotations
    return {
        "ome": True,
        "bigtiff": header.nbytes >= _CLASSIC_BYTES,
        "metadata": metadata,
        "resolutionunit": "CENTIMETER" if header.pixel_size_um else "NONE",
        "resolution": _pixels_per(1e4, header),
    }


def _pixels_per(length_um: float, header: Header) -> tuple[float, float]:
    """Return pixels per length along x and y; 1 where the pixel size is not known."""
    sizes = header.pixel_size_um
    x, y = (length_um / sizes[dim] if dim in sizes else 1.0 for dim in "xy")
    return x, y


def _reserve(path: Path) -> None:
    """Claim the file's space on the disk.

    A full disk is an error that can be caught here; met while writing into mapped memory, it
    would kill the program.
    """
    if sys.platform == "linux":  # elsewhere the size alone claims the space, or nothing does
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
