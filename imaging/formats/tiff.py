"""TIFF: plain, ImageJ hyperstack and OME-TIFF; `tiff_metadata` reads what it says of its pixels."""

import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from imaging.cli import UserError
from imaging.formats.header import Header, Readable
from imaging.formats.ome_files import opened
from imaging.formats.several import scenes
from imaging.formats.tiff_complaints import complaints
from imaging.formats.tiff_directories import refuse_circle
from imaging.formats.tiff_metadata import metadata_of
from imaging.formats.tiff_planes import Planes, arranged, cut_off, planes_of, with_lead
from imaging.formats.tiff_series import choose, name_axes
from imaging.formats.tiff_vendors import scanimage_axes
from imaging.formats.tiff_writing import create, refusal
from imaging.remarks import Remark

__all__ = ["create", "read", "refusal"]

_SPARE_PAGES = (
    "the description names fewer planes than the file has, and the others are left out "
    "(export it again if they are part of the image)."
)
_WHITE = (
    "the file says that 0 is white, so its values are counted down from the largest, which makes "
    'bright what it shows bright (save it with photometric="minisblack" if it should not be).'
)
_PALETTE = (
    "the values are numbers of colours in a table, and are taken for intensities "
    "(save it as a greyscale image if they are none)."
)


def read(path: Path, choice: str | None = None) -> tuple[Header, Readable]:
    """Read what a TIFF file says and where its pixels lie (see `imaging.formats.header.Format`).

    Of several images in a file, `choice` is the number, from 1, or the name of the one meant.
    """
    with complaints() as damages:
        refuse_circle(path)
        with opened(path) as (tiff, of_file):
            images, of_choice = choose(path, tiff.series, choice)
            series = images[0]
            parts = [planes_of(path, tiff, image) for image in images]
            _refuse_cut_off(path, tiff, series)
            axes, of_axes = name_axes(path, series, parts[0])
            if series.kind == "scanimage":
                lead = scanimage_axes(path, series.keyframe, len(parts[0].offsets))
                axes, parts = with_lead(axes, parts[0], lead)
            dims, pixels = arranged(axes, parts)
            said = metadata_of(tiff, series, axes)
            doubts = _doubts(tiff, series, pixels)
            remarks = (*of_file, *of_choice, *of_axes, *said.remarks, *doubts)
            header = Header(
                dims,
                pixels.shape,
                series.dtype,
                said.pixel_size_um,
                said.channels,
                remarks,
                interval_s=said.interval_s,
                scenes=scenes(
                    [one.name for one in tiff.series], [tiff.series.index(one) for one in images]
                ),
            )
    if damages:
        raise UserError(f"{path} is cut off or damaged ({damages[0]}): copy or save it again.")
    return header, pixels


def _doubts(tiff: tifffile.TiffFile, series: Any, pixels: Planes) -> Generator[Remark]:
    """Remark on pages that are left out, and on values that are no intensities as they stand."""
    page = series.keyframe
    described = series.kind == "imagej" or (series.kind == "ome" and len(tiff.series) == 1)
    if described and len(tiff.pages) > len(pixels.offsets):
        yield Remark(_SPARE_PAGES, f"{len(pixels.offsets)} of {len(tiff.pages)}")
    if pixels.white is not None:
        yield Remark(_WHITE)
    if page.colormap is not None and not tiff.is_imagej:
        # A table of one hue grows brighter with the value, whatever the hue.
        brightness = page.colormap.astype(np.int64).sum(0)
        if (np.diff(brightness) < 0).any():
            yield Remark(_PALETTE)


def _refuse_cut_off(path: Path, tiff: tifffile.TiffFile, series: Any) -> None:
    """Refuse fewer planes than ImageJ promises; what lacks of each is noticed where it lies."""
    planes = math.prod(series.shape) // math.prod(series.keyframe.shape)
    if planes < (tiff.imagej_metadata or {}).get("images", 1):
        raise cut_off(path)
