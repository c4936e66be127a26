"""OME-Zarr written file by file: by one process or several, with coarser levels where wanted.

A file is a chunk, or a shard of several. Each is written whole, under another name first, so that
one that is there is done.
"""

import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.formats.header import Header, Storage, Writable

Region = tuple[slice, ...]
"""A part of an array, along each axis."""

_CHUNK = 512
_COARSEST_PX = 512  # along the longer side of the coarsest level
_AXIS_OF_DIM = {"b": "t", "c": "c", "z": "z", "y": "y", "x": "x"}
_BEGUN = "*.partial"  # what zarr calls a file until it is whole


@contextmanager
def create(path: Path, header: Header) -> Generator[Writable]:
    """Make an OME-Zarr image, written file by file (see `imaging.formats.header.Format`)."""
    begin(path, header)
    yield _Filewise(_array(path, 0))
    for level in range(1, levels(path)):
        for region in files(path, level):
            coarsen(path, level, region)


def begin(path: Path, header: Header) -> None:
    """Write all of an image but its pixels.

    Parameters
    ----------
    path
        A folder; what was in it is replaced.
    header
        What it is to be.
    """
    storage = header.storage or Storage(_usual_chunks(header))
    is_new = storage.version == "0.5"
    group = zarr.open_group(path, mode="w", zarr_format=3 if is_new else 2)
    shapes = list(_shapes(header, storage))
    metadata = _metadata(header, storage, len(shapes))
    group.attrs.update({"ome": metadata} if is_new else metadata)
    if header.annotations:
        group.attrs["annotations"] = header.annotations
    names = [_AXIS_OF_DIM[dim] for dim in header.dims]
    for level, shape in enumerate(shapes):
        chunks = tuple(min(n, length) for n, length in zip(storage.chunks, shape, strict=True))
        shards = None
        if storage.shards is not None:
            # No shard is longer than the image, in whole chunks.
            shards = tuple(
                min(shard, -(-length // chunk) * chunk) // chunk * chunk
                for shard, length, chunk in zip(storage.shards, shape, chunks, strict=True)
            )
        group.create_array(
            str(level),
            shape=shape,
            dtype=header.dtype,
            chunks=chunks,
            shards=shards,
            dimension_names=names if is_new else None,
            chunk_key_encoding=None if is_new else {"name": "v2", "separator": "/"},
            config={"write_empty_chunks": True},  # what is not there was not written
        )


def levels(path: Path) -> int:
    """Count the levels of an image that `begin` made."""
    return len(list(zarr.open_group(path, mode="r").array_keys()))


def files(path: Path, level: int) -> list[Region]:
    """Return the parts of a level that are one file each."""
    array = _array(path, level)
    return list(_parts((slice(0, n) for n in array.shape), _file_shape(array), array.shape))


def is_written(path: Path, level: int, region: Region) -> bool:
    """Tell whether all files of a part of a level are there.

    Parameters
    ----------
    path
        As `begin` made it.
    level
        Which; 0 is the finest.
    region
        Slices with start and stop, of whole files but at the image's end.
    """
    array = _array(path, level)
    shape = _file_shape(array)
    numbers = [
        range(part.start // n, -(-part.stop // n)) for part, n in zip(region, shape, strict=True)
    ]
    return all(
        (path / str(level) / array.metadata.encode_chunk_key(at)).is_file()
        for at in itertools.product(*numbers)
    )


def write_region(path: Path, region: Region, pixels: NDArray[Any]) -> None:
    """Write a part of the finest level, of whole files but at the image's end; see `is_written`.

    Raises
    ------
    UserError
        The image is gone.
    """
    _Filewise(_array(path, 0))[region] = pixels


def coarsen(path: Path, level: int, region: Region) -> None:
    """Write a part of a level: means of two by two pixels of the finer one, which is complete.

    Parameters are those of `is_written`; the last row or column of an odd number counts alone.
    """
    array, finer = _array(path, level), _array(path, level - 1)
    twice = [
        part if n == m else slice(2 * part.start, min(2 * part.stop, m))
        for part, n, m in zip(region, array.shape, finer.shape, strict=True)
    ]
    pixels = np.asarray(finer[tuple(twice)], np.float64)
    for axis in (pixels.ndim - 2, pixels.ndim - 1):
        if array.shape[axis] < finer.shape[axis]:
            pixels = _halved(pixels, axis)
    if array.dtype.kind in "iu":
        pixels = np.rint(pixels)
    _Filewise(array)[region] = pixels.astype(array.dtype)


def finish(path: Path) -> None:
    """Check that no file of an image is missing, and remove what killed processes had begun.

    Raises
    ------
    UserError
        One is missing.
    """
    for begun in path.rglob(_BEGUN):
        begun.unlink(missing_ok=True)
    for level in range(levels(path)):
        for region in files(path, level):
            if not is_written(path, level, region):
                raise UserError(
                    f"{path} lost files while it was written: run the command again, which makes "
                    "those that are missing."
                )


def _halved(pixels: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the means of pairs along an axis."""
    first = pixels.take(range(0, pixels.shape[axis], 2), axis)
    second = pixels.take(range(1, pixels.shape[axis], 2), axis)
    if second.shape[axis] < first.shape[axis]:
        second = np.concatenate([second, first.take([-1], axis)], axis)
    return (first + second) / 2


def _array(path: Path, level: int) -> zarr.Array[Any]:
    try:
        array = zarr.open_group(path, mode="r+")[str(level)]
    except (FileNotFoundError, KeyError) as error:
        raise UserError(
            f"{path} vanished while it was written: check the disk and run the command again."
        ) from error
    if not isinstance(array, zarr.Array):
        raise UserError(f"{path} has no array '{level}': remove it and run the command again.")
    return array.with_config({"write_empty_chunks": True})


def _file_shape(array: zarr.Array[Any]) -> tuple[int, ...]:
    return array.shards or array.chunks


class _Filewise:
    """Writes regions (integers, slices of step 1, an ellipsis) one file after the other.

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
        whole = [slice(r.start, r.stop) for r in ranges]
        for target in _parts(whole, _file_shape(self._array), self._array.shape):
            source = tuple(
                slice(part.start - r.start, part.stop - r.start)
                for part, r in zip(target, ranges, strict=True)
            )
            self._array[target] = pixels[source]


def _parts(region: Any, file: tuple[int, ...], shape: tuple[int, ...]) -> Iterator[Region]:
    """Yield the parts of a region that lie in one file each."""
    along = (
        [
            slice(max(part.start, at), min(part.stop, at + n, length))
            for at in range(part.start - part.start % n, part.stop, n)
        ]
        for part, n, length in zip(region, file, shape, strict=True)
    )
    return itertools.product(*along)


def _usual_chunks(header: Header) -> tuple[int, ...]:
    return tuple(_CHUNK if dim in "yx" else 1 for dim in header.dims)


def _shapes(header: Header, storage: Storage) -> Iterator[tuple[int, ...]]:
    """Yield the shape of each level, from fine to coarse."""
    shape = header.shape
    yield shape
    while storage.pyramid and max(shape[-2:]) > _COARSEST_PX:
        shape = (*shape[:-2], *(-(-n // 2) for n in shape[-2:]))
        yield shape


def _metadata(header: Header, storage: Storage, count: int) -> dict[str, Any]:
    axes: list[dict[str, str]] = []
    for dim in header.dims:
        kind = {"b": "time", "c": "channel"}.get(dim, "space")
        unit = {"unit": "micrometer"} if dim in header.pixel_size_um else {}
        if dim == "b" and header.interval_s is not None:
            unit = {"unit": "second"}
        axes.append({"name": _AXIS_OF_DIM[dim], "type": kind, **unit})
    version = storage.version
    image: dict[str, Any] = {
        "axes": axes,
        "datasets": [_dataset(header, level) for level in range(count)],
    }
    if count > 1:
        image["type"] = "mean of 2 by 2 pixels"
    metadata: dict[str, Any] = {"multiscales": [image]}
    # Version 0.5 states it once, 0.4 for each part.
    (metadata if version == "0.5" else image)["version"] = version
    if header.channels is not None:
        metadata["omero"] = _omero(header, header.channels)
        if version == "0.4":
            metadata["omero"]["version"] = version
    return metadata


def _dataset(header: Header, level: int) -> dict[str, Any]:
    """Say where the pixels of a level lie: the centre of the first one, and their steps."""
    steps = header.pixel_size_um | {"b": header.interval_s or 1.0}
    coarser = {dim: 2**level if dim in "yx" else 1 for dim in header.dims}
    fine = [steps.get(dim, 1.0) for dim in header.dims]
    scale = [step * coarser[dim] for dim, step in zip(header.dims, fine, strict=True)]
    translation = [
        header.origin_um.get(dim, 0.0) + (coarser[dim] - 1) / 2 * step
        for dim, step in zip(header.dims, fine, strict=True)
    ]
    transformations: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if any(translation):
        transformations.append({"type": "translation", "translation": translation})
    return {"path": str(level), "coordinateTransformations": transformations}


def _omero(header: Header, channels: list[str]) -> dict[str, Any]:
    """Name the channels, and say between which intensities they are shown."""
    whole = header.dtype.kind in "iu"
    low, high = (
        (int(np.iinfo(header.dtype).min), int(np.iinfo(header.dtype).max)) if whole else (0, 1)
    )
    window = {"min": low, "start": low, "end": high, "max": high}
    return {
        "channels": [
            {"label": name, "color": "FFFFFF", "active": True, "window": window}
            for name in channels
        ]
    }
