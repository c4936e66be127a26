"""Isotropic restoration (Weigert et al., MICCAI 2017, https://doi.org/10.1007/978-3-319-66185-8_15).

A stack is sharp and finely sampled in its planes, blurred and coarsely sampled along the optical
axis. A network of two dimensions, which has learnt on planes to undo such blur and sampling, is
applied to all xz and all yz slices of the stack, and the two restored stacks are averaged.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from packages.care.model import UNet


class Isotropic(nn.Module):
    """CARE's U-Net on the slices of a stack; it gives finer planes.

    It works on the stack's own coarse planes, whose number it does not halve, and sub-pixel
    convolution along z (Shi et al. 2016) makes of each `factor_z` planes, which are added to what
    linear interpolation gives.

    Parameters
    ----------
    factor_z
        Planes of the restored stack along one of the stack that it takes.
    channels
        Registered channels of the stack, all of which are seen to restore each.
    depth, filters, kernel_size
        Of the network, as for CARE's `UNet`.
    """

    def __init__(
        self,
        *,
        factor_z: int,
        channels: int = 1,
        depth: int = 2,
        filters: int = 32,
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        self.of_slices = UNet(
            channels_in=channels,
            channels_out=channels * factor_z,
            depth=depth,
            filters=filters,
            kernel_size=kernel_size,
            residual=False,
        )
        self.of_slices.pooled = (1, 2)
        self.factor = 1
        self.factor_z = factor_z
        self.channels = channels
        self.divisor = self.of_slices.divisor  # sides of the input must be multiples of this
        self.divisor_z = 1

    def forward(self, image: Tensor) -> Tensor:
        """Restore a stack, or slices of stacks.

        Parameters
        ----------
        image
            Normalised stack, shape (batch, channels, z, y, x), or slices, (batch, channels, z, x);
            x and y are multiples of `divisor`.

        Returns
        -------
        Tensor
            Restored, with factor_z · z planes between the same outer edges.
        """
        if image.ndim == 4:
            return self.restore_slices(image)
        batch, channels, planes, rows, columns = image.shape
        finer = self.factor_z * planes
        xz = image.permute(0, 3, 1, 2, 4).reshape(batch * rows, channels, planes, columns)
        xz = self.restore_slices(xz).reshape(batch, rows, channels, finer, columns)
        yz = image.permute(0, 4, 1, 2, 3).reshape(batch * columns, channels, planes, rows)
        yz = self.restore_slices(yz).reshape(batch, columns, channels, finer, rows)
        return (xz.permute(0, 2, 3, 1, 4) + yz.permute(0, 2, 3, 4, 1)) / 2

    def restore_slices(self, slices: Tensor) -> Tensor:
        """Restore slices.

        Parameters
        ----------
        slices
            Normalised, shape (batch, channels, z, x).

        Returns
        -------
        Tensor
            Shape (batch, channels, factor_z · z, x).
        """
        finer = self.of_slices(slices).unflatten(1, (self.channels, self.factor_z))
        finer = finer.transpose(2, 3).flatten(2, 3)
        return finer + F.interpolate(
            slices, scale_factor=[float(self.factor_z), 1.0], mode="bilinear", align_corners=False
        )
