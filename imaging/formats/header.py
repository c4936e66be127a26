"""What every format says of its pixels, and how lengths become micrometres."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from imaging.remarks import Remark

DIMS = ("b", "c", "z", "y", "x")

_MICROMETRES = {
    unit.casefold(): micrometres
    for micrometres, units in {
        1e-6: ("pm", "picometer", "picometre"),
        1e-4: ("Å", "angstrom"),
        1e-3: ("nm", "nanometer", "nanometre", "nanometers", "nanometres"),
        1.0: ("µm", "um", "micron", "microns", "micrometer", "micrometre", "micrometers"),
        1e3: ("mm", "millimeter", "millimetre", "millimeters"),
        1e4: ("cm", "centimeter", "centimetre", "centimeters"),
        25.4e3: ("inch", "in", "inches"),
        1e6: ("m", "meter", "metre"),
    }.items()
    for unit in units
}


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
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pixel_size_um: dict[str, float]
    channels: list[str] | None = None
    remarks: tuple[Remark, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict[str, str])

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


def micrometres(length: float, unit: str | None) -> float | None:
    r"""Convert a length, or say that it cannot be known.

    Parameters
    ----------
    length
        In `unit`.
    unit
        As microscopes and Fiji spell it: "nm", "µm", "um", "micron", "\u00B5m", "inch", …

    Returns
    -------
    float or None
        Micrometres; None if the unit is none of length ("pixel"), or the length is not above 0.
    """
    spelled = (unit or "").strip().strip('"').replace("\\u00B5", "µ").replace("\\u00b5", "µ")
    # casefold() makes one letter of the two code points of µ, and of those of Å.
    factor = _MICROMETRES.get(spelled.casefold())
    if factor is None or not math.isfinite(length) or length <= 0:
        return None
    return length * factor


def is_screen_resolution(per_inch: float) -> bool:
    """Tell whether pixels per inch are a default of screens and printers, not of a microscope."""
    return any(abs(per_inch - default) < 0.05 for default in (72, 96, 150, 300, 600))


def known(sizes: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    """Keep the pixel sizes that are known."""
    return {dim: size for dim, size in sizes if size is not None}
