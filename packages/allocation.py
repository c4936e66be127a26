"""How the C library gives memory out: large blocks are kept for the next use.

glibc returns what is larger than 32 MiB to the system when it is freed, and takes it anew, page by
page, when it is asked for again. A network asks for the same blocks at every layer, and those of a
window of 1024² are larger than that: a third of the time of some went there.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT_BYTES = 2**30


def keep_large_blocks() -> None:
    """Let freed blocks of up to a GiB be used again; nothing where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
