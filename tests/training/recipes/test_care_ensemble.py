import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import laplace
from torch import Tensor

from packages.care_ensemble.model import CareEnsemble
from packages.models import model_named
from training.recipes.care_ensemble import RECIPE, loss, measure


class Fixed(CareEnsemble):
    """Two members with known distributions at every pixel."""

    location = torch.tensor([0.5, 0.9]).view(1, 2, 1, 1)
    scale = torch.tensor([0.1, 0.3]).view(1, 2, 1, 1)

    def distributions(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.location.expand_as(image), self.scale.expand_as(image)


def test_loss_is_the_likelihood_of_the_laplace_distributions() -> None:
    target = torch.rand(3, 1, 4, 4)
    given = float(loss(Fixed(), torch.zeros(3, 2, 4, 4), target))
    likelihoods = [
        laplace.logpdf(target.numpy(), loc=m, scale=b).mean() for m, b in ((0.5, 0.1), (0.9, 0.3))
    ]
    assert given == pytest.approx(-sum(likelihoods) / 2, rel=1e-5)


def tiny() -> CareEnsemble:
    torch.manual_seed(0)
    return CareEnsemble(members=2, depth=1, filters=8, coarsen=2)


def test_members_learn_as_if_they_were_alone() -> None:
    network = tiny()
    image, target = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    loss(network, image, target).backward()
    together = [p.grad.clone() for p in network.members[0].parameters() if p.grad is not None]
    network.zero_grad()
    location, scale = network.distributions(image)
    alone = (target - location[:, :1]).abs() / scale[:, :1] + scale[:, :1].log()
    (alone.mean() / 2).backward()
    for given, parameter in zip(together, network.members[0].parameters(), strict=True):
        torch.testing.assert_close(given, parameter.grad)


def test_training_lowers_the_loss_and_learns_the_noise() -> None:
    # Noise that no network can remove: its standard deviation is what is left to learn.
    network = tiny()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    rng = np.random.default_rng(1)

    def batch() -> tuple[Tensor, Tensor]:
        image = rng.random((4, 1, 16, 16), dtype=np.float32)
        noise = rng.laplace(scale=0.1, size=image.shape)
        return torch.from_numpy(image), torch.from_numpy(0.5 + noise).float()

    first = loss(network, *batch()).item()
    for _ in range(120):
        optimizer.zero_grad()
        loss(network, *batch()).backward()
        optimizer.step()
    image, target = batch()
    with torch.no_grad():
        last = loss(network, image, target).item()
        measured = measure(network, image, target)
        std = network(image)[:, 1]
    assert last < first - 0.5
    assert float(std.mean()) == pytest.approx(2**0.5 * 0.1, rel=0.15)
    assert measured["mean_squared_z"] == pytest.approx(1, abs=0.35)
    assert 0 < measured["spread_between_members"] < 0.1
    assert 0 < measured["disagreement"] < 0.2


def test_the_small_preset_fits_a_reference_checkpoint() -> None:
    state = RECIPE.architecture(**RECIPE.presets["small"](1).network).state_dict()
    assert sum(t.numel() * t.element_size() for t in state.values()) < 15.3e6


@pytest.mark.parametrize("preset", RECIPE.presets)
def test_patches_of_every_preset_fit_its_network(preset: str) -> None:
    settings = RECIPE.presets[preset](1)
    small = dataclasses.replace(settings, network={**settings.network, "filters": 4})
    network = RECIPE.architecture(**small.network)
    assert settings.patch_px % network.divisor == 0


def test_the_room_is_the_recipes() -> None:
    assert (
        model_named(RECIPE.model).description()["architecture"]["callable"] == CareEnsemble.__name__
    )
