"""Ensemble of probabilistic CARE networks (Weigert et al. 2018, https://doi.org/10.1038/s41592-018-0216-7).

Each member is CARE's U-Net with two channels out, the location and the scale of a Laplace
distribution at each pixel, and is trained from its own random weights. The scale tells of noise and
ambiguity that no training removes; what the members do not agree on tells where they have seen too
little. The answer needs no random numbers.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.care.model import UNet, enlarged
from packages.posterior import Calibration

SMALLEST_SCALE = 1e-3
"""Added to every scale, in normalised intensity (CSBDeep's value): the likelihood stays finite."""
NODES = 100
"""Points at which the disagreement is evaluated, shared among the members.

Its error stays below 0.01 for up to 5 members whose scales are within a factor of 20.
"""


class CareEnsemble(nn.Module):
    """Several probabilistic CARE networks that answer together.

    Parameters
    ----------
    members
        Networks of the ensemble (Weigert et al.: about 5).
    depth, filters, kernel_size, coarsen, residual, factor
        Of each member, as for CARE's `UNet`. In a residual one the input is added to the location.
    """

    def __init__(
        self,
        *,
        members: int = 5,
        depth: int = 2,
        filters: int = 32,
        kernel_size: int = 3,
        coarsen: int = 4,
        residual: bool = False,
        factor: int = 1,
    ) -> None:
        super().__init__()
        if members < 2:
            raise ValueError(f"{members} member(s) cannot disagree: ask for at least 2")
        networks = [
            UNet(
                channels_out=2,
                depth=depth,
                filters=filters,
                kernel_size=kernel_size,
                residual=False,
                coarsen=coarsen,
                factor=factor,
            )
            for _ in range(members)
        ]
        self.members = nn.ModuleList(networks)
        self.residual = residual
        self.factor = factor
        self.divisor = networks[0].divisor  # sides of the input must be multiples of this
        self.calibration = Calibration()

    def distributions(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the Laplace distribution that each member predicts at each pixel.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `divisor`.

        Returns
        -------
        tuple of Tensor
            Location μ and scale b, each of shape (batch, members, factor · y, factor · x).
        """
        added = enlarged(image, self.factor) if self.residual else 0
        locations: list[Tensor] = []
        scales: list[Tensor] = []
        for member in self.members:
            location, scale = cast(Tensor, member(image)).split(1, dim=1)
            locations.append(location + added)
            scales.append(F.softplus(scale) + SMALLEST_SCALE)
        return torch.cat(locations, dim=1), torch.cat(scales, dim=1)

    def forward(self, image: Tensor) -> Tensor:
        """Restore.

        The members together are a mixture of Laplace distributions: its variance is the mean of
        theirs, 2 b², and the variance between their means.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x); y and x multiples of `divisor`.

        Returns
        -------
        Tensor
            Shape (batch, 3, factor · y, factor · x): mean, std, disagreement.
        """
        location, scale = self.distributions(image)
        mean = location.mean(dim=1, keepdim=True)
        variance = (2 * scale**2 + (location - mean) ** 2).mean(dim=1, keepdim=True)
        std = self.calibration(variance.sqrt())
        return torch.cat([mean, std, disagreement(location, scale)], dim=1)


def disagreement(location: Tensor, scale: Tensor) -> Tensor:
    """Return how far the members of an ensemble contradict each other, from 0 to 1.

    It is the mean Kullback-Leibler divergence of the members' distributions to their mixture,
    divided by the logarithm of their number M (Weigert et al. 2018). That is also the information
    that a value drawn from the mixture carries about which member it came from,

    D = 1 − ⟨H(w(x))⟩ / log M,  w_j(x) = p_j(x) / Σ p,

    with H the entropy of the M probabilities w. Its mean over the mixture is taken at the medians
    of equally likely intervals of each member, `NODES` in all. In this form every term lies between
    0 and 1, so a node that chances upon a narrow peak cannot do much harm.

    Parameters
    ----------
    location, scale
        Of Laplace distributions, shape (batch, members, y, x).

    Returns
    -------
    Tensor
        Shape (batch, 1, y, x): 0 where all agree, 1 where no two distributions overlap.
    """
    members = location.shape[1]
    nodes = _laplace_medians(max(NODES // members, 2))
    entropy = torch.zeros_like(location[:, :1])
    for i in range(members):
        own, own_scale = location[:, i : i + 1], scale[:, i : i + 1]
        others = [j for j in range(members) if j != i]
        other, other_scale = location[:, others], scale[:, others]
        log_ratio = own_scale.log() - other_scale.log()
        for node in nodes:
            # Densities of the others relative to this member's own, which is never small here.
            distance = (own + node * own_scale - other).abs() / other_scale
            log_density = log_ratio + abs(node) - distance
            density = log_density.exp()
            total = 1 + density.sum(dim=1, keepdim=True)
            weighted = (density * log_density).sum(dim=1, keepdim=True)
            entropy = entropy + total.log() - weighted / total
    return (1 - entropy / (members * len(nodes) * math.log(members))).clamp(0, 1)


def _laplace_medians(count: int) -> list[float]:
    """Return the medians of equally likely intervals of the standard Laplace distribution."""
    centred = [(2 * k + 1) / count - 1 for k in range(count)]
    return [math.copysign(-math.log1p(-abs(c)), c) for c in centred]
