"""HDN, a ladder variational autoencoder, for pairs (Prakash et al. 2022, https://arxiv.org/abs/2104.01374).

Below the microscope's resolution one image y has many restorations x. The network learns their
distribution p(x | y) with random variables z on several grids, coarse to fine:

p(x | y) = ∫ p(x | z, y) Π p(z_l | z_>l, y) dz.

A deterministic path goes up from y to coarser grids; on the way down each level draws its z from a
Gaussian and the last layers turn all of it into a Gaussian for each pixel. For training a second
path up sees the truth as well and proposes where z lies, q(z_l | z_>l, x, y); the loss is the
evidence lower bound −log p(x | z, y) + Σ KL(q_l ‖ p_l).

HDN denoises: x is not known, its q sees y alone and its prior sees nothing. Trained on pairs that
way, z becomes a bottleneck on what is known of y, and the noise in it says nothing about x. So the
prior sees y and the proposal sees x too, as in conditional autoencoders (Sohn et al. 2015,
https://papers.nips.cc/paper/5775; with a ladder Baumgartner et al. 2019,
https://arxiv.org/abs/1906.04045, and Kohl et al. 2019, https://arxiv.org/abs/1905.13077): samples
from the prior are then samples from p(x | y).

Every layer is a convolution, a copy or works on pixels alone, so tiles that overlap enough agree.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.hdn.levels import BottomUp, Gaussian, TopDownLevel, as_gaussian, gated_blocks
from packages.posterior import Calibration, FieldChoice, NoiseBank, refuse_samples, summarise


class HDN(nn.Module):
    """Ladder autoencoder that restores an image many times and summarises what it drew.

    Parameters
    ----------
    filters
        Channels of each level, the finest first: as many levels as numbers (HDN: six of 64).
    latents
        Random channels of each level (HDN: 32).
    blocks
        Gated blocks of each level, on the way up and on the way down (HDN: 5).
    dropout
        Probability with which the blocks leave out a channel in training (HDN: 0.2).
    coarsen
        Pixels per cell of the finest level; each further level doubles that.
    factor
        Pixels of the restored image along one of the image that is seen.
    lowest_log_variance
        Below which a pixel's variance given z is never stated. -9 is a standard deviation of 0.011
        in normalised intensity: dark background is known about that well.
    samples
        Restorations drawn for an image, even, 2 to 64.

    Raises
    ------
    ValueError
        Samples that cannot be drawn, or no level.
    """

    def __init__(
        self,
        *,
        filters: Sequence[int] = (48, 72, 104),
        latents: int = 8,
        blocks: int = 1,
        dropout: float = 0.0,
        coarsen: int = 4,
        factor: int = 1,
        lowest_log_variance: float = -9.0,
        samples: int = 16,
    ) -> None:
        super().__init__()
        refuse_samples(samples)
        cells = [coarsen * 2**level for level in range(len(filters))]
        if not cells or coarsen < 1:
            raise ValueError(
                f"{len(filters)} level(s) from {coarsen} pixels on are no network: both are at "
                "least 1"
            )
        self.divisor = cells[-1]  # sides of the input must be multiples of this
        self.factor = factor
        self.samples = samples
        self.log_variance_bounds = (lowest_log_variance, 3.0)
        widths = list(filters)
        self.choose = FieldChoice(self.divisor)
        # The proposal is a helper of training: half the width does.
        halves = [width // 2 for width in widths]
        self.see_image = BottomUp(1, widths, coarsen=coarsen, blocks=blocks, dropout=dropout)
        self.see_truth = BottomUp(
            1 + factor**2, halves, coarsen=coarsen, blocks=blocks, dropout=dropout
        )
        self.levels = nn.ModuleList(
            [
                TopDownLevel(
                    width,
                    coarser=coarser,
                    truth=half,
                    latents=latents,
                    blocks=blocks,
                    dropout=dropout,
                    noise=NoiseBank(latents, self.divisor // cell, seed=cell),
                )
                for width, coarser, half, cell in zip(
                    widths, [*widths[1:], 0], halves, cells, strict=True
                )
            ]
        )
        # As in CARE's UNet, the last layer mixes neighbouring cells on the fine grid.
        finer = coarsen * factor
        fine = max(widths[0] // finer, 8)
        self.decode = nn.Sequential(
            *gated_blocks(widths[0], blocks=blocks, dropout=dropout),
            nn.Conv2d(widths[0], fine * finer**2, 1),
            nn.PixelShuffle(finer),
            nn.ELU(inplace=True),
            nn.Conv2d(fine, 2, 3, padding=1),
        )
        self.calibration = Calibration()
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # the stubs miss it

    def see(self, image: Tensor) -> list[Tensor]:
        """Look at an image, once for all samples.

        Parameters
        ----------
        image
            Normalised, shape (batch, 1, y, x); y and x multiples of `divisor`.

        Returns
        -------
        list of Tensor
            What it says on each level, the finest first.
        """
        features = self.see_image(image)
        return [
            cast(TopDownLevel, level).look(f)
            for level, f in zip(self.levels, features, strict=True)
        ]

    def reconstruct(
        self, seen: list[Tensor], image: Tensor, truth: Tensor
    ) -> tuple[Gaussian, list[Tensor]]:
        """Draw z where the truth proposes it, and return both parts of the lower bound.

        Parameters
        ----------
        seen
            What `see` makes of the image.
        image
            Normalised, shape (batch, 1, y, x); y and x multiples of `divisor`.
        truth
            Normalised, shape (batch, 1, factor · y, factor · x).

        Returns
        -------
        tuple
            p(x | z, y) of the truth's shape, and for each level, the finest first, the
            divergence of proposal and prior, shape (batch, latents, its y, its x).
        """
        on_its_grid = F.pixel_unshuffle(truth, self.factor)
        known = self.see_truth(torch.cat([image, on_its_grid], dim=1))
        divergences: list[Tensor] = []
        state: Tensor | None = None
        for module, of_image, of_truth in zip(
            self.levels[::-1], seen[::-1], known[::-1], strict=True
        ):
            level = cast(TopDownLevel, module)
            state = level.down(of_image, state)
            prior, proposal = level.prior(state), level.proposal(state, of_truth)
            divergences.insert(0, proposal.divergence(prior))
            state = level.inject(proposal.at(torch.randn_like(proposal.mean))).add_(state)
        return self._decoded(state), divergences

    def noise(self, number: int, chosen: Tensor) -> list[Tensor]:
        """Return the noise of a sample on each level, the finest first.

        Parameters
        ----------
        number
            Of the sample, from 0.
        chosen
            What `choose` makes of the image.

        Returns
        -------
        list of Tensor
            Shape (batch, latents, its y, its x) each.
        """
        return [cast(TopDownLevel, level).noise(number, chosen) for level in self.levels]

    def draw(self, seen: list[Tensor], noise: Sequence[Tensor] | None) -> Gaussian:
        """Draw z from the prior.

        Parameters
        ----------
        seen
            What `see` makes of the image.
        noise
            Of each level, the finest first; with None, z lies at the mean of the prior on each.

        Returns
        -------
        Gaussian
            p(x | z, y), shape (batch, 1, factor · y, factor · x).
        """
        state: Tensor | None = None
        for i in reversed(range(len(seen))):
            level = cast(TopDownLevel, self.levels[i])
            state = level.down(seen[i], state)
            prior = level.prior(state)
            z = prior.mean if noise is None else prior.at(noise[i])
            state = level.inject(z).add_(state)
        return self._decoded(state)

    def forward(self, image: Tensor) -> Tensor:
        """Restore.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `divisor`.

        Returns
        -------
        Tensor
            Shape (batch, 3, factor · y, factor · x): the mean of the samples (the estimate of
            least squared error), calibrated standard deviation, and one sample.
        """
        seen = self.see(image)
        chosen = self.choose(image)
        drawn = [self.draw(seen, self.noise(number, chosen)) for number in range(self.samples)]
        return summarise(
            [sample.mean for sample in drawn],
            [torch.exp(sample.log_variance) for sample in drawn],
            self.calibration,
        )

    def _decoded(self, state: Tensor | None) -> Gaussian:
        return as_gaussian(self.decode(state), *self.log_variance_bounds)
