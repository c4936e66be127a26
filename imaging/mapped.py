"""Files mapped into memory: pages that were looked at or written can be let go of.

A page stays in the memory of the process as long as it is mapped, so that what goes through a whole
file would end with all of it there.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FileArray", "let_go", "map_file"]


def map_file(path: Path, *, write: bool = False) -> mmap.mmap:
    """Map a file into memory; it is let go of with the last reference to what is returned.

    Parameters
    ----------
    path
        A file that is not empty.
    write
        Whether what is written to the result goes to the file.
    """
    access = mmap.ACCESS_WRITE if write else mmap.ACCESS_READ
    with path.open("r+b" if write else "rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=access)


def let_go(mapped: mmap.mmap) -> None:
    """Give pages back to the system, which holds or writes what is in them.

    They come again when they are touched. Nothing happens where the system has no such call.
    """
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class FileArray:
    """An array in a file, mapped anew for each region that is read.

    Attributes
    ----------
    path
        The file.
    dtype, shape
        Of the array, in C order.
    offset
        Bytes before it.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.ndarray(self.shape, self.dtype, map_file(self.path), self.offset)[key]
