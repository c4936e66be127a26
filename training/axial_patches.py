"""Batches that a network learns isotropic restoration from: planes degraded along their rows."""

import numpy as np
import torch
from numpy.typing import NDArray

from imaging.normalise import EPSILON
from imaging.resample import turned
from training.axial import AxialDegradation
from training.data import Array, Batch, Pair, Patches


class AxialPatches(Patches):
    """Draws patches of planes and records them along their rows as if these were an optical axis.

    Any direction of a plane may become the axis, for patches are turned before. Both images of a
    patch have one scale, by percentiles of the whole file drawn anew as those of `Patches` are.

    Parameters
    ----------
    pairs
        Of planes, whose inputs are looked at.
    degradation
        What happens along the axis.
    size_px
        Side of a patch of the target, a multiple of the degradation's factor.
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
        pairs: list[Pair],
        degradation: AxialDegradation,
        *,
        size_px: int,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(pairs, size_px=size_px, batch_size=batch_size, seed=seed)
        self._degradation = degradation

    def batch(self, step: int) -> Batch:
        """Draw the batch of one step.

        Parameters
        ----------
        step
            Number of the training step, from 0.

        Returns
        -------
        Batch
            Inputs of shape (batch_size, 1, size_px / factor, size_px), and targets of
            (batch_size, 1, size_px, size_px).
        """
        rng = np.random.default_rng((self.seed, step))
        side, margin = self.size_px, self._degradation.margin_px
        coarse = (self.batch_size, 1, side // self._degradation.factor, side)
        inputs = np.empty(coarse, np.float32)
        targets = np.empty((self.batch_size, 1, side, side), np.float32)
        for k, (index, i, j) in enumerate(self._draw_places(rng)):
            pair = self.pairs[index]
            low = np.float32(np.interp(rng.random(), [0, 1], pair.lows))
            high = np.float32(np.interp(rng.random(), [0, 1], pair.highs))
            around = _around(pair.input, (i, j), side, margin)
            around = turned(around, int(rng.integers(4)), bool(rng.integers(2)))
            plane = around[:, margin : margin + side]
            scale = high - low + np.float32(EPSILON)
            inputs[k, 0] = (self._degradation.record(plane, rng) - low) / scale
            targets[k, 0] = (plane[margin : margin + side] - low) / scale
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets))


def _around(plane: Array, corner: tuple[int, int], side: int, margin: int) -> NDArray[np.float32]:
    """Cut a square with its margins, which are reflected where the plane ends."""
    indices = [
        np.pad(np.arange(length), margin, mode="symmetric")[start : start + side + 2 * margin]
        for length, start in zip(plane.shape, corner, strict=True)
    ]
    return plane[np.ix_(*indices)]
