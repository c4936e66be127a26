import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from packages.export import measure_effective_halo, save_onnx
from packages.hdn.levels import Gaussian, TopDownLevel, bounded
from packages.hdn.model import HDN
from packages.network_contract import divisors, factors
from packages.posterior import Calibration


def tiny(**arguments: Any) -> HDN:
    arguments = {"filters": (8, 8, 8), "latents": 2, "samples": 4} | arguments
    return HDN(**arguments)


@pytest.fixture(scope="module")
def network() -> HDN:
    torch.manual_seed(0)
    return tiny().eval()


finite = st.floats(-5, 5, width=32)


@settings(max_examples=50, deadline=None)
@given(means=st.tuples(finite, finite), log_variances=st.tuples(finite, finite), value=finite)
def test_gaussians_agree_with_torch(
    means: tuple[float, float], log_variances: tuple[float, float], value: float
) -> None:
    ours = [
        Gaussian(torch.tensor(m, dtype=torch.float64), torch.tensor(v, dtype=torch.float64))
        for m, v in zip(means, log_variances, strict=True)
    ]
    theirs = [Normal(g.mean, torch.exp(g.log_variance / 2)) for g in ours]
    torch.testing.assert_close(ours[0].divergence(ours[1]), kl_divergence(theirs[0], theirs[1]))
    x = torch.tensor(value, dtype=torch.float64)
    torch.testing.assert_close(ours[0].surprise(x), -theirs[0].log_prob(x))
    torch.testing.assert_close(ours[0].at(x), theirs[0].mean + theirs[0].stddev * x)


def test_a_level_merges_what_was_seen_with_the_repeated_coarser_state(network: HDN) -> None:
    level = network.levels[0]
    assert isinstance(level, TopDownLevel)
    image, coarser = torch.rand(2, 8, 8, 8), torch.rand(2, 8, 4, 4)
    repeated = coarser.repeat_interleave(2, 2).repeat_interleave(2, 3)
    with torch.no_grad():
        given = level.down(level.look(image), coarser)
        torch.testing.assert_close(given, level.merge(torch.cat([repeated, image], dim=1)))


def test_bounds_hold_and_do_not_matter_between_them() -> None:
    values = torch.linspace(-100, 100, 2001)
    given = bounded(values, -9, 3)
    assert -9 <= given.min() <= given.max() <= 3
    assert (given.diff() >= 0).all()
    inside = (values + 3).abs() < 1
    torch.testing.assert_close(given[inside], values[inside], atol=0.01, rtol=0)


def test_a_proposal_equal_to_the_prior_diverges_by_nothing(network: HDN) -> None:
    twin = tiny().eval()
    for level in twin.levels:
        for name, parameter in level.named_parameters():
            if name.startswith(("to_prior", "to_proposal")):
                torch.nn.init.zeros_(parameter)
    image = torch.rand(1, 1, 64, 64)
    _, divergences = twin.reconstruct(twin.see(image), image, image)
    assert all(torch.equal(d, torch.zeros_like(d)) for d in divergences)


def test_levels_lie_on_grids_from_fine_to_coarse(network: HDN) -> None:
    image = torch.rand(2, 1, 64, 128)
    restored, divergences = network.reconstruct(network.see(image), image, image)
    assert restored.mean.shape == restored.log_variance.shape == image.shape
    assert [d.shape for d in divergences] == [(2, 2, 16, 32), (2, 2, 8, 16), (2, 2, 4, 8)]
    assert all((d > -1e-5).all() for d in divergences)


def test_the_answer_sums_up_the_samples(network: HDN) -> None:
    # By the law of total variance: values drawn from each sample's own Gaussian have the variance
    # stated, times 1 + 1/pairs for the error of the mean in what differs between the pairs.
    image = torch.rand(1, 1, 64, 64)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        seen = network.see(image)
        chosen = network.choose(image)
        whole = [network.draw(seen, network.noise(number, chosen)) for number in range(4)]
        mean, std, sample = network(image)[0, :, :8]
        drawn = [Gaussian(g.mean[..., :8, :], g.log_variance[..., :8, :]) for g in whole]
        values = torch.stack(
            [g.at(torch.randn(2000, 1, 8, 64, generator=generator)) for g in drawn]
        )
    middles = torch.stack([(drawn[i].mean + drawn[i + 1].mean) / 2 for i in (0, 2)])
    torch.testing.assert_close(mean, middles.mean(dim=0)[0, 0])
    torch.testing.assert_close(sample, drawn[0].mean[0, 0])
    # The scatter of two middles is estimated with one degree of freedom: add what that adds.
    scatter = middles.var(dim=0, correction=1) * 1.5 - middles.var(dim=0, correction=0)
    expected = values.var(dim=(0, 1), correction=0)[0] + scatter[0, 0]
    torch.testing.assert_close(std**2, expected, rtol=0.1, atol=0)


def test_the_standard_deviation_is_calibrated(network: HDN) -> None:
    doubled = tiny().eval()
    doubled.load_state_dict(network.state_dict())
    doubled.calibration.values *= 2
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        before, after = network(image), doubled(image)
    torch.testing.assert_close(after[:, 1], 2 * before[:, 1])
    assert torch.equal(after[:, [0, 2]], before[:, [0, 2]])
    assert isinstance(network.calibration, Calibration)


