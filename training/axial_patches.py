"""Batches that a network learns isotropic restoration from: planes degraded along their rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from imaging.normalise import EPSILON
from imaging.resample import turned
from training.axial import AxialDegradation
from training.data import Array, Batch, Pair, Patches
from training.registered import brightest


class Channel(NamedTuple):
    """Planes of one channel, and what happens to them along the axis."""

    pairs: list[Pair]
    degradation: AxialDegradation


class AxialPatches(Patches):
    """Draws patches of planes and records them along their rows as if these were an optical axis.

    Any direction of a plane may become the axis, for patches are turned before. Both images of a
    patch have one scale, by percentiles of the whole file drawn anew as those of `Patches` are.
    Channels are turned alike, and each has its own scale and noise.

    Parameters
    ----------
    channels
        Of the same planes each, whose inputs are looked at; degraded to one factor by one blur.
    size_px
        Side of a patch of the target, a multiple of the degradations' factor.
    batch_size
        Patches in a batch.
    seed
        With the step, it determines a batch.

    Raises
    ------
    UserError
        A plane is smaller than a patch.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        *,
        size_px: int,
        batch_size: int,
        seed: int,
    ) -> None:
        planes = zip(*(channel.pairs for channel in channels), strict=True)
        pairs = [brightest(of_plane) for of_plane in planes]
        super().__init__(pairs, size_px=size_px, batch_size=batch_size, seed=seed)
        self._channels = channels

    def batch(self, step: int) -> Batch:
        """Draw the batch of one step.

        Parameters
        ----------
        step
            Number of the training step, from 0.

        Returns
        -------
        Batch
            Inputs of shape (batch_size, channels, size_px / factor, size_px), and targets of
            (batch_size, channels, size_px, size_px).
        """
        rng = np.random.default_rng((self.seed, step))
        alike = self._channels[0].degradation
        side, margin = self.size_px, alike.margin_px
        outside = (self.batch_size, len(self._channels))
        inputs = np.empty((*outside, side // alike.factor, side), np.float32)
        targets = np.empty((*outside, side, side), np.float32)
        for k, (index, i, j) in enumerate(self._draw_places(rng)):
            limits = [_limits(channel.pairs[index], rng) for channel in self._channels]
            turns, flip = int(rng.integers(4)), bool(rng.integers(2))
            for c, (channel, (low, high)) in enumerate(zip(self._channels, limits, strict=True)):
                around = _around(channel.pairs[index].input, (i, j), side, margin)
                plane = turned(around, turns, flip)[:, margin : margin + side]
                scale = high - low + np.float32(EPSILON)
                inputs[k, c] = (channel.degradation.record(plane, rng) - low) / scale
                targets[k, c] = (plane[margin : margin + side] - low) / scale
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets))


def _limits(pair: Pair, rng: np.random.Generator) -> tuple[np.float32, np.float32]:
    """Draw the intensities that become 0 and 1."""
    low = np.float32(np.interp(rng.random(), [0, 1], pair.lows))
    return low, np.float32(np.interp(rng.random(), [0, 1], pair.highs))


def _around(plane: Array, corner: tuple[int, int], side: int, margin: int) -> NDArray[np.float32]:
    """Cut a square with its margins, which are reflected where the plane ends."""
    indices = [
        np.pad(np.arange(length), margin, mode="symmetric")[start : start + side + 2 * margin]
        for length, start in zip(plane.shape, corner, strict=True)
    ]
    return plane[np.ix_(*indices)]
