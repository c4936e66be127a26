"""What is said of times and scenes, added to a CZI that does not say it, as Zeiss writes it.

Segments of a file are a name, two lengths and content; the header says where two of them lie.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

_METADATA_AT, _ATTACHMENTS_AT = 32 + 60, 32 + 72


def state_offsets(path: Path, moments: Sequence[float]) -> None:
    """List the moments in the XML."""
    words = " ".join(map(str, moments))
    _state(path, f"<List><Offsets>{words}</Offsets></List>")


def state_increment(path: Path, seconds: float) -> None:
    """Write the step between time points into the XML."""
    _state(path, f"<Interval><Start>0</Start><Increment>{seconds}</Increment></Interval>")


def attach_times(path: Path, moments: Sequence[float]) -> None:
    """Write the moments into an attachment, and its name into the XML."""
    _state(path, "<BinaryList><AttachmentName>TimeStamps</AttachmentName></BinaryList>")
    whole = bytearray(path.read_bytes())
    place = len(whole)
    times = struct.pack(f"<ii{len(moments)}d", 8 + 8 * len(moments), len(moments), *moments)
    entry = struct.pack("<2s10xqi16s8s80s", b"A1", place, 0, b"", b"CZTIMS", b"TimeStamps")
    whole += _segment(
        b"ZISRAWATTACH", struct.pack("<i12x", len(times)) + entry + bytes(112) + times
    )
    struct.pack_into("<q", whole, _ATTACHMENTS_AT, len(whole))
    path.write_bytes(whole + _segment(b"ZISRAWATTDIR", struct.pack("<i252x", 1) + entry))


def name_scenes(path: Path, names: Sequence[str]) -> None:
    """Write names of scenes into the XML."""
    scenes = "".join(f'<Scene Index="{at}" Name="{name}" />' for at, name in enumerate(names))
    _extend(path, f"<S><Scenes>{scenes}</Scenes></S>")


def _state(path: Path, positions: str) -> None:
    _extend(path, f"<T><Positions>{positions}</Positions></T>")


def _extend(path: Path, dimension: str) -> None:
    whole = bytearray(path.read_bytes())
    (place,) = struct.unpack_from("<q", whole, _METADATA_AT)
    (length,) = struct.unpack_from("<i", whole, place + 32)
    xml = whole[place + 288 : place + 288 + length].decode()
    assert xml.count("</Dimensions>") == 1
    changed = xml.replace("</Dimensions>", f"{dimension}</Dimensions>").encode()
    struct.pack_into("<q", whole, _METADATA_AT, len(whole))
    head = struct.pack("<ii248x", len(changed), 0)
    path.write_bytes(whole + _segment(b"ZISRAWMETADATA", head + changed))


def _segment(name: bytes, content: bytes) -> bytes:
    padded = content + bytes(-len(content) % 32)
    return struct.pack("<16sqq", name, len(padded), len(content)) + padded
