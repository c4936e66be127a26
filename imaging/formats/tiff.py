"""TIFF: plain, ImageJ hyperstack and OME-TIFF.

A name that ends in .ome.tif is written as OME-TIFF. A plain .tif of 8- or 16-bit whole or 32-bit
floating-point pixels is written as an ImageJ hyperstack, which Fiji opens with its pixel size and
its channel names (slice labels); of other pixels, or beyond 4 GB, as OME-TIFF under that name.
"""

import itertools
import logging
import math
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr

from imaging.cli import UserError
from imaging.formats.header import (
    Header,
    Readable,
    Writable,
    is_screen_resolution,
    known,
    micrometres,
)

_DIM_OF_AXIS = {"T": "b", "C": "c", "Z": "z", "Y": "y", "X": "x"}
_AXIS_OF_DIM = {dim: axis for axis, dim in _DIM_OF_AXIS.items()}
# tifffile's letters for a stack of pages of which the file does not say what it runs along.
_UNNAMED = ("I", "Q")
_IMAGEJ_DIMS = "bzcyx"
_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_OME_DTYPES = (
    *("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64"),
)  # fmt: skip
# Offsets are of 32 bits; the rest is for the metadata.
_CLASSIC_BYTES = 2**32 - 2**25


def read(path: Path) -> tuple[Header, Readable]:
    """Map a TIFF file, or decode it where asked (see `imaging.formats.header.Format`)."""
    with _complaints() as complaints, tifffile.TiffFile(path) as tiff:
        if len(tiff.series) != 1:
            raise UserError(
                f"{path} holds {len(tiff.series)} images of different kinds: save one per file."
            )
        series = tiff.series[0]
        dims = _dims(path, series)
        _refuse_cut_off(path, tiff, series)
        pixels = _Encoded(path) if series.dataoffset is None else _mapped(path, tiff, series)
        if tiff.is_ome:
            sizes, channels = _ome_metadata(tiff)
        elif tiff.is_imagej:
            sizes, channels = _imagej_metadata(tiff, series, dims)
        else:
            sizes, channels = _resolution(tiff.pages.first), None
        header = Header(dims, series.shape, series.dtype, sizes, channels)
    if complaints:
        raise UserError(f"{path} is cut off or damaged ({complaints[0]}): copy or save it again.")
    return header, pixels


class _Encoded:
    """Compressed, tiled or scattered pixels: decodes the parts a region touches.

    The file is opened anew for each region, so nothing stays open in between.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getitem__(self, key: Any) -> Any:
        with tifffile.TiffFile(self.path) as tiff, tiff.series[0].aszarr(level=0) as store:
            array = zarr.open_array(store, mode="r")
            return array[key]


def _mapped(path: Path, tiff: tifffile.TiffFile, series: Any) -> Readable:
    dtype = series.dtype.newbyteorder(tiff.byteorder)
    return np.memmap(path, dtype, "r", series.dataoffset, series.shape)


def _dims(path: Path, series: Any) -> tuple[str, ...]:
    """Name the axes; those of length 1 keep tifffile's letter, which is no name of ours."""
    axes = str(series.axes)
    # "Q" may occur twice, so the axes are told apart by their place.
    long = [length > 1 for length in series.shape]
    samples = math.prod(n for axis, n in zip(axes, series.shape, strict=True) if axis == "S")
    if samples > 1:
        raise UserError(
            f"{path} is a colour picture ({samples} samples per pixel): "
            "save each channel as a greyscale image."
        )
    names = dict(_DIM_OF_AXIS)
    unknown = [
        axis for axis, is_long in zip(axes, long, strict=True) if is_long and axis not in names
    ]
    if len(unknown) == 1 and unknown[0] in _UNNAMED and "Z" not in axes:
        names[unknown[0]] = "z"
    elif unknown:
        raise UserError(
            f"{path} has axes of unknown meaning ({axes}, {series.shape}): "
            "save it as OME-TIFF or ImageJ hyperstack with axes out of t, c, z, y and x."
        )
    return tuple(
        names[axis] if is_long or axis in "YX" else axis
        for axis, is_long in zip(axes, long, strict=True)
    )


def _refuse_cut_off(path: Path, tiff: tifffile.TiffFile, series: Any) -> None:
    """Compare with the file's length, for what is missing would be read as zeros."""
    size = tiff.filehandle.size
    if series.dataoffset is not None:
        end = series.dataoffset + math.prod(series.shape) * series.dtype.itemsize
        whole = end <= size
    else:
        whole = all(
            page is not None
            and all(
                count > 0 and offset + count <= size
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            )
            for page in series.pages
        )
    planes = math.prod(series.shape) // math.prod(series.keyframe.shape)
    promised = (tiff.imagej_metadata or {}).get("images", 1)
    if not whole or planes < promised:
        raise UserError(f"{path} is cut off: parts of its pixels are missing; copy it again.")


