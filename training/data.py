"""Pairs in memory, and batches of patches drawn from them.

A batch is a pure function of the seed and the step, so a resumed run trains on what an
uninterrupted one would have, and a background thread can draw ahead without changing anything.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from imaging import images
from imaging.cli import UserError
from imaging.datasets import SPLITS, Dataset, Item, Split
from imaging.normalise import EPSILON, HIGH_PERCENTILE, LOW_PERCENTILE, normalise
from imaging.resample import turned

Array = NDArray[np.float32]

# CARE draws the percentiles of the input anew for every patch: the network meets images whose
# background and brightest structure are not exactly where the percentiles put them.
LOW_PERCENTILES = (1.0, 3.0)
HIGH_PERCENTILES = (99.5, 99.9)

_FOREGROUND = 0.2  # of the normalised target: above it there is structure
_EMPTY_SHARE = 0.05  # the weight of a patch without structure, so that background is learnt too
_STRIDE = 8  # pixels between candidate patches


@dataclass(frozen=True)
class Pair:
    """One plane of one image.

    Attributes
    ----------
    name
        File name without suffix, and the plane when there are several.
    input
        Counts as read, shape (y, x).
    target
        Percentile-normalised truth, shape (y, x).
    lows, highs
        Percentiles of the input at the ends of `LOW_PERCENTILES` and `HIGH_PERCENTILES`.
    """

    name: str
    input: Array
    target: Array
    lows: tuple[float, float]
    highs: tuple[float, float]


@dataclass(frozen=True)
class Batch:
    """What one training step sees: two tensors of shape (batch, 1, y, x)."""

    input: Tensor
    target: Tensor


def split_items(dataset: Dataset) -> dict[Split, tuple[Item, ...]]:
    """Return the parts of a dataset, dividing it by source when it does not say how.

    Parameters
    ----------
    dataset
        With or without splits of its own.

    Returns
    -------
    dict
        Items by part; none is empty. Without a split of its own, every fifth source is held out,
        in the order of names: alternately for validation and for calibration.

    Raises
    ------
    UserError
        No targets, a part is empty, or fewer than three sources.
    """
    if any(item.target is None for item in dataset.items):
        raise UserError(
            f"{dataset.path} has no target/ folder: training needs pairs, "
            "input/NAME and target/NAME."
        )
    if any(item.split for item in dataset.items):
        parts: dict[Split, tuple[Item, ...]] = {part: dataset.split(part) for part in SPLITS}
        for part, items in parts.items():
            if not items:
                raise UserError(
                    f"{dataset.path / 'dataset.toml'} leaves the part '{part}' empty: "
                    "give at least one image to each of train, calibration and validation."
                )
        return parts
    sources = sorted({item.source for item in dataset.items})
    if len(sources) < 3:
        raise UserError(
            f"{dataset.path} holds {len(sources)} image(s): training needs at least 3, "
            "for training, calibration and validation."
        )
    held_out = sources[::5] if len(sources) > 5 else [sources[0], sources[-1]]
    part_of: dict[str, Split] = dict.fromkeys(sources, "train")
    for i, source in enumerate(held_out):
        part_of[source] = "validation" if i % 2 == 0 else "calibration"
    return {
        part: tuple(item for item in dataset.items if part_of[item.source] == part)
        for part in SPLITS
    }


def load_pairs(items: tuple[Item, ...]) -> list[Pair]:
    """Read images and their truths; stacks give one pair per plane.

    Parameters
    ----------
    items
        With targets.

    Returns
    -------
    list of Pair
        In the order of the items.

    Raises
    ------
    UserError
        A file cannot be read, the two sizes differ, or an image is constant or of many channels.
    """
    pairs: list[Pair] = []
    for item in items:
        if item.target is None:
            raise UserError(f"{item.input} has no target: training needs pairs.")
        degraded = images.read(item.input)
        truth = images.read(item.target)
        if degraded.sizes != truth.sizes:
            raise UserError(
                f"{item.input} is {dict(degraded.sizes)} but {item.target} is "
                f"{dict(truth.sizes)}: the two images of a pair must have the same size."
            )
        if "c" in degraded.dims:
            raise UserError(
                f"{item.input} has {degraded.sizes['c']} channels: "
                "a pair has one, save the channel you need as files of their own."
            )
        planes = _planes(degraded)
        truths = _planes(truth)
        for i, (plane, true_plane) in enumerate(zip(planes, truths, strict=True)):
            low1, low2, high1, high2 = np.percentile(plane, [*LOW_PERCENTILES, *HIGH_PERCENTILES])
            bottom, top = np.percentile(true_plane, [LOW_PERCENTILE, HIGH_PERCENTILE])
            for file, low, high in ((item.input, low2, high1), (item.target, bottom, top)):
                if low >= high:  # normalisation would divide by nothing
                    raise UserError(
                        f"{file} is constant or nearly so (almost all pixels are {low:g}): "
                        "nothing can be learnt from it, remove the pair."
                    )
            pairs.append(
                Pair(
                    name=item.name if len(planes) == 1 else f"{item.name}[{i}]",
                    input=plane,
                    target=normalise(true_plane),
                    lows=(float(low1), float(low2)),
                    highs=(float(high1), float(high2)),
                )
            )
    return pairs


def _planes(image: xr.DataArray) -> Array:
    """Return (plane, y, x) as float32, which holds whatever can be read."""
    return np.asarray(image.values, np.float32).reshape(-1, *image.shape[-2:])


class Patches:
    """Draws batches; a patch is likelier the more structure it holds.

    Parameters
    ----------
    pairs
        Images to draw from.
    size_px
        Side of a patch.
    batch_size
        Patches in a batch.
    seed
        With the step, it determines a batch.

    Raises
    ------
    UserError
        An image is smaller than a patch.
    """

    def __init__(self, pairs: list[Pair], *, size_px: int, batch_size: int, seed: int) -> None:
        self.pairs = pairs
        self.size_px = size_px
        self.batch_size = batch_size
        self.seed = seed
        candidates: list[tuple[int, int, int]] = []
        weights: list[float] = []
        for index, pair in enumerate(pairs):
            if min(pair.target.shape) < size_px:
                raise UserError(
                    f"Image '{pair.name}' is {pair.target.shape[1]}x{pair.target.shape[0]} pixels, "
                    f"smaller than a training patch of {size_px}: use larger images."
                )
            share = _window_mean(pair.target > _FOREGROUND, size_px)[::_STRIDE, ::_STRIDE]
            for (i, j), value in np.ndenumerate(share):
                candidates.append((index, i * _STRIDE, j * _STRIDE))
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
            Two tensors of shape (batch_size, 1, size_px, size_px).
        """
        rng = np.random.default_rng((self.seed, step))
        inputs = np.empty((self.batch_size, 1, self.size_px, self.size_px), np.float32)
        targets = np.empty_like(inputs)
        for k, (index, i, j) in enumerate(self._draw_places(rng)):
            pair = self.pairs[index]
            window = np.s_[i : i + self.size_px, j : j + self.size_px]
            low = np.interp(rng.random(), [0, 1], pair.lows)
            high = np.interp(rng.random(), [0, 1], pair.highs)
            degraded = (pair.input[window] - np.float32(low)) / np.float32(high - low + EPSILON)
            turns, flip = int(rng.integers(4)), bool(rng.integers(2))
            inputs[k, 0] = turned(degraded, turns, flip)
            targets[k, 0] = turned(pair.target[window], turns, flip)
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets))

    def _draw_places(self, rng: np.random.Generator) -> Iterator[tuple[int, int, int]]:
        """Yield image and corner of each patch of a batch."""
        chosen = np.searchsorted(self._cumulative, rng.random(self.batch_size))
        for c in chosen:
            index, i, j = self._candidates[min(int(c), len(self._candidates) - 1)]
            height, width = self.pairs[index].target.shape
            # Any phase of the sampling grid must be met, so the corner moves within the stride.
            i = min(i + int(rng.integers(_STRIDE)), height - self.size_px)
            j = min(j + int(rng.integers(_STRIDE)), width - self.size_px)
            yield index, i, j

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
