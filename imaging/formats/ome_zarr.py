"""OME-Zarr: versions 0.1 to 0.5 are read, 0.5 is written (https://ngff.openmicroscopy.org)."""

import itertools
import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from imaging.cli import UserError
from imaging.formats.header import Header, Readable, Writable, pixel_sizes
from imaging.formats.units import seconds
from imaging.remarks import Remark

_CHUNK = 512
_MARKS_OF_ZARR = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
_DIM_OF_AXIS = {"t": "b", "c": "c", "z": "z", "y": "y", "x": "x"}
_AXIS_OF_DIM = {dim: axis for axis, dim in _DIM_OF_AXIS.items()}
_AXES_BEFORE_0_3 = "tczyx"
_LEVELS_OF_PLATES = 3  # row, column, field
_NO_UNIT = (
    "the scale has no unit and is not used as pixel size "
    "(give --pixel-size, or pixel_size_um in dataset.toml)."
)
_FIRST_OF_SEVERAL = (
    "the folder holds several images; the first is read (export another one by itself to use it)."
)
_ABSENT_CHUNKS = (
    "parts of the image are absent and read as its fill value; so empty regions are stored, and so "
    "does an incomplete copy look (copy it again if regions are missing)."
)


def read(path: Path) -> tuple[Header, Readable]:
    """Open the full resolution of an OME-Zarr image (see `imaging.formats.header.Format`)."""
    try:
        group = zarr.open_group(path, mode="r")
    except FileNotFoundError as error:
        raise UserError(
            f"{path} has no Zarr group metadata (zarr.json or .zgroup): copy it again as a whole."
        ) from error
    attributes = _attributes(group)
    if "multiscales" not in attributes:
        raise UserError(_no_image(path, group))
    multiscales = attributes["multiscales"]
    image = multiscales[0]
    array, level = _finest(path, group, image["datasets"])
    version = str(image.get("version", attributes.get("version", "")))
    axes = image.get("axes") or _axes_before_0_3(path, array, version)
    names = [axis["name"] if isinstance(axis, dict) else axis for axis in axes]
    if unknown := [name for name in names if name not in _DIM_OF_AXIS]:
        raise UserError(f"{path} has the unknown axis '{unknown[0]}': keep only t, c, z, y and x.")
    if array.ndim != len(names):
        raise UserError(
            f"{path} has no array '{level['path']}' that fits its axes: copy it again as a whole."
        )
    dims = tuple(_DIM_OF_AXIS[name] for name in names)
    units = {axis["name"]: axis.get("unit") for axis in axes if isinstance(axis, dict)}
    scale = _scale(image, level, array.ndim)
    in_space = {dim: length for dim, length in zip(dims, scale, strict=True) if dim in "zyx"}
    sizes, remarks = pixel_sizes((dim, length, units.get(dim)) for dim, length in in_space.items())
    unit_less = [f"{dim}: {n:g}" for dim, n in in_space.items() if n != 1 and not units.get(dim)]
    if unit_less:
        remarks = (*remarks, Remark(_NO_UNIT, ", ".join(unit_less)))
    if len(multiscales) > 1:
        names_of_images = ", ".join(f"'{other.get('name', '')}'" for other in multiscales)
        remarks = (*remarks, Remark(_FIRST_OF_SEVERAL, f"of {names_of_images}"))
    if absent := _absent_chunks(path / level["path"], array):
        remarks = (*remarks, Remark(_ABSENT_CHUNKS, absent))
    labels = [channel.get("label") for channel in attributes.get("omero", {}).get("channels", [])]
    channels = [str(label) for label in labels] if labels and all(labels) else None
    along_t = scale[dims.index("b")] if "b" in dims else 0.0
    header = Header(
        dims,
        array.shape,
        np.dtype(array.dtype),
        sizes,
        channels,
        remarks,
        interval_s=seconds(along_t, units.get("t")),
    )
    return header, array


def _attributes(group: zarr.Group) -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = dict(group.attrs)
    return attributes.get("ome", attributes)


def _no_image(path: Path, group: zarr.Group) -> str:
    """Say which folder to give instead of a plate's, a well's or a collection's."""
    below = _first_image(path, group, _LEVELS_OF_PLATES)
    if below is None:
        return (
            f"{path} has no OME-Zarr image metadata ('multiscales'): "
            "give the folder of one image, or export it again as OME-Zarr 0.4 or 0.5."
        )
    kind = next((kind for kind in ("plate", "well") if kind in _attributes(group)), "collection")
    return f"{path} is a {kind} of images: give the folder of one of them, such as {path / below}."


def _first_image(path: Path, group: zarr.Group, levels: int) -> str | None:
    """Find the first image below a group."""
    attributes = _attributes(group)
    wells = attributes.get("plate", {}).get("wells", [])
    images = attributes.get("well", {}).get("images", [])
    listed = [entry["path"] for entry in (*wells, *images)]
    for name in listed or sorted(folder.name for folder in path.iterdir() if folder.is_dir()):
        inner = group.get(name)
        if not isinstance(inner, zarr.Group):
            continue
        if "multiscales" in _attributes(inner):
            return name
        if levels > 1 and (below := _first_image(path / name, inner, levels - 1)):
            return f"{name}/{below}"
    return None


def _finest(
    path: Path, group: zarr.Group, datasets: list[dict[str, Any]]
) -> tuple[zarr.Array[Any], dict[str, Any]]:
    """Return the array of most pixels, which is to be the first, and what is said of it."""
    levels = [(group.get(level["path"]), level) for level in datasets]
    if not levels or not isinstance(levels[0][0], zarr.Array):
        first = datasets[0]["path"] if datasets else "0"
        raise UserError(f"{path} has no array '{first}': copy it again as a whole.")
    arrays = [(array, level) for array, level in levels if isinstance(array, zarr.Array)]
    return max(arrays, key=lambda pair: math.prod(pair[0].shape))


