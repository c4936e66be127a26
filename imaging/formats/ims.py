"""Imaris IMS: HDF5, in the layout that its maker has published; resolution level 0 is read."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from imaging.formats.header import Header, Readable, pixel_sizes
from imaging.formats.header import number as number_of
from imaging.formats.microscopes import DIMS, StackReader, Stackwise, names_of
from imaging.formats.several import Held, choose_alike, scenes
from imaging.formats.times import interval_of

_LEVEL = "ResolutionLevel 0"
_AXES = {"Z": "2", "Y": "1", "X": "0"}  # Imaris counts them from x


def read(library: Any, path: Path, choice: str | None) -> tuple[Header, Readable]:
    """Read the header of an IMS file (see `imaging.formats.microscopes.Microscope`)."""
    with library.File(path, "r") as file:
        # DataSet, DataSet1, …
        names = sorted((name for name in file if re.fullmatch(r"DataSet\d*", name)), key=len)
        held = [_held(file, name) for name in names]
        chosen, of_choice = choose_alike(path, held, choice)
        sizes, dtype = held[chosen[0]].sizes, held[chosen[0]].dtype
        info = file[names[chosen[0]].replace("DataSet", "DataSetInfo")]
        found, of_sizes = pixel_sizes(_lengths(info["Image"].attrs, sizes))
        times, channels, *lengths = sizes.values()
        labels = [
            _text(info[f"Channel {at}"].attrs, "Name") if f"Channel {at}" in info else None
            for at in range(channels)
        ]
        interval_s = _interval_s(info["TimeInfo"].attrs, times) if "TimeInfo" in info else None
    images = [names[at] for at in chosen]
    shape = (len(images) * times, channels, *lengths)

    @contextmanager
    def opened() -> Generator[StackReader]:
        with library.File(path, "r") as file:

            def read_stack(
                b: int, c: int, planes: slice, rows: slice, columns: slice
            ) -> NDArray[Any]:
                image, time = divmod(b, times)
                data = file[f"{images[image]}/{_LEVEL}/TimePoint {time}/Channel {c}/Data"]
                # Chunks are stored whole, so the array may be longer than the image.
                parts = zip(lengths, (planes, rows, columns), strict=True)
                return data[tuple(slice(*part.indices(length)) for length, part in parts)]

            yield read_stack

    remarks = (*of_choice, *of_sizes)
    header = Header(
        DIMS,
        shape,
        dtype,
        found,
        names_of(labels, channels),
        remarks,
        interval_s=interval_s,
        scenes=scenes([one.name for one in held], chosen),
    )
    return header, Stackwise(shape, dtype, opened)


def _held(file: Any, name: str) -> Held:
    times = file[name][_LEVEL]
    channels = times["TimePoint 0"]
    first = channels["Channel 0"]
    sizes = {"T": _count(times, "TimePoint"), "C": _count(channels, "Channel")}
    for at, dim in enumerate("ZYX"):
        stated = number_of(_text(first.attrs, f"ImageSize{dim}"))
        stored = first["Data"].shape[at]
        sizes[dim] = int(stated) if 0 < stated <= stored else stored
    return Held(name, sizes, first["Data"].dtype)


def _count(group: Any, kind: str) -> int:
    return sum(re.fullmatch(rf"{kind} \d+", name) is not None for name in group)


def _lengths(said: Any, sizes: dict[str, int]) -> list[tuple[str, object, str | None]]:
    """Divide the extent of the image along each axis by its pixels."""
    return [
        (
            dim.lower(),
            (number_of(_text(said, f"ExtMax{at}")) - number_of(_text(said, f"ExtMin{at}")))
            / sizes[dim],
            _text(said, "Unit"),
        )
        for dim, at in _AXES.items()
    ]


def _interval_s(said: Any, times: int) -> float | None:
    """Compare the dates and times of day of all time points, where each can be read."""
    try:
        moments = [
            datetime.fromisoformat(_text(said, f"TimePoint{at}")) for at in range(1, times + 1)
        ]
    except ValueError:
        return None
    return interval_of([(moment - moments[0]).total_seconds() for moment in moments])


def _text(attributes: Any, name: str) -> str:
    """Read a text, which Imaris writes as an array of letters; empty where it is absent."""
    letters = attributes.get(name, ())
    return b"".join(bytes(letter) for letter in letters).decode("utf-8", "replace").strip("\0 ")
