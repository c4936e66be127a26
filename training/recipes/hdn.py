"""HDN: evidence lower bound of a ladder autoencoder (Prakash et al. 2022)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from imaging.training_metadata import Settings
from packages.hdn.levels import Gaussian
from packages.hdn.model import HDN
from training.recipe import Arguments, Recipe, gpu, laptop, on_cells

FREE_NATS = 1.0
"""Divergence of a level, for a whole patch, that costs nothing (HDN's value): too little to matter
once a level is in use, enough not to press on one that has not begun to be."""
ACTIVE_NATS = 0.01
"""A channel of z is in use when it carries more than this at a position, on average (the threshold
of Burda et al. 2016, https://arxiv.org/abs/1509.00519, section 5.2, on the divergence)."""


def loss(network: HDN, image: Tensor, target: Tensor) -> Tensor:
    """Return the negative lower bound, and what z at the prior's mean misses, in nats per pixel.

    In the lower bound the prior learns of the truth only by way of the proposal, which moves while
    it learns. So the restoration from the prior's means is compared with the truth as well: by
    the likelihood under the one variance that suits best, ½ log of the mean squared error. Having
    no noise, it asks samples to be right on average and not to be alike. The bound is evaluated on
    half of the patches, which saves the time that the comparison takes.
    """
    seen = network.see(image)
    central = network.draw(seen, None).mean
    half = (len(image) + 1) // 2
    restored, divergences = network.reconstruct(
        [features[:half] for features in seen], image[:half], target[:half]
    )
    missed = 0.5 * torch.log(F.mse_loss(central, target))
    return negative_lower_bound(restored, divergences, target[:half]) + missed


def negative_lower_bound(restored: Gaussian, divergences: list[Tensor], target: Tensor) -> Tensor:
    """Return the negative evidence lower bound in nats per pixel, its pixels weighted.

    With the variance that the network predicts at a pixel taken as a weight that passes no
    gradient, pixels count by their squared error, as for a single variance of all (Seitzer et al.
    2022, https://arxiv.org/abs/2203.09168, β = 1), while the predicted variances still become those
    of greatest likelihood. Unweighted, dark background, known a hundred times more exactly than
    structure, takes all of the gradient.

    Parameters
    ----------
    restored
        p(x | z, y), shape (batch, 1, y, x).
    divergences
        Of each level, shape (batch, latents, its y, its x).
    target
        Normalised truth x, shape (batch, 1, y, x).

    Returns
    -------
    Tensor
        Scalar.
    """
    weight = torch.exp(restored.log_variance.detach())
    surprise = (weight * restored.surprise(target)).mean() / weight.mean()
    nats = [level.sum(dim=(1, 2, 3)).clamp(min=FREE_NATS).mean() for level in divergences]
    return surprise + torch.stack(nats).sum() / target[0].numel()


def measure(network: HDN, image: Tensor, target: Tensor) -> dict[str, float]:
    """Return what tells of a collapsed or too narrow posterior.

    ``kl_level_L``: divergence of level L (0 is the finest) in nats per position of its grid, all
    channels together. ``active_levels``: how many have at least one channel above `ACTIVE_NATS`.
    ``spread``: root mean square standard deviation between samples, without the variance that each
    predicts itself. ``mean_squared_z``: squared errors of the mean over predicted variances, 1 when
    these are right on average.
    """
    seen = network.see(image)
    _, divergences = network.reconstruct(seen, image, target)
    by_channel = [level.mean(dim=(0, 2, 3)) for level in divergences]
    active = [bool((channels > ACTIVE_NATS).any()) for channels in by_channel]
    chosen = network.choose(image)
    drawn = torch.stack([network.draw(seen, network.noise(k, chosen)).mean for k in range(8)])
    mean, std, _ = network(image).split(1, dim=1)
    return {
        **{f"kl_level_{i}": float(level.sum()) for i, level in enumerate(by_channel)},
        "active_levels": float(sum(active)),
        "spread": float(drawn.var(dim=0).mean().sqrt()),
        "mean_squared_z": float(torch.square((target - mean) / std).mean()),
    }


def small(factor: int) -> Settings:
    """Return the settings for a laptop: three levels, the finest on cells of 4 pixels."""
    network: Arguments = {
        "filters": [48, 72, 104],
        "latents": 8,
        "blocks": 1,
        "dropout": 0.0,
    }
    return laptop(factor, network | on_cells(factor))


def full(factor: int) -> Settings:
    """Return HDN's published sizes, its finest level at 2 pixels of the restored image."""
    network: Arguments = {
        "filters": [64, 64, 64, 64, 64, 64],
        "latents": 32,
        "blocks": 5,
        "dropout": 0.2,
    }
    finest: Arguments = {"coarsen": 1 if factor > 1 else 2, "factor": factor}
    return gpu(factor, network | finest, learning_rate=3e-4)


RECIPE = Recipe(
    model="hdn",
    architecture=HDN,
    loss=loss,
    loss_name="evidence lower bound, and squared error at the mean of the prior",
    measure=measure,
    presets={"small": small, "full": full},
)
