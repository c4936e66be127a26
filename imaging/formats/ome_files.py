"""One recording in several OME-TIFF files: each file stands for its own planes.

Microscopes write a file for each time point or channel, and into each file what all of them hold;
or they write that into one more file, and its name into each.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from imaging.remarks import Remark

_PART = (
    "one of several files of one recording: it stands for its own planes, and splits and "
    "statistics keep the recording together (state each image's source in dataset.toml if they "
    "should not)."
)
_UNKNOWN = (
    "one of several files of one recording, but under a name that its metadata do not know: its "
    "planes are taken for a stack of unknown pixel size (give it its name again)."
)
_AXES = "TCZ"


@dataclass(frozen=True)
class Part:
    """What a file says of the recording that it belongs to.

    Attributes
    ----------
    files
        Names of the recording's files; one, where the file stands alone.
    marks
        What those files have in common, and other files have not.
    xml
        What describes this file's own planes as if there were no others; None where unknown.
    """

    files: tuple[str, ...]
    marks: frozenset[str]
    xml: str | None


@contextmanager
def opened(path: Path) -> Generator[tuple[tifffile.TiffFile, tuple[Remark, ...]]]:
    """Open a TIFF file for what it holds itself, whatever other files its metadata name.

    Parameters
    ----------
    path
        The file.

    Yields
    ------
    file, remarks
        As tifffile reads it, and what was found.
    """
    with tifffile.TiffFile(path, _multifile=False) as tiff:
        part = part_of(tiff)
    xml = None if part is None else part.xml
    with tifffile.TiffFile(path, _multifile=False, omexml=xml) as tiff:
        if tiff.is_ome or tiff.is_imagej:
            tiff.is_mmstack = False  # which would look for files of similar names
        if part is None or len(part.files) == 1:
            yield tiff, ()
            return
        tiff.is_ome = xml is not None
        files = f"{len(part.files)} files, {part.files[0]} to {part.files[-1]}"
        yield tiff, (Remark(_UNKNOWN if xml is None else _PART, files),)


def part_of(tiff: tifffile.TiffFile) -> Part | None:
    """Read which files make a recording, and what of it a file holds.

    Parameters
    ----------
    tiff
        An open file of any kind.

    Returns
    -------
    Part or None
        None if it says nothing of files, or nothing that can be understood.
    """
    if tiff.ome_metadata is None:
        return None
    try:
        return _part(tiff.ome_metadata, tiff.filename, len(tiff.pages))
    except (ElementTree.ParseError, ValueError, TypeError):
        return None


def recording_of(path: Path) -> frozenset[str]:
    """Return what a TIFF file has in common with the others of its recording.

    Parameters
    ----------
    path
        The file, of which only the first header is read.

    Returns
    -------
    frozenset of str
        Empty where it stands alone, or cannot be read.
    """
    try:
        with tifffile.TiffFile(path, _multifile=False) as tiff:
            part = part_of(tiff)
    except (OSError, ValueError):  # which is said where its pixels are wanted
        return frozenset()
    return part.marks if part is not None and len(part.files) > 1 else frozenset()


def _part(xml: str, name: str, pages: int) -> Part | None:
    root = ElementTree.fromstring(xml)
    stub = root.find("{*}BinaryOnly")
    if stub is not None:
        described_in = stub.get("MetadataFile", "")
        return Part((described_in, name), frozenset({stub.get("UUID", described_in)}), xml)
    blocks = root.findall("{*}Image/{*}Pixels/{*}TiffData")
    if {_file_of(block)[0] for block in blocks} <= {"", root.get("UUID", "")}:
        return None
    own = _own_mark(root, blocks, name)
    files: dict[str, str] = {}
    for image in root.findall("{*}Image"):
        of_image = dict(map(_file_of, image.findall("{*}Pixels/{*}TiffData")))
        if own is None or own in of_image:
            files |= of_image
        if own is not None and not _keep_own(image, own, pages):
            root.remove(image)
    root.attrib.pop("UUID", None)
    return Part(
        tuple(sorted(files.values())),
        frozenset(files),
        None if own is None else ElementTree.tostring(root, encoding="unicode"),
    )


def _own_mark(root: Any, blocks: list[Any], name: str) -> str | None:
    """Tell by which mark the description means the file itself; None if by none."""
    files = dict(map(_file_of, blocks))
    mark = root.get("UUID", "")
    if mark in files:
        return mark
    named = [mark for mark, named in files.items() if named.lower() == name.lower()]
    if named or len(files) == 1:
        return (named or list(files))[0]
    return None


def _file_of(block: Any) -> tuple[str, str]:
    """Return mark and name of the file that holds some planes."""
    uuid = block.find("{*}UUID")
    if uuid is None:
        return "", ""
    name = uuid.get("FileName", "")
    return (uuid.text or name).strip(), name


def _keep_own(image: Any, own: str, pages: int) -> bool:
    """Describe only those planes of an image that the file holds; return whether there are any."""
    (pixels,) = image.findall("{*}Pixels")
    channels = pixels.findall("{*}Channel")
    samples = int(channels[0].get("SamplesPerPixel", 1)) if channels else 1
    order = [axis for axis in reversed(pixels.get("DimensionOrder")) if axis in _AXES]
    shape = [int(pixels.get(f"Size{axis}")) // (samples if axis == "C" else 1) for axis in order]
    page_of: dict[tuple[int, ...], int] = {}
    for block in pixels.findall("{*}TiffData"):
        if _file_of(block)[0] == own:
            page_of |= _pages_of(block, order, shape, pages)
        pixels.remove(block)
    if not page_of:
        return False
    held = {axis: sorted({plane[at] for plane in page_of}) for at, axis in enumerate(order)}
    for axis, along in held.items():
        pixels.set(f"Size{axis}", str(len(along) * (samples if axis == "C" else 1)))
    if len(channels) == shape[order.index("C")]:
        for number, channel in enumerate(channels):
            if number not in held["C"]:
                pixels.remove(channel)
    namespace = pixels.tag.removesuffix("Pixels")
    for plane, page in page_of.items():
        attributes = {
            f"First{axis}": str(held[axis].index(at)) for axis, at in zip(order, plane, strict=True)
        }
        attributes |= {"IFD": str(page), "PlaneCount": "1"}
        ElementTree.SubElement(pixels, f"{namespace}TiffData", attributes)
    return True


def _pages_of(
    block: Any, order: list[str], shape: list[int], pages: int
) -> dict[tuple[int, ...], int]:
    """Return on which pages of the file the planes of a block are."""
    first = int(np.ravel_multi_index([int(block.get(f"First{a}", 0)) for a in order], shape))
    page = int(block.get("IFD", 0))
    number = block.get("PlaneCount", block.get("NumPlanes", 1 if "IFD" in block.attrib else pages))
    planes = range(first, min(first + int(number), math.prod(shape)))
    return {
        tuple(int(at) for at in np.unravel_index(plane, shape)): page + plane - first
        for plane in planes
    }
