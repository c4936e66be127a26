"""DFCAN (Qiao et al., Nature Methods 2021, https://doi.org/10.1038/s41592-020-01048-5).

The deep Fourier channel attention network weights each channel of its features by what the
channel's power spectrum shows, over the whole of the image that it is given. A tile would thus be
restored unlike the image that it was cut from, and a large image unlike the patches trained on.
Here spectra are those of overlapping windows as large as the training patches, and weights are
interpolated between the windows' centres, as averages are in Chu et al. 2022
(https://arxiv.org/abs/2112.04491). A training patch is one window: on it this is the published
network.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GAMMA = 0.8
"""Exponent that compresses the amplitudes of a spectrum (Qiao et al. 2021)."""
SMALLEST_POWER = 1e-8
"""Added to the square of an amplitude, so that its root has a gradient everywhere."""


class Amplitudes(nn.Module):
    """Compressed amplitudes of the discrete Fourier transform of square windows.

    They are |F|^0.8, frequency 0 in the middle. In training a fast transform is used; otherwise a
    matrix product, which every weights format can store.

    Parameters
    ----------
    window
        Side of the windows, even.
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        half = window // 2
        # In double precision, for the products of indices are large angles.
        indices = torch.arange(window, dtype=torch.float64)
        angles = 2 * math.pi / window * torch.outer(indices, indices)
        waves = torch.stack([angles.cos(), -angles.sin()])
        self.register_buffer("rows", waves.float(), persistent=False)  # part, frequency, y
        self.register_buffer("columns", waves[:, : half + 1].float(), persistent=False)
        # F(-k) is the conjugate of F(k) for real images: the right half gives the left.
        shifted = torch.arange(window) - half
        self.register_buffer("right_rows", shifted % window, persistent=False)
        self.register_buffer("left_rows", -shifted % window, persistent=False)
        self.register_buffer("left_columns", torch.arange(half, 0, -1), persistent=False)
        self.rows: Tensor
        self.columns: Tensor
        self.right_rows: Tensor
        self.left_rows: Tensor
        self.left_columns: Tensor

    def forward(self, windows: Tensor) -> Tensor:
        """Return the amplitudes.

        Parameters
        ----------
        windows
            Shape (batch, channels, window, window).

        Returns
        -------
        Tensor
            Of the same shape.
        """
        if self.training:
            transform = torch.fft.rfft2(windows.float())
            real, imaginary = transform.real, transform.imag
        else:
            # exp(-i (u + v)) of the angles u along y and v along x.
            cosine, sine = windows @ self.columns[0].T, windows @ self.columns[1].T
            real = self.rows[0] @ cosine - self.rows[1] @ sine
            imaginary = self.rows[0] @ sine + self.rows[1] @ cosine
        right = (real.square() + imaginary.square() + SMALLEST_POWER).pow(GAMMA / 2)
        left = right.index_select(2, self.left_rows).index_select(3, self.left_columns)
        right = right.index_select(2, self.right_rows)[..., : len(self.left_columns)]
        return torch.cat([left, right], dim=3)


