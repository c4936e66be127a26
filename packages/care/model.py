"""CARE's U-Net (Weigert et al., Nature Methods 2018, https://doi.org/10.1038/s41592-018-0216-7).

Content-aware restoration maps a normalised, degraded image to a normalised, restored one by
regression. The network is a U-Net (Ronneberger et al. 2015), of planes or of volumes. Every layer
is a convolution, a pooling or a copy, so an output pixel depends on a bounded neighbourhood of the
input and on nothing else: tiles that overlap by that neighbourhood give the same result as the
whole image.
"""

from collections.abc import Callable
from typing import cast

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
    dimensions
        2 for planes, 3 for volumes.
    through_planes
        How many of the convolutions, the first ones, see neighbouring planes of a volume.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel_size: int,
        convolutions: int,
        batch_norm: bool,
        dimensions: int,
        through_planes: int,
    ) -> None:
        convolution, norm = layers_of(dimensions)
        layers: list[nn.Module] = []
        for i in range(convolutions):
            kernel_z = kernel_size if i < through_planes else 1
            kernel = along(dimensions, z=kernel_z, plane=kernel_size)
            layers.append(
                convolution(
                    channels_in if i == 0 else channels_out,
                    channels_out,
                    kernel,
                    padding=tuple(side // 2 for side in kernel),
                    bias=not batch_norm,
                )
            )
            if batch_norm:
                layers.append(norm(channels_out))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)

    def joining(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return what the block makes of coarse features, each repeated, joined with finer ones.

        Parameters
        ----------
        coarse
            Shape (batch, channels, y, x): each counts for 2 × 2 pixels.
        fine
            Shape (batch, further channels, 2 · y, 2 · x).

        Returns
        -------
        Tensor
            Shape (batch, channels_out, 2 · y, 2 · x).
        """
        first, *others = self
        x = convolved_jointly(cast(nn.Conv2d, first), coarse, fine)
        for layer in others:
            x = layer(x)
        return x


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
    dimensions
        2 restores planes, 3 volumes. What is coarser or finer is so along y and x alone: planes
        keep their distance.
    halve_z
        Whether planes are halved in number, too, where the resolution is (CARE: yes). Two-photon
        stacks have planes farther apart than their pixels, so that there is little to halve.
    through_planes
        How many of the convolutions per resolution see neighbouring planes of a volume; all
        without it (CARE).
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
        dimensions: int = 2,
        halve_z: bool = False,
        through_planes: int | None = None,
    ) -> None:
        super().__init__()
        if residual and channels_in != channels_out:
            raise ValueError("a residual network needs as many channels out as in")
        if kernel_size % 2 == 0:
            raise ValueError("kernel_size must be odd, or the image would shift")
        self.residual = residual
        self.factor = factor
        self.divisor = coarsen * 2**depth  # sides of the input must be multiples of this
        self.divisor_z = None if dimensions == 2 else 2**depth if halve_z else 1
        convolution, _ = layers_of(dimensions)
        self.pooled = along(dimensions, z=2 if halve_z else 1, plane=2)

        def block(before: int, after: int) -> ConvBlock:
            return ConvBlock(
                before,
                after,
                kernel_size=kernel_size,
                convolutions=convolutions,
                batch_norm=batch_norm,
                dimensions=dimensions,
                through_planes=convolutions if through_planes is None else through_planes,
            )

        widths = [filters * 2**level for level in range(depth + 1)]
        # A convolution whose stride is its kernel sees each coarse cell once, whole.
        cell = along(dimensions, z=1, plane=coarsen)
        self.stem = convolution(channels_in, filters, cell, stride=cell) if coarsen > 1 else None
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
            nn.Sequential(
                convolution(filters, fine * finer**2, 1), PlaneShuffle(finer), nn.ReLU(True)
            )
            if finer > 1
            else None
        )
        self.head = convolution(
            fine,
            channels_out,
            kernel_size if finer > 1 else 1,
            padding=kernel_size // 2 if finer > 1 else 0,
        )
        if dimensions == 2:
            lay_out(self)

    def forward(self, image: Tensor) -> Tensor:
        """Restore.

        Parameters
        ----------
        image
            Normalised image, shape (batch, channels_in, y, x); y and x multiples of `divisor`. Of
            volumes (batch, channels_in, z, y, x); z a multiple of `divisor_z`.

        Returns
        -------
        Tensor
            Restored image, shape (batch, channels_out, factor · y, factor · x), or with z before.
        """
        x = image if self.stem is None else self.stem(image)
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = (F.max_pool2d if x.ndim == 4 else F.max_pool3d)(x, self.pooled)
        x = self.bottom(x)
        for block in self.up:
            # Its exporter takes no kernels but those that are stored.
            if self.pooled == (2, 2) and not torch.onnx.is_in_onnx_export():
                x = cast(ConvBlock, block).joining(x, skips.pop())
                continue
            x = F.interpolate(x, scale_factor=[float(n) for n in self.pooled], mode="nearest")
            x = block(torch.cat([x, skips.pop()], dim=1))
        if self.expand is not None:
            x = self.expand(x)
        x = self.head(x)
        return enlarged(image, self.factor) + x if self.residual else x


class PlaneShuffle(nn.Module):
    """Sub-pixel convolution's last step, for planes or each plane of volumes.

    Parameters
    ----------
    factor
        Pixels along y and x that come from one, of as many channels as they are.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Turn (batch, c · factor², y, x) into (batch, c, factor · y, factor · x); z stays."""
        if x.ndim == 4:
            return F.pixel_shuffle(x, self.factor)
        return stacked(F.pixel_shuffle(as_planes(x), self.factor), x)


def gathered(image: Tensor, side: int) -> Tensor:
    """Turn (batch, c, side · y, side · x) into (batch, c · side², y, x), with z or not.

    What `PlaneShuffle` undoes.
    """
    if image.ndim == 4:
        return F.pixel_unshuffle(image, side)
    return stacked(F.pixel_unshuffle(as_planes(image), side), image)


def as_planes(images: Tensor) -> Tensor:
    """Return the planes of volumes as images of a batch; images stay as they are.

    Parameters
    ----------
    images
        Shape (batch, channels, z, y, x), or (batch, channels, y, x).

    Returns
    -------
    Tensor
        Shape (batch · z, channels, y, x).
    """
    return images if images.ndim == 4 else images.transpose(1, 2).flatten(0, 1)


def stacked(planes: Tensor, like: Tensor) -> Tensor:
    """Undo `as_planes` of images like these, of whatever channels and sides."""
    if like.ndim == 4:
        return planes
    # Behind `unflatten`, exported networks take no sizes but the example's.
    return planes.reshape(like.shape[0], like.shape[2], *planes.shape[1:]).transpose(1, 2)


def convolved_jointly(convolution: nn.Conv2d, coarse: Tensor, fine: Tensor) -> Tensor:
    """Convolve coarse features, each repeated 2 × 2 times, joined with finer ones.

    Pixels that are repeated meet sums of the kernel's weights: 16 products for four of them and a
    kernel of 3 × 3, in place of 36. It is a transposed convolution whose stride is 2; nothing is
    repeated or joined in memory.

    Parameters
    ----------
    convolution
        Of the joined features, the coarse ones first; its kernel is odd, and what it pads with is
        half of it.
    coarse, fine
        As for `ConvBlock.joining`.

    Returns
    -------
    Tensor
        As the convolution would give it, but for rounding.
    """
    channels, padding = coarse.shape[1], cast(tuple[int, int], convolution.padding)
    weight = convolution.weight[:, :channels]
    # Of each weight, what it adds to the four pixels of a cell that it can meet.
    shifts = [(x, 1 - x, y, 1 - y) for y in (0, 1) for x in (0, 1)]
    sums = torch.stack([F.pad(weight, shift) for shift in shifts]).sum(dim=0)
    kernel = sums.flip(2, 3).transpose(0, 1)
    own = F.conv2d(fine, convolution.weight[:, channels:], convolution.bias, padding=padding)
    return own.add_(F.conv_transpose2d(coarse, kernel, stride=2, padding=padding))


def lay_out(network: nn.Module) -> None:
    """Keep the channels of a pixel together in memory, which convolutions are fastest with.

    What they make of an image lies like their weights. The values are the same, and so are those of
    a state dict that is loaded or saved.
    """
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def enlarged(image: Tensor, factor: int) -> Tensor:
    """Interpolate an image linearly to a grid some times finer, the same field; 1 leaves it.

    Planes of a volume stay as many.
    """
    if factor == 1:
        return image
    mode = "bilinear" if image.ndim == 4 else "trilinear"
    scale = along(image.ndim - 2, z=1, plane=factor)
    return F.interpolate(
        image, scale_factor=[float(n) for n in scale], mode=mode, align_corners=False
    )


def layers_of(dimensions: int) -> tuple[Callable[..., nn.Module], Callable[[int], nn.Module]]:
    """Return what makes convolutions of planes (2) or volumes (3), and what normalises channels."""
    if dimensions == 2:
        return nn.Conv2d, nn.BatchNorm2d
    if dimensions == 3:
        return nn.Conv3d, nn.BatchNorm3d
    raise ValueError(f"images have 2 or 3 dimensions, not {dimensions}")


def along(dimensions: int, *, z: int, plane: int) -> tuple[int, ...]:
    """Return a length for each axis out of z, y and x."""
    return (plane, plane) if dimensions == 2 else (z, plane, plane)