@contextmanager
def _complaints() -> Generator[list[str]]:
    """Collect what tifffile logs as errors (it goes on with what it can read); print nothing."""
    messages: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                messages.append(record.getMessage())

    logger, handler = tifffile.logger(), Collect()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _resolution(page: Any) -> dict[str, float]:
    """Read pixels per inch or centimetre; without a unit (often 1/1) nothing is known."""
    unit = {2: "inch", 3: "cm"}.get(int(page.tags.valueof("ResolutionUnit", default=2)))
    sizes: list[tuple[str, float | None]] = []
    for dim, per_unit in _per_unit(page):
        # What microscopes export where they were not calibrated: exactly 1 µm per pixel.
        placeholder = (
            is_screen_resolution(per_unit) if unit == "inch" else per_unit == 1e4  # per cm
        )
        sizes.append((dim, None if placeholder else micrometres(1 / per_unit, unit)))
    return known(sizes)


def _per_unit(page: Any) -> Iterator[tuple[str, float]]:
    for dim, tag in (("x", "XResolution"), ("y", "YResolution")):
        numerator, denominator = page.tags.valueof(tag, default=(0, 1))
        if numerator and denominator:
            yield dim, numerator / denominator


def _imagej_metadata(
    tiff: tifffile.TiffFile, series: Any, dims: tuple[str, ...]
) -> tuple[dict[str, float], list[str] | None]:
    metadata: dict[str, Any] = tiff.imagej_metadata or {}
    unit = metadata.get("unit")
    if unit is None:
        sizes = _resolution(tiff.pages.first)
    else:
        sizes = known(
            (dim, micrometres(1 / per_unit, metadata.get(f"{dim}unit", unit)))
            for dim, per_unit in _per_unit(tiff.pages.first)
        )
        spacing = float(metadata.get("spacing", 0))
        sizes |= known([("z", micrometres(spacing, metadata.get("zunit", unit)))])
    return sizes, _channels_of_labels(metadata.get("Labels"), series.shape, dims)


def _channels_of_labels(
    labels: list[str] | str | None, shape: tuple[int, ...], dims: tuple[str, ...]
) -> list[str] | None:
    """Take slice labels as channel names where every plane of a channel has the same label."""
    planes = [length for length, dim in zip(shape, dims, strict=True) if dim not in "yx"]
    stack = [dim for dim in dims if dim not in "yx"]
    labels = [labels] if isinstance(labels, str) else labels
    if "c" not in stack or labels is None or len(labels) != math.prod(planes):
        return None
    table = np.moveaxis(np.array(labels, object).reshape(planes), stack.index("c"), 0)
    table = table.reshape(len(table), -1)
    return [str(name) for name in table[:, 0]] if (table == table[:, :1]).all() else None


def _ome_metadata(tiff: tifffile.TiffFile) -> tuple[dict[str, float], list[str] | None]:
    """Read PhysicalSizeX, Y and Z with their units, and the channels' names."""
    pixels = ElementTree.fromstring(tiff.ome_metadata or "").find("{*}Image/{*}Pixels")
    if pixels is None:
        return {}, None
    sizes = known(
        (
            dim,
            micrometres(
                float(pixels.get(f"PhysicalSize{dim.upper()}", 0)),
                pixels.get(f"PhysicalSize{dim.upper()}Unit", "µm"),
            ),
        )
        for dim in "zyx"
    )
    names = [channel.get("Name") for channel in pixels.findall("{*}Channel")]
    return sizes, [str(name) for name in names] if names and all(names) else None


def refusal(path: Path, header: Header) -> str | None:
    """Say why OME-TIFF cannot hold this, or None."""
    if header.dtype.name not in _OME_DTYPES:
        return f"OME-TIFF cannot hold {header.dtype} pixels: write .ome.zarr instead"
    return None


@contextmanager
def create(path: Path, header: Header) -> Generator[Writable]:
    """Make an uncompressed file of its full size and map its pixels into memory."""
    imagej = _fits_imagej(path, header)
    dims = [dim for dim in _IMAGEJ_DIMS if dim in header.dims] if imagej else list(header.dims)
    mapped = tifffile.memmap(
        path,
        shape=[header.size(dim) for dim in dims],
        dtype=header.dtype,
        photometric="minisblack",
        **(_imagej_options(header, dims) if imagej else _ome_options(header, dims)),
    )
    _reserve(path)
    out = _Mapped(mapped.transpose([dims.index(dim) for dim in header.dims]))
    del mapped
    try:
        yield out
    finally:
        out.close()


class _Mapped:
    """Pixels in a file; the file is let go at the end, as not every system renames open files."""

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels

    def __setitem__(self, key: Any, value: Any) -> None:
        self._pixels[key] = value

    def close(self) -> None:
        self._pixels.flush()
        del self._pixels


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
    if header.channels is not None:
        planes = itertools.product(*(range(header.size(dim)) for dim in dims if dim not in "yx"))
        place = dims.index("c") if "c" in dims else None
        metadata["Labels"] = [
            header.channels[0 if place is None else plane[place]] for plane in planes
        ]
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
