import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.hazematching.model import Encoding, HazeMatching
from packages.hazematching.published import PublishedHazeMatching
from packages.models import model_named
from training.recipes.hazematching import RECIPE, loss, loss_of_parts, measure

CELL = 4  # pixels along a cell, without another wish
TINY: dict[str, Any] = {"filters": 4, "depth": 1, "width": 16, "blocks": 1, "samples": 8}
TINY_PUBLISHED: dict[str, Any] = {"multipliers": [1, 1], "attention_level": 1, "samples": 2}


class KnownParts(HazeMatching):
    """μ = 0.2 and σ = 0.5 everywhere, and no velocity."""

    def __init__(self) -> None:
        super().__init__(**TINY)
        for parameter in self.velocity.out.parameters():
            nn.init.zeros_(parameter)

    def encode(self, image: Tensor) -> Encoding:
        flat = torch.ones_like(image)
        guide = torch.zeros_like(F.pixel_unshuffle(image, CELL))
        return Encoding([guide] * 2, 0.2 * flat, 0.5 * flat)


def test_loss_is_the_sum_of_its_parts() -> None:
    torch.manual_seed(0)
    target = 0.2 + 0.1 * torch.randn(8, 1, 64, 64)
    given = loss_of_parts(KnownParts(), torch.zeros_like(target), target).item()
    error = float((target - 0.2).square().mean())
    mean, likelihood = error / 0.1**2, error / (2 * 0.5**2) + torch.tensor(0.5).log().item()
    flow = error / 0.5**2 + 1  # the variance of r₁ − r₀, as the velocity is 0
    assert given == pytest.approx(mean + likelihood + flow, abs=0.05)


def test_mean_and_deviation_do_not_feel_the_flow() -> None:
    torch.manual_seed(0)
    network, image = HazeMatching(**TINY), torch.rand(2, 1, 16, 16)
    for parameter in network.guide.parameters():
        nn.init.zeros_(parameter)  # the guides are the other way from the flow to the encoder
    encoding = network.encode(image)
    error = image - encoding.mean
    likelihood = (error.detach() / encoding.scale).square() / 2 + encoding.scale.log()
    ((error / 0.1).square().mean() + likelihood.mean()).backward()
    alone = [p.grad.clone() for p in network.expand.parameters() if p.grad is not None]
    network.zero_grad()
    loss(network, image, image).backward()
    for given, parameter in zip(alone, network.expand.parameters(), strict=True):
        torch.testing.assert_close(given, parameter.grad)


def test_published_loss_is_the_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The squared error of v(x_t, t, y) against x₁ − x₀ at x_t = (1 − t) x₀ + t x₁."""
    torch.manual_seed(0)
    network = PublishedHazeMatching(**TINY_PUBLISHED)
    image, target = torch.rand(64, 1, 8, 8), torch.rand(64, 1, 8, 8)
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    answer = torch.randn_like(target)

    def velocity(state: Tensor, time: Tensor, guide: Tensor) -> Tensor:
        seen.append((state, time, guide))
        return answer

    monkeypatch.setattr(network.velocity, "forward", velocity)
    given = loss(network, image, target)

    ((state, time, guide),) = seen
    grid = time * 19
    torch.testing.assert_close(grid, grid.round())
    assert (time.min(), time.max()) == (0, 1)
    assert len(time.unique()) > 15
    assert torch.equal(guide, image)
    t = time[:, None, None, None]
    within = time < 1
    noise = ((state - t * target) / (1 - t))[within]
    assert noise.std().item() == pytest.approx(1, abs=0.05)
    errors = (answer[within] - (target[within] - noise)).square().mean(dim=(1, 2, 3))
    # What the noise was at t = 1 cannot be seen: the rest must explain the loss without it.
    rest = (given * len(time) - errors.sum()) / (~within).sum()
    assert 1 < rest.item() < 4


def blocks(count: int) -> Tensor:
    """Independent standard normal values, each filling a coarse pixel."""
    return torch.randn(count, 1, 16, 16).repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)


def test_it_learns_a_posterior_that_is_known() -> None:
    # x ~ N(0, 1), y = x + n, n ~ N(0, 1), for each coarse pixel: the posterior is N(y / 2, 1 / 2),
    # and the pixels of a coarse pixel vary together.
    torch.manual_seed(0)
    network = HazeMatching(**TINY | {"filters": 16, "steps": 4})
    steps = 200
    optimizer = torch.optim.Adam(network.parameters())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * (1 - step / steps)
        truth = blocks(4)
        optimizer.zero_grad()
        loss(network, truth + blocks(4), truth).backward()
        optimizer.step()
    truth = blocks(4)
    recorded = truth + blocks(4)
    with torch.no_grad():
        mean, std, sample = network.eval()(recorded).split(1, dim=1)
    assert (mean - recorded / 2).square().mean().sqrt() < 0.2
    assert std.square().mean().sqrt().item() == pytest.approx(0.5**0.5, rel=0.2)
    together = F.avg_pool2d(sample - mean, CELL)
    assert together.square().mean().sqrt().item() == pytest.approx(0.5**0.5, rel=0.15)


@pytest.mark.parametrize("network", [HazeMatching(**TINY), PublishedHazeMatching(**TINY_PUBLISHED)])
def test_gradients_are_finite(network: nn.Module) -> None:
    torch.manual_seed(0)
    image = torch.zeros(2, 1, 64, 64)
    loss(network, image, image).backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_measure_compares_spread_and_error() -> None:
    class Fixed(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.cat([image, torch.full_like(image, 0.5), image], dim=1)

    image = torch.zeros(2, 1, 8, 8)
    given = measure(Fixed(), image, image + 1)
    assert given == pytest.approx({"mean_squared_z": 4, "spread": 0.5, "error_of_mean": 1})


@pytest.mark.parametrize("name", RECIPE.presets)
def test_presets_build_and_are_plain(name: str) -> None:
    settings = RECIPE.presets[name](1)
    network = RECIPE.architecture(**settings.network)
    assert isinstance(network, PublishedHazeMatching) == name.startswith("published")
    json.dumps(dict(settings.network))


def test_the_room_names_the_architecture() -> None:
    description = model_named(RECIPE.model).description()
    assert description["architecture"]["callable"] == RECIPE.architecture.__name__
