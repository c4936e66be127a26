"""What every format says of its pixels."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from imaging.cli import UserError
from imaging.formats.units import is_unstated, micrometres
from imaging.remarks import Remark

DIMS = ("b", "c", "z", "y", "x")

# No method that keeps every pixel makes them smaller by more, not even where all are equal.
_MOST_COMPRESSED = 2**16
_UNKNOWN_SIZE = (
    "the pixel size that the file states cannot be understood and is not used "
    "(give --pixel-size, or pixel_size_um in dataset.toml)."
)
_IMPLAUSIBLE = (
    "the file states a pixel size that microscopes do not have; its unit is probably wrong, and "
    "whatever goes by it is (give --pixel-size, or correct it in the file)."
)
_PLAUSIBLE_UM = (1e-4, 100.0)
# Pixels per inch that screens, printers and programs without a calibration write.
_NOT_OF_MICROSCOPES = (72, 96, 100, 120, 144, 150, 180, 200, 240, 300, 360, 400, 600, 720, 1200)
_LEAST_PER_INCH = 2.54  # 1 cm per pixel: what 1/1 says, and no microscope does


OmeZarrVersion = Literal["0.4", "0.5"]


@dataclass(frozen=True)
class Storage:
    """How pixels lie in the files of an OME-Zarr.

    Attributes
    ----------
    chunks
        Pixels along each axis that are compressed together.
    shards
        Pixels along each axis that are one file, whole numbers of chunks; None where each chunk is.
    version
        Of OME-Zarr; 0.4 has no shards.
    pyramid
        Whether coarser levels are written, each of half as many rows and columns.
    """

    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None
    version: OmeZarrVersion = "0.5"
    pyramid: bool = False


@dataclass(frozen=True)
class Header:
    """The shape of an array of pixels and what its axes mean.

    Attributes
    ----------
    dims
        Names of the axes, out of b, c, z, y, x, in the order of `shape`.
    shape, dtype
        Of the array.
    pixel_size_um
        Micrometres per pixel along those of z, y and x where it is known.
    channels
        Names of the channels, if known.
    remarks
        What was found in the file that changes results, such as metadata that are lost.
    annotations
        What else is to be written, by name.
    interval_s
        Seconds from one time point to the next, if known.
    scenes
        Names of the images along b, or of the one chosen, where the file holds several.
    origin_um
        Where the centre of the first pixel lies along those of z, y and x where it is known.
    storage
        How it is to be written as OME-Zarr, if that matters.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pixel_size_um: dict[str, float]
    channels: list[str] | None = None
    remarks: tuple[Remark, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    interval_s: float | None = None
    scenes: tuple[str, ...] = ()
    origin_um: dict[str, float] = field(default_factory=dict[str, float])
    storage: Storage | None = None

    def size(self, dim: str) -> int:
        """Return the length of an axis, 1 if there is no such axis."""
        return self.shape[self.dims.index(dim)] if dim in self.dims else 1

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return math.prod(self.shape) * self.dtype.itemsize


class Readable(Protocol):
    """An array in a file; only what is indexed (integers and slices) is read."""

    def __getitem__(self, key: Any, /) -> Any: ...


class Writable(Protocol):
    """An array being written; regions may come in any order."""

    def __setitem__(self, key: Any, value: Any, /) -> None: ...


class Format(Protocol):
    """The three functions of a format's module."""

    def read(self, path: Path) -> tuple[Header, Readable]:
        """Read the header; the pixels follow when they are indexed."""
        ...

    def refusal(self, path: Path, header: Header) -> str | None:
        """Say why such an array cannot be written there, and what to do instead; or None."""
        ...

    def create(self, path: Path, header: Header) -> AbstractContextManager[Writable]:
        """Make the file; it is complete when the context ends."""
        ...


def refuse_absurd(path: Path, nbytes: int) -> None:
    """Refuse a file whose header claims more bytes of pixels than a file of its size can hold."""
    if nbytes > _MOST_COMPRESSED * path.stat().st_size:
        raise UserError(
            f"{path} claims {nbytes / 2**30:,.0f} GiB of pixels, which a file of its size cannot "
            "hold: it is damaged, copy or export it again."
        )


def number(stated: object) -> float:
    """Read a number as files spell it, also with a decimal comma; NaN if it is none."""
    try:
        return float(str(stated).strip().replace(",", "."))
    except ValueError:
        return math.nan


def pixel_sizes(
    stated: Iterable[tuple[str, object, str | None]],
) -> tuple[dict[str, float], tuple[Remark, ...]]:
    """Bring pixel sizes to micrometres, and remark on those that cannot be understood.

    Parameters
    ----------
    stated
        Axis, length and unit, as the file has them. Neither 0 nor the unit "pixel" is remarked on:
        so files say that they do not know.

    Returns
    -------
    sizes, remarks
        As a `Header` has them.
    """
    sizes: dict[str, float] = {}
    doubts: list[str] = []
    odd: list[str] = []
    for dim, length, unit in stated:
        size = micrometres(number(length), unit)
        if size is not None:
            sizes[dim] = size
            if dim in "yx" and not _PLAUSIBLE_UM[0] <= size <= _PLAUSIBLE_UM[1]:
                odd.append(f"{dim}: {size:g} µm")
        elif number(length) != 0 and not is_unstated(unit):
            doubts.append(f"{dim}: {length} '{unit}'")
    found = ((_UNKNOWN_SIZE, doubts), (_IMPLAUSIBLE, odd))
    return sizes, tuple(Remark(words, ", ".join(details)) for words, details in found if details)


def is_screen_resolution(per_inch: float) -> bool:
    """Tell whether pixels per inch are a default of screens and printers, not of a microscope."""
    return per_inch <= _LEAST_PER_INCH or any(
        abs(per_inch - default) < 0.05 for default in _NOT_OF_MICROSCOPES
    )
