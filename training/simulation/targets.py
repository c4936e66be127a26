"""Where targets come from: generated structures, or the user's expanded images cut in squares."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from packages import images
from packages.cli import UserError, console
from packages.datasets import open_dataset
from training.simulation.structures import membranes

DEFAULT_PIXEL_SIZE_UM = 0.08
BACKGROUND_PERCENTILE = 2.0
BRIGHT_PERCENTILE = 99.8
_HOT = 1e6
"""Relative brightness that no specimen has, but defective pixels and damaged files."""
_NOT_IN_TIFF = ("float16", "int64", "uint64")
EMPTY_BELOW = 0.2
"""A square is nearly empty when fewer than `EMPTY_FRACTION` of its pixels are brighter."""
EMPTY_FRACTION = 0.01

Array = NDArray[np.number]
FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Target:
    """One target and what surrounds it.

    Attributes
    ----------
    image
        (y, x), what is written.
    brightness
        (y + 2 margin, x + 2 margin), float64: 0 is background, 1 bright structure. Light from the
        margin is blurred into the image.
    """

    image: Array
    brightness: FloatArray


class Targets(Protocol):
    """A list of targets of one pixel size.

    Attributes
    ----------
    pixel_size_um
        Side of a pixel, µm before expansion.
    sources
        Name of the specimen or file of each target.
    origins
        Where in its source each target lies; empty strings when that says nothing.
    """

    pixel_size_um: float
    sources: list[str]
    origins: list[str]

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index, in any order."""
        ...


