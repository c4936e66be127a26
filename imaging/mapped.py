"""Files mapped into memory: pages that were looked at or written can be let go of.

A page stays in the memory of the process as long as it is mapped, so that what goes through a whole
file would end with all of it there.
"""

import mmap
from pathlib import Path

__all__ = ["let_go", "map_file"]


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
