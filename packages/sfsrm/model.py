"""SFSRM's generator (Chen et al., Nature Communications 2023, 14:2854).

Single-frame super-resolution microscopy restores an image from itself and a map of its edges, the
radiality of `packages.sfsrm.radiality`, by the network of ESRGAN (Wang et al. 2018,
https://arxiv.org/abs/1809.00219): residual blocks of residual blocks of densely connected
convolutions. Every layer is local, so tiles that overlap by the halo give the same result as the
whole image.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.prime_factors import prime_factors
from packages.sfsrm.radiality import Radiality

RESIDUAL_SHARE = 0.2
"""What the change of a block counts when it is added to what came in (ESRGAN's β)."""
INITIAL_SHARE = 0.1
"""Of He's initial weights, in the dense blocks (ESRGAN)."""
MOST_TO_REACH_BY = 3
"""Blocks up to which the halo is as far as an influence could reach."""
SLOPE = 0.2
"""Of the activations, left of 0."""


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the outputs of all before it.

    Parameters
    ----------
    filters
        Channels before and after.
    growth
        Channels that each convolution but the last adds.
    """

    def __init__(self, filters: int, growth: int) -> None:
        super().__init__()
        growing = [nn.Conv2d(filters + i * growth, growth, 3, padding=1) for i in range(4)]
        self.growing = nn.ModuleList(growing)
        self.last = nn.Conv2d(filters + 4 * growth, filters, 3, padding=1)
        for layer in (*growing, self.last):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.get_parameter("bias"))
            with torch.no_grad():
                layer.weight.mul_(INITIAL_SHARE)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        seen = features
        for layer in self.growing:
            seen = torch.cat([seen, F.leaky_relu(layer(seen), SLOPE)], dim=1)
        return features + RESIDUAL_SHARE * self.last(seen)


class ResidualOfResiduals(nn.Module):
    """Three dense blocks in a row, their change added to what came in (ESRGAN's RRDB)."""

    def __init__(self, filters: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[DenseBlock(filters, growth) for _ in range(3)])

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        return features + RESIDUAL_SHARE * self.blocks(features)


class SFSRM(nn.Module):
    """Network that restores an image from it and its edges.

    Parameters
    ----------
    factor
        Pixels of the restored image along one of the input's (SFSRM: 4).
    coarsen
        Work on a grid this many times coarser than the input's, whose pixels, of image and edges,
        become channels (SFSRM: 1).
    filters, growth, blocks
        Channels, those that a convolution of a dense block adds, and residual blocks (SFSRM: 64, 32
        and 23).
    """

    def __init__(
        self,
        *,
        factor: int = 4,
        coarsen: int = 1,
        filters: int = 64,
        growth: int = 32,
        blocks: int = 23,
    ) -> None:
        super().__init__()
        self.factor = factor
        self.divisor = coarsen  # sides of the input must be multiples of this
        # A residual block could reach 15 pixels and hardly does: from a few on, the halo is
        # measured on an image.
        self.reaches_far = blocks > MOST_TO_REACH_BY
        self.edges = Radiality()
        self.first = nn.Sequential(
            nn.PixelUnshuffle(coarsen), nn.Conv2d(2 * coarsen**2, filters, 3, padding=1)
        )
        self.trunk = nn.Sequential(
            *[ResidualOfResiduals(filters, growth) for _ in range(blocks)],
            nn.Conv2d(filters, filters, 3, padding=1),
        )
        enlarging: list[nn.Module] = []
        for times in prime_factors(coarsen * factor):
            enlarging += [
                nn.Upsample(scale_factor=float(times), mode="nearest"),
                nn.Conv2d(filters, filters, 3, padding=1),
                nn.LeakyReLU(SLOPE),
            ]
        self.head = nn.Sequential(
            *enlarging,
            nn.Conv2d(filters, filters, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(filters, 1, 3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Restore.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `divisor`.

        Returns
        -------
        Tensor
            Restored image, shape (batch, 1, factor · y, factor · x).
        """
        features = self.first(torch.cat([image, self.edges(image)], dim=1))
        return self.head(features + self.trunk(features))
