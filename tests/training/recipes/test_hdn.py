import math

import pytest
import torch
from torch import Tensor, nn

from packages.hdn.levels import Gaussian
from packages.hdn.model import HDN
from packages.models import model_named
from training.recipes.hdn import FREE_NATS, RECIPE, loss, measure, negative_lower_bound


def nats_per_patch(divergences: list[Tensor]) -> float:
    """What divergences add to the loss of 2 patches of 8 x 8 pixels."""
    zeros = torch.zeros(2, 1, 8, 8)
    certain = negative_lower_bound(Gaussian(zeros, zeros), [torch.full((2, 1, 1, 1), 1.0)], zeros)
    given = negative_lower_bound(Gaussian(zeros, zeros), divergences, zeros)
    return float(given - certain) * 64 + FREE_NATS


def test_divergences_count_for_the_whole_patch() -> None:
    levels = [torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 2, 2), 2.0)]
    assert nats_per_patch(levels) == pytest.approx(3 * 16 * 0.5 + 3 * 4 * 2.0, rel=1e-5)


def test_a_level_has_free_nats_in_each_patch() -> None:
    # 0.1 of one patch and 5 of the other: the bound is per patch, before the mean.
    level = torch.tensor([0.1, 5.0]).view(2, 1, 1, 1)
    assert nats_per_patch([level]) == pytest.approx((FREE_NATS + 5.0) / 2, rel=1e-4)


def test_with_one_variance_the_bound_is_the_likelihood_and_the_divergence() -> None:
    torch.manual_seed(0)
    mean, target = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    restored = Gaussian(mean, torch.full_like(mean, 2 * math.log(0.1)))
    likelihood = torch.distributions.Normal(mean, 0.1).log_prob(target).mean()
    given = negative_lower_bound(restored, [torch.full((2, 1, 2, 2), 1.0)], target)
    assert float(given) == pytest.approx(float(4 / 64 - likelihood), rel=1e-5)


def test_pixels_count_by_their_squared_error() -> None:
    torch.manual_seed(0)
    mean = torch.rand(1, 1, 4, 4, requires_grad=True)
    log_variance = torch.empty(1, 1, 4, 4).uniform_(-8, 0).requires_grad_()
    target = torch.rand(1, 1, 4, 4)
    nothing = [torch.zeros(1, 1, 1, 1)]
    negative_lower_bound(Gaussian(mean, log_variance), nothing, target).backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    variance = log_variance.detach().exp()
    error = mean.detach() - target
    torch.testing.assert_close(mean.grad, error / 16 / variance.mean())
    # Each stated variance is drawn to the squared error at its pixel.
    assert torch.equal(log_variance.grad > 0, variance > error**2)


def test_loss_adds_the_error_at_the_mean_of_the_prior_to_the_bound() -> None:
    network = tiny()
    image, target = torch.rand(3, 1, 64, 64), torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        torch.manual_seed(1)
        given = loss(network, image, target)
        torch.manual_seed(1)
        seen = network.see(image[:2])
        bound = negative_lower_bound(*network.reconstruct(seen, image[:2], target[:2]), target[:2])
        central = network.draw(network.see(image), None).mean
    missed = 0.5 * math.log(float(((central - target) ** 2).mean()))
    assert float(given) == pytest.approx(float(bound) + missed, rel=1e-4)


def tiny() -> HDN:
    torch.manual_seed(0)
    return HDN(filters=(8, 8), latents=2, samples=8)


def test_training_finds_which_of_two_truths_are_possible() -> None:
    # The image says nothing; every square of 16 pixels of the truth is either 0 or 1.
    network = tiny()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)

    def batch() -> tuple[Tensor, Tensor]:
        squares = torch.randint(2, (8, 1, 4, 4), generator=generator).float()
        truth = squares.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
        return torch.rand(truth.shape, generator=generator), truth

    first = loss(network, *batch()).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss(network, *batch()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    image, target = batch()
    network.eval()
    with torch.no_grad():
        last = loss(network, image, target).item()
        measured = measure(network, image, target)
        mean, std, _ = network(image[:1])[0]
    assert last < first - 1
    assert float(mean.mean()) == pytest.approx(0.5, abs=0.25)
    assert float(std.mean()) == pytest.approx(0.5, abs=0.2)
    assert measured["active_levels"] == 2
    assert measured["spread"] > 0.25


def test_each_level_is_measured() -> None:
    image = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        measured = measure(tiny().eval(), image, image)
    assert set(measured) == {
        "kl_level_0",
        "kl_level_1",
        "active_levels",
        "spread",
        "mean_squared_z",
    }
    assert all(math.isfinite(value) for value in measured.values())


def test_a_level_without_divergence_is_not_active() -> None:
    network = tiny().eval()
    for name, parameter in network.levels[0].named_parameters():
        if name.startswith(("to_prior", "to_proposal")):
            nn.init.zeros_(parameter)
    image = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        measured = measure(network, image, image)
    assert measured["kl_level_0"] == 0
    assert measured["active_levels"] <= 1


@pytest.mark.parametrize(("preset", "millions"), [("small", 1.05), ("full", 6.7)])
def test_sizes_of_the_presets(preset: str, millions: float) -> None:
    settings = RECIPE.presets[preset](1)
    network = RECIPE.architecture(**settings.network)
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == pytest.approx(millions * 1e6, rel=0.01)
    assert settings.patch_px % network.divisor == 0
    state = network.state_dict()
    if preset == "small":
        assert sum(t.numel() * t.element_size() for t in state.values()) < 15.3e6


def test_the_room_is_the_recipes() -> None:
    assert model_named(RECIPE.model).description()["architecture"]["callable"] == HDN.__name__
