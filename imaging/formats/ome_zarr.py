"""OME-Zarr: versions 0.4 and 0.5 are read, 0.5 is written (https://ngff.openmicroscopy.org)."""

import itertools
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from imaging.cli import UserError
from imaging.formats.header import Header, Readable, Writable, known, micrometres

_CHUNK = 512
_MARKS_OF_ZARR = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
_DIM_OF_AXIS = {"t": "b", "c": "c", "z": "z", "y": "y", "x": "x"}
_AXIS_OF_DIM = {dim: axis for axis, dim in _DIM_OF_AXIS.items()}


def read(path: Path) -> tuple[Header, Readable]:
    """Open the full resolution of an OME-Zarr image (see `imaging.formats.header.Format`)."""
    try:
        group = zarr.open_group(path, mode="r")
    except FileNotFoundError as error:
        raise UserError(
            f"{path} has no Zarr group metadata (zarr.json or .zgroup): copy it again as a whole."
        ) from error
    attributes: Mapping[str, Any] = dict(group.attrs)
    attributes = attributes.get("ome", attributes)
    if "multiscales" not in attributes:
        raise UserError(
            f"{path} has no OME-Zarr image metadata ('multiscales'): "
            "give the folder of one image, or export it again as OME-Zarr 0.4 or 0.5."
        )
    image = attributes["multiscales"][0]
    axes = image.get("axes", [])
    names = [axis["name"] if isinstance(axis, dict) else axis for axis in axes]
    if unknown := [name for name in names if name not in _DIM_OF_AXIS]:
        raise UserError(f"{path} has the unknown axis '{unknown[0]}': keep only t, c, z, y and x.")
    level = image["datasets"][0]
    array = group.get(level["path"])
    if not isinstance(array, zarr.Array) or array.ndim != len(names):
        raise UserError(
            f"{path} has no array '{level['path']}' that fits its axes: copy it again as a whole."
        )

    scale = np.ones(array.ndim)
    for transformation in (
        *level.get("coordinateTransformations", []),
        *image.get("coordinateTransformations", []),
    ):
        scale = scale * np.asarray(transformation.get("scale", 1.0))
    units = {axis["name"]: axis.get("unit") for axis in axes if isinstance(axis, dict)}
    dims = tuple(_DIM_OF_AXIS[name] for name in names)
    sizes = known(
        (dim, micrometres(float(value), units.get(dim)))
        for dim, value in zip(dims, scale, strict=True)
        if dim in "zyx"
    )
    labels = [channel.get("label") for channel in attributes.get("omero", {}).get("channels", [])]
    channels = [str(label) for label in labels] if labels and all(labels) else None
    return Header(dims, array.shape, np.dtype(array.dtype), sizes, channels), array


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
        axes.append({"name": _AXIS_OF_DIM[dim], "type": kind, **unit})
    scale = [header.pixel_size_um.get(dim, 1.0) for dim in header.dims]
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
