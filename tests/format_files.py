"""Small files of every format in the table of docs/images.md, of pixels along t, c, z, y and x.

Each says all that its format can say: pixel sizes (`SIZES`), names of channels (`NAMES`) and the
seconds between time points (`INTERVAL_S`). None is written by what reads it.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import tifffile
import zarr
from PIL import Image

from tests.microscope_files import INTERVAL_S, NAMES, WRITERS
from tests.small_images import SIZES

_LSM_INFO = 34412
_UIC1, _UIC2 = 33628, 33629
_PER_CM = (1e4 / SIZES["x"], 1e4 / SIZES["y"])


@dataclass(frozen=True)
class FileKind:
    """A format: the ending of its files, along which axes they have pixels, and what writes them.

    Attributes
    ----------
    suffix, axes
        Out of t, c, z, y, x.
    write
        Given a path and pixels along t, c, z, y, x, whose other axes are of length 1.
    library
        That may be absent.
    """

    suffix: str
    axes: str
    write: Callable[[Path, np.ndarray], None]
    library: str = "numpy"


def _write_ome_tiff(path: Path, pixels: np.ndarray) -> None:
    names = list(NAMES[: pixels.shape[1]])
    metadata: dict[str, Any] = {"axes": "TCZYX", "Channel": {"Name": names}}
    metadata |= {f"PhysicalSize{dim.upper()}": size for dim, size in SIZES.items()}
    metadata |= {"TimeIncrement": INTERVAL_S, "TimeIncrementUnit": "s"}
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata=metadata)


def _write_imagej(path: Path, pixels: np.ndarray) -> None:
    stack = pixels.swapaxes(1, 2)
    labels = list(NAMES[: pixels.shape[1]]) * (pixels.shape[0] * pixels.shape[2])
    metadata: dict[str, Any] = {"axes": "TZCYX", "unit": "um", "spacing": SIZES["z"]}
    metadata |= {"finterval": INTERVAL_S, "Labels": labels}
    per_um = (1 / SIZES["x"], 1 / SIZES["y"])
    tifffile.imwrite(path, stack, imagej=True, metadata=metadata, resolution=per_um)


def _write_plain(path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(
        path,
        pixels[0, 0],
        metadata=None,
        photometric="minisblack",
        resolution=_PER_CM,
        resolutionunit="CENTIMETER",
    )


def lsm_info(sizes: tuple[int, int, int, int, int], scan: int) -> bytes:
    """Begin the structure that LSM microscopes write: t, c, z, y and x, and lengths in metres."""
    times, channels, z, y, x = sizes
    ints = struct.pack("<II8i", 50350412, 192, x, y, z, channels, times, 1, 0, 0)
    lengths = struct.pack("<6d", *(SIZES[dim] * 1e-6 for dim in "xyz"), 0, 0, 0)
    rest = struct.pack("<HHIIIIId", scan, 0, 0, 0, 0, 0, 0, INTERVAL_S)
    return (ints + lengths + rest).ljust(192, b"\0")


def write_lsm(path: Path, pixels: np.ndarray, info: bytes | None = None) -> None:
    """Write planes with all channels in one page, and a thumbnail behind each."""
    times, channels, depths, *_ = pixels.shape
    info = info or lsm_info(pixels.shape, scan=6 if times > 1 else 0)
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        for at in range(times * depths):
            page = pixels[at // depths, :, at % depths]
            tags = [(_LSM_INFO, "B", len(info), info, True)] if at == 0 else []
            options: dict[str, Any] = {"metadata": None, "contiguous": False}
            if channels > 1:
                options |= {"planarconfig": "separate", "photometric": "minisblack"}
            writer.write(page if channels > 1 else page[0], extratags=tags, **options)
            small = page[..., ::4, ::4].astype(np.uint8)
            writer.write(small if channels > 1 else small[0], subfiletype=1, **options)


def write_stk(path: Path, pixels: np.ndarray, unit: bytes = b"um") -> None:
    """Write one directory with all planes behind it, and MetaMorph's tags."""
    _, _, planes, height, width = pixels.shape
    text = struct.pack("<I", len(unit) + 1) + unit + b"\0"
    x, y, z = (round(10_000 * SIZES[dim]) for dim in "xyz")
    fractions = struct.pack("<4I", x, 10_000, y, 10_000)
    of_planes = struct.pack("<6I", z, 10_000, 0, 0, 0, 0) * planes
    raw = pixels.astype("<u2").tobytes()
    begin = 8 + 2 + 12 * 10 + 4
    at_text, at_fractions = begin + 4 * 8, begin + 4 * 8 + len(text)
    at_planes = at_fractions + len(fractions)
    at_pixels = at_planes + len(of_planes)
    tags = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1)),
        *((262, 3, 1, 1), (273, 4, 1, at_pixels), (278, 4, 1, height)),
        *((279, 4, 1, 2 * height * width), (_UIC1, 4, 4, begin), (_UIC2, 5, planes, at_planes)),
    ]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    uic1 = struct.pack("<8I", 8, 0, 4, at_fractions, 5, at_fractions + 8, 6, at_text)
    path.write_bytes(
        b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + b"\0\0\0\0"
        + uic1 + text + fractions + of_planes + raw
    )  # fmt: skip


