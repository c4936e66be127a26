"""One recording in several OME-TIFF files: each file stands for its own planes.

Microscopes write a file for each time point or channel, and into each file what all of them hold;
or they write that into one more file, and its name into each.
"""

import math
import re
from collections.abc import Container, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import tifffile

from imaging.formats.tiff_complaints import complaints
from imaging.formats.tiff_metadata import settle_ome
from imaging.remarks import Remark

_PART = (
    "one of several files of one recording: it stands for its own planes, and splits and "
    "statistics keep the recording together (state each image's source in dataset.toml if they "
    "should not)."
)
_UNKNOWN = (
    "one of several files of one recording, but under a name that its metadata do not know: its "
    "planes are taken for a stack (give it its name again)."
)
_AXES = "TCZ"
_OWN = re.compile(r"""<(?:\w+:)?OME\b[^>]*\bUUID=["']([^"']+)["']""")


class _Block(NamedTuple):
    """Some planes of an image, and the mark and name of the file that holds them."""

    element: Any
    mark: str
    file: str


@dataclass(frozen=True)
class Part:
    """What a file says of the recording that it belongs to.

    Attributes
    ----------
    files
        Names of the recording's files; one, where the file stands alone.
    marks
        What those files have in common, and other files have not.
    own
        The mark of the file itself, if known.
    description, images
        The OME-XML, and which file holds which planes of each image.
    """

    files: tuple[str, ...]
    marks: frozenset[str]
    own: str | None
    description: Any
    images: list[tuple[Any, list[_Block]]]

    def xml(self, pages: int) -> str | None:
        """Describe the file's own planes as if there were no others; None where unknown."""
        if self.own is None:
            return None
        self.description.attrib.pop("UUID", None)
        for image, blocks in self.images:
            if not _keep_own(image, blocks, self.own, pages):
                self.description.remove(image)
        return ElementTree.tostring(self.description, encoding="unicode")


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
        part = _part_of(tiff)
        try:
            xml = None if part is None else part.xml(len(tiff.pages))
        except (ValueError, TypeError):  # sizes or places that are none
            part = xml = None
    with tifffile.TiffFile(path, _multifile=False, omexml=xml) as tiff:
        if tiff.is_ome or tiff.is_imagej:
            tiff.is_mmstack = False  # which would look for files of similar names
        if part is None or len(part.files) == 1:
            yield tiff, settle_ome(tiff)
            return
        tiff.is_ome = xml is not None
        files = f"{len(part.files)} files, {part.files[0]} to {part.files[-1]}"
        yield tiff, (Remark(_UNKNOWN if xml is None else _PART, files),)


def recording_of(path: Path, known: Container[str] = ()) -> frozenset[str]:
    """Return what a TIFF file has in common with the others of its recording.

    Parameters
    ----------
    path
        The file, of which only the first header is read.
    known
        Marks of recordings: of a file that has one of these, no other is looked for, as each file
        may describe thousands.

    Returns
    -------
    frozenset of str
        Empty where it stands alone, or cannot be read.
    """
    try:
        with complaints(), tifffile.TiffFile(path, _multifile=False) as tiff:
            own = _OWN.search(tiff.ome_metadata or "")
            if own is not None and own[1] in known:
                return frozenset({own[1]})
            part = _part_of(tiff)
    except Exception:  # whatever a damaged file raises, it is said where its pixels are wanted
        return frozenset()
    return part.marks if part is not None and len(part.files) > 1 else frozenset()


def _part_of(tiff: tifffile.TiffFile) -> Part | None:
    """Read which files make a recording; None of a file that says nothing of files."""
    if tiff.ome_metadata is None:
        return None
    try:
        root = ElementTree.fromstring(tiff.ome_metadata)
    except ElementTree.ParseError:
        return None
    stub = root.find("{*}BinaryOnly")
    if stub is not None:
        described_in = stub.get("MetadataFile", "")
        mark = stub.get("UUID", described_in)
        return Part((described_in, tiff.filename), frozenset({mark}), "", root, [])
    images = [
        (image, [_block(one) for one in image.iterfind("{*}Pixels/{*}TiffData")])
        for image in root.findall("{*}Image")
    ]
    files = {block.mark: block.file for _, blocks in images for block in blocks}
    if set(files) <= {"", root.get("UUID", "")}:
        return None
    own = _own_mark(root, files, tiff.filename)
    together = {
        block.mark: block.file
        for _, blocks in images
        if own is None or own in {block.mark for block in blocks}
        for block in blocks
    }
    return Part(tuple(sorted(together.values())), frozenset(together), own, root, images)


def _own_mark(root: Any, files: dict[str, str], name: str) -> str | None:
    """Tell by which mark the description means the file itself; None if by none."""
    mark = root.get("UUID", "")
    if mark in files:
        return mark
    named = [mark for mark, file in files.items() if file.lower() == name.lower()]
    if named or len(files) == 1:
        return (named or list(files))[0]
    return None


def _block(element: Any) -> _Block:
    for child in element:
        if child.tag.endswith("UUID"):
            name = child.get("FileName", "")
            return _Block(element, (child.text or name).strip(), name)
    return _Block(element, "", "")


def _keep_own(image: Any, blocks: list[_Block], own: str, pages: int) -> bool:
    """Describe only those planes of an image that the file holds; return whether there are any."""
    (pixels,) = image.findall("{*}Pixels")
    channels = pixels.findall("{*}Channel")
    samples = int(channels[0].get("SamplesPerPixel", 1)) if channels else 1
    order = [axis for axis in reversed(pixels.get("DimensionOrder")) if axis in _AXES]
    shape = [int(pixels.get(f"Size{axis}")) // (samples if axis == "C" else 1) for axis in order]
    page_of: dict[tuple[int, ...], int] = {}
    for block in blocks:
        pixels.remove(block.element)
        if block.mark == own:
            page_of |= _pages_of(block.element, order, shape, pages)
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
