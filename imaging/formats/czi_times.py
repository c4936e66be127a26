"""When the time points of a Zeiss CZI were taken: in its XML, or in an attachment named there.

The maker's library does not read attachments. Their layout is that of czifile (BSD, Christoph
Gohlke), as Zeiss describes it: segments of a name, two lengths and content.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from imaging.formats.header import number
from imaging.formats.times import interval_of

_ATTACHMENT = "TimeStamps"
_SEGMENT_BYTES = 32
_DIRECTORY_AT = _SEGMENT_BYTES + 72  # where the file's header says where its attachments are listed
_ENTRIES_AT = _SEGMENT_BYTES + 256
_ENTRY_BYTES = 128
_ENTRY = "<2s10xq28x80s"  # of which kind, where the attachment lies, and its name
_CONTENT_AT = _SEGMENT_BYTES + 256


def interval_s(path: Path, root: Any, times: int) -> float | None:
    """Return the seconds between the time points of a CZI.

    Parameters
    ----------
    path, root
        The file, and its XML.
    times
        How many time points it has.

    Returns
    -------
    float or None
        None where the file does not say them, or says other than `times`.
    """
    said = root.find("Metadata/Information/Image/Dimensions/T/Positions")
    if said is None:
        return None
    if (offsets := said.findtext("List/Offsets")) is not None:
        moments = [number(word) for word in offsets.split()]
    elif (increment := said.findtext("Interval/Increment")) is not None:
        moments = [number(increment) * at for at in range(times)]
    elif said.findtext("BinaryList/AttachmentName") == _ATTACHMENT:
        moments = _attached(path, times)
    else:
        return None
    # Of a part of a recording, as the maker's program saves it, all moments may be kept.
    return interval_of(moments) if len(moments) == times else None


def _attached(path: Path, times: int) -> Sequence[float]:
    """Read the attachment of time stamps: its length, their number, and seconds."""
    with path.open("rb") as stream:
        (directory,) = _unpacked(stream, _DIRECTORY_AT, "<q")
        (count,) = _unpacked(stream, directory + _SEGMENT_BYTES, "<i") if directory > 0 else (0,)
        for at in range(count):
            place = directory + _ENTRIES_AT + at * _ENTRY_BYTES
            kind, attachment, name = _unpacked(stream, place, _ENTRY)
            if kind == b"A1" and name.partition(b"\0")[0] == _ATTACHMENT.encode():
                _, stored = _unpacked(stream, attachment + _CONTENT_AT, "<ii")
                start = attachment + _CONTENT_AT + struct.calcsize("<ii")
                return _unpacked(stream, start, f"<{times}d") if stored == times else ()
    return ()


def _unpacked(stream: BinaryIO, start: int, layout: str) -> tuple[Any, ...]:
    stream.seek(start)
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))
