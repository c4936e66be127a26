"""RCAN, residual channel attention (Zhang et al. 2018, https://arxiv.org/abs/1807.02758).

Residual groups hold residual blocks, each with a copy around it, so that what is coarse passes by
and the blocks are left with the detail. At the end of a block, channel attention weights each
channel by what the means of all channels say. All of it happens on the grid of the input; the last
layers bring it onto a finer one by sub-pixel convolution. For microscopy Chen et al. (2021,
https://doi.org/10.1038/s41592-021-01155-x) use it with fewer, narrower blocks.

Means are over windows as large as the training patches (`packages.local_mean`): on a patch they are
RCAN's, and in a larger image tiles that overlap enough agree. Of volumes each plane has its own.
"""

from collections.abc import Iterator

from torch import Tensor, nn

from packages.care.model import (
    PlaneShuffle,
    along,
    gathered,
    layers_of,
)
from packages.local_mean import CELL_PX, LocalMean, onto_pixels
from packages.prime_factors import prime_factors


class ChannelAttention(nn.Module):
    """Weights channels by their means: x · sigmoid(W₂ relu(W₁ mean(x))), equations 8 and 9.

    Means of volumes are of each plane by itself, where Chen et al. take one of all voxels.

    Parameters
    ----------
    channels
        Of the features.
    reduction
        By which there are fewer between W₁ and W₂.
    window
        Side of the windows of the mean.
    dimensions
        2 for planes, 3 for volumes.
    """

    def __init__(self, channels: int, *, reduction: int, window: int, dimensions: int) -> None:
        super().__init__()
        layer, _ = layers_of(dimensions)
        self.mean = LocalMean(window)
        self.weigh = nn.Sequential(
            layer(channels, channels // reduction, 1),
            nn.ReLU(),
            layer(channels // reduction, channels, 1),
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


class PlaneUnshuffle(nn.Module):
    """Makes the pixels of each cell channels, of planes or each plane of volumes.

    Parameters
    ----------
    side
        Of the cells, in pixels along y and x.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, image: Tensor) -> Tensor:
        """Turn (batch, c, side · y, side · x) into (batch, c · side², y, x); z stays."""
        return gathered(image, self.side)


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
    dimensions
        2 restores planes, 3 volumes, whose planes stay as many.
    all_through_planes
        Whether all convolutions of volumes see neighbouring planes (Chen et al.: yes), or only the
        first of each block.

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
        dimensions: int = 2,
        all_through_planes: bool = True,
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
        self.divisor_z = None if dimensions == 2 else 1
        # Its halo is measured on an image: each window could reach farther than the last.
        self.reaches_far = True

        layer, _ = layers_of(dimensions)

        def conv(
            before: int, after: int, *, through_planes: bool = all_through_planes
        ) -> nn.Module:
            kernel = along(dimensions, z=3 if through_planes else 1, plane=3)
            return layer(before, after, kernel, padding=tuple(side // 2 for side in kernel))

        def block() -> Residual:
            """Return a residual channel attention block, equations 10 and 11."""
            return Residual(
                conv(filters, filters, through_planes=True),
                nn.ReLU(),
                conv(filters, filters),
                ChannelAttention(
                    filters, reduction=reduction, window=window // coarsen, dimensions=dimensions
                ),
            )

        def group() -> Residual:
            return Residual(*[block() for _ in range(blocks)], conv(filters, filters))

        def sub_pixels() -> Iterator[nn.Module]:
            """Yield the layers onto a finer grid, for each prime factor (Shi et al. 2016)."""
            for prime in prime_factors(factor * coarsen):
                yield conv(filters, filters * prime**2)
                yield PlaneShuffle(prime)

        self.network = nn.Sequential(
            PlaneUnshuffle(coarsen),
            conv(coarsen**2, filters),
            Residual(*[group() for _ in range(groups)], conv(filters, filters)),
            *sub_pixels(),
            conv(filters, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Restore.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `divisor`. Of volumes
            (batch, 1, z, y, x), of any z.

        Returns
        -------
        Tensor
            Restored image, shape (batch, 1, factor · y, factor · x), or with z before.
        """
        return self.network(image)
