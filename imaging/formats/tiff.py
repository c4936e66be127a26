"""TIFF: plain, ImageJ hyperstack and OME-TIFF; `tiff_metadata` reads what it says of its pixels."""

import logging
import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from imaging.cli import UserError
from imaging.formats.header import Header, Readable
from imaging.formats.tiff_metadata import imagej_metadata, ome_metadata, resolution
from imaging.formats.tiff_writing import create, refusal

__all__ = ["create", "read", "refusal"]

_DIM_OF_AXIS = {"T": "b", "C": "c", "Z": "z", "Y": "y", "X": "x"}
# tifffile's letters for a stack of pages of which the file does not say what it runs along.
_UNNAMED = ("I", "Q")


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
            sizes, channels = ome_metadata(tiff)
        elif tiff.is_imagej:
            sizes, channels = imagej_metadata(tiff, series, dims)
        else:
            sizes, channels = resolution(tiff.pages.first), None
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
