"""What a TIFF file says of its pixels: their size, the channels' names and the frame interval."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from imaging.formats.header import is_screen_resolution, number, pixel_sizes
from imaging.formats.tiff_vendors import vendor_interval_s, vendor_lengths
from imaging.formats.units import seconds
from imaging.remarks import Remark

_UNIT_OF_TAG = {2: "inch", 3: "cm"}
_PER_INCH = {"inch": 1.0, "cm": 2.54}
_OME = "http://www.openmicroscopy.org/Schemas/"
_DAMAGED_OME = Remark(
    "the OME metadata are damaged: the order of the planes is lost, and names of channels and the "
    "pixel size where they cannot be read (export it again, or give --pixel-size)."
)
_TOO_FEW_PAGES = (
    "the OME metadata describe more planes than the file has, so that the order of those it has is "
    "unknown (export it again if it is not complete)."
)
_COMPANION = (
    "the OME metadata are in another file, which is not read: the names and the order of the "
    "planes are unknown, and so is the pixel size (convert the whole set to one OME-TIFF)."
)


@dataclass(frozen=True)
class Metadata:
    """What a TIFF file says of its pixels; see `imaging.formats.header.Header`."""

    pixel_size_um: dict[str, float]
    channels: list[str] | None = None
    remarks: tuple[Remark, ...] = ()
    interval_s: float | None = None


def metadata_of(tiff: tifffile.TiffFile, series: Any, dims: tuple[str, ...]) -> Metadata:
    """Read what a maker's tags say, or OME-XML, or ImageJ's description, or the resolution tags.

    Parameters
    ----------
    tiff
        As `settle_ome` left it.
    series, dims
        The image of it, and the names of its axes.

    Returns
    -------
    Metadata
        What is found, and what is lost.
    """
    if (lengths := vendor_lengths(tiff)) is not None:
        sizes, remarks = pixel_sizes(lengths)
        return Metadata(sizes, None, remarks, vendor_interval_s(tiff))
    ome = _ome_of(tiff)
    if ome is not None:
        return _ome_metadata(tiff, series, ome)
    if tiff.is_imagej:
        return _imagej_metadata(tiff, series, dims)
    sizes, remarks = _resolution(series.keyframe)
    return Metadata(sizes, None, remarks)


def settle_ome(tiff: tifffile.TiffFile) -> tuple[Remark, ...]:
    """Decide whether tifffile goes by the OME-XML, or by the pages alone where it is damaged.

    Parameters
    ----------
    tiff
        Just opened; of its series nothing has been asked yet.

    Returns
    -------
    tuple of Remark
        What is lost, if anything.
    """
    if not tiff.is_ome and _OME not in str(_description(tiff)):
        return ()
    ome = _ome_of(tiff)
    legible = isinstance(_description(tiff), str)
    tiff.is_ome = ome is not None and legible and _is_sound(ome)
    if ome is None or not tiff.is_ome:
        return (_DAMAGED_OME,)
    described, present = _planes(ome), len(tiff.pages)
    if described > present and len({mark.text for mark in ome.iterfind(".//{*}UUID")}) <= 1:
        tiff.is_ome = False
        return (Remark(_TOO_FEW_PAGES, f"{present} of {described}"),)
    return ()


def _description(tiff: tifffile.TiffFile) -> str | bytes:
    """Return what the first page says; bytes where its letters are of no encoding."""
    return tiff.pages.first.tags.valueof("ImageDescription", default="")


def _ome_of(tiff: tifffile.TiffFile) -> Any:
    """Return the OME-XML; None where there is none, or none that can be read."""
    try:
        root = ElementTree.fromstring(tiff.ome_metadata or _description(tiff))
    except ElementTree.ParseError:
        return None
    return root if root.tag.endswith("OME") else None


def _is_sound(ome: Any) -> bool:
    """Tell whether tifffile can find its way by the XML."""
    return all(
        sorted(pixels.get("DimensionOrder", "")) == sorted("XYCZT")
        and all(pixels.get(f"Size{x}", "").strip().lstrip("0").isdecimal() for x in "XYCZT")
        for pixels in ome.iterfind("{*}Image/{*}Pixels")
    )


def _planes(ome: Any) -> int:
    """Count the pages that OME-XML describes."""
    count = 0
    for pixels in ome.iterfind("{*}Image/{*}Pixels"):
        if pixels.find("{*}TiffData") is not None:
            channel = pixels.find("{*}Channel")
            samples = 1 if channel is None else int(channel.get("SamplesPerPixel", 1))
            count += math.prod(int(pixels.get(f"Size{axis}")) for axis in "CZT") // samples
    return count


def _resolution(page: Any) -> tuple[dict[str, float], tuple[Remark, ...]]:
    """Read pixels per inch or centimetre; without a unit (often 1/1) nothing is known."""
    unit = _unit_of_tags(page)
    return pixel_sizes(
        (dim, 1 / per_unit, unit)
        for dim, per_unit in _per_unit(page)
        if not _is_placeholder(per_unit, unit)
    )


def _unit_of_tags(page: Any) -> str | None:
    return _UNIT_OF_TAG.get(page.tags.valueof("ResolutionUnit", default=2))


def _is_placeholder(per_unit: float, unit: str | None) -> bool:
    """Tell what programs write that do not know: screens' resolutions, exactly 1 µm per pixel."""
    if unit not in _PER_INCH:
        return False
    return is_screen_resolution(per_unit * _PER_INCH[unit]) or (unit == "cm" and per_unit == 1e4)


