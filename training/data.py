"""Pairs in memory, and batches of patches drawn from them.

A batch is a pure function of the seed and the step, so a resumed run trains on what an
uninterrupted one would have, and a background thread can draw ahead without changing anything.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from imaging import images
from imaging.cli import UserError
from imaging.datasets import Item
from imaging.normalise import (
    EPSILON,
    HIGH_PERCENTILE,
    LOW_PERCENTILE,
    between,
    gain_for,
    normalise,
)
from imaging.remarks import Remark, Remarks
from imaging.resample import turned
from training.counting import cut_to_counting, finer, without_blank
from training.division import region_in_words
from training.factor import factor_between
from training.volumes import on_disk

Array = NDArray[np.float32]

# CARE draws the percentiles of the input anew for every patch: the network meets images whose
# background and brightest structure are not exactly where the percentiles put them.
LOW_PERCENTILES = (1.0, 3.0)
HIGH_PERCENTILES = (99.5, 99.9)

_FOREGROUND = 0.2  # of the normalised target: above it there is structure
_EMPTY_SHARE = 0.05  # the weight of a patch without structure, so that background is learnt too
_STRIDE = 8  # pixels between candidate patches
_STRIDE_Z = 4  # planes between those of volumes

_BLANK = (
    "planes of one value, in the input or in the truth, are left out of training, for they show "
    "nothing and may be lost ones: look at them, and remove them from both stacks."
)
_NAMED = 5  # blank planes of a stack that are named before the rest is counted


@dataclass(frozen=True)
class Pair:
    """One plane or volume of one image, or a part of it.

    Attributes
    ----------
    name
        File name without suffix, and the plane when there are several.
    input
        Counts as read, shape (y, x) or (z, y, x); those of a faint image times `gain_for` its
        range.
    target
        Truth, normalised by percentiles of its whole file, factor times as many pixels along y and
        x.
    lows, highs
        Percentiles of its whole file at the ends of `LOW_PERCENTILES` and `HIGH_PERCENTILES`.
    limits
        Percentiles 2 and 99.8 of that file; None where they are those of `input`.
    """

    name: str
    input: Array
    target: Array
    lows: tuple[float, float]
    highs: tuple[float, float]
    limits: tuple[float, float] | None = None

    @property
    def factor(self) -> int:
        """Pixels of the target along one of the input."""
        return self.target.shape[-1] // self.input.shape[-1]

    @property
    def normalised_input(self) -> Array:
        """The input as a package normalises it in its file."""
        return normalise(self.input) if self.limits is None else between(self.input, *self.limits)


@dataclass(frozen=True)
class Batch:
    """What one training step sees: (batch, 1, y, x), or with z before y; targets may be finer."""

    input: Tensor
    target: Tensor


def load_pairs(
    items: tuple[Item, ...], remarks: Remarks | None = None, *, volumes: bool = False
) -> list[Pair]:
    """Read images and their truths; stacks give one pair per plane, or are volumes.

    All planes of a file are brought to one scale, for brightness tells planes apart: an empty one
    stays empty.

    Parameters
    ----------
    items
        With targets; of each its region.
    remarks
        Takes down which planes are left out because they are blank.
    volumes
        Whether stacks along z are pairs of volumes, which are then held on disk.

    Returns
    -------
    list of Pair
        In the order of the items.

    Raises
    ------
    UserError
        A file cannot be read, the two sizes do not fit, or an image is constant or of many
        channels.
    """
    pairs: list[Pair] = []
    for item in items:
        loaded, blank = _load(item, 3 if volumes else 2)
        pairs += loaded
        if blank and remarks is not None:
            named = ", ".join(str(i) for i in blank[:_NAMED])
            more = f" and {len(blank) - _NAMED} more" if len(blank) > _NAMED else ""
            image = f"{item.name}{region_in_words(item)}"
            remarks.add(image, [Remark(_BLANK, f"counted from 0, plane {named}{more}")])
    return pairs


def _load(item: Item, ndim: int) -> tuple[list[Pair], list[int]]:
    """Return the pairs of one image, and the numbers of those left out because they are blank."""
    if item.target is None:
        raise UserError(f"{item.input} has no target: training needs pairs.")
    degraded = images.read(item.input)
    truth = images.read(item.target)
    if item.channel is None:
        _refuse_channels(item.input, degraded, item.target, truth)
    factor = factor_between(item.input, degraded.sizes, item.target, truth.sizes)
    region = tuple(item.region.get(str(dim), slice(None)) for dim in degraded.dims)
    planes, truths = (np.asarray(image.values, np.float32) for image in (degraded, truth))
    dims = degraded.dims
    del degraded, truth
    planes, truths, region = cut_to_counting(item.input, planes, truths, region)
    if item.channel is not None:  # not before: what counts must do so in all channels
        c = dims.index("c")
        of_channel = (*(slice(None),) * c, item.channel)
        planes, truths = planes[of_channel], truths[of_channel]
        region = (*region[:c], *region[c + 1 :])
    outside = planes.shape[:-ndim]
    numbers = np.arange(math.prod(outside)).reshape(outside)
    low1, low2, high1, high2 = np.percentile(
        without_blank(planes), [*LOW_PERCENTILES, *HIGH_PERCENTILES]
    )
    # As `normalise` does, but for a stack, of which a copy in double precision would be large.
    measured = without_blank(truths) if truths.ndim > 2 else truths.astype(np.float64)
    bottom, top = np.percentile(measured, [LOW_PERCENTILE, HIGH_PERCENTILE])
    for file, low, high in ((item.input, low2, high1), (item.target, bottom, top)):
        if low >= high:  # normalisation would divide by nothing
            raise UserError(
                f"{file} is constant or nearly so (almost all pixels are {low:g}): "
                "nothing can be learnt from it, remove the pair."
            )
    gain = np.float64(gain_for(float(high1 - low2)))
    if gain != 1:  # whatever program adds a constant to the range, it is nothing then
        planes = (planes * gain).astype(np.float32)
    # A plane alone has these by itself.
    limits = None
    if planes.ndim > 2 or item.region:
        dark, bright = np.percentile(without_blank(planes), [LOW_PERCENTILE, HIGH_PERCENTILE])
        limits = float(dark), float(bright)
    pairs: list[Pair] = []
    blank: list[int] = []
    region_of_truth = (*region[:-2], *finer(region[-2:], factor))
    chosen = (
        numbers[region[:-ndim]].ravel(),
        _samples(planes[region], ndim),
        _samples(truths[region_of_truth], ndim),
    )
    hold = on_disk if ndim == 3 else np.asarray
    for i, plane, true_plane in zip(*chosen, strict=True):
        if numbers.size > 1 and any(p.min() == p.max() for p in (plane, true_plane)):
            blank.append(int(i))
            continue
        pairs.append(
            Pair(
                name=item.name if numbers.size == 1 else f"{item.name}[{i}]",
                input=hold(plane),
                target=hold(between(true_plane, float(bottom), float(top))),
                lows=(float(low1 * gain), float(low2 * gain)),
                highs=(float(high1 * gain), float(high2 * gain)),
                limits=limits,
            )
        )
    if not pairs:
        remedy = "remove these planes from both stacks" if item.region else "remove the pair"
        raise UserError(
            f"{item.input} or {item.target} is blank in all planes"
            f"{region_in_words(item)}: nothing can be learnt from it, {remedy}."
        )
    return pairs, blank


def _refuse_channels(file: Path, degraded: xr.DataArray, target: Path, truth: xr.DataArray) -> None:
    for path, image in ((file, degraded), (target, truth)):
        if "c" in image.dims:
            raise UserError(
                f"{path} has {image.sizes['c']} channels: a pair has one, save the channel you "
                "need as files of their own (in Fiji: Image > Color > Split Channels)."
            )


def _samples(stack: Array, ndim: int) -> Array:
    """Return (plane, y, x), or (volume, z, y, x)."""
    return stack.reshape(-1, *stack.shape[-ndim:])


class Patches:
    """Draws batches; a patch is likelier the more structure it holds.

    Parameters
    ----------
    pairs
        Images to draw from, of one factor.
    size_px
        Side of a patch of the target, a multiple of the factor.
    batch_size
        Patches in a batch.
    seed
        With the step, it determines a batch.
    planes
        Of a patch, where the pairs are volumes.

    Raises
    ------
    UserError
        An image is smaller than a patch.
    """

    def __init__(
        self,
        pairs: list[Pair],
        *,
        size_px: int,
        batch_size: int,
        seed: int,
        planes: int | None = None,
    ) -> None:
        self.pairs = pairs
        self.factor = factor = pairs[0].factor
        self.size_px = size_px
        self.input_px = size_px // factor
        self.batch_size = batch_size
        self.seed = seed
        depth = () if planes is None else (planes,)
        self.input_shape = (*depth, self.input_px, self.input_px)
        self.target_shape = (*depth, size_px, size_px)
        self._strides = (*(_STRIDE_Z for _ in depth), _STRIDE, _STRIDE)
        candidates: list[tuple[int, ...]] = []
        weights: list[float] = []
        for index, pair in enumerate(pairs):
            if planes is not None and pair.input.shape[0] < planes:
                raise UserError(
                    f"Volume '{pair.name}' has {pair.input.shape[0]} planes, fewer than a training "
                    f"patch has, {planes}: use deeper stacks, or restore planes with --planes."
                )
            if min(pair.target.shape[-2:]) < size_px:
                raise UserError(
                    f"Image '{pair.name}' is {pair.input.shape[-1]}x{pair.input.shape[-2]} pixels, "
                    f"smaller than a training patch of {self.input_px}: use larger images."
                )
            share = _shares(pair.target, self.target_shape, _STRIDE * factor)
            for corner, value in np.ndenumerate(share):
                candidates.append(
                    (index, *(i * n for i, n in zip(corner, self._strides, strict=True)))
                )
                weights.append(float(value) + _EMPTY_SHARE)
        self._candidates = candidates
        self._cumulative = np.cumsum(weights) / np.sum(weights)

    def batch(self, step: int) -> Batch:
        """Draw the batch of one step.

        Parameters
        ----------
        step
            Number of the training step, from 0.

        Returns
        -------
        Batch
            Inputs of shape (batch_size, 1, *input_shape), and targets of
            (batch_size, 1, *target_shape).
        """
        rng = np.random.default_rng((self.seed, step))
        inputs, targets = self._empty()
        for k, (index, *corner) in enumerate(self._draw_places(rng)):
            pair = self.pairs[index]
            sides = zip(corner, self.input_shape, strict=True)
            window = tuple(slice(start, start + side) for start, side in sides)
            low = np.interp(rng.random(), [0, 1], pair.lows)
            high = np.interp(rng.random(), [0, 1], pair.highs)
            degraded = (pair.input[window] - np.float32(low)) / np.float32(high - low + EPSILON)
            turns, flip = int(rng.integers(4)), bool(rng.integers(2))
            inputs[k, 0] = turned(degraded, turns, flip)
            targets[k, 0] = turned(pair.target[finer(window, self.factor)], turns, flip)
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets))

    def _empty(self) -> tuple[Array, Array]:
        """Return room for the inputs and the targets of a batch."""
        shapes = (self.input_shape, self.target_shape)
        inputs, targets = (np.empty((self.batch_size, 1, *shape), np.float32) for shape in shapes)
        return inputs, targets

    def _draw_places(self, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
        """Yield image and corner, in pixels of the input, of each patch of a batch."""
        chosen = np.searchsorted(self._cumulative, rng.random(self.batch_size))
        for c in chosen:
            index, *corner = self._candidates[min(int(c), len(self._candidates) - 1)]
            of_axes = zip(
                corner,
                self._strides,
                self.pairs[index].input.shape,
                self.input_shape,
                strict=True,
            )
            # Any phase of the sampling grid must be met, so the corner moves within the stride.
            moved = [
                min(start + int(rng.integers(stride)), length - side)
                for start, stride, length, side in of_axes
            ]
            yield index, *moved

    def batches(self, first: int) -> Iterator[Batch]:
        """Yield the batches from a step on, without end, drawing one ahead in the background."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            step = first
            ahead = pool.submit(self.batch, step)
            while True:
                batch = ahead.result()
                step += 1
                ahead = pool.submit(self.batch, step)
                yield batch


def _shares(target: Array, shape: tuple[int, ...], stride: int) -> NDArray[np.float64]:
    """Return how much of each candidate patch of a shape shows structure, by its first corner."""
    if target.ndim == 2:
        return _window_mean(target > _FOREGROUND, shape[-1])[::stride, ::stride]
    of_planes = [_shares(plane, shape[1:], stride) for plane in target]
    depth = np.pad(np.cumsum(of_planes, axis=0), ((1, 0), (0, 0), (0, 0)))
    return ((depth[shape[0] :] - depth[: -shape[0]]) / shape[0])[::_STRIDE_Z]


def _window_mean(mask: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    """Return the mean over every window of a side, indexed by the window's first corner."""
    integral = np.pad(mask.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    total = (
        integral[size:, size:]
        - integral[:-size, size:]
        - integral[size:, :-size]
        + integral[:-size, :-size]
    )
    return total / size**2
