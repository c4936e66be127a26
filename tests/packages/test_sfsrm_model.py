import warnings
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import torch
from torch.nn import functional as F

from packages.export import measure_halo, save_onnx
from packages.network_contract import divisors, factors
from packages.sfsrm.model import SFSRM, DenseBlock, ResidualOfResiduals

TINY: dict[str, Any] = {"filters": 4, "growth": 2, "blocks": 1}


def tiny(**arguments: Any) -> SFSRM:
    torch.manual_seed(0)
    return SFSRM(**(TINY | arguments)).eval()


def test_the_published_network_is_as_large_as_esrgans() -> None:
    # ESRGAN's has 16,697,987 parameters, for images of three channels; these are two in, one out.
    colours = (3 - 2) * 64 * 9 + (3 - 1) * (64 * 9 + 1)
    counted = sum(parameter.numel() for parameter in SFSRM().parameters())
    assert counted == 16_697_987 - colours


def test_a_dense_block_is_esrgans() -> None:
    torch.manual_seed(0)
    block = DenseBlock(filters=4, growth=2)
    x = torch.randn(1, 4, 8, 8)
    seen = [x]
    for i in range(4):
        layer = block.get_submodule(f"growing.{i}")
        seen.append(F.leaky_relu(layer(torch.cat(seen, dim=1)), 0.2))
    expected = x + 0.2 * block.last(torch.cat(seen, dim=1))
    torch.testing.assert_close(block(x), expected)


def test_residuals_are_residual_themselves() -> None:
    torch.manual_seed(0)
    block = ResidualOfResiduals(filters=4, growth=2)
    x = torch.randn(1, 4, 8, 8)
    inner = x
    for i in range(3):
        inner = block.get_submodule(f"blocks.{i}")(inner)
    torch.testing.assert_close(block(x), x + 0.2 * inner)


def test_the_network_sees_image_and_edges() -> None:
    network = tiny(factor=2)
    image = torch.rand(1, 1, 16, 16)
    pair = torch.cat([image, network.edges(image)], dim=1)
    features = network.first(pair)
    features = features + network.trunk(features)
    fine = features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    fine = F.leaky_relu(network.get_submodule("head.1")(fine), 0.2)
    fine = F.leaky_relu(network.get_submodule("head.3")(fine), 0.2)
    torch.testing.assert_close(network(image), network.get_submodule("head.5")(fine))
    flat = torch.full_like(image, 0.3)
    assert network.edges(flat).abs().max() == 0


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("coarsen", [1, 2])
def test_output_is_finer_by_the_factor(factor: int, coarsen: int) -> None:
    network = tiny(factor=factor, coarsen=coarsen)
    y, x = 8 * network.divisor, 9 * network.divisor
    assert network.factor == factor
    assert network(torch.rand(2, 1, y, x)).shape == (2, 1, factor * y, factor * x)


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_reach_is_that_of_its_convolutions(blocks: int) -> None:
    # 3 for the edges, 15 for the convolutions of a block, and 4 before, between and after.
    network = tiny(factor=1, blocks=blocks)
    halo = measure_halo(network, divisors(network), factors(network))
    assert set(halo.values()) == {3 + 1 + 15 * blocks + 1 + 2}


def test_a_tile_is_restored_as_the_whole() -> None:
    network = tiny(factor=2)
    image = torch.rand(1, 1, 72, 72)
    reach = 3 + 1 + 15 + 1 + 2
    with torch.no_grad():
        whole, tile = network(image), network(image[..., 4:68, 8:72])
    inside = slice(2 * reach, -2 * reach)
    torch.testing.assert_close(
        tile[..., inside, inside], whole[..., 8:136, 16:144][..., inside, inside]
    )


def test_traced_and_exported_networks_take_other_sizes(tmp_path: Path) -> None:
    network = tiny(coarsen=2)
    example, image = torch.rand(1, 1, 16, 24), torch.rand(2, 1, 40, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced: Any = torch.jit.trace(network, example)
    path = tmp_path / "model.onnx"
    save_onnx(network, example, path, axes={0: "batch", 2: "y", 3: "x"})
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = network(image)
        torch.testing.assert_close(traced(image), expected)
    (given,) = session.run(None, {"input": image.numpy()})
    torch.testing.assert_close(torch.from_numpy(given), expected, atol=1e-5, rtol=1e-3)
