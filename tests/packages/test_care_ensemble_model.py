import io
import itertools
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from scipy.integrate import fixed_quad
from torch import Tensor

from packages.care_ensemble.model import SMALLEST_SCALE, CareEnsemble, disagreement
from packages.export import measure_halo, save_onnx
from packages.network_contract import divisors, factors

TINY: dict[str, Any] = {"members": 3, "depth": 1, "filters": 4, "coarsen": 4}


@pytest.fixture(scope="module")
def network() -> CareEnsemble:
    torch.manual_seed(0)
    return CareEnsemble(**TINY).eval()


def mixtures(*, members: int, count: int, spread: float, seed: int) -> tuple[Tensor, Tensor]:
    """Laplace distributions from coinciding to disjoint; log scales have the spread as std."""
    rng = np.random.default_rng(seed)
    distance = 10 ** rng.uniform(-2, 1.5, (count, 1))
    location = rng.normal(size=(count, members)) * distance
    scale = np.exp(rng.normal(size=(count, members)) * spread)
    return as_images(location), as_images(scale)


def as_images(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).float()[..., None, None]


def integrated_disagreement(location: np.ndarray, scale: np.ndarray) -> float:
    """Mean KL divergence to the mixture over log M, integrated between all kinks."""

    def density(x: np.ndarray) -> np.ndarray:
        return np.exp(-np.abs(x - location[:, None]) / scale[:, None]) / (2 * scale[:, None])

    def mean_divergence(x: np.ndarray) -> np.ndarray:
        p = density(x)
        ratio = np.where(p > 0, p / p.mean(axis=0), 1)
        return (p * np.log(ratio)).mean(axis=0)

    steps = [side * step for side in (-1, 1) for step in (0, 0.3, 1, 2, 4, 8, 16, 30)]
    cuts = np.unique([m + b * step for m, b in zip(location, scale, strict=True) for step in steps])
    pieces = [
        float(fixed_quad(mean_divergence, a, b, n=12)[0]) for a, b in itertools.pairwise(cuts)
    ]
    return sum(pieces) / math.log(len(location))


@pytest.mark.parametrize(
    ("members", "spread"), [(2, 0.0), (5, 0.0), (2, 0.5), (3, 0.5), (5, 0.5), (5, 1.0)]
)
def test_disagreement_is_the_divergence_from_the_mixture(members: int, spread: float) -> None:
    location, scale = mixtures(members=members, count=60, spread=spread, seed=members)
    given = disagreement(location, scale).flatten().numpy()
    expected = [
        integrated_disagreement(m, b)
        for m, b in zip(
            location[..., 0, 0].double().numpy(), scale[..., 0, 0].double().numpy(), strict=True
        )
    ]
    assert np.ptp(expected) > 0.8
    np.testing.assert_allclose(given, expected, atol=0.01)


def test_disagreement_stays_between_its_bounds_for_wild_mixtures() -> None:
    location, scale = mixtures(members=5, count=2000, spread=3.0, seed=0)
    given = disagreement(1e3 * location, scale.clamp(min=SMALLEST_SCALE))
    assert given.isfinite().all()
    assert 0 <= given.min() <= given.max() <= 1


def test_equal_members_do_not_disagree() -> None:
    location, scale = torch.full((1, 5, 2, 2), 0.3), torch.full((1, 5, 2, 2), 0.02)
    assert disagreement(location, scale).abs().max() < 1e-5


def test_members_without_overlap_disagree_wholly() -> None:
    location = torch.arange(5.0).view(1, 5, 1, 1)
    assert disagreement(location, torch.full_like(location, 0.01)).item() == pytest.approx(1)


def test_disagreement_depends_on_distances_in_units_of_scale_only() -> None:
    location, scale = mixtures(members=4, count=50, spread=0.7, seed=2)
    torch.testing.assert_close(
        disagreement(0.1 * location + 5, 0.1 * scale),
        disagreement(location, scale),
        atol=1e-4,
        rtol=1e-3,
    )


