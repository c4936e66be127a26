"""Small files of microscopes, of pixels along image, t, c, z, y and x.

CZI is written by the library of its maker and IMS by that of HDF5; the others are written here, as
their makers or those who read them have described them.
"""

import io
import math
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tests.czi_metadata import attach_times
from tests.small_images import SIZES

NAMES = ("DAPI", "GFP", "mCherry")
INTERVAL_S = 1.5
_FREE, _END = 0xFFFFFFFF, 0xFFFFFFFE  # of compound documents


def write_czi(path: Path, pixels: np.ndarray) -> None:
    library: Any = import_module("pylibCZIrw.czi")
    images, times, channels, depths, height, _ = pixels.shape
    with library.create_czi(str(path)) as file:
        for scene, t, c, z in product(range(images), range(times), range(channels), range(depths)):
            plane = {"T": t, "C": c, "Z": z}
            place = (0, 2 * height * scene)
            file.write(pixels[scene, t, c, z], plane=plane, location=place, scene=scene)
        scales = {f"scale_{dim}": size * 1e-6 for dim, size in SIZES.items()}
        file.write_metadata(channel_names=dict(enumerate(NAMES[:channels])), **scales)
    attach_times(path, [360.4 + INTERVAL_S * t for t in range(times)])


def write_ims(path: Path, pixels: np.ndarray, chunk: int = 4) -> None:
    """Write arrays that are longer than the image, by whole chunks, as Imaris does."""
    library: Any = import_module("h5py")
    lengths = dict(zip("xyz", reversed(pixels.shape), strict=False))
    with library.File(path, "w") as file:
        for image, t, c in product(*(range(length) for length in pixels.shape[:3])):
            which = str(image) if image else ""
            group = file.require_group(
                f"DataSet{which}/ResolutionLevel 0/TimePoint {t}/Channel {c}"
            )
            stack = pixels[image, t, c]
            whole = np.pad(stack, [(0, -length % chunk) for length in stack.shape])
            group.create_dataset("Data", data=whole, chunks=(chunk,) * 3, compression="gzip")
            for dim, length in lengths.items():
                group.attrs[f"ImageSize{dim.upper()}"] = _letters(str(length))
            info = file.require_group(f"DataSetInfo{which}")
            info.require_group(f"Channel {c}").attrs["Name"] = _letters(NAMES[c])
            moment = datetime(2026, 11, 30, 23, 59, 59, 250_000) + t * timedelta(seconds=INTERVAL_S)
            said = info.require_group("TimeInfo").attrs
            said[f"TimePoint{t + 1}"] = _letters(moment.isoformat(" ", "milliseconds"))
            said = info.require_group("Image").attrs
            said["Unit"] = _letters("um")
            for at, (dim, length) in enumerate(lengths.items()):
                said[f"ExtMin{at}"] = _letters("-2.5")
                said[f"ExtMax{at}"] = _letters(f"{length * SIZES[dim] - 2.5:.6f}")


def _letters(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), "S1")


def write_lif(path: Path, pixels: np.ndarray) -> None:
    """Write pixels in the order in which they lie in memory, which the file says."""
    xml = "".join(
        f'<Element Name="Series{at}">{_leica(stack)}'
        f'<Memory Size="{stack.nbytes}" MemoryBlockID="MemBlock_{at}"/></Element>'
        for at, stack in enumerate(pixels)
    )
    root = f'<Element Name="project"><Children>{xml}</Children></Element>'
    whole = _block(f'<LMSDataContainerHeader Version="2">{root}</LMSDataContainerHeader>')
    for at, stack in enumerate(pixels):
        name = f"MemBlock_{at}".encode("utf-16-le")
        head = struct.pack(
            "<IIBQBI", 0x70, 14 + len(name), 0x2A, stack.nbytes, 0x2A, len(name) // 2
        )
        whole += head + name + stack.ravel(order="K").tobytes()
    path.write_bytes(whole)


def write_lof(path: Path, pixels: np.ndarray) -> None:
    (stack,) = pixels
    whole = _block("LMS_Object_File") + struct.pack("<BIBIBQ", 0x2A, 2, 0x2A, 0, 0x2A, stack.nbytes)
    element = f'<Element Name="one">{_leica(stack)}<Memory Size="{stack.nbytes}"/></Element>'
    root = f'<LMSDataContainerHeader Version="2">{element}</LMSDataContainerHeader>'
    path.write_bytes(whole + stack.tobytes() + _block(root))