def _axes_before_0_3(path: Path, array: zarr.Array[Any], version: str) -> str:
    """Return the axes that every image of OME-Zarr 0.1 and 0.2 has, which need not say theirs."""
    if version not in ("", "0.1", "0.2"):
        raise UserError(f"{path} names no axes, as OME-Zarr {version} must: export it again.")
    if array.ndim != len(_AXES_BEFORE_0_3):
        raise UserError(
            f"{path} names no axes, and has {array.ndim} instead of the {len(_AXES_BEFORE_0_3)} of "
            "OME-Zarr 0.1 and 0.2: export it again as OME-Zarr 0.4 or 0.5."
        )
    return _AXES_BEFORE_0_3


def _scale(image: Mapping[str, Any], level: Mapping[str, Any], ndim: int) -> list[float]:
    scale = np.ones(ndim)
    for transformation in (
        *level.get("coordinateTransformations", []),
        *image.get("coordinateTransformations", []),
    ):
        scale = scale * np.asarray(transformation.get("scale", 1.0))
    return [float(along) for along in scale]


def _absent_chunks(folder: Path, array: zarr.Array[Any]) -> str:
    """Count the files of pixels that an array could have and does not."""
    chunk = array.shards or array.chunks
    whole = math.prod(-(-n // along) for n, along in zip(array.shape, chunk, strict=True))
    present = sum(
        not file.name.startswith(".") and file.name != "zarr.json" and file.is_file()
        for file in folder.rglob("*")
    )
    return f"{whole - present} of {whole} chunks" if present < whole else ""


def refusal(path: Path, header: Header) -> str | None:
    """Zarr holds all arrays of numbers, but replaces only what is Zarr itself."""
    held = {file.name for file in path.iterdir()} if path.is_dir() else set[str]()
    if held and held.isdisjoint(_MARKS_OF_ZARR):
        return "a folder that is no Zarr is in its place: move it away, or choose another name"
    return None


@contextmanager
def create(path: Path, header: Header) -> Generator[Writable]:
    """Make an OME-Zarr 0.5 image of one resolution, written chunk by chunk."""
    axes = [_AXIS_OF_DIM[dim] for dim in header.dims]
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.attrs["ome"] = _metadata(header)
    if header.annotations:
        group.attrs["annotations"] = header.annotations
    array = group.create_array(
        "0",
        shape=header.shape,
        dtype=header.dtype,
        chunks=tuple(
            min(_CHUNK, length) if dim in "yx" else 1
            for dim, length in zip(header.dims, header.shape, strict=True)
        ),
        dimension_names=axes,
    )
    yield _Chunkwise(array)


class _Chunkwise:
    """Writes regions (integers, slices of step 1, an ellipsis) one chunk after the other.

    Left to itself, zarr writes chunks side by side, and when one fails (a full disk) it goes on
    with the others in the background, into a folder that is being removed.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._array = array

    def __setitem__(self, key: Any, value: Any) -> None:
        places: list[Any] = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis not in places:
            places.append(Ellipsis)
        gap = places.index(Ellipsis)
        places[gap : gap + 1] = [slice(None)] * (self._array.ndim + 1 - len(places))
        ranges = [
            range(length)[place if isinstance(place, slice) else slice(place, place + 1 or None)]
            for place, length in zip(places, self._array.shape, strict=True)
        ]
        kept = [len(r) for r, place in zip(ranges, places, strict=True) if isinstance(place, slice)]
        pixels = np.broadcast_to(value, kept).reshape([len(r) for r in ranges])
        parts = (
            [slice(max(r.start, at), min(r.stop, at + n)) for at in _starts(r, n)]
            for r, n in zip(ranges, self._array.chunks, strict=True)
        )
        for target in itertools.product(*parts):
            source = tuple(
                slice(part.start - r.start, part.stop - r.start)
                for part, r in zip(target, ranges, strict=True)
            )
            self._array[target] = pixels[source]


def _starts(region: range, chunk: int) -> range:
    """Return where the chunks begin that a region touches."""
    return range(region.start - region.start % chunk, region.stop, chunk)


def _metadata(header: Header) -> dict[str, Any]:
    axes: list[dict[str, str]] = []
    for dim in header.dims:
        kind = {"b": "time", "c": "channel"}.get(dim, "space")
        unit = {"unit": "micrometer"} if dim in header.pixel_size_um else {}
        if dim == "b" and header.interval_s is not None:
            unit = {"unit": "second"}
        axes.append({"name": _AXIS_OF_DIM[dim], "type": kind, **unit})
    steps = header.pixel_size_um | {"b": header.interval_s or 1.0}
    scale = [steps.get(dim, 1.0) for dim in header.dims]
    transformations = [{"type": "scale", "scale": scale}]
    metadata: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": axes,
                "datasets": [{"path": "0", "coordinateTransformations": transformations}],
            }
        ],
    }
    if header.channels is not None:
        whole = header.dtype.kind in "iu"
        low, high = (
            (int(np.iinfo(header.dtype).min), int(np.iinfo(header.dtype).max)) if whole else (0, 1)
        )
        window = {"min": low, "start": low, "end": high, "max": high}
        metadata["omero"] = {
            "channels": [
                {"label": name, "color": "FFFFFF", "active": True, "window": window}
                for name in header.channels
            ]
        }
    return metadata