def _per_unit(page: Any) -> Iterator[tuple[str, float]]:
    for dim, tag in (("x", "XResolution"), ("y", "YResolution")):
        numerator, denominator = page.tags.valueof(tag, default=(0, 1))
        if numerator and denominator:
            yield dim, numerator / denominator


def _imagej_metadata(tiff: tifffile.TiffFile, series: Any, dims: tuple[str, ...]) -> Metadata:
    """Read calibration and slice labels that ImageJ wrote.

    As ImageJ does: without a unit that of the resolution tags holds, and the sign of the spacing
    only says how the stack was taken.
    """
    metadata: dict[str, Any] = tiff.imagej_metadata or {}
    page = tiff.pages.first
    unit = str(metadata.get("unit", _unit_of_tags(page) or ""))
    along = {dim: str(metadata.get(f"{dim}unit", unit)) for dim in "xyz"}
    stated: list[tuple[str, object, str | None]] = [
        (dim, 1 / per_unit, along[dim])
        for dim, per_unit in _per_unit(page)
        if not _is_placeholder(per_unit, along[dim])
    ]
    if stated or unit not in _PER_INCH:
        stated.append(("z", str(metadata.get("spacing", 0)).removeprefix("-"), along["z"]))
    sizes, remarks = pixel_sizes(stated)
    channels = _channels_of_labels(metadata.get("Labels"), series.shape, dims)
    # ImageJ counts its frame interval in seconds, whatever unit the time axis shows.
    interval_s = seconds(number(metadata.get("finterval", 0)), "s")
    return Metadata(sizes, channels, remarks, interval_s)


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


def _ome_metadata(tiff: tifffile.TiffFile, series: Any, ome: Any) -> Metadata:
    """Read PhysicalSizeX, Y and Z with their units, and the channels' names."""
    images = ome.findall("{*}Image/{*}Pixels")
    if not images:
        companion = ome.find("{*}BinaryOnly")
        elsewhere = "" if companion is None else companion.get("MetadataFile", "")
        return Metadata({}, None, (Remark(_COMPANION, elsewhere),))
    pixels = images[tiff.series.index(series) if len(images) == len(tiff.series) else 0]
    sizes, remarks = pixel_sizes(
        (dim, pixels.get(f"PhysicalSize{axis}", 0), pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        for dim, axis in zip("zyx", "ZYX", strict=True)
    )
    names = [channel.get("Name") for channel in pixels.iterfind("{*}Channel")]
    channels = [str(name) for name in names] if names and all(names) else None
    increment, unit = (pixels.get(f"TimeIncrement{part}") for part in ("", "Unit"))
    return Metadata(sizes, channels, remarks, seconds(number(increment or 0), unit or "s"))
