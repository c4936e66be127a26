"""CARE's U-Net (Weigert et al., Nature Methods 2018, https://doi.org/10.1038/s41592-018-0216-7).

Content-aware restoration maps a normalised, degraded image to a normalised, restored one by
regression. The network is a U-Net (Ronneberger et al. 2015). Every layer is a convolution, a
pooling or a copy, so an output pixel depends on a bounded neighbourhood of the input and on
nothing else: tiles that overlap by that neighbourhood give the same result as the whole image.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Sequential):
    """Convolutions of one resolution, each followed by ReLU.

    Parameters
    ----------
    channels_in, channels_out
        Channels before and after.
    kernel_size
        Side of the kernels, odd.
    convolutions
        How many.
    batch_norm
        Normalise after each convolution, with stored statistics at inference.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel_size: int,
        convolutions: int,
        batch_norm: bool,
    ) -> None:
        layers: list[nn.Module] = []
        for i in range(convolutions):
            layers.append(
                nn.Conv2d(
                    channels_in if i == 0 else channels_out,
                    channels_out,
                    kernel_size,
                    padding=kernel_size // 2,
                    bias=not batch_norm,
                )
            )
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels_out))
            layers.append(nn.ReLU())
        super().__init__(*layers)


class UNet(nn.Module):
    """U-Net that restores an image on its own grid, or on a finer one.

    Parameters
    ----------
    channels_in, channels_out
        Channels of the image before and after.
    depth
        How often the resolution is halved (CARE: 2).
    filters
        Channels at the first resolution, doubled at each halving (CARE: 32).
    kernel_size
        Side of the kernels, odd (CARE: 5 in two dimensions; CAREamics: 3).
    convolutions
        Convolutions per resolution (CARE: 2).
    batch_norm
        As in CAREamics; CARE has none.
    residual
        Learn what is to be added to the input (CARE: yes, when the channels agree).
    coarsen
        Work on a grid this many times coarser and return to the input's grid at the end, by
        sub-pixel convolution (Shi et al. 2016). An input whose microscope pixels were that much
        coarser loses nothing, and the work falls with the square. 1 is the plain U-Net.
    factor
        Pixels of the restored image along one of the input's; sub-pixel convolution makes them, so
        that all other work is done on the input's grid. A residual network adds to the input
        interpolated linearly.
    """

    def __init__(
        self,
        *,
        channels_in: int = 1,
        channels_out: int = 1,
        depth: int = 2,
        filters: int = 32,
        kernel_size: int = 3,
        convolutions: int = 2,
        batch_norm: bool = False,
        residual: bool = True,
        coarsen: int = 1,
        factor: int = 1,
    ) -> None:
        super().__init__()
        if residual and channels_in != channels_out:
            raise ValueError("a residual network needs as many channels out as in")
        if kernel_size % 2 == 0:
            raise ValueError("kernel_size must be odd, or the image would shift")
        self.residual = residual
        self.factor = factor
        self.divisor = coarsen * 2**depth  # sides of the input must be multiples of this

        def block(before: int, after: int) -> ConvBlock:
            return ConvBlock(
                before,
                after,
                kernel_size=kernel_size,
                convolutions=convolutions,
                batch_norm=batch_norm,
            )

        widths = [filters * 2**level for level in range(depth + 1)]
        # A convolution whose stride is its kernel sees each coarse cell once, whole.
        self.stem = (
            nn.Conv2d(channels_in, filters, coarsen, stride=coarsen) if coarsen > 1 else None
        )
        first = filters if coarsen > 1 else channels_in
        self.down = nn.ModuleList(
            [
                block(first if level == 0 else widths[level - 1], widths[level])
                for level in range(depth)
            ]
        )
        self.bottom = block(widths[depth - 1] if depth else first, widths[depth])
        self.up = nn.ModuleList(
            [
                block(widths[level + 1] + widths[level], widths[level])
                for level in reversed(range(depth))
            ]
        )
        # The last layer mixes neighbouring coarse cells on the fine grid: no visible cell borders.
        finer = coarsen * factor
        fine = max(filters // finer, 8) if finer > 1 else filters
        self.expand = (
            nn.Sequential(nn.Conv2d(filters, fine * finer**2, 1), nn.PixelShuffle(finer), nn.ReLU())
            if finer > 1
            else None
        )
        self.head = nn.Conv2d(
            fine,
            channels_out,
            kernel_size if finer > 1 else 1,
            padding=kernel_size // 2 if finer > 1 else 0,
        )

    def forward(self, image: Tensor) -> Tensor:
        """Restore.

        Parameters
        ----------
        image
            Normalised image, shape (batch, channels_in, y, x); y and x multiples of `divisor`.

        Returns
        -------
        Tensor
            Restored image, shape (batch, channels_out, factor · y, factor · x).
        """
        x = image if self.stem is None else self.stem(image)
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for block in self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skips.pop()], dim=1))
        if self.expand is not None:
            x = self.expand(x)
        x = self.head(x)
        return enlarged(image, self.factor) + x if self.residual else x


def enlarged(image: Tensor, factor: int) -> Tensor:
    """Interpolate an image linearly to a grid some times finer, the same field; 1 leaves it."""
    if factor == 1:
        return image
    return F.interpolate(image, scale_factor=float(factor), mode="bilinear", align_corners=False)
