"""What a TIFF file says of its pixels: their size in micrometres and the channels' names."""

import math
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from imaging.formats.header import is_screen_resolution, known, micrometres


def resolution(page: Any) -> dict[str, float]:
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


def imagej_metadata(
    tiff: tifffile.TiffFile, series: Any, dims: tuple[str, ...]
) -> tuple[dict[str, float], list[str] | None]:
    """Read calibration and slice labels that ImageJ wrote."""
    metadata: dict[str, Any] = tiff.imagej_metadata or {}
    unit = metadata.get("unit")
    if unit is None:
        sizes = resolution(tiff.pages.first)
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


def ome_metadata(tiff: tifffile.TiffFile) -> tuple[dict[str, float], list[str] | None]:
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
