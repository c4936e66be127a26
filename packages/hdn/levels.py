"""The parts of HDN: Gaussians, gated blocks, and the levels on the way up and down."""

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.posterior import NoiseBank

LATENT_LOG_VARIANCE = (-6.0, 6.0)
"""Bounds of the log variance of z: beyond them exp and its inverse lose digits of float32."""


class Gaussian(NamedTuple):
    """A Gaussian with independent components.

    Attributes
    ----------
    mean, log_variance
        Of the same shape.
    """

    mean: Tensor
    log_variance: Tensor

    def at(self, noise: Tensor) -> Tensor:
        """Return the point that a standard normal number becomes."""
        return torch.addcmul(self.mean, torch.exp(0.5 * self.log_variance), noise)

    def surprise(self, value: Tensor) -> Tensor:
        """Return the negative log density of a value, component by component, in nats."""
        error = (value - self.mean) ** 2 * torch.exp(-self.log_variance)
        return 0.5 * (error + self.log_variance + math.log(2 * math.pi))

    def divergence(self, prior: "Gaussian") -> Tensor:
        """Return the Kullback-Leibler divergence KL(self ‖ prior) by component, in nats."""
        excess = self.log_variance - prior.log_variance
        distance = (self.mean - prior.mean) ** 2 * torch.exp(-prior.log_variance)
        return 0.5 * (torch.exp(excess) + distance - 1 - excess)


def bounded(values: Tensor, low: float, high: float) -> Tensor:
    """Return values between two bounds: as they are halfway between, and smoothly approaching.

    A hard clamp would pass no gradient back to a value beyond it.
    """
    middle, half = (low + high) / 2, (high - low) / 2
    # tanh(x) = 2 σ(2 x) − 1, of which σ is computed several times as fast.
    return low + (high - low) * torch.sigmoid((values - middle) * (2 / half))


def as_gaussian(values: Tensor, low: float, high: float) -> Gaussian:
    """Return the first half of the channels as mean, the second, bounded, as log variance."""
    mean, log_variance = values.chunk(2, dim=1)
    return Gaussian(mean, bounded(log_variance, low, high))


class GatedBlock(nn.Module):
    """Two convolutions whose gated result is added to their input, as in HDN; no BatchNorm.

    Parameters
    ----------
    width
        Channels.
    dropout
        Probability with which a channel is left out in training.
    """

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.ELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.Dropout2d(dropout),
            nn.ELU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.Dropout2d(dropout),
        )
        self.gate = nn.Conv2d(width, 2 * width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        x = self.convolutions(features)
        # Two convolutions, for halves of one would lie in memory with gaps.
        halves = zip(self.gate.weight.chunk(2), cast(Tensor, self.gate.bias).chunk(2), strict=True)
        change, gate = (F.conv2d(x, weight, bias) for weight, bias in halves)
        return torch.addcmul(features, F.elu(change, inplace=True), torch.sigmoid(gate))


def gated_blocks(width: int, *, blocks: int, dropout: float) -> nn.Sequential:
    """Return several gated blocks in a row."""
    return nn.Sequential(*[GatedBlock(width, dropout=dropout) for _ in range(blocks)])


class BottomUp(nn.Module):
    """The deterministic path from images to features on coarser and coarser grids.

    Parameters
    ----------
    images
        How many images are seen, as channels, or parts of one.
    widths
        Channels of each level, the finest first.
    coarsen
        Pixels per cell of the finest level's grid.
    blocks, dropout
        Gated blocks of each level.
    """

    def __init__(
        self, images: int, widths: list[int], *, coarsen: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        # Convolutions whose stride is their kernel see each cell once, whole.
        befores, strides = [images, *widths[:-1]], [coarsen] + [2] * (len(widths) - 1)
        self.levels = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(before, width, stride, stride=stride),
                    *gated_blocks(width, blocks=blocks, dropout=dropout),
                )
                for before, width, stride in zip(befores, widths, strides, strict=True)
            ]
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the features of each level, the finest first."""
        features: list[Tensor] = []
        for level in self.levels:
            images = level(images)
            features.append(images)
        return features


class TopDownLevel(nn.Module):
    """One level of the random path from coarse to fine.

    Parameters
    ----------
    width, coarser, truth
        Channels of this level, of the one above (0 when there is none), and of the features of the
        truth.
    latents
        Channels of z.
    blocks, dropout
        Gated blocks before z.
    noise
        Stored noise of this level's grid.
    """

    def __init__(
        self,
        width: int,
        *,
        coarser: int,
        truth: int,
        latents: int,
        blocks: int,
        dropout: float,
        noise: NoiseBank,
    ) -> None:
        super().__init__()
        self.merge = nn.Sequential(
            nn.Conv2d(width + coarser, width, 1),
            *gated_blocks(width, blocks=blocks, dropout=dropout),
        )
        self.to_prior = nn.Conv2d(width, 2 * latents, 3, padding=1)
        self.to_proposal = nn.Conv2d(width + truth, 2 * latents, 3, padding=1)
        self.inject = nn.Conv2d(latents, width, 1)
        self.noise = noise
        self.coarser = coarser

    def look(self, image: Tensor) -> Tensor:
        """Return what features of the image add to the merge; on the coarsest level its result."""
        first = cast(nn.Conv2d, self.merge[0])
        seen = F.conv2d(image, first.weight[:, self.coarser :], first.bias)
        return seen if self.coarser else self._blocks(seen)

    def down(self, seen: Tensor, coarser: Tensor | None) -> Tensor:
        """Merge what was seen of the image with what comes from the coarser level.

        A convolution of kernel 1 is a sum over what is joined, and may come before the repetition.
        """
        if coarser is None:
            return seen
        first = cast(nn.Conv2d, self.merge[0])
        merged = F.conv2d(coarser, first.weight[:, : self.coarser])
        return self._blocks(F.interpolate(merged, scale_factor=2.0, mode="nearest").add_(seen))

    def _blocks(self, state: Tensor) -> Tensor:
        for block in list(self.merge)[1:]:
            state = block(state)
        return state

    def prior(self, state: Tensor) -> Gaussian:
        """Return p(z_l | z_>l, y)."""
        return as_gaussian(self.to_prior(state), *LATENT_LOG_VARIANCE)

    def proposal(self, state: Tensor, truth: Tensor) -> Gaussian:
        """Return q(z_l | z_>l, x, y)."""
        joined = torch.cat([state, truth], dim=1)
        return as_gaussian(self.to_proposal(joined), *LATENT_LOG_VARIANCE)