def write_xlif(path: Path, pixels: np.ndarray) -> None:
    """Write a description, and a TIFF file for each plane in the order of memory."""
    (stack,) = pixels
    planes = stack.reshape(-1, *stack.shape[-2:])
    for at, plane in enumerate(planes):
        tifffile.imwrite(path.with_name(f"{path.stem} {at}.tif"), plane, metadata=None)
    frames = "".join(
        f'<Frame File="{path.stem}%20{at}.tif" Offset="{at * plane.nbytes}" Size="{plane.nbytes}"/>'
        for at, plane in enumerate(planes)
    )
    _write_xlif(path, stack, frames)


def write_xlif_of_lof(path: Path, pixels: np.ndarray) -> None:
    """Write a description, and a LOF that holds the pixels."""
    write_lof(path.with_suffix(".lof"), pixels)
    frame = f'<Frame File=".\\{path.stem}.lof" Offset="0" Size="{pixels.nbytes}"/>'
    _write_xlif(path, pixels[0], frame)


def _write_xlif(path: Path, stack: np.ndarray, frames: str) -> None:
    memory = f'<Memory Size="{stack.nbytes}" MemoryBlockID="MemBlock_0">{frames}</Memory>'
    element = f'<Element Name="one">{_leica(stack)}{memory}</Element>'
    root = f'<LMSDataContainerHeader Version="2">{element}</LMSDataContainerHeader>'
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>{root}', encoding="utf-8")


def _block(xml: str) -> bytes:
    text = xml.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(text) // 2) + text


def _leica(stack: np.ndarray) -> str:
    """Describe an image; its length along an axis ends at the last pixel's centre."""
    times, channels, depths, height, width = stack.shape
    steps = list(stack.strides)
    axes = [
        (1, width, SIZES["x"] * 1e-6, "m", steps[4]),
        (2, height, SIZES["y"] * 1e-6, "m", steps[3]),
        (3, depths, SIZES["z"] * 1e-6, "m", steps[2]),
        (4, times, INTERVAL_S, "s", steps[0]),
    ]
    dimensions = "".join(
        f'<DimensionDescription DimID="{number}" NumberOfElements="{length}" Origin="0" '
        f'Length="{spacing * (length - 1)!r}" Unit="{unit}" BytesInc="{step}" BitInc="0"/>'
        for number, length, spacing, unit, step in axes
        if length > 1
    )
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{8 * stack.itemsize}" '
        f'NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName="{NAMES[at]}" '
        f'IsLUTInverted="0" BytesInc="{at * steps[1]}" BitInc="0"/>'
        for at in range(channels)
    )
    return (
        f"<Data><Image><ImageDescription><Channels>{described}</Channels>"
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
    )


def write_oif(path: Path, pixels: np.ndarray) -> None:
    settings, planes = _olympus(pixels)
    path.write_bytes(settings)
    folder = path.with_name(f"{path.name}.files")
    folder.mkdir()
    for name, content in planes.items():
        (folder / name).write_bytes(content)


