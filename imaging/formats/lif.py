"""Leica LIF and LOF; pixels are stored as they are, and mapped into memory."""

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
from imaging.formats.several import Held, choose_alike
from imaging.formats.tiff_complaints import complaints

_ORDER = "MTCZYX"  # tiles of a mosaic and time points are processed one by one
_IDS = {"1": "x", "2": "y", "3": "z"}


def read(library: Any, path: Path, number: int | None) -> tuple[Header, Readable]:
    """Read the header of a LIF or LOF file (see `imaging.formats.microscopes.Microscope`)."""
    with complaints("liffile"), library.LifFile(path) as file:
        images = _images(file)
        held = [Held(one.path, dict(one.sizes), one.dtype) for one in images]
        chosen, of_choice = choose_alike(path, held, number)
        image, sizes = images[chosen[0]], held[chosen[0]].sizes
        if "S" in sizes:
            raise colour_picture(path)
        if any(axis not in _ORDER for axis in sizes) or not {"Y", "X"} <= set(sizes):
            raise unknown_axes(path, sizes)
        for at in chosen:
            images[at].asarray(out="memmap")  # refuses a file that ends before the image does
        found, of_sizes = _pixel_sizes(image)
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
            arrays = [_ordered(images[at]) for at in chosen]

            def read_stack(
                b: int, c: int, planes: slice, rows: slice, columns: slice
            ) -> NDArray[Any]:
                image, within = divmod(b, tiles * times)
                return arrays[image][*divmod(within, times), c, planes, rows, columns]

            yield read_stack

    dtype = held[chosen[0]].dtype
    header = Header(DIMS, shape, dtype, found, names_of(names, channels), (*of_choice, *of_sizes))
    return header, Stackwise(shape, dtype, opened)


def _images(file: Any) -> list[Any]:
    """Return the images of a file; counts of photons over their arrival times are none."""
    return [one for one in file.images if not one.is_flim]


def _ordered(image: Any) -> NDArray[Any]:
    """Map an image, with all axes in our order; the file has those longer than 1, in any."""
    axes = [axis for axis in _ORDER if axis in image.sizes]
    mapped = image.asarray(out="memmap").transpose([list(image.sizes).index(one) for one in axes])
    return mapped.reshape([image.sizes.get(axis, 1) for axis in _ORDER])


def _pixel_sizes(image: Any) -> tuple[dict[str, float], tuple[Any, ...]]:
    """Read pixel sizes; a length is that from the first pixel's centre to the last one's."""
    lengths = list[tuple[str, object, str | None]]()
    for axis in image.xml_element.iterfind(
        "Data/Image/ImageDescription/Dimensions/DimensionDescription"
    ):
        dim, steps = _IDS.get(axis.get("DimID")), number_of(axis.get("NumberOfElements")) - 1
        if dim and steps > 0:
            lengths.append((dim, abs(number_of(axis.get("Length"))) / steps, axis.get("Unit")))
    return pixel_sizes(lengths)
