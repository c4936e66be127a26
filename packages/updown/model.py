"""Cascaded up- and down-sampling with external attention (Aetesam, CVIP 2025).

It is the dense deep back-projection network (Haris et al. 2018, https://arxiv.org/abs/1803.02735):
units go up to the fine grid and down again, and each corrects its result by what is missing when
that is brought back. All that earlier units found goes into later ones. Behind each unit up,
external attention (Guo et al. 2021, https://arxiv.org/abs/2105.02358) describes each pixel by how
much it is like the entries of a learnt memory.

Attention normalises over all pixels of what it is given, and would restore a tile unlike the whole
image. So its statistics over pixels are noted in training, and used to restore as they were then:
no layer depends on the size of the tile.
"""

import math
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

Layer = TypeVar("Layer", bound=nn.Conv2d | nn.ConvTranspose2d)

MOMENTUM = 0.1
"""Share of a batch in the running statistics, as in torch's own normalisations."""
EPSILON = 1e-5
"""Added to variances, as there."""


def initialised(layer: Layer) -> Layer:
    """Return a layer with random weights after He et al. (2015) and no bias."""
    nn.init.kaiming_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def rectified(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """Return a layer, initialised, with a parametric ReLU behind it."""
    return nn.Sequential(initialised(layer), nn.PReLU())


def finer(filters: int, scale: int) -> nn.Sequential:
    """Return a layer from a grid onto one `scale` times finer."""
    return rectified(nn.ConvTranspose2d(filters, filters, scale + 4, scale, 2))


def coarser(filters: int, scale: int) -> nn.Sequential:
    """Return a layer from a grid onto one `scale` times coarser."""
    return rectified(nn.Conv2d(filters, filters, scale + 4, scale, 2))


def gathered(filters: int, maps: int) -> nn.Module:
    """Return a layer that makes one map of several, concatenated."""
    return nn.Identity() if maps == 1 else rectified(nn.Conv2d(maps * filters, filters, 1))


class BackProjection(nn.Module):
    """Goes to another grid, and corrects the result by what it misses of what it came from.

    Parameters
    ----------
    there, back, correct
        Layers to the other grid, back to the own, and of the error to the other.
    """

    def __init__(self, there: nn.Module, back: nn.Module, correct: nn.Module) -> None:
        super().__init__()
        self.there, self.back, self.correct = there, back, correct

    def forward(self, features: Tensor) -> Tensor:
        """Return features on the other grid."""
        result = self.there(features)
        return result + self.correct(self.back(result) - features)


def follow(running: Tensor, images: Tensor) -> None:
    """Move running statistics of entries towards those of images, shape (batch, 1, 1, entries)."""
    running.lerp_(images.detach().mean(dim=(0, 1, 2)).to(running), MOMENTUM)


class DoubleNorm(nn.Module):
    """Softmax over the pixels, then shares of the entries (Guo et al. 2021).

    With Z the sum over the pixels of an entry's exp(score), that is exp(score) / Z divided by its
    sum over the entries: the softmax of score − log Z. The number of pixels cancels, so that log Z
    may be that of the mean; to restore, a running mean of it is used.

    Parameters
    ----------
    entries
        Of the memory.
    """

    def __init__(self, entries: int) -> None:
        super().__init__()
        self.register_buffer("log_mean", torch.zeros(entries))
        self.log_mean: Tensor

    def forward(self, scores: Tensor) -> Tensor:
        """Return shares, which sum to 1 over the entries.

        Parameters
        ----------
        scores
            Shape (batch, y, x, entries).
        """
        if not self.training:
            return torch.softmax(scores - self.log_mean, dim=-1)
        pixels = scores.shape[1] * scores.shape[2]
        log_mean = torch.logsumexp(scores, dim=(1, 2), keepdim=True) - math.log(pixels)
        follow(self.log_mean, log_mean)
        return torch.softmax(scores - log_mean, dim=-1)


class InstanceNorm(nn.Module):
    """Mean 0 and variance 1 over the pixels for each entry; to restore, running ones are used.

    Parameters
    ----------
    entries
        Of the memory.
    """

    def __init__(self, entries: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(entries))
        self.register_buffer("variance", torch.ones(entries))
        self.mean: Tensor
        self.variance: Tensor

    def forward(self, scores: Tensor) -> Tensor:
        """Return scores of the same shape, (batch, y, x, entries)."""
        if not self.training:
            return (scores - self.mean) * torch.rsqrt(self.variance + EPSILON)
        variance, mean = torch.var_mean(scores, dim=(1, 2), correction=0, keepdim=True)
        follow(self.mean, mean)
        follow(self.variance, variance)
        return (scores - mean) * torch.rsqrt(variance + EPSILON)


NORMS: dict[str, type[nn.Module]] = {"double": DoubleNorm, "instance": InstanceNorm}
"""How external attention normalises its scores."""


class ExternalAttention(nn.Module):
    """Makes each pixel anew from a learnt memory: norm(F Kᵀ) V.

    Parameters
    ----------
    channels
        Of the features F.
    entries
        Of the memory, each with a key in K and a value in V.
    norm
        A name in `NORMS`.
    """

    def __init__(self, channels: int, *, entries: int, norm: str) -> None:
        super().__init__()
        self.keys = nn.Linear(channels, entries, bias=False)
        self.norm = NORMS[norm](entries)
        self.values = nn.Linear(entries, channels, bias=False)
        for memory in (self.keys, self.values):
            nn.init.kaiming_normal_(memory.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape, (batch, channels, y, x)."""
        scores = self.keys(features.permute(0, 2, 3, 1))
        return self.values(self.norm(scores)).permute(0, 3, 1, 2)


class UpDown(nn.Module):
    """Cascaded up- and down-sampling network.

    Parameters
    ----------
    units
        Units up; there is one fewer down (published: 7).
    filters
        Channels of the features (published: 64); the first layer has four times as many.
    attention
        Which normalisation external attention has; "none" leaves attention out, as D-DBPN does.
    entries
        Of each memory (published: 64).
    factor
        Pixels of the output along a pixel of the input.
    coarsen
        Begin on a grid this many times coarser than the input's, of which each cell's pixels become
        channels. On the input's own grid (factor 1) it is at least 2, or nothing went up.

    Raises
    ------
    ValueError
        The fine grid would be the coarse one, or attention is of another kind.
    """

    def __init__(
        self,
        *,
        units: int = 7,
        filters: int = 64,
        attention: Literal["double", "instance", "none"] = "double",
        entries: int = 64,
        factor: int = 2,
        coarsen: int = 1,
    ) -> None:
        super().__init__()
        scale = factor * coarsen
        if scale < 2:
            raise ValueError("factor and coarsen are both 1: there is no finer grid to go up to")
        if attention not in ("none", *NORMS):
            raise ValueError(f"there is no attention '{attention}': none, {', '.join(NORMS)}")
        self.factor = factor
        self.divisor = coarsen  # sides of the input must be multiples of this
        # Its halo is measured on an image: what each unit could reach adds up, what it does fades.
        self.reaches_far = True

        def attend() -> nn.Module:
            if attention == "none":
                return nn.Identity()
            return ExternalAttention(filters, entries=entries, norm=attention)

        def up() -> nn.Sequential:
            there, back, correct = (
                finer(filters, scale),
                coarser(filters, scale),
                finer(filters, scale),
            )
            return nn.Sequential(BackProjection(there, back, correct), attend())

        def down() -> BackProjection:
            return BackProjection(
                coarser(filters, scale), finer(filters, scale), coarser(filters, scale)
            )

        self.stem = nn.Sequential(
            nn.PixelUnshuffle(coarsen),
            rectified(nn.Conv2d(coarsen**2, 4 * filters, 3, padding=1)),
            rectified(nn.Conv2d(4 * filters, filters, 1)),
        )
        between = range(1, units)
        self.first = up()
        self.downs = nn.ModuleList(
            [nn.Sequential(gathered(filters, maps), down()) for maps in between]
        )
        self.ups = nn.ModuleList([nn.Sequential(gathered(filters, maps), up()) for maps in between])
        self.head = initialised(nn.Conv2d(units * filters, 1, 3, padding=1))

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
        fine = self.first(self.stem(image))
        coarse: list[Tensor] = []
        for down, up in zip(self.downs, self.ups, strict=True):
            coarse.append(down(fine))
            fine = torch.cat([fine, up(torch.cat(coarse, dim=1))], dim=1)
        return self.head(fine)
