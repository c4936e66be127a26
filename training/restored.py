"""Images restored by a network that is to be calibrated, beside their truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from packages.network_contract import divisors
from training.counting import finer
from training.data import Array, Pair

# What of an image is restored; posteriors take time.
_OF_PLANE = np.s_[:512, :512]
_OF_VOLUME = np.s_[:48, :192, :192]


@dataclass(frozen=True)
class Restored:
    """A restored image and its truth, in normalised intensity.

    Attributes
    ----------
    channels
        The restored image, and its standard deviation where the network states one; shape
        (channel, y, x), or with z before y.
    truth
        As it is, shape (y, x) or (z, y, x).
    """

    channels: Array
    truth: Array

    @property
    def mean(self) -> Array:
        """The restored image."""
        return self.channels[0]

    @property
    def middle_plane(self) -> "Restored":
        """The middle plane of a volume; a plane is its own."""
        if self.truth.ndim == 2:
            return self
        z = len(self.truth) // 2
        return Restored(self.channels[:, z], self.truth[z])


@torch.no_grad()
def restore(network: nn.Module, pairs: Sequence[Pair]) -> list[Restored]:
    """Restore images as a user of the package will.

    Parameters
    ----------
    network
        A `RestorationNetwork`, in evaluation mode.
    pairs
        At most the upper left 512 pixels a side of each are restored, as many of the input; of
        volumes 192 pixels and the first 48 planes.

    Returns
    -------
    list of Restored
        One of each image.
    """
    sides = tuple(divisors(network).values())
    device = next(network.parameters()).device
    found: list[Restored] = []
    for pair in pairs:
        seen = _OF_PLANE if pair.input.ndim == 2 else _OF_VOLUME
        image = pair.normalised_input[seen]
        truth = np.array(pair.target[finer(seen, pair.factor)])
        shown = torch.from_numpy(_filled(image, sides))[None, None].to(device)
        given = network(shown)[0, :2, *(slice(side) for side in truth.shape)]
        found.append(Restored(given.float().cpu().numpy(), truth))
    return found


def _filled(image: Array, divisors: tuple[int, ...]) -> Array:
    """Reflect an image up to the next size that the network takes."""
    missing = [(0, -side % of) for side, of in zip(image.shape, divisors, strict=True)]
    return np.pad(image, missing, mode="symmetric")
