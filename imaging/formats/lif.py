"""Leica LIF, LOF and XLIF; of the first two, pixels are mapped into memory."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from imaging.formats.header import Header, Readable, pixel_sizes
from imaging.formats.header import number as number_of
from imaging.formats.microscopes import (
    DIMS,
    StackReader,
    Stackwise,
    colour_picture,
    names_of,
    unknown_axes,
)
from imaging.formats.several import Held, choose_alike, scenes
from imaging.formats.tiff_complaints import complaints
from imaging.formats.units import seconds
from imaging.formats.xlif import TiffPlanes, lof_of

_ORDER = "MTCZYX"  # tiles of a mosaic and time points are processed one by one
_IDS = {"1": "x", "2": "y", "3": "z"}
_TIME = "4"


def read(library: Any, path: Path, choice: str | None) -> tuple[Header, Readable]:
    """Read the header of such a file (see `imaging.formats.microscopes.Microscope`)."""
    with complaints("liffile"), library.LifFile(path) as file:
        if lof := lof_of(path, file):
            return read(library, lof, choice)
        images = _images(file)
        held = [Held(one.path, dict(one.sizes), one.dtype) for one in images]
        chosen, of_choice = choose_alike(path, held, choice)
        image, sizes = images[chosen[0]], held[chosen[0]].sizes
        if "S" in sizes:
            raise colour_picture(path)
        if any(axis not in _ORDER for axis in sizes) or not {"Y", "X"} <= set(sizes):
            raise unknown_axes(path, sizes)
        for at in chosen:
            _ordered(path, images[at])  # refuses a file that ends before the image does
        found, of_sizes = _pixel_sizes(image)
        interval_s = _interval_s(image)
        names = [
            channel.get("LUTName")
            for channel in image.xml_element.iterfind(
                "Data/Image/ImageDescription/Channels/ChannelDescription"
            )
        ]
    tiles, times, channels, *lengths = (sizes.get(axis, 1) for axis in _ORDER)
    shape = (len(chosen) * tiles * times, channels, *lengths)

    @contextmanager
    def opened() -> Generator[StackReader]:
        with complaints("liffile"), library.LifFile(path) as file:
            images = _images(file)
            arrays = [_ordered(path, images[at]) for at in chosen]

            def read_stack(
                b: int, c: int, planes: slice, rows: slice, columns: slice
            ) -> NDArray[Any]:
                image, within = divmod(b, tiles * times)
                return arrays[image][*divmod(within, times), c, planes, rows, columns]

            yield read_stack

    dtype = held[chosen[0]].dtype
    remarks = (*of_choice, *of_sizes)
    header = Header(
        DIMS,
        shape,
        dtype,
        found,
        names_of(names, channels),
        remarks,
        interval_s=interval_s,
        scenes=scenes([one.name for one in held], chosen),
    )
    return header, Stackwise(shape, dtype, opened)


def _images(file: Any) -> list[Any]:
    """Return the images of a file; counts of photons over their arrival times are none."""
    return [one for one in file.images if not one.is_flim]


def _ordered(path: Path, image: Any) -> NDArray[Any] | TiffPlanes:
    """Map an image, with all axes in our order; the file has those longer than 1, in any."""
    if image.parent.type.name == "XLIF":
        return TiffPlanes(path, image, _ORDER)
    axes = [axis for axis in _ORDER if axis in image.sizes]
    mapped = image.asarray(out="memmap").transpose([list(image.sizes).index(one) for one in axes])
    return mapped.reshape([image.sizes.get(axis, 1) for axis in _ORDER])


def _pixel_sizes(image: Any) -> tuple[dict[str, float], tuple[Any, ...]]:
    """Read pixel sizes in the units stated."""
    steps = _steps(image)
    return pixel_sizes((dim, *steps[number]) for number, dim in _IDS.items() if number in steps)


def _interval_s(image: Any) -> float | None:
    return seconds(*_steps(image).get(_TIME, (0.0, None)))


def _steps(image: Any) -> dict[str, tuple[float, str | None]]:
    """Return steps along axes and their units; a length is that from the first to the last."""
    found = dict[str, tuple[float, str | None]]()
    for axis in image.xml_element.iterfind(
        "Data/Image/ImageDescription/Dimensions/DimensionDescription"
    ):
        steps = number_of(axis.get("NumberOfElements")) - 1
        if steps > 0:
            step = abs(number_of(axis.get("Length"))) / steps
            found[str(axis.get("DimID"))] = (step, axis.get("Unit"))
    return found