def _write_scanimage(path: Path, pixels: np.ndarray) -> None:
    _, channels, depths, *plane = pixels.shape
    saved = ";".join(str(at + 1) for at in range(channels))
    software = (
        f"SI.VERSION_MAJOR = 2020\nSI.hChannels.channelSave = [{saved}]\n"
        f"SI.hStackManager.framesPerSlice = 1\nSI.hStackManager.numSlices = {depths}"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for page in pixels.swapaxes(1, 2).reshape(-1, *plane):
            writer.write(page, metadata=None, software=software, contiguous=False)


def _write_zarr(path: Path, pixels: np.ndarray, version: str) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    chunks = (1, 1, 1, *(-(-length // 4) for length in pixels.shape[3:]))
    array = group.create_array("0", shape=pixels.shape, dtype=pixels.dtype, chunks=chunks)
    array[...] = pixels
    units = {"t": "second"} | dict.fromkeys("zyx", "micrometer")
    kinds = {"t": "time", "c": "channel"}
    level: dict[str, Any] = {"path": "0"}
    image: dict[str, Any] = {"version": version, "datasets": [level]}
    if version == "0.3":
        image["axes"] = list("tczyx")
    else:
        scale = [INTERVAL_S, 1.0, *(SIZES[dim] for dim in "zyx")]
        level["coordinateTransformations"] = [{"type": "scale", "scale": scale}]
        image["axes"] = [
            {"name": name, "type": kinds.get(name, "space")}
            | ({"unit": units[name]} if name in units else {})
            for name in "tczyx"
        ]
    labels = [{"label": name} for name in NAMES[: pixels.shape[1]]]
    said = {"multiscales": [image], "omero": {"channels": labels}}
    group.attrs.update({"ome": {"version": version} | said} if version == "0.5" else said)


def _write_mrc(path: Path, pixels: np.ndarray) -> None:
    with mrcfile.new(path) as file:
        file.set_data(pixels[:, 0])
        file.voxel_size = tuple(1e4 * SIZES[dim] for dim in "xyz")


def _write_priism(path: Path, pixels: np.ndarray) -> None:
    """Write all planes of a colour first, time points within it."""
    times, channels, depths, height, width = pixels.shape
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, width, height, times * channels * depths, 6)
    struct.pack_into("<3f", header, 40, *(SIZES[dim] for dim in "xyz"))
    struct.pack_into("<h", header, 96, -16224)
    struct.pack_into("<2h", header, 180, times, 2)
    struct.pack_into("<h", header, 196, channels)
    path.write_bytes(bytes(header) + pixels.swapaxes(1, 2).swapaxes(1, 2).tobytes())


def _write_png(path: Path, pixels: np.ndarray) -> None:
    per_inch = tuple(25_400 / SIZES[dim] for dim in "xy")
    Image.fromarray(pixels[0, 0, 0]).save(path, dpi=per_inch)


def _of_microscope(suffix: str) -> FileKind:
    library, write = WRITERS[suffix]
    return FileKind(suffix, "tczyx", lambda path, pixels: write(path, pixels[None]), library)


def _of_zarr(version: str) -> FileKind:
    return FileKind(".ome.zarr", "tczyx", lambda path, pixels: _write_zarr(path, pixels, version))


KINDS = {
    "OME-TIFF": FileKind(".ome.tif", "tczyx", _write_ome_tiff),
    "ImageJ TIFF": FileKind(".tif", "tczyx", _write_imagej),
    "plain TIFF": FileKind(".tif", "zyx", _write_plain),
    "Zeiss LSM": FileKind(".lsm", "tczyx", write_lsm),
    "MetaMorph STK": FileKind(".stk", "zyx", write_stk),
    "ScanImage TIFF": FileKind(".tif", "tczyx", _write_scanimage),
    "OME-Zarr 0.5": _of_zarr("0.5"),
    "OME-Zarr 0.4": _of_zarr("0.4"),
    "OME-Zarr 0.1 to 0.3": _of_zarr("0.3"),
    "MRC": FileKind(".mrc", "tzyx", _write_mrc),
    "Priism, DeltaVision": FileKind(".dv", "tczyx", _write_priism),
    "PNG": FileKind(".png", "yx", _write_png),
    "Zeiss CZI": _of_microscope(".czi"),
    "Nikon ND2": _of_microscope(".nd2"),
    "Leica LIF": _of_microscope(".lif"),
    "Leica LOF": _of_microscope(".lof"),
    "Leica XLIF": _of_microscope(".xlif"),
    "Olympus OIF": _of_microscope(".oif"),
    "Olympus OIB": _of_microscope(".oib"),
    "Imaris IMS": _of_microscope(".ims"),
}
"""By the names in the table."""