def test_mean_and_std_are_those_of_values_drawn_from_the_members(network: CareEnsemble) -> None:
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        location, scale = network.distributions(image)
        mean, std = network(image)[0, :2, 3, 5].tolist()
    rng = np.random.default_rng(0)
    drawn = rng.laplace(
        location[0, :, 3, 5].numpy()[:, None], scale[0, :, 3, 5].numpy()[:, None], (3, 200_000)
    )
    assert mean == pytest.approx(drawn.mean(), abs=5 * drawn.std() / 600_000**0.5)
    assert std == pytest.approx(drawn.std(), rel=0.01)


def test_the_standard_deviation_is_calibrated(network: CareEnsemble) -> None:
    image = torch.rand(1, 1, 16, 16)
    doubled = CareEnsemble(**TINY).eval()
    doubled.load_state_dict(network.state_dict())
    doubled.calibration.values *= 2
    with torch.no_grad():
        before, after = network(image), doubled(image)
    torch.testing.assert_close(after[:, 1], 2 * before[:, 1])
    torch.testing.assert_close(after[:, [0, 2]], before[:, [0, 2]])


def test_members_start_from_weights_of_their_own(network: CareEnsemble) -> None:
    with torch.no_grad():
        location, _ = network.distributions(torch.rand(1, 1, 16, 16))
    assert len(location.mean(dim=(0, 2, 3)).unique()) == 3


def test_residual_members_start_from_their_input() -> None:
    network = CareEnsemble(**TINY, residual=True)
    for name, parameter in network.named_parameters():
        if "head" in name:
            torch.nn.init.zeros_(parameter)
    image = torch.rand(2, 1, 16, 16)
    location, scale = network.distributions(image)
    torch.testing.assert_close(location, image.expand(-1, 3, -1, -1))
    torch.testing.assert_close(scale, torch.full_like(scale, math.log(2) + SMALLEST_SCALE))


@pytest.mark.parametrize(("depth", "coarsen"), [(2, 4), (1, 2), (2, 1)])
def test_sides_are_multiples_of_the_divisor(depth: int, coarsen: int) -> None:
    network = CareEnsemble(members=2, depth=depth, filters=4, coarsen=coarsen)
    assert network.divisor == coarsen * 2**depth
    image = torch.rand(2, 1, network.divisor, 2 * network.divisor)
    assert network(image).shape == (2, 3, *image.shape[2:])


@pytest.mark.parametrize("members", [1, 0, -3])
def test_a_single_member_is_refused(members: int) -> None:
    with pytest.raises(ValueError, match="cannot disagree: ask for at least 2"):
        CareEnsemble(members=members)


def test_gradients_of_all_outputs_are_finite() -> None:
    torch.manual_seed(1)
    network = CareEnsemble(**TINY)
    image = torch.zeros(1, 1, 16, 16)  # constant: members have no texture to differ by
    network(image).sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_the_influence_of_a_pixel_ends(network: CareEnsemble) -> None:
    assert (
        max(measure_halo(network, divisors(network), factors(network)).values())
        <= 5 * network.divisor
    )


@pytest.fixture(scope="module")
def others(network: CareEnsemble) -> list[tuple[Tensor, Tensor]]:
    """Images of other sizes and batches than the traced one, and what the network makes of them."""
    torch.manual_seed(2)
    images = [torch.rand(1, 1, 32, 16), torch.rand(2, 1, 24, 40)]
    with torch.no_grad():
        return [(image, network(image)) for image in images]


def test_traced_network_agrees_at_other_sizes(
    network: CareEnsemble, others: list[tuple[Tensor, Tensor]]
) -> None:
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript
        torch.jit.save(torch.jit.trace(network, torch.rand(1, 1, 16, 16)), stream)
        stream.seek(0)
        traced = torch.jit.load(stream)
        for image, expected in others:
            torch.testing.assert_close(traced(image), expected, atol=1e-5, rtol=1e-4)


def test_onnx_agrees_at_other_sizes(
    network: CareEnsemble, others: list[tuple[Tensor, Tensor]], tmp_path: Path
) -> None:
    axes = {0: "batch", 2: "y", 3: "x"}
    save_onnx(network, torch.rand(1, 1, 16, 16), tmp_path / "m.onnx", axes=axes)
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for image, expected in others:
        given = np.asarray(session.run(None, {"input": image.numpy()})[0])
        np.testing.assert_allclose(given, expected.numpy(), atol=1e-5, rtol=1e-4)
