"""CARE ensemble: Laplace likelihood of each member (Weigert et al. 2018)."""

import math

import torch
from torch import Tensor

from imaging.training_metadata import Settings
from packages.care_ensemble.model import CareEnsemble
from training.recipe import Arguments, Recipe, gpu, laptop, on_cells


def loss(network: CareEnsemble, image: Tensor, target: Tensor) -> Tensor:
    """Return the negative log likelihood of the target, averaged over pixels and members.

    With location μ and scale b of a member it is |x − μ| / b + log b + log 2. Members share no
    weights, so each gets the gradient that it would get alone. All see the same batches: they
    differ by their random start only, which is what makes deep ensembles differ (Fort et al. 2019,
    https://arxiv.org/abs/1912.02757).
    """
    location, scale = network.distributions(image)
    return ((target - location).abs() / scale + scale.log()).mean() + math.log(2)


def measure(network: CareEnsemble, image: Tensor, target: Tensor) -> dict[str, float]:
    """Return what tells of members that are too alike or too sure.

    The mean squared z is 1 when the uncalibrated standard deviation is right on average, and above
    it when that is too small.
    """
    location, _ = network.distributions(image)
    restored: Tensor = network(image)
    mean, std, disagreement = restored.split(1, dim=1)
    return {
        "spread_between_members": float(location.var(dim=1, correction=0).mean().sqrt()),
        "disagreement": float(disagreement.mean()),
        "mean_squared_z": float(torch.square((target - mean) / std).mean()),
    }


def small(factor: int) -> Settings:
    """Return the settings for a laptop.

    CARE's "small" with 40 filters instead of 48: the most, in steps of 8, of which five members
    stay below 16 MB of weights. A step costs four of CARE's.
    """
    network: Arguments = {
        "members": 5,
        "depth": 2,
        "filters": 40,
        "kernel_size": 3,
        "residual": False,
    }
    return laptop(factor, network | on_cells(factor))


def full(factor: int) -> Settings:
    """Return the published networks and schedule length, on the image's grid."""
    network: Arguments = {
        "members": 5,
        "depth": 2,
        "filters": 32,
        "kernel_size": 5,
        "residual": True,
    }
    return gpu(factor, network | {"coarsen": 1, "factor": factor}, learning_rate=4e-4)


RECIPE = Recipe(
    model="care_ensemble",
    architecture=CareEnsemble,
    loss=loss,
    loss_name="negative log likelihood of a Laplace distribution, mean over members",
    measure=measure,
    presets={"small": small, "full": full},
)
