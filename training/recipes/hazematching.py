"""HazeMatching: the velocity of a flow from noise to posterior, by regression (Ray et al. 2025)."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaging.cli import UserError
from imaging.training_metadata import Settings
from packages.care.model import gathered
from packages.hazematching.flow import path
from packages.hazematching.model import HazeMatching, hazematching
from packages.hazematching.published import PublishedHazeMatching
from training.recipe import Arguments, Recipe, gpu, in_volumes, laptop, on_cells

_DRAWS = 2  # noises and times for each image: the velocity costs less than what sees the image
_TYPICAL_ERROR = 0.1  # of the mean, in normalised intensity: its loss is then of the order of 1
_GRID = 20  # times of the published training


def loss(network: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Return the loss of either form of the network, see `loss_of_parts` and `published_loss`."""
    if isinstance(network, PublishedHazeMatching):
        return published_loss(network, image, target)
    if isinstance(network, HazeMatching):
        return loss_of_parts(network, image, target)
    raise TypeError(f"{type(network).__name__} is neither form of HazeMatching")


def loss_of_parts(network: HazeMatching, image: Tensor, target: Tensor) -> Tensor:
    """Return the sum of three losses, each of the order of 1.

    - Mean μ: squared error over 0.1².
    - Deviation σ: negative log likelihood (x₁ − μ)² / 2σ² + log σ of a normal distribution, with μ
      held still, so that what is hard to predict does not count less for μ.
    - Flow: squared error of the velocity against r₁ − r₀ for r₁ = (x₁ − μ) / σ, noise r₀ and
      times that are uniform from 0 to 1, weighted by σ: a wrong sample matters where images vary.

    Parameters
    ----------
    network
        Gives μ, σ and velocity.
    image, target
        Degraded image and truth x₁, shape (batch, 1, y, x), or with z before y.

    Returns
    -------
    Tensor
        A scalar.
    """
    encoding = network.encode(image)
    error, scale = target - encoding.mean, encoding.scale
    likelihood = (error.detach() / scale).square() / 2 + scale.log()

    end = many(gathered((error / scale).detach(), network.cell))
    weight = many(gathered((scale / scale.mean()).detach(), network.cell))
    noise = torch.randn_like(end)
    time = torch.rand(len(end), device=end.device)
    velocity = network.velocity(
        path(noise, end, time),
        network.velocity.modulation(time),
        [many(g) for g in encoding.guides],
    )
    flow = weight * (velocity - (end - noise)).square()
    return (error / _TYPICAL_ERROR).square().mean() + likelihood.mean() + flow.mean()


def many(x: Tensor) -> Tensor:
    """Repeat a batch, once for each noise and time drawn for it."""
    return x.repeat(_DRAWS, *(1,) * (x.ndim - 1))


def published_loss(network: PublishedHazeMatching, image: Tensor, target: Tensor) -> Tensor:
    """Return the squared error of the velocity against x₁ − x₀, at times of a grid from 0 to 1.

    Parameters
    ----------
    network
        Of the published form.
    image, target
        Degraded image and truth x₁, shape (batch, 1, y, x).

    Returns
    -------
    Tensor
        A scalar.
    """
    noise = torch.randn_like(target)
    time = torch.randint(_GRID, (len(target),), device=target.device) / (_GRID - 1)
    velocity = network.velocity(path(noise, target, time), time, image)
    return F.mse_loss(velocity, target - noise)


def measure(network: nn.Module, image: Tensor, target: Tensor) -> dict[str, float]:
    """Return what tells whether the samples spread as far as the truth is away.

    The mean squared z is 1 when the uncalibrated standard deviation is right on average, and above
    it when the posterior is under-dispersed.
    """
    restored: Tensor = network(image)
    mean, std, _ = restored.split(1, dim=1)
    return {
        "mean_squared_z": float(torch.square((target - mean) / std).mean()),
        "spread": float(std.mean()),
        "error_of_mean": float((target - mean).square().mean().sqrt()),
    }


def small(factor: int) -> Settings:
    """Return the settings for a laptop: as many parameters as CARE's "small"."""
    network: Arguments = {
        "filters": 45,
        "width": 48,
        "blocks": 2,
        "samples": 16,
        "steps": 2,
    }
    return laptop(factor, network | on_cells(factor))


def small_volumes(factor: int) -> Settings:
    """Return the settings for volumes on a laptop."""
    fewer: Arguments = {
        "depth": 1,
        "filters": 32,
        "width": 32,
        "through_planes": 1,
        "samples": 8,
    }
    return replace(in_volumes(small(factor), **fewer), steps=2000)


def full(factor: int) -> Settings:
    """Return as many parameters as the published network has."""
    network: Arguments = {
        "filters": 80,
        "width": 96,
        "blocks": 2,
        "samples": 16,
        "steps": 2,
    }
    return gpu(factor, network | on_cells(factor), learning_rate=1e-3)


def published(factor: int) -> Settings:
    """Return the network, times and solver of the publication.

    Warm-up, cosine, clipping and the average of the weights are the loop's, so that the two forms
    differ in nothing else.
    """
    _refuse_finer(factor)
    return gpu(factor, {"published": True, "samples": 16, "steps": 19}, learning_rate=1e-4)


def published_small(factor: int) -> Settings:
    """Return the published form with as many parameters as `small`, and its patches.

    Two samples while it is trained, for 19 calls each are dear: `training calibrate --samples 16`
    makes it comparable. The learning rate is that of a short training.
    """
    _refuse_finer(factor)
    return Settings(
        network={
            "published": True,
            "multipliers": [1, 2, 2],
            "attention_level": 2,
            "samples": 2,
            "steps": 19,
        },
        patch_px=64,
        batch_size=8,
        learning_rate=1e-3,
        steps=2400,
    )


def _refuse_finer(factor: int) -> None:
    if factor > 1:
        raise UserError(
            f"The published form of HazeMatching restores an image on its own grid, and the "
            f"targets are {factor} times as fine: take the preset small or full."
        )


RECIPE = Recipe(
    model="hazematching",
    architecture=hazematching,
    loss=loss,
    loss_name="flow matching with mean and deviation",
    measure=measure,
    presets={
        "small": small,
        "full": full,
        "published": published,
        "published-small": published_small,
    },
    of_volumes={"small": small_volumes},
)
