"""Targets from the user's expanded images, cut in squares, or blocks of stacks."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imaging import images, resample
from imaging.channels import one_channel
from imaging.cli import UserError, console
from imaging.dataset_facts import FEWEST_PLANES
from imaging.datasets import open_dataset
from imaging.recordings import recordings
from simulation.expanded_sizes import agree
from simulation.stack import Stack
from simulation.targets import (
    BACKGROUND_PERCENTILE,
    BRIGHT_PERCENTILE,
    Array,
    Target,
    random_generator,
    relative_brightness,
)

_HOT = 1e6
"""Relative brightness that no specimen has, but defective pixels and damaged files."""
_NOT_IN_TIFF = ("float16", "int64", "uint64")
EMPTY_BELOW = 0.2
"""A square is nearly empty when fewer than `EMPTY_FRACTION` of its pixels are brighter."""
EMPTY_FRACTION = 0.01


@dataclass(frozen=True)
class _Source:
    """An image file: its brightness scale and the corners (plane, y, x) of its parts."""

    path: Path
    name: str
    background: float
    bright: float
    height: int
    width: int
    corners: list[tuple[int, int, int]]
    empty: int


class Expanded:
    """Squares of the user's images, or blocks of their stacks.

    Around a part lies what the image shows there, above and below it, too; only where the image
    ends it is reflected.

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
        Side of a pixel of the squares, µm before expansion.
    enlargement
        Pixels of a square per pixel of a file: another number than 1 resamples the images.
    seed
        Of the order of files and squares.
    channel
        Name or number of the one to take of several.
    stack
        Which planes a block has; squares of single planes without it.
    plane_distance_um
        Distance of the planes of the files, µm before expansion; another one than the stack draws
        resamples them.

    Raises
    ------
    UserError
        A file is no image of one channel, too small, or constant.
    """

    def __init__(
        self,
        files: dict[str, Path],
        count: int | None,
        size_px: int,
        multiple: int,
        pixel_size_um: float,
        enlargement: float,
        seed: int,
        channel: str | None = None,
        *,
        stack: Stack | None = None,
        plane_distance_um: float | None = None,
    ) -> None:
        self.pixel_size_um = pixel_size_um
        self._enlargement = enlargement
        self._channel = channel
        self._is_stack = stack is not None
        self._stack = stack or _PLANE
        self._plane_distance_um = plane_distance_um
        scanned = [
            _scan(name, path, self._read(path), size_px, multiple, self._stack)
            for name, path in sorted(files.items())
        ]
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
        first_of = recordings({name: [path] for name, path in files.items()})
        self.sources = [first_of[source.name] for source, _ in self._squares]
        sizes = [(source.height, source.width) for source in self._sources]
        self.largest: tuple[int, int] = max(sizes, key=math.prod, default=(0, 0))
        self.origins = [f"plane {plane}, y {y}, x {x}" for _, (plane, y, x) in self._squares]

    def make(self, wanted: Collection[int], margin_px: int) -> Iterator[tuple[int, Target]]:
        """Yield the wanted targets with their index, file by file: each is read once."""
        for source in self._sources:
            ours = [index for index in sorted(wanted) if self._squares[index][0] is source]
            if not ours:
                continue
            planes = self._read(source.path)
            for index in ours:
                first, top, left = self._squares[index][1]
                part = (
                    slice(first, first + self._stack.spanned),
                    slice(top, top + source.height),
                    slice(left, left + source.width),
                )
                below = self._stack.drawn - self._stack.reach - self._stack.spanned
                margins = [(self._stack.reach, below), *[(margin_px, margin_px)] * 2]
                around = _with_margin(planes, part, margins)
                brightness = relative_brightness(around, source.background, source.bright)
                image = self._stack.means(around)
                image = image[:, margin_px : margin_px + source.height]
                image = image[..., margin_px : margin_px + source.width]
                if not self._is_stack:
                    image, brightness = image[0], brightness[0]
                yield index, Target(image, brightness)

    def _read(self, path: Path) -> Array:
        """Read the planes of a file, as far apart as they are drawn."""
        planes = read_planes(path, self._enlargement, self._channel)
        drawn_um, stated_um = self._stack.plane_distance_um, self._plane_distance_um
        if stated_um is None or agree(drawn_um, stated_um):
            return planes
        count = max(round(len(planes) * stated_um / drawn_um), 1)
        columns = planes.reshape(len(planes), -1)
        resampled = resample.linear(columns, (count, columns.shape[1]))
        return resampled.reshape(count, *planes.shape[1:])


# Far beyond any index of an image, so that no stream is used twice.
_ORDER_OF_FILES = 2**32 - 1
_ORDER_OF_SQUARES = 2**32 - 2

# A single plane is a stack of which nothing above and below is known.
_PLANE = Stack(planes=1, z_step_um=0.0, per_step=1, reach=0)


def find_files(expanded: Path) -> dict[str, Path]:
    """Find the images to cut squares from, by name without suffix.

    They are in an image, a folder of images, or a dataset, whose targets are taken; what seems to
    be an image of another kind is said.
    """
    dataset = open_dataset(expanded)
    dataset.remarks.say()
    return {item.name: item.target or item.input for item in dataset.items}


def read_planes(path: Path, enlargement: float = 1.0, channel: str | None = None) -> Array:
    """Read one channel of an image, resampled where asked for.

    Parameters
    ----------
    path
        The file.
    enlargement
        New pixels per pixel of the file.
    channel
        Its name or number, where the image has several.

    Returns
    -------
    ndarray
        (plane, y, x).

    Raises
    ------
    UserError
        It has several channels and none is chosen, or pixels that cannot be written again.
    """
    image = one_channel(path, images.read(path), channel)
    if image.dtype.name in _NOT_IN_TIFF:
        raise UserError(f"{path} holds {image.dtype} pixels: save it as float32 or uint16.")
    planes = image.values.reshape(-1, *image.shape[-2:])
    if enlargement == 1:
        return planes
    rows, columns = (max(round(side * enlargement), 1) for side in planes.shape[1:])
    return resample.linear(planes, (rows, columns))


def _scan(
    name: str, path: Path, planes: Array, size_px: int, multiple: int, stack: Stack
) -> _Source:
    """Measure the brightness of an image and find its parts."""
    if len(planes) < stack.spanned:
        possible = (len(planes) - 1) // stack.per_step + 1
        way = f"give --depth-px {possible} or " if possible >= FEWEST_PLANES else ""
        raise UserError(
            f"{path} is {len(planes) * stack.plane_distance_um:.3g} µm thick, too little for "
            f"{stack.planes} planes of {stack.z_step_um:g} µm: {way}leave the file out."
        )
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
    thick = stack.planes * stack.per_step
    between = stack.per_step - 1  # the last plane of a block needs nothing after it
    blocks = (len(planes) + between) // thick
    highest = (len(planes) + between - blocks * thick) // 2
    for first in range(highest, highest + blocks * thick, thick):
        image = planes[first : first + stack.spanned : stack.per_step]
        for top in range(rows % height // 2, rows - height + 1, height):
            for left in range(columns % width // 2, columns - width + 1, width):
                square = image[:, top : top + height, left : left + width]
                filled = relative_brightness(square, background, bright) > EMPTY_BELOW
                if filled.mean() < EMPTY_FRACTION:
                    empty += 1
                else:
                    corners.append((first, top, left))
    return _Source(
        path=path,
        name=name,
        background=background,
        bright=bright,
        height=height,
        width=width,
        corners=corners,
        empty=empty,
    )


def _with_margin(
    image: Array, part: tuple[slice, ...], margins: Sequence[tuple[int, int]]
) -> Array:
    """Cut a part with its surroundings, reflected only where the image ends."""
    spans = [
        (cut.start, cut.stop, size, before, after)
        for cut, size, (before, after) in zip(part, image.shape, margins, strict=True)
    ]
    around = tuple(
        slice(max(start - before, 0), min(stop + after, size))
        for start, stop, size, before, after in spans
    )
    missing = [
        (max(before - start, 0), max(stop + after - size, 0))
        for start, stop, size, before, after in spans
    ]
    return np.pad(image[around], missing, mode="symmetric")


def _report_empty(sources: list[_Source]) -> None:
    """Say how many squares were dropped for showing next to nothing."""
    empty = sum(source.empty for source in sources)
    if empty:
        total = empty + sum(len(source.corners) for source in sources)
        console.print(f"{empty} of {total} squares are nearly empty and left out.")
