"""RCAN, residual channel attention (Zhang et al. 2018, https://arxiv.org/abs/1807.02758).

Residual groups hold residual blocks, each with a copy around it, so that what is coarse passes by
and the blocks are left with the detail. At the end of a block, channel attention weights each
channel by what the means of all channels say. All of it happens on the grid of the input; the last
layers bring it onto a finer one by sub-pixel convolution. For microscopy Chen et al. (2021,
https://doi.org/10.1038/s41592-021-01155-x) use it with fewer, narrower blocks.

Means are over windows as large as the training patches (`packages.local_mean`): on a patch they are
RCAN's, and in a larger image tiles that overlap enough agree.
"""

from torch import Tensor, nn

from packages.local_mean import CELL_PX, LocalMean, onto_pixels
from packages.prime_factors import prime_factors


class ChannelAttention(nn.Module):
    """Weights channels by their means: x · sigmoid(W₂ relu(W₁ mean(x))), equations 8 and 9.

    Parameters
    ----------
    channels
        Of the features.
    reduction
        By which there are fewer between W₁ and W₂.
    window
        Side of the windows of the mean.
    """

    def __init__(self, channels: int, *, reduction: int, window: int) -> None:
        super().__init__()
        self.mean = LocalMean(window)
        self.weigh = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        return features * onto_pixels(self.weigh(self.mean(features)))


class Residual(nn.Sequential):
    """Layers whose result is added to what they are given."""

    def forward(self, input: Tensor) -> Tensor:
        """Return features of the same shape."""
        return input + super().forward(input)


def convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    """Return a 3 x 3 convolution that keeps the grid."""
    return nn.Conv2d(channels_in, channels_out, 3, padding=1)


def attention_block(channels: int, *, reduction: int, window: int) -> Residual:
    """Return a residual channel attention block, equations 10 and 11."""
    return Residual(
        convolution(channels, channels),
        nn.ReLU(),
        convolution(channels, channels),
        ChannelAttention(channels, reduction=reduction, window=window),
    )


def sub_pixels(channels: int, factor: int) -> list[nn.Module]:
    """Return the layers onto a finer grid, one for each prime factor (Shi et al. 2016)."""
    layers: list[nn.Module] = []
    for prime in prime_factors(factor):
        layers += [convolution(channels, channels * prime**2), nn.PixelShuffle(prime)]
    return layers


class RCAN(nn.Module):
    """Residual channel attention network.

    Parameters
    ----------
    groups, blocks
        Residual groups, and blocks in each (RCAN: 10 and 20; for microscopy 5 and 3).
    filters
        Channels of the features (RCAN: 64; for microscopy 32).
    reduction
        By which attention has fewer channels inside (RCAN: 16; for microscopy 8).
    factor
        Pixels of the output along a pixel of the input.
    coarsen
        Work on a grid this many times coarser than the input's, of which each cell's pixels
        become channels. An input whose microscope pixels were that much coarser loses nothing.
    window
        Side of the patches trained on, in pixels of the input: attention looks that far.

    Raises
    ------
    ValueError
        The window is no multiple of `CELL_PX` coarse pixels, or the reduction leaves no channel.
    """

    def __init__(
        self,
        *,
        groups: int = 5,
        blocks: int = 3,
        filters: int = 32,
        reduction: int = 8,
        factor: int = 2,
        coarsen: int = 1,
        window: int = 64,
    ) -> None:
        super().__init__()
        if window % (CELL_PX * coarsen):
            raise ValueError(
                f"a window of {window} pixels is no multiple of {CELL_PX} times coarsen ({coarsen})"
            )
        if reduction > filters:
            raise ValueError(f"{filters} filters cannot be reduced {reduction} times")
        self.factor = factor
        self.divisor = CELL_PX * coarsen  # sides of the input must be multiples of this
        # Its halo is measured on an image: each window could reach farther than the last.
        self.reaches_far = True

        def block() -> Residual:
            return attention_block(filters, reduction=reduction, window=window // coarsen)

        def group() -> Residual:
            return Residual(*[block() for _ in range(blocks)], convolution(filters, filters))

        self.network = nn.Sequential(
            nn.PixelUnshuffle(coarsen),
            convolution(coarsen**2, filters),
            Residual(*[group() for _ in range(groups)], convolution(filters, filters)),
            *sub_pixels(filters, factor * coarsen),
            convolution(filters, 1),
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
        return self.network(image)
