"""Images restored by a network that is to be calibrated, beside their truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from packages.network_contract import RestorationNetwork
from training.counting import finer
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
        At most the upper left 512 pixels a side of each are restored, as many of the input.

    Returns
    -------
    list of Restored
        One of each image.
    """
    divisor = cast(RestorationNetwork, network).divisor
    device = next(network.parameters()).device
    found: list[Restored] = []
    for pair in pairs:
        seen = np.s_[:_LONGEST_PX, :_LONGEST_PX]
        image = pair.normalised_input[seen]
        truth = pair.target[finer(seen, pair.factor)]
        rows, columns = truth.shape
        shown = torch.from_numpy(_filled(image, divisor))[None, None].to(device)
        given = network(shown)[0, :2, :rows, :columns]
        found.append(Restored(given.float().cpu().numpy(), truth))
    return found


def _filled(image: Array, divisor: int) -> Array:
    """Reflect an image up to the next size that the network takes."""
    missing = [(0, -side % divisor) for side in image.shape]
    return np.pad(image, missing, mode="symmetric")