class FourierChannelAttention(nn.Module):
    """Weights of the channels, by the spectrum of each window.

    Parameters
    ----------
    channels
        Of the features.
    window
        Side of the windows, a multiple of 4; they overlap by half.
    spectrum_px
        Side to which a spectrum is interpolated before it is looked at (DFCAN: 128, so that images
        of any size could be taken); with None it is not, for all windows are alike.
    squeezed
        Channels between the two layers that make weights (DFCAN: 4, of 64).
    """

    def __init__(
        self, channels: int, *, window: int, spectrum_px: int | None, squeezed: int
    ) -> None:
        super().__init__()
        self.window = window
        self.spectrum_px = spectrum_px
        self.amplitudes = Amplitudes(window)
        self.look = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
        self.weigh = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, channels, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the weights.

        Parameters
        ----------
        features
            Shape (batch, channels, y, x); y and x multiples of half a window, at least one window.

        Returns
        -------
        Tensor
            Shape (batch, channels, y, x), between 0 and 1.
        """
        return between_centres(self.of_windows(features), self.window)

    def of_windows(self, features: Tensor) -> Tensor:
        """Return the weights of each window, shape (batch, channels, rows, columns)."""
        batch, channels, y, x = features.shape
        rows, columns = 2 * y // self.window - 1, 2 * x // self.window - 1
        spectra = self.amplitudes(overlapping(features, self.window))
        if self.spectrum_px is not None:
            spectra = F.interpolate(
                spectra, size=(self.spectrum_px, self.spectrum_px), mode="bilinear"
            )
        seen = self.look(spectra).mean(dim=(2, 3), keepdim=True)
        weights = torch.sigmoid(self.weigh(seen))
        return weights.reshape(batch, rows, columns, channels).permute(0, 3, 1, 2)


def overlapping(features: Tensor, window: int) -> Tensor:
    """Cut windows that overlap by half.

    Parameters
    ----------
    features
        Shape (batch, channels, y, x); y and x multiples of half a window.
    window
        Side of a window, even.

    Returns
    -------
    Tensor
        Shape (batch · windows, channels, window, window): of an image, the windows of a row one
        after another.
    """
    batch, channels, y, x = features.shape
    half = window // 2
    strips = features.reshape(batch, channels, y // half, half, x)
    strips = torch.cat([strips[:, :, :-1], strips[:, :, 1:]], dim=3)
    cells = strips.reshape(batch, channels, y // half - 1, window, x // half, half)
    windows = torch.cat([cells[..., :-1, :], cells[..., 1:, :]], dim=5)
    return windows.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, window, window)


def between_centres(weights: Tensor, window: int) -> Tensor:
    """Interpolate linearly between the centres of windows that overlap by half.

    Parameters
    ----------
    weights
        Of each window, shape (batch, channels, rows, columns).
    window
        Side of a window, a multiple of 4.

    Returns
    -------
    Tensor
        Shape (batch, channels, (rows + 1) · window / 2, (columns + 1) · window / 2); towards an
        edge from the last centre on, the weights of that.
    """
    half = window // 2
    padded = F.pad(weights, (1, 1, 1, 1), mode="replicate")
    finer = F.interpolate(padded, scale_factor=float(half), mode="bilinear", align_corners=False)
    cut = half // 2
    return finer[..., cut:-cut, cut:-cut]


class AttentionBlock(nn.Module):
    """Two convolutions, their channels weighted, added to what came in (the paper's FCAB)."""

    def __init__(
        self, channels: int, *, window: int, spectrum_px: int | None, squeezed: int
    ) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GELU(),
        )
        self.attention = FourierChannelAttention(
            channels, window=window, spectrum_px=spectrum_px, squeezed=squeezed
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        change = self.convolutions(features)
        return features + change * self.attention(change)


class ResidualGroup(nn.Module):
    """Attention blocks in a row, added to what came in."""

    def __init__(self, blocks: list[AttentionBlock]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        return features + self.blocks(features)


class DFCAN(nn.Module):
    """Network that restores an image by convolutions and Fourier channel attention.

    Parameters
    ----------
    factor
        Pixels of the restored image along one of the input's.
    coarsen
        Work on a grid this many times coarser than the input's, whose pixels become channels
        (DFCAN: 1).
    filters, groups, blocks
        Channels, residual groups, and attention blocks of each (DFCAN: 64, 4 and 4).
    fine
        Channels on the restored image's grid; with None as many as elsewhere, as in DFCAN.
    window
        Side of the windows whose spectra are looked at, in pixels of the input: that of the
        training patches.
    spectrum_px, squeezed
        As for `FourierChannelAttention`.
    sigmoid
        Bound the restored image by 0 and 1, as the publication does. The truth then must not pass
        these.

    Raises
    ------
    ValueError
        The window is no multiple of 4 pixels of the grid on which the network works.
    """

    def __init__(
        self,
        *,
        factor: int = 2,
        coarsen: int = 1,
        filters: int = 64,
        groups: int = 4,
        blocks: int = 4,
        fine: int | None = None,
        window: int = 64,
        spectrum_px: int | None = 128,
        squeezed: int = 4,
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        if window < 4 * coarsen or window % (4 * coarsen):
            raise ValueError(
                f"a window of {window} pixels is no multiple of 4 times coarsen ({coarsen})"
            )
        self.factor = factor
        self.divisor = window // 2  # sides of the input must be multiples of this
        # Its halo is measured on an image: each window could reach farther than the last.
        self.reaches_far = True

        def block() -> AttentionBlock:
            return AttentionBlock(
                filters, window=window // coarsen, spectrum_px=spectrum_px, squeezed=squeezed
            )

        finer = coarsen * factor
        fine = fine or filters
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(coarsen),
            nn.Conv2d(coarsen**2, filters, 3, padding=1),
            nn.GELU(),
            *[ResidualGroup([block() for _ in range(blocks)]) for _ in range(groups)],
            nn.Conv2d(filters, fine * finer**2, 3, padding=1),
            nn.GELU(),
            nn.PixelShuffle(finer),
            nn.Conv2d(fine, 1, 3, padding=1),
            nn.Sigmoid() if sigmoid else nn.Identity(),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Restore.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `divisor`, at least twice
            that.

        Returns
        -------
        Tensor
            Restored image, shape (batch, 1, factor · y, factor · x).
        """
        return self.layers(image)