def random_generator(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one purpose, independent of all others and of their order."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def relative_brightness(image: Array, background: float, bright: float) -> FloatArray:
    """Scale so that the background is 0 and bright structure 1; float64."""
    return (image.astype(np.float64) - background) / (bright - background)


class Generated:
    """Generated membrane-labelled cells; each image is a specimen of its own.

    Parameters
    ----------
    count
        Number of images.
    size_px
        Their side, pixels.
    pixel_size_um
        Side of a pixel, µm before expansion; 0.08 when omitted.
    seed
        Image i depends on the seed and on i alone.
    """

    def __init__(self, count: int, size_px: int, pixel_size_um: float | None, seed: int) -> None:
        self.pixel_size_um = pixel_size_um or DEFAULT_PIXEL_SIZE_UM
        self.sources = [f"generated {index:04d}" for index in range(count)]
        self.origins = [""] * count
        self._size_px = size_px
        self._seed = seed

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index."""
        inner = slice(margin_px, margin_px + self._size_px)
        for index in sorted(wanted):
            rng = random_generator(self._seed, index, 0)
            field = membranes(self._size_px + 2 * margin_px, self.pixel_size_um, rng)
            background, bright = np.percentile(field, [BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE])
            brightness = relative_brightness(field, float(background), float(bright))
            yield index, Target(field[inner, inner], brightness)


@dataclass(frozen=True)
class _Source:
    """An image file: its brightness scale and the corners (plane, y, x) of its squares."""

    path: Path
    name: str
    pixel_size_um: float | None
    background: float
    bright: float
    height: int
    width: int
    corners: list[tuple[int, int, int]]
    empty: int


class Expanded:
    """Squares of the user's images.

    Parameters
    ----------
    files
        Images by name.
    count
        How many squares to take, evenly over the files; all when omitted.
    size_px
        Side of a square; 0 takes whole images, cropped to a multiple of `multiple`.
    multiple
        What the sides must be divisible by.
    pixel_size_um
        Side of a pixel, µm before expansion; by default what the files say, over `expansion`.
    expansion
        Factor by which the sizes that the files state are larger than before expansion.
    seed
        Of the order of files and squares.

    Raises
    ------
    UserError
        A file is no image of one channel, too small, or constant; pixel sizes disagree.
    """

    def __init__(
        self,
        files: dict[str, Path],
        count: int | None,
        size_px: int,
        multiple: int,
        pixel_size_um: float | None,
        expansion: float,
        seed: int,
    ) -> None:
        scanned = [_scan(name, path, size_px, multiple) for name, path in sorted(files.items())]
        self.pixel_size_um = pixel_size_um or _common_pixel_size_um(scanned, expansion)
        _report_empty(scanned)
        filled = [source for source in scanned if source.corners]
        order = random_generator(seed, _ORDER_OF_FILES).permutation(len(filled))
        self._sources = [filled[index] for index in order]
        shuffled: list[list[tuple[int, int, int]]] = []
        for rank, source in enumerate(self._sources):
            rng = random_generator(seed, _ORDER_OF_SQUARES, rank)
            shuffled.append([source.corners[i] for i in rng.permutation(len(source.corners))])
        # One square of every file in turn: a limit is even, and a higher one only adds.
        turns = range(max((len(corners) for corners in shuffled), default=0))
        self._squares = [
            (source, corners[turn])
            for turn in turns
            for source, corners in zip(self._sources, shuffled, strict=True)
            if turn < len(corners)
        ][:count]
        self.sources = [source.name for source, _ in self._squares]
        self.origins = [f"plane {plane}, y {y}, x {x}" for _, (plane, y, x) in self._squares]

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index, file by file: each is read once."""
        for source in self._sources:
            ours = [index for index in sorted(wanted) if self._squares[index][0] is source]
            if not ours:
                continue
            planes, _ = _read_planes(source.path)
            for index in ours:
                plane, top, left = self._squares[index][1]
                rows = slice(top, top + source.height)
                columns = slice(left, left + source.width)
                around = _with_margin(planes[plane], rows, columns, margin_px)
                brightness = relative_brightness(around, source.background, source.bright)
                yield index, Target(planes[plane, rows, columns], brightness)


# Far beyond any index of an image, so that no stream is used twice.
_ORDER_OF_FILES = 2**32 - 1
_ORDER_OF_SQUARES = 2**32 - 2


def find_files(expanded: Path) -> dict[str, Path]:
    """Find the images to cut squares from.

    Parameters
    ----------
    expanded
        An image, a folder of images, or a dataset, whose targets are taken.

    Returns
    -------
    dict
        Path of each image by its name without suffix.
    """
    return {item.name: item.target or item.input for item in open_dataset(expanded).items}


def _read_planes(path: Path) -> tuple[Array, dict[str, float]]:
    """Read an image of one channel as (plane, y, x), with the pixel sizes the file states."""
    image = images.read(path)
    if "c" in image.dims:
        raise UserError(
            f"{path} has {image.sizes['c']} channels: "
            "a target has one, save the channel you need as a file of its own."
        )
    if image.dtype.name in _NOT_IN_TIFF:
        raise UserError(f"{path} holds {image.dtype} pixels: save it as float32 or uint16.")
    return image.values.reshape(-1, *image.shape[-2:]), image.attrs["pixel_size_um"]


def _scan(name: str, path: Path, size_px: int, multiple: int) -> _Source:
    """Measure the brightness of an image and find its squares."""
    planes, stated_um = _read_planes(path)
    rows, columns = planes.shape[1:]
    height = size_px or rows // multiple * multiple
    width = size_px or columns // multiple * multiple
    smallest = max(size_px, 4 * multiple)
    if min(rows, columns) < smallest:
        raise UserError(
            f"{path} is {columns} x {rows} pixels, too small for squares of {smallest}: "
            "give a smaller --size or leave the file out."
        )
    background, bright = (
        float(value) for value in np.percentile(planes, [BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE])
    )
    if bright <= background:
        raise UserError(
            f"{path} is constant or nearly so (its percentiles {BACKGROUND_PERCENTILE:g} and "
            f"{BRIGHT_PERCENTILE:g} are both {bright:g}): leave the file out."
        )
    if planes.max() > background + _HOT * (bright - background):
        raise UserError(
            f"{path} has pixels of {planes.max():g}, far beyond its bright structure of "
            f"{bright:g}: clip them or leave the file out."
        )
    corners: list[tuple[int, int, int]] = []
    empty = 0
    for plane, image in enumerate(planes):
        for top in range(rows % height // 2, rows - height + 1, height):
            for left in range(columns % width // 2, columns - width + 1, width):
                square = image[top : top + height, left : left + width]
                filled = relative_brightness(square, background, bright) > EMPTY_BELOW
                if filled.mean() < EMPTY_FRACTION:
                    empty += 1
                else:
                    corners.append((plane, top, left))
    return _Source(
        path=path,
        name=name,
        pixel_size_um=_square_pixel_um(path, stated_um),
        background=background,
        bright=bright,
        height=height,
        width=width,
        corners=corners,
        empty=empty,
    )


def _with_margin(image: Array, rows: slice, columns: slice, margin_px: int) -> Array:
    """Cut a square with its surroundings, reflected only where the image ends."""
    spans = [(rows.start, rows.stop, image.shape[0]), (columns.start, columns.stop, image.shape[1])]
    around = tuple(
        slice(max(start - margin_px, 0), min(stop + margin_px, size)) for start, stop, size in spans
    )
    missing = [
        (max(margin_px - start, 0), max(stop + margin_px - size, 0)) for start, stop, size in spans
    ]
    return np.pad(image[around], missing, mode="symmetric")


def _square_pixel_um(path: Path, stated_um: dict[str, float]) -> float | None:
    """Return the side of a pixel as the file states it, if it does."""
    if "y" not in stated_um or "x" not in stated_um:
        return None
    if not _agree(stated_um["y"], stated_um["x"]):
        raise UserError(
            f"{path} has pixels of {stated_um['x']:g} x {stated_um['y']:g} µm: "
            "resample it to square pixels, or give --pixel-size if this is wrong."
        )
    return stated_um["x"]


def _agree(one_um: float, other_um: float) -> bool:
    return abs(one_um - other_um) <= 0.01 * one_um


def _common_pixel_size_um(sources: list[_Source], expansion: float) -> float:
    """Return the one pixel size of all files, before expansion."""
    known = [(source.path, source.pixel_size_um) for source in sources if source.pixel_size_um]
    unknown = [source.path.name for source in sources if not source.pixel_size_um]
    if not known:
        console.print(
            f"No file states its pixel size: {DEFAULT_PIXEL_SIZE_UM} µm before expansion is "
            "assumed; give --pixel-size if this is wrong."
        )
        return DEFAULT_PIXEL_SIZE_UM
    (first, stated_um), *others = known
    for path, other_um in others:
        if not _agree(stated_um, other_um):
            raise UserError(
                f"{first} has pixels of {stated_um:g} µm, but {path} of {other_um:g} µm: "
                "simulate them one by one, or give --pixel-size if the files are wrong."
            )
    pixel_size_um = stated_um / expansion
    if unknown:
        console.print(
            f"{', '.join(unknown)}: no pixel size stated, the {pixel_size_um:.4g} µm of the "
            "others is assumed."
        )
    return pixel_size_um


def _report_empty(sources: list[_Source]) -> None:
    """Say how many squares were dropped for showing next to nothing."""
    empty = sum(source.empty for source in sources)
    if empty:
        total = empty + sum(len(source.corners) for source in sources)
        console.print(f"{empty} of {total} squares are nearly empty and left out.")