def test_samples_differ_and_come_twice_the_same(network: HDN) -> None:
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        seen = network.see(image)
        chosen = network.choose(image)
        first, second, third = (
            network.draw(seen, network.noise(number, chosen)).mean for number in range(3)
        )
        assert torch.equal(first, network.draw(seen, network.noise(0, chosen)).mean)
        assert torch.equal(network(image), network(image))
    assert min((first - second).std(), (first - third).std(), (second - third).std()) > 1e-3


def test_without_a_number_z_lies_at_the_mean_of_the_prior() -> None:
    torch.manual_seed(4)
    network = tiny().eval()
    for level in network.levels:
        level.get_submodule("noise").get_buffer("fields").zero_()
    with torch.no_grad():
        image = torch.rand(1, 1, 64, 64)
        seen, noise = network.see(image), network.noise(3, network.choose(image))
        assert torch.equal(network.draw(seen, None).mean, network.draw(seen, noise).mean)


def test_every_level_makes_samples_differ(network: HDN) -> None:
    image = torch.rand(1, 1, 64, 64)
    for silent in range(3):
        twin = tiny().eval()
        twin.load_state_dict(network.state_dict())
        for i, level in enumerate(twin.levels):
            if i != silent:
                level.get_submodule("noise").get_buffer("fields").zero_()
        with torch.no_grad():
            seen, chosen = twin.see(image), twin.choose(image)
            one, other = (twin.draw(seen, twin.noise(k, chosen)).mean for k in range(2))
            assert (one - other).std() > 1e-4


def test_a_place_gets_the_same_noise_in_every_tile(network: HDN) -> None:
    torch.manual_seed(1)
    image = torch.rand(1, 1, 512, 512)
    down, right = 16, 48
    with torch.no_grad():
        whole = network(image)
        tile = network(image[..., down:, right:])
    # Away from the edges they agree to what the theoretical reach lets through: nothing.
    inside = slice(192, 256)
    shifted = whole[..., down:, right:]
    torch.testing.assert_close(tile[..., inside, inside], shifted[..., inside, inside])


def test_the_influence_of_a_pixel_ends(network: HDN) -> None:
    # By the kernels: 5 cells of each of 3 levels on the way up and down, about 150 pixels.
    dark = torch.zeros(1, 1, 64, 512)
    lit = dark.clone()
    lit[..., 256] = 10
    with torch.no_grad():
        changed = (network(lit) != network(dark)).any(dim=1).any(dim=1)[0].nonzero()
    reach = (changed - 256).abs().max()
    assert 16 < reach <= 192


def test_the_edge_of_a_tile_is_noticed_nearby_only(network: HDN) -> None:
    torch.manual_seed(2)
    image = torch.rand(1, 1, 384, 384)
    found = measure_effective_halo(network, image, divisors(network), factors(network))
    assert max(found.halo.values()) <= 64


@pytest.mark.parametrize(
    ("arguments", "divisor"),
    [
        ({"filters": (8, 8, 8), "coarsen": 4}, 16),
        ({"filters": (8,) * 6, "coarsen": 2}, 64),
        ({"filters": (8,), "coarsen": 3}, 3),
    ],
)
def test_sides_hold_whole_cells_of_the_coarsest_level(
    arguments: dict[str, Any], divisor: int
) -> None:
    network = tiny(**arguments).eval()
    assert network.divisor == divisor
    with torch.no_grad():
        assert network(torch.rand(1, 1, divisor, 2 * divisor)).isfinite().all()


def test_more_samples_need_no_other_weights(network: HDN) -> None:
    tiny(samples=64).load_state_dict(network.state_dict())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"samples": 1}, "standard deviation"),
        ({"samples": 5}, "antithetic"),
        ({"samples": 66}, "holds 64"),
        ({"filters": ()}, "0 level.s."),
        ({"coarsen": 0}, "from 0 pixels"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        tiny(**arguments)


def test_gradients_are_finite_for_images_far_from_any_truth() -> None:
    torch.manual_seed(0)
    network = tiny()
    image, truth = torch.zeros(1, 1, 64, 64), torch.full((1, 1, 64, 64), 50.0)
    restored, divergences = network.reconstruct(network.see(image), image, truth)
    surprise = restored.surprise(torch.tensor(50.0)).mean()
    lower_bound = surprise + torch.stack([d.mean() for d in divergences]).sum()
    lower_bound.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert lower_bound.isfinite()


@pytest.fixture(scope="module")
def others(network: HDN) -> list[tuple[Tensor, Tensor]]:
    """Images of other sizes and batches than the traced one, and what the network makes of them."""
    torch.manual_seed(3)
    images = [torch.rand(1, 1, 128, 64), torch.rand(2, 1, 64, 128)]
    with torch.no_grad():
        return [(image, network(image)) for image in images]


def test_traced_network_agrees_at_other_sizes(
    network: HDN, others: list[tuple[Tensor, Tensor]]
) -> None:
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript
        torch.jit.save(torch.jit.trace(network, torch.rand(1, 1, 64, 64)), stream)
        stream.seek(0)
        traced = torch.jit.load(stream)
        for image, expected in others:
            torch.testing.assert_close(traced(image), expected, atol=1e-5, rtol=1e-4)


def test_onnx_agrees_at_other_sizes(
    network: HDN, others: list[tuple[Tensor, Tensor]], tmp_path: Path
) -> None:
    axes = {0: "batch", 2: "y", 3: "x"}
    save_onnx(network, torch.rand(1, 1, 64, 64), tmp_path / "m.onnx", axes=axes)
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for image, expected in others:
        answer = np.asarray(session.run(None, {"input": image.numpy()})[0])
        np.testing.assert_allclose(answer, expected.numpy(), atol=1e-5, rtol=1e-4)
