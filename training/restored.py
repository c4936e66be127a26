"""Images restored by a network that is to be calibrated, beside their truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from packages.network_contract import RestorationNetwork
from training.data import Array, Pair

_LONGEST_PX = 512  # of an image's side; posteriors take time


@dataclass(frozen=True)
class Restored:
    """A restored image and its truth, in normalised intensity.

    Attributes
    ----------
    channels
        The restored image, and its standard deviation where the network states one; shape
        (channel, y, x).
    truth
        As it is, shape (y, x).
    """

    channels: Array
    truth: Array

    @property
    def mean(self) -> Array:
        """The restored image."""
        return self.channels[0]


@torch.no_grad()
def restore(network: nn.Module, pairs: Sequence[Pair]) -> list[Restored]:
    """Restore images as a user of the package will.

    Parameters
    ----------
    network
        A `RestorationNetwork`, in evaluation mode.
    pairs
        At most the upper left 512 pixels a side of each are restored.

    Returns
    -------
    list of Restored
        One of each image.
    """
    divisor = cast(RestorationNetwork, network).divisor
    device = next(network.parameters()).device
    found: list[Restored] = []
    for pair in pairs:
        rows, columns = (min(side, _LONGEST_PX) for side in pair.target.shape)
        image = _filled(pair.normalised_input[:rows, :columns], divisor)
        given = network(torch.from_numpy(image)[None, None].to(device))[0, :2, :rows, :columns]
        found.append(Restored(given.float().cpu().numpy(), pair.target[:rows, :columns]))
    return found


def _filled(image: Array, divisor: int) -> Array:
    """Reflect an image up to the next size that the network takes."""
    missing = [(0, -side % divisor) for side in image.shape]
    return np.pad(image, missing, mode="symmetric")
