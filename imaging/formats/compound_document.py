"""The sectors of a compound document, in which an OIB keeps its files."""

import struct
from pathlib import Path

import numpy as np

from imaging.cli import UserError

_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEAD = 512
_LARGEST_SHIFT = 12  # sectors have 2**9 or 2**12 bytes


def refuse_circle(path: Path) -> None:
    """Refuse sectors that follow each other in a circle, in which the library would stay for ever.

    Parameters
    ----------
    path
        Any file; what else may be wrong with it the library says.

    Raises
    ------
    UserError
        There is a circle.
    """
    content = np.memmap(path, np.uint8, "r")
    head = bytes(content[:_HEAD])
    if len(head) < _HEAD or not head.startswith(_SIGNATURE):
        return
    (shift,) = struct.unpack_from("<H", head, 30)
    sector = 1 << min(shift, _LARGEST_SHIFT)
    tables, _, _, _, _, _, more, lists = struct.unpack_from("<8I", head, 44)
    whole = content[: len(content) // sector * sector].view("<u4").reshape(-1, sector // 4)[1:]
    places = list(struct.unpack_from("<109I", head, 76))
    # Beyond 109 tables their places stand in sectors, of which each ends in the place of the next.
    for _ in range(lists if lists <= len(whole) else 0):
        if more >= len(whole):
            break
        *further, more = whole[more].tolist()
        places += further
    following = np.concatenate(
        [whole[at] for at in places[:tables] if at < len(whole)] or [np.empty(0, np.uint32)]
    ).astype(np.int64)
    # What follows after twice as many steps, and so on, until every chain must have ended.
    end = len(following)
    after = np.append(np.minimum(following, end), end)
    for _ in range(end.bit_length()):
        after = after[after]
    if lists > len(whole) or (after != end).any():
        raise UserError(
            f"{path} is damaged: its parts follow each other in a circle; copy or export it again."
        )
