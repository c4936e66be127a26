"""The pixels of a TIFF file: where every page's pieces lie, and how a region is read from them."""

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.mapped import let_go, map_file

_LAYOUT_TAGS = (257, 258, 259, 339)  # ImageLength, BitsPerSample, Compression, SampleFormat
_FORMAT_OF_KIND = {3: "H", 4: "I"}  # whole numbers of two and four bytes


@dataclass(frozen=True)
class Codec:
    """How tifffile decodes the pages of one image.

    Attributes
    ----------
    shape
        Of a page: separate samples, depth, length, width, interleaved samples.
    number
        How many pieces (strips or tiles) a page has.
    decode
        `tifffile.TiffPage.decode`: bytes and number of a piece to its pixels, place and shape.
    header
        What a JPEG's pieces have in common.
    """

    shape: tuple[int, ...]
    number: int
    decode: Callable[..., Any]
    header: bytes | None

    @cached_property
    def pieces(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Return where each piece begins in a page, and its shape."""
        # Without bytes, tifffile decodes nothing and says where a piece belongs.
        found = (self.decode(None, piece) for piece in range(self.number))
        return [(begin, (1, *shape)) for _, begin, shape in found]


@dataclass(frozen=True)
class Planes:
    """An array whose last axes are those of a page; only the pieces a region touches are read.

    The file is mapped into memory anew for each region, so nothing stays open in between; where the
    pieces lie was read once.

    Attributes
    ----------
    path
        The file.
    shape, dtype
        Of the array; of pages stored as they are, with their order of bytes.
    codec
        How pieces are decoded; of pages stored as they are, only the page's shape counts.
    offsets, counts
        Where pieces begin in the file and how many bytes they have: pages x pieces of a page.
        A page that is stored as it is, is one piece.
    stored
        Whether pages are stored as they are.
    white
        The value that is white where the file says that 0 is; values are counted down from it.
    tables
        Of JPEG, what the pieces of each page have in common; empty where pages are stored.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    codec: Codec
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    stored: bool
    white: int | None
    tables: tuple[bytes | None, ...]

    @property
    def ahead(self) -> int:
        """Return how many axes stand before those of a page."""
        products = [math.prod(self.shape[:at]) for at in range(len(self.shape) + 1)]
        return products.index(len(self.offsets))

    def by_page(self) -> Iterator[NDArray[Any]]:
        """Read one page after the other, each as a part of the array."""
        for place in np.ndindex(self.shape[: self.ahead]):
            yield self[
                [slice(at, at + 1) for at in place] + [slice(None)] * (len(self.shape) - self.ahead)
            ]

    def __getitem__(self, key: Sequence[slice | int]) -> NDArray[Any]:
        wanted = [
            range(length)[place if isinstance(place, slice) else slice(place, place + 1)]
            for length, place in zip(self.shape, key, strict=True)
        ]
        out = np.empty([len(along) for along in wanted], self.dtype.newbyteorder("="))
        if out.size:
            pages = np.arange(len(self.offsets)).reshape(self.shape[: self.ahead])
            pages = pages[np.ix_(*wanted[: self.ahead])]
            self._fill(out.reshape(pages.size, *out.shape[self.ahead :]), pages.ravel(), wanted)
        if self.white is not None:
            np.subtract(self.white, out, out=out)
        return out[tuple(slice(None) if isinstance(place, slice) else 0 for place in key)]

    def _fill(self, out: NDArray[Any], pages: NDArray[np.int64], wanted: list[range]) -> None:
        long = iter(
            along
            for along, length in zip(wanted[self.ahead :], self.shape[self.ahead :], strict=True)
            if length > 1
        )
        within = [next(long) if length > 1 else range(1) for length in self.codec.shape]
        out = out.reshape(len(pages), *(len(along) for along in within))
        file = map_file(self.path)
        if self.stored:
            place = tuple(slice(along.start, along.stop, along.step) for along in within)
            for plane, page in zip(out, pages, strict=True):
                plane[...] = np.ndarray(
                    self.codec.shape, self.dtype, file, int(self.offsets[page, 0])
                )[place]
                let_go(file)
            return
        touched = list(_touched(self.codec, within))
        for plane, page in zip(out, pages, strict=True):
            for piece, into, part in touched:
                begin = int(self.offsets[page, piece])
                data, _, _ = self.codec.decode(
                    file[begin : begin + int(self.counts[page, piece])],
                    piece,
                    jpegtables=self.tables[page],
                    jpegheader=self.codec.header,
                )
                plane[into] = data[None][part]
            let_go(file)


def planes_of(path: Path, tiff: tifffile.TiffFile, series: Any) -> Planes:
    """Find where the pages of an image lie.

    Parameters
    ----------
    path
        The file.
    tiff, series
        The same, open, and one of its images.

    Returns
    -------
    Planes
        Which outlive the open file.

    Raises
    ------
    UserError
        Parts of the pixels are missing, and would be read as zeros; they lie in other files; or
        they stand for other values.
    """
    if series.transform is not None:
        raise UserError(f"{path} stores other numbers than intensities: export it as OME-TIFF.")
    first = series.keyframe
    shape = tuple(int(length) for length in series.shape)
    codec = Codec(tuple(first.shaped), math.prod(first.chunked), first.decode, first.jpegheader)
    dtype = series.dtype.newbyteorder(tiff.byteorder)
    size = math.prod(codec.shape) * dtype.itemsize
    tables: tuple[bytes | None, ...] = ()
    if series.dataoffset is not None:
        # One directory may stand for a whole stack, as ImageJ writes beyond 4 GB.
        number = math.prod(shape) // math.prod(codec.shape)
        offsets = series.dataoffset + size * np.arange(number)[:, None]
        counts, stored = np.full_like(offsets, size), True
    else:
        # Of more pages than its description names, the rest is remarked on.
        pages = list(series.pages)[: math.prod(shape) // math.prod(codec.shape)]
        if any(page is None or len(page.dataoffsets) < codec.number for page in pages):
            raise cut_off(path)
        if any(page.parent.filename != tiff.filename for page in pages):
            raise UserError(
                f"{path} is one of several files of a recording, in an order that only one more "
                "file tells: export the recording as OME-TIFF."
            )
        _refuse_unlike(path, tiff, pages)
        offsets = np.array([page.dataoffsets[: codec.number] for page in pages], np.int64)
        counts = np.array([page.databytecounts[: codec.number] for page in pages], np.int64)
        # tifffile looks at the first page only.
        joined = np.array_equal(offsets[:, :-1] + counts[:, :-1], offsets[:, 1:])
        stored = first.is_final and (joined or first.is_lsm)
        if stored:
            offsets, counts = offsets[:, :1], np.full_like(offsets[:, :1], size)
        else:
            tables = tuple(page.jpegtables for page in pages)
    if (counts <= 0).any() or (offsets + counts > tiff.filehandle.size).any():
        raise cut_off(path)
    # ImageJ writes so what it only shows with an inverting table of greys.
    inverted = first.photometric == tifffile.PHOTOMETRIC.MINISWHITE and not tiff.is_imagej
    white = 2**first.bitspersample - 1 if inverted and dtype.kind == "u" else None
    return Planes(path, shape, dtype, codec, offsets, counts, stored, white, tables)


def _refuse_unlike(path: Path, tiff: tifffile.TiffFile, pages: list[Any]) -> None:
    """Refuse pages unlike the first one, as which tifffile would read them all."""
    layouts = [_layout(tiff, page.offset) for page in pages if not page.is_virtual]
    if any(layout != layouts[0] for layout in layouts):
        raise UserError(
            f"{path} holds pages of different sizes or types, which it describes as one stack: "
            "save those of each kind as a file of their own."
        )


def _layout(tiff: tifffile.TiffFile, offset: int) -> dict[int, bytes]:
    """Read a page's length, bits, compression and type; tifffile would read all of its header."""
    form, handle = tiff.tiff, tiff.filehandle
    handle.seek(offset)
    (number,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    entries = handle.read(number * form.tagsize)
    layout: dict[int, bytes] = {}
    for begin in range(0, len(entries), form.tagsize):
        code, kind = struct.unpack_from(form.byteorder + "HH", entries, begin)
        if code in _LAYOUT_TAGS and kind in _FORMAT_OF_KIND:
            (count,) = struct.unpack_from(form.offsetformat, entries, begin + 4)
            size = count * struct.calcsize(_FORMAT_OF_KIND[kind])
            value = entries[begin + 4 + form.offsetsize : begin + form.tagsize]
            if size > form.offsetsize:  # one of each sample, which lie elsewhere
                handle.seek(*struct.unpack(form.offsetformat, value))
                value = handle.read(size)
            layout[code] = value[:size]
    return layout


def with_lead(
    axes: tuple[str, ...], pixels: Planes, lead: Sequence[tuple[str, int]]
) -> tuple[tuple[str, ...], list[Planes]]:
    """Name the axes before those of a page anew, with their lengths."""
    shape = (*(length for _, length in lead), *pixels.shape[pixels.ahead :])
    names = (*(axis for axis, _ in lead), *axes[pixels.ahead :])
    return names, [replace(pixels, shape=shape)]


def arranged(axes: tuple[str, ...], parts: Sequence[Planes]) -> tuple[tuple[str, ...], Planes]:
    """Bring everything that is processed one by one onto one axis.

    Parameters
    ----------
    axes
        The names of the axes, in which b may occur several times.
    parts
        Images of one shape and type.

    Returns
    -------
    dims, pixels
        With b at most once.
    """
    first = parts[0]
    if len(parts) == 1 and axes.count("b") <= 1:
        return axes, first
    lead = axes[: first.ahead]
    along = [at for at, axis in enumerate(lead) if axis == "b"]
    others = [at for at, axis in enumerate(lead) if axis != "b"]
    pages = np.arange(len(first.offsets)).reshape(first.shape[: first.ahead])
    order = pages.transpose(along + others).ravel()
    number = len(parts) * math.prod(first.shape[at] for at in along)
    kept = [at for at in range(len(axes)) if at not in along]
    together = replace(
        first,
        shape=(number, *(first.shape[at] for at in kept)),
        offsets=np.concatenate([part.offsets[order] for part in parts]),
        counts=np.concatenate([part.counts[order] for part in parts]),
        tables=tuple(part.tables[page] for part in parts for page in order if part.tables),
    )
    return ("b", *(axes[at] for at in kept)), together


def cut_off(path: Path) -> UserError:
    """Return the refusal of a file that lacks pixels."""
    return UserError(f"{path} is cut off: parts of its pixels are missing; copy it again.")


def _touched(
    codec: Codec, within: list[range]
) -> Iterator[tuple[int, tuple[slice, ...], tuple[slice, ...]]]:
    """Find a region's pieces: the number of each, where it goes, and which part of it."""
    for piece, (begin, shape) in enumerate(codec.pieces):
        places = [_overlap(*axis) for axis in zip(within, begin, shape, strict=True)]
        if all(into.stop > into.start for into, _ in places):
            yield piece, tuple(into for into, _ in places), tuple(part for _, part in places)


def _overlap(along: range, begin: int, length: int) -> tuple[slice, slice]:
    """Return which of the places along an axis a piece holds, and where in it they are."""
    # The first place at or behind where the piece begins and ends: division, rounded up.
    first, end = (
        min(max(0, -((along.start - at) // along.step)), len(along))
        for at in (begin, begin + length)
    )
    last = along.start + (end - 1) * along.step
    start = along.start + first * along.step
    return slice(first, end), slice(start - begin, last - begin + 1, along.step)
