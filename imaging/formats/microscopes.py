"""What the formats of microscopes have in common: libraries that read them region by region.

The libraries are those of the extra ``formats``, so they are imported where a file is read, and by
name: types of theirs are known to nobody where the extra is absent.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.formats.header import Header, Readable
from imaging.remarks import Remark

INSTALL = "python -m pip install h5py liffile nd2 oiffile pylibCZIrw"
"""The command that brings every library of the extra, wherever this project was installed from."""
DIMS = ("b", "c", "z", "y", "x")

_ABSENT = (
    "the file has fewer planes than it describes, as where a recording was stopped; those that are "
    "absent are read as 0 (crop them away if they should not count)."
)

StackReader = Callable[[int, int, slice, slice, slice], NDArray[Any]]
"""Reads planes, rows and columns of a stack, given its place along b and c."""


@dataclass(frozen=True)
class Microscope:
    """A format that is only read, by a library that may be absent (a `Format`).

    Attributes
    ----------
    library
        The name under which it is imported.
    reader
        Reads a file, given the library and the number or name of one of several images.
    """

    library: str
    reader: Callable[[Any, Path, str | None], tuple[Header, Readable]]

    @property
    def installed(self) -> bool:
        """Tell whether the library is there."""
        return find_spec(self.library.partition(".")[0]) is not None

    def read(self, path: Path, choice: str | None = None) -> tuple[Header, Readable]:
        """Read the header (see `imaging.formats.header.Format`)."""
        if not self.installed:
            raise UserError(
                f"{path} needs a library that is not installed to be read: "
                f'run "{INSTALL}", or export the image as OME-TIFF.'
            )
        return self.reader(import_module(self.library), path, choice)

    def refusal(self, path: Path, header: Header) -> str:
        """Say that the format is not written."""
        return f"{path.suffix} files are only read: end the name in .ome.tif"

    def create(self, path: Path, header: Header) -> NoReturn:
        """Never happens, for `refusal` refuses everything."""
        raise NotImplementedError(path)


@dataclass(frozen=True)
class Stackwise:
    """Pixels along b, c, z, y and x; only stacks that a region touches are asked for it.

    The file is opened anew for each region, so nothing stays open in between.

    Attributes
    ----------
    shape, dtype
        Of the array.
    opened
        Opens the file and gives what reads its stacks.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    opened: Callable[[], AbstractContextManager[StackReader]]

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        places = [at if isinstance(at, slice) else slice(at, at + 1) for at in key]
        wanted = [range(length)[at] for length, at in zip(self.shape, places, strict=True)]
        out = np.empty([len(along) for along in wanted], self.dtype)
        if out.size:
            with self.opened() as read_stack:
                for (at_b, b), (at_c, c) in product(enumerate(wanted[0]), enumerate(wanted[1])):
                    out[at_b, at_c] = read_stack(b, c, *places[2:])
        return out[tuple(slice(None) if isinstance(at, slice) else 0 for at in key)]


def unknown_axes(path: Path, sizes: dict[str, int]) -> UserError:
    """Return the refusal of axes that are none of time, position, channel, z, y and x."""
    said = ", ".join(f"{axis}: {length}" for axis, length in sizes.items())
    return UserError(
        f"{path} has axes of unknown meaning, or lacks rows or columns ({said}): "
        "export it as OME-TIFF with axes out of t, c, z, y and x."
    )


def colour_picture(path: Path) -> UserError:
    """Return the refusal of a picture of red, green and blue."""
    return UserError(f"{path} is a colour picture: save each channel as a greyscale image.")


def absent_planes(stored: int, described: int) -> tuple[Remark, ...]:
    """Remark on planes that a file describes and does not have."""
    missing = described - stored
    return (Remark(_ABSENT, f"{missing} of {described}"),) if missing > 0 else ()


def names_of(names: list[str | None], channels: int) -> list[str] | None:
    """Return the names of channels where each has one."""
    known = [name.strip() for name in names if name and name.strip()]
    return known if len(known) == len(names) == channels else None
