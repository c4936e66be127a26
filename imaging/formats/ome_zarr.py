"""OME-Zarr: versions 0.1 to 0.5 are read, 0.4 and 0.5 written (https://ngff.openmicroscopy.org)."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from imaging.cli import UserError
from imaging.formats.header import Header, Readable, pixel_sizes
from imaging.formats.ome_zarr_writing import create
from imaging.formats.units import seconds
from imaging.remarks import Remark

__all__ = ["create", "read", "refusal"]

_MARKS_OF_ZARR = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
_DIM_OF_AXIS = {"t": "b", "c": "c", "z": "z", "y": "y", "x": "x"}
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
    scale, translation = _coordinates(image, level, array.ndim)
    in_space = {dim: length for dim, length in zip(dims, scale, strict=True) if dim in "zyx"}
    sizes, remarks = pixel_sizes((dim, length, units.get(dim)) for dim, length in in_space.items())
    unit_less = [f"{dim}: {n:g}" for dim, n in in_space.items() if n != 1 and not units.get(dim)]
    if unit_less:
        remarks = (*remarks, Remark(_NO_UNIT, ", ".join(unit_less)))
    if len(multiscales) > 1:
        names_of_images = ", ".join(f"'{other.get('name', '')}'" for other in multiscales)
        remarks = (*remarks, Remark(_FIRST_OF_SEVERAL, f"of {names_of_images}"))
    absent, count = _absent_chunks(path / level["path"], array)
    if absent:
        remarks = (*remarks, Remark(_ABSENT_CHUNKS, f"{absent} of {count} chunks"))
    labels = [channel.get("label") for channel in attributes.get("omero", {}).get("channels", [])]
    channels = [str(label) for label in labels] if labels and all(labels) else None
    first = dict(zip(dims, translation, strict=True))
    origin_um = {dim: first[dim] * um / in_space[dim] for dim, um in sizes.items()}
    along_t = scale[dims.index("b")] if "b" in dims else 0.0
    header = Header(
        dims,
        array.shape,
        np.dtype(array.dtype),
        sizes,
        channels,
        remarks,
        interval_s=seconds(along_t, units.get("t")),
        origin_um=origin_um if any(origin_um.values()) else {},
    )
    return header, _Watched(path, path / level["path"], array, is_whole=not absent)


class _Watched:
    """An array that notices when its files vanish, which zarr reads as its fill value."""

    def __init__(self, path: Path, folder: Path, array: zarr.Array[Any], *, is_whole: bool) -> None:
        self._path = path
        self._folder = folder
        self._array = array
        self._is_whole = is_whole

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        pixels = self._array[key]
        if not self._folder.is_dir() or (self._is_whole and not self._is_there(key)):
            raise UserError(
                f"{self._path} lost files while it was read: check its disk, or copy it again as a "
                "whole, and run the command again."
            )
        return pixels

    def _is_there(self, key: tuple[slice, ...]) -> bool:
        file = self._array.shards or self._array.chunks
        ranges = [range(n)[part] for part, n in zip(key, self._array.shape, strict=True)]
        numbers = (
            range(min(r[0], r[-1]) // n, max(r[0], r[-1]) // n + 1) if r else range(0)
            for r, n in zip(ranges, file, strict=True)
        )
        return all(
            (self._folder / self._array.metadata.encode_chunk_key(at)).is_file()
            for at in itertools.product(*numbers)
        )


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


def _coordinates(
    image: Mapping[str, Any], level: Mapping[str, Any], ndim: int
) -> tuple[list[float], list[float]]:
    """Return the step from pixel to pixel along each axis, and where the first one lies."""
    scale, translation = np.ones(ndim), np.zeros(ndim)
    for transformation in (
        *level.get("coordinateTransformations", []),
        *image.get("coordinateTransformations", []),
    ):
        factor = np.asarray(transformation.get("scale", 1.0))
        scale, translation = scale * factor, translation * factor
        translation = translation + np.asarray(transformation.get("translation", 0.0))
    return scale.tolist(), translation.tolist()


def _absent_chunks(folder: Path, array: zarr.Array[Any]) -> tuple[int, int]:
    """Count the files of pixels that are absent, and those that an array could have."""
    chunk = array.shards or array.chunks
    whole = math.prod(-(-n // along) for n, along in zip(array.shape, chunk, strict=True))
    present = sum(
        not file.name.startswith(".")
        and file.name != "zarr.json"
        and file.suffix != ".partial"  # which zarr had begun
        and file.is_file()
        for file in folder.rglob("*")
    )
    return max(whole - present, 0), whole


def refusal(path: Path, header: Header) -> str | None:
    """Zarr holds all arrays of numbers, but replaces only what is Zarr itself."""
    storage = header.storage
    if storage is not None and storage.shards is not None and storage.version == "0.4":
        return "OME-Zarr 0.4 has no shards: leave --shard out, or write 0.5"
    held = {file.name for file in path.iterdir()} if path.is_dir() else set[str]()
    if held and held.isdisjoint(_MARKS_OF_ZARR):
        return "a folder that is no Zarr is in its place: move it away, or choose another name"
    return None
