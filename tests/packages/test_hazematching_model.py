import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from packages.export import save_onnx
from packages.hazematching.model import (
    SMALLEST_SCALE,
    Encoding,
    HazeMatching,
    LocalVelocity,
    modulated,
)
from packages.hazematching.published import PublishedHazeMatching, VelocityUNet

CELL = 4  # pixels along a cell, without another wish
TINY: dict[str, Any] = {"filters": 4, "depth": 1, "width": 8, "blocks": 1, "samples": 4, "steps": 1}
TINY_PUBLISHED: dict[str, Any] = {"multipliers": [1, 1], "attention_level": 1, "samples": 2}


def stirred(network: nn.Module) -> nn.Module:
    """Give layers that start at 0 something to say."""
    generator = torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> HazeMatching:
    torch.manual_seed(0)
    network = HazeMatching(**TINY)
    stirred(network)
    return network


@pytest.fixture(scope="module")
def image() -> Tensor:
    return torch.rand(1, 1, 64, 128, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", [HazeMatching, PublishedHazeMatching])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"samples": 1}, "no standard deviation"),
        ({"samples": 3}, "antithetic pairs"),
        ({"samples": 66}, "noise bank holds 64"),
        ({"steps": 0}, "at least 1"),
        ({"steps": -2}, "at least 1"),
    ],
)
def test_impossible_samples_and_steps_are_refused(
    architecture: Callable[..., nn.Module], arguments: dict[str, int], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        architecture(**arguments)


def test_small_network_has_as_many_parameters_as_care() -> None:
    count = sum(p.numel() for p in HazeMatching().parameters())
    assert count == pytest.approx(1.08e6, rel=0.02)


def test_weights_load_whatever_samples_and_steps(network: HazeMatching) -> None:
    other = HazeMatching(**TINY | {"samples": 8, "steps": 3})
    other.load_state_dict(network.state_dict())


def test_the_same_image_twice_gives_the_same_bits(network: HazeMatching, image: Tensor) -> None:
    with torch.no_grad():
        assert torch.equal(network(image), network(image))


def test_mean_std_and_sample_are_those_of_the_draws(network: HazeMatching, image: Tensor) -> None:
    with torch.no_grad():
        drawn = draws(network, image)
        mean, std, sample = network(image)[:, :3].split(1, dim=1)
    torch.testing.assert_close(mean, drawn.mean(dim=0))
    torch.testing.assert_close(sample, drawn[0])
    pairs = (drawn[0::2] - drawn[1::2]).square().mean(dim=0) / 4
    middles = ((drawn[0::2] + drawn[1::2]) / 2).var(dim=0)
    torch.testing.assert_close(std.square(), pairs + middles * 1.5, atol=1e-6, rtol=1e-3)


def draws(network: HazeMatching, image: Tensor) -> Tensor:
    """Every sample, shape (samples, batch, 1, y, x)."""
    encoding, chosen = network.encode(image), network.choose(image)
    modulations = network.velocity.modulation(network.times)
    return torch.stack(
        [
            network.draw(network.noise(k, chosen), encoding, modulations)
            for k in range(network.samples)
        ]
    )


def test_samples_differ_between_and_mirror_within_pairs(image: Tensor) -> None:
    # A new network's velocity is a constant: what it does to the noise is linear.
    network = HazeMatching(**TINY).eval()
    with torch.no_grad():
        encoding = network.encode(image)
        first, mirrored, second, _ = draws(network, image)
    rest, mirrored_rest = first - encoding.mean, mirrored - encoding.mean
    constant = (rest + mirrored_rest) / encoding.scale
    assert constant.flatten(2)[..., 0].isfinite().all()
    period = constant[..., : 2 * CELL, : 2 * CELL]
    torch.testing.assert_close(
        period[..., :CELL, :CELL], period[..., CELL:, CELL:], atol=1e-5, rtol=0
    )
    assert (first - second).abs().mean() > 0.1 * encoding.scale.mean()


def test_a_sample_is_mean_and_scaled_rest(network: HazeMatching) -> None:
    encoding = Encoding(
        [torch.zeros(1, 8, 16, 16)] * 2,
        torch.full((1, 1, 64, 64), 3.0),
        torch.full((1, 1, 64, 64), 2.0),
    )
    resting = HazeMatching(**TINY)
    for parameter in resting.velocity.out.parameters():
        nn.init.zeros_(parameter)
    noise = torch.randn(1, CELL**2, 16, 16)
    with torch.no_grad():
        sample = resting.draw(noise, encoding, resting.velocity.modulation(resting.times))
    torch.testing.assert_close(sample, 3 + 2 * torch.pixel_shuffle(noise, CELL))


def test_the_scale_is_positive(network: HazeMatching, image: Tensor) -> None:
    with torch.no_grad():
        assert network.encode(-50 * image).scale.min() >= SMALLEST_SCALE


def test_a_tile_agrees_with_the_whole_image_inside() -> None:
    torch.manual_seed(4)
    network = HazeMatching(**TINY)
    stirred(network)
    image = torch.rand(1, 1, 256, 256)
    with torch.no_grad():
        whole = network(image)
        tile = network(image[..., 32:, 64:])
    extent = whole[:, 0].max() - whole[:, 0].min()
    halo = 48
    difference = (tile - whole[..., 32:, 64:])[..., halo:, halo:].abs().max()
    assert difference < 0.01 * extent


def test_weights_take_up_what_one_time_does() -> None:
    torch.manual_seed(0)
    convolution, x = nn.Conv2d(3, 4, 3, padding=1), torch.rand(1, 3, 6, 6)
    scale, shift = torch.rand(2, 1, 4, 1, 1)
    given = modulated(convolution, x, scale, shift)
    torch.testing.assert_close(given, convolution(x) * scale + shift)


def test_the_velocity_reaches_two_coarse_pixels_a_block_and_two_more() -> None:
    torch.manual_seed(0)
    velocity = LocalVelocity(CELL**2, width=8, blocks=2, dimensions=2)
    stirred(velocity)
    state = torch.zeros(1, CELL**2, 31, 31)
    guides = list(torch.rand(3, 1, 8, 31, 31))
    modulation = velocity.modulation(torch.tensor([0.3]))
    lit = state.clone()
    lit[..., 15, 15] = 1
    with torch.no_grad():
        changed = velocity(lit, modulation, guides) - velocity(state, modulation, guides)
    rows = changed.abs().amax(dim=(0, 1, 3)).nonzero().flatten()
    assert (rows.min(), rows.max()) == (15 - 6, 15 + 6)


def test_gradients_are_finite(image: Tensor) -> None:
    network = HazeMatching(**TINY).train()
    network(image).sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


@pytest.fixture(scope="module")
def others(network: HazeMatching) -> list[tuple[Tensor, Tensor]]:
    """Images of other sizes and batches than the traced one, and what the network makes of them."""
    torch.manual_seed(2)
    images = [torch.rand(1, 1, 128, 64), torch.rand(2, 1, 64, 192)]
    with torch.no_grad():
        return [(image, network(image)) for image in images]


def test_traced_network_agrees_at_other_sizes(
    network: HazeMatching, others: list[tuple[Tensor, Tensor]]
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
    network: HazeMatching, others: list[tuple[Tensor, Tensor]], tmp_path: Path
) -> None:
    axes = {0: "batch", 2: "y", 3: "x"}
    save_onnx(network, torch.rand(1, 1, 64, 64), tmp_path / "m.onnx", axes=axes)
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for image, expected in others:
        given = np.asarray(session.run(None, {"input": image.numpy()})[0])
        np.testing.assert_allclose(given, expected.numpy(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("multipliers", "attention_level", "millions"),
    [([1, 1, 2, 3, 4], 3, 3.70), ([1, 2, 3, 4], 2, 3.59)],
)
def test_published_networks_have_the_published_sizes(
    multipliers: list[int], attention_level: int, millions: float
) -> None:
    network = PublishedHazeMatching(multipliers=multipliers, attention_level=attention_level)
    count = sum(p.numel() for p in network.parameters())
    assert round(count / 1e6, 2) == millions


def test_published_attention_is_at_16_of_128_and_at_the_bottom_only() -> None:
    network = VelocityUNet(base=32, multipliers=(1, 1, 2, 3, 4), attention_level=3)
    sides: list[int] = []
    for name, module in network.named_modules():
        if name.endswith("query_key_value"):
            module.register_forward_hook(lambda _, inputs, output: sides.append(output.shape[2]))
    with torch.no_grad():
        network(torch.rand(1, 1, 128, 128), torch.tensor([0.5]), torch.rand(1, 1, 128, 128))
    assert sides == [16**2, 8**2, 16**2, 16**2]


def test_published_sample_takes_19_equal_steps_of_euler(image: Tensor) -> None:
    network = PublishedHazeMatching(**TINY_PUBLISHED)
    stirred(network)
    image = image[..., :16, :16]
    seen: list[float] = []
    network.velocity.register_forward_pre_hook(lambda _, inputs: seen.append(float(inputs[1])))
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        sample = network.draw(image, noise)
        assert seen == pytest.approx([i / 19 for i in range(19)])
        x = noise
        for i in range(19):
            x = x + network.velocity(x, torch.tensor([i / 19]), image) / 19
    torch.testing.assert_close(sample, x)


def test_published_network_starts_with_no_velocity(image: Tensor) -> None:
    network = VelocityUNet(base=32, multipliers=[1, 1], attention_level=1)
    assert not network(image, torch.tensor([0.2]), image).any()


def test_published_network_sees_time_state_and_image(image: Tensor) -> None:
    image = image[..., :16, :16]
    network = VelocityUNet(base=32, multipliers=[1, 1], attention_level=1)
    stirred(network)
    with torch.no_grad():
        given = network(image, torch.tensor([0.2]), image)
        for state, time, guide in (
            (image + 1, 0.2, image),
            (image, 0.7, image),
            (image, 0.2, -image),
        ):
            assert not torch.allclose(network(state, torch.tensor([time]), guide), given)


def test_published_answer_has_mean_std_and_sample(image: Tensor) -> None:
    network = PublishedHazeMatching(**TINY_PUBLISHED, steps=2)
    with torch.no_grad():
        mean, std, sample = network(image.repeat(2, 1, 1, 1)).split(1, dim=1)
    noise = network.noise(
        0, network.choose(image)
    )  # without velocity the samples are the noise and its mirror
    torch.testing.assert_close(sample, noise.repeat(2, 1, 1, 1))
    torch.testing.assert_close(mean, torch.zeros_like(mean))
    torch.testing.assert_close(std, sample.abs(), atol=1e-5, rtol=1e-4)