def write_oib(path: Path, pixels: np.ndarray) -> None:
    """Write a compound document: a root with a list of names, and a storage of planes."""
    settings, planes = _olympus(pixels)
    names = {f"Stream{at:05}": name for at, name in enumerate(planes, start=1)}
    listed = "".join(f"{stream}=Storage00001/{name}\r\n" for stream, name in names.items())
    info = f"[OibSaveInfo]\r\nMainFileName=Stream00000\r\nStream00000=a.oif\r\n{listed}"
    streams = {"OibInfo.txt": _utf16(info), "Stream00000": settings}
    streams |= dict(zip(names, planes.values(), strict=True))
    # Shorter streams than this would lie in a document within the document.
    padded = {
        name: _filled(content, 4096, b"\n\0" if content[:2] == b"\xff\xfe" else b"\0")
        for name, content in streams.items()
    }
    starts, chains, body = dict[str, int](), list[int](), b""
    for name, content in padded.items():
        starts[name] = len(chains)
        body += _filled(content, 512, b"\0")
        chains += [*range(len(chains) + 1, len(body) // 512), _END]
    last = len(streams)
    entries = [_entry("Root Entry", 5, child=1, start=_END)]
    for at, (name, content) in enumerate(padded.items(), start=1):
        # Siblings form a list: the root's own streams, the storage, then those of the storage.
        following = at + 1 if at != 2 else last + 1
        right = _FREE if at == last else following
        entries.append(_entry(name, 2, right=right, start=starts[name], size=len(content)))
    entries.append(_entry("Storage00001", 1, child=3, start=0))
    directory = _filled(b"".join(entries), 512, _entry("", 0, start=0))
    first = len(chains)
    chains += [*range(first + 1, first + len(directory) // 512), _END]
    tables = math.ceil(len(chains) / 127)  # of 128 entries, with themselves in them
    places = range(len(chains), len(chains) + tables)
    chains += [0xFFFFFFFD] * tables
    head = struct.pack(
        "<8s16sHHHHH6x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 62, 3, 0xFFFE, 9, 6
    )
    head += struct.pack("<10I", 0, tables, first, 0, 4096, _END, 0, _END, 0, places[0])
    head += struct.pack("<108I", *places[1:], *[_FREE] * (109 - tables))
    table = struct.pack(f"<{128 * tables}I", *chains, *[_FREE] * (128 * tables - len(chains)))
    path.write_bytes(head + body + directory + table)


def _entry(
    name: str, kind: int, *, right: int = _FREE, child: int = _FREE, start: int, size: int = 0
) -> bytes:
    text = f"{name}\0".encode("utf-16-le") if name else b""
    head = struct.pack("<64sHBB3I", text, len(text), kind, 1, _FREE, right, child)
    return head + struct.pack("<16sIQQIQ", b"", 0, 0, 0, start, size)


def _filled(content: bytes, multiple: int, filling: bytes) -> bytes:
    return content + filling * (-len(content) % multiple // len(filling))


def _utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def _olympus(pixels: np.ndarray) -> tuple[bytes, dict[str, bytes]]:
    """Return the settings, and the planes as TIFF files by name."""
    (stack,) = pixels
    times, channels, depths, height, width = stack.shape
    lengths = {"X": width, "Y": height, "C": channels, "Z": depths, "T": times}
    lengths |= dict.fromkeys("LAP", 0)
    order = "".join(axis for axis, length in lengths.items() if length > 1)
    sections: dict[str, dict[str, object]] = {
        "ProfileSaveInfo": {"Name": "COFAImages", "Version": "2.0.0.0"},
        "Axis Parameter Common": {"AxisCount": len(order), "AxisOrder": f'"{order}"'},
        "Reference Image Parameter": {
            "HeightConvertValue": SIZES["y"],
            "HeightUnit": '"um"',
            "ValidBitCounts": 12,
            "WidthConvertValue": SIZES["x"],
            "WidthUnit": '"um"',
        },
    }
    for at, (axis, length) in enumerate(lengths.items()):
        said: dict[str, object] = {"AxisCode": f'"{axis}"', "MaxSize": length}
        if axis == "Z":
            said |= {"Interval": round(1000 * SIZES["z"]), "UnitName": '"nm"'}
        if axis == "T":
            said |= {"Interval": 1000 * INTERVAL_S, "UnitName": '"ms"'}
        sections[f"Axis {at} Parameters Common"] = said
    for at in range(channels):
        sections[f"Channel {at + 1} Parameters"] = {"CH Name": f'"{NAMES[at]}"'}
    text = "".join(
        f"[{section}]\r\n" + "".join(f"{entry}={value}\r\n" for entry, value in entries.items())
        for section, entries in sections.items()
    )
    planes = dict[str, bytes]()
    for t, c, z in product(range(times), range(channels), range(depths)):
        parts = (("C", c, channels), ("Z", z, depths), ("T", t, times))
        name = "".join(f"{axis}{at + 1:03}" for axis, at, length in parts if length > 1)
        file = io.BytesIO()
        tifffile.imwrite(file, stack[t, c, z], photometric="minisblack", metadata=None)
        planes[f"s_{name}.tif"] = file.getvalue()
    return _utf16(text), planes


def write_nd2(
    path: Path, pixels: np.ndarray, *, frames: int | None = None, colour: bool = False
) -> None:
    """Write version 3.0, with an experiment of times, positions and depths; channels interleaved.

    Of a recording that was stopped, only the first `frames` are written. Of a colour camera, the
    channels are the colours of one.
    """
    images, times, channels, depths, height, width = pixels.shape
    stored = np.moveaxis(pixels.swapaxes(0, 1), 2, -1).reshape(-1, height, width, channels)
    stored = stored[:frames]
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": width * channels * pixels.itemsize,
        "uiHeight": height,
        "uiComp": channels,
        "uiBpcInMemory": 8 * pixels.itemsize,
        "uiBpcSignificant": 12,
        "uiSequenceCount": len(stored),
        "eCompression": 2,
    }
    planes = {
        f"a{at}": {"sDescription": NAMES[at], "pFluorescentProbe": {"m_sName": ""}}
        for at in range(1 if colour else channels)
    }
    picture = {
        "bCalibrated": True,
        "dCalibration": SIZES["x"],
        "sPicturePlanes": {"uiCount": len(planes), "sPlaneNew": planes},
    }
    points = {f"i{at:010}": {"dPosX": float(at)} for at in range(images)}
    loops: list[tuple[int, dict[str, Any]]] = [
        (1, {"uiCount": times, "dStart": 0.0, "dPeriod": 1.0, "dDuration": 1.0}),
        (2, {"uiCount": images, "Points": points}),
        (4, {"uiCount": depths, "dZStep": SIZES["z"]}),
    ]
    experiment: dict[str, Any] = {}
    for kind, loop in reversed(loops):
        inner = {"ppNextLevelEx": {"i0000000000": experiment}} if experiment else {}
        experiment = {"eType": kind, "uLoopPars": loop} | inner
    chunks = {
        "ImageAttributesLV!": _variant({"SLxImageAttributes": attributes}),
        "ImageMetadataLV!": _variant({"SLxExperiment": experiment}),
        "ImageMetadataSeqLV|0!": _variant({"SLxPictureMetadata": picture}),
    }
    per_time = images * depths
    moments = [1000 * INTERVAL_S * (at // per_time) + at % per_time for at in range(len(stored))]
    chunks["CustomData|AcqTimesCache!"] = struct.pack(f"<{len(moments)}d", *moments)
    for at, frame in enumerate(stored):
        chunks[f"ImageDataSeq|{at}!"] = struct.pack("<d", 0.0) + frame.tobytes()
    whole = _chunk("ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"), 32)
    listed = b""
    for name, content in chunks.items():
        listed += name.encode() + struct.pack("<QQ", len(whole), len(content))
        whole += _chunk(name, content, 4072)
    end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(whole))
    path.write_bytes(whole + _chunk("ND2 FILEMAP SIGNATURE NAME 0001!", listed + end, 32))


def _chunk(name: str, content: bytes, reserved: int) -> bytes:
    head = struct.pack("<IIQ", 0x0ABECEDA, reserved, len(content))
    return head + name.encode().ljust(reserved, b"\0") + content


def _variant(entries: dict[str, Any]) -> bytes:
    """Encode entries as Nikon does: kind, name and value; of groups, where each entry begins."""
    whole = b""
    for key, value in entries.items():
        kind = {bool: 1, int: 3, float: 6, str: 8, dict: 11}[type(value)]
        name = f"{key}\0".encode("utf-16-le")
        head = struct.pack("<BB", kind, len(key) + 1) + name
        if isinstance(value, dict):
            inner = _variant(value)
            content = struct.pack("<IQ", len(value), len(head) + 12 + len(inner)) + inner
            content += bytes(8 * len(value))
        elif isinstance(value, str):
            content = f"{value}\0".encode("utf-16-le")
        else:
            content = struct.pack({1: "<B", 3: "<I", 6: "<d"}[kind], value)
        whole += head + content
    return whole


WRITERS: dict[str, tuple[str, Callable[[Path, np.ndarray], None]]] = {
    ".czi": ("pylibCZIrw", write_czi),
    ".ims": ("h5py", write_ims),
    ".lif": ("liffile", write_lif),
    ".lof": ("liffile", write_lof),
    ".nd2": ("nd2", write_nd2),
    ".oib": ("oiffile", write_oib),
    ".oif": ("oiffile", write_oif),
    ".xlif": ("liffile", write_xlif),
}
"""Which library reads a format, and what writes it."""
SEVERAL = (".czi", ".ims", ".lif", ".nd2")
"""The formats of which a file may hold several images."""
