import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

from packages.dfcan.model import (
    DFCAN,
    Amplitudes,
    AttentionBlock,
    FourierChannelAttention,
    between_centres,
    overlapping,
)
from packages.export import save_onnx

TINY: dict[str, Any] = {"filters": 8, "groups": 2, "blocks": 1, "window": 16, "spectrum_px": None}


def tiny(**arguments: Any) -> DFCAN:
    torch.manual_seed(0)
    return DFCAN(**(TINY | arguments)).eval()


def test_the_published_network_has_the_published_number_of_parameters() -> None:
    # A block: 3 convolutions of 64 to 64 channels, and 64 to 4 to 64. Around 16 of them: 1 to 64,
    # 64 to 4 · 64, 64 to 1.
    block = 3 * (64 * 64 * 9 + 64) + (64 * 4 + 4) + (4 * 64 + 64)
    around = (9 * 64 + 64) + (64 * 256 * 9 + 256) + (64 * 9 + 1)
    counted = sum(parameter.numel() for parameter in DFCAN().parameters())
    assert counted == 16 * block + around
    assert counted == pytest.approx(1.93e6, rel=1e-3)


def test_an_output_pixel_sees_the_windows_around_it() -> None:
    network = tiny(groups=1).double()
    seen = torch.rand(1, 1, 128, 128, dtype=torch.float64, requires_grad=True)
    network(seen)[0, 0, 128, 128].backward()
    assert seen.grad is not None
    rows = seen.grad[0, 0].abs().amax(dim=1).nonzero()
    # The last convolution sees features of rows 63 and 64, that before it 62 to 65, whose weights
    # lie between the centres of windows at 56, 64 and 72: rows 48 to 79. Three convolutions more.
    assert (int(rows.min()), int(rows.max())) == (48 - 3, 79 + 3)


def amplitudes_of(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    transform = np.fft.fftshift(np.fft.fft2(windows), axes=(-2, -1))
    return np.abs(transform) ** 0.8


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("window", [4, 20, 64])
def test_amplitudes_are_those_of_numpy(window: int, training: bool) -> None:
    windows = np.random.default_rng(0).random((2, 3, window, window), dtype=np.float32)
    given = Amplitudes(window).train(training)(torch.from_numpy(windows))
    np.testing.assert_allclose(given.numpy(), amplitudes_of(windows), rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("spectrum_px", [None, 24])
def test_weights_of_one_window_are_those_of_the_publication(spectrum_px: int | None) -> None:
    torch.manual_seed(0)
    attention = FourierChannelAttention(6, window=16, spectrum_px=spectrum_px, squeezed=2)
    features = torch.randn(1, 6, 16, 16)
    spectra = amplitudes_of(features.numpy())
    if spectrum_px is not None:
        zoom = (1, 1, 1.5, 1.5)
        spectra = ndimage.zoom(spectra, zoom, order=1, mode="nearest", grid_mode=True)
    names = ("look.0.weight", "look.0.bias", "weigh.0.weight", "weigh.0.bias")
    kernel, bias, squeeze, squeeze_bias = (attention.get_parameter(n).detach() for n in names)
    seen = F.conv2d(torch.from_numpy(spectra).float(), kernel, bias, padding=1).numpy()
    pooled = np.maximum(seen, 0).mean(axis=(0, 2, 3))
    hidden = np.maximum(squeeze[:, :, 0, 0].numpy() @ pooled + squeeze_bias.numpy(), 0)
    raised = attention.get_parameter("weigh.2.weight").detach()[:, :, 0, 0].numpy() @ hidden
    weights = 1 / (1 + np.exp(-raised - attention.get_parameter("weigh.2.bias").detach().numpy()))
    with torch.no_grad():
        given = attention(features)
    expected = np.broadcast_to(weights[None, :, None, None], features.shape)
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-3)


def test_a_block_adds_its_weighted_change() -> None:
    torch.manual_seed(0)
    block = AttentionBlock(4, window=8, spectrum_px=None, squeezed=2)
    features = torch.randn(1, 4, 8, 8)
    first, second = (block.get_submodule(f"convolutions.{i}") for i in (0, 2))
    change = F.gelu(second(F.gelu(first(features))))
    weights = block.attention(change)
    torch.testing.assert_close(block(features), features + weights * change)


def test_groups_and_network_are_residual_as_published() -> None:
    network = tiny(blocks=2)
    image = torch.rand(1, 1, 16, 16)
    features = F.gelu(network.get_submodule("layers.1")(image))
    for group in (3, 4):
        changed = features
        for block in range(2):
            changed = network.get_submodule(f"layers.{group}.blocks.{block}")(changed)
        features = features + changed
    fine = torch.pixel_shuffle(F.gelu(network.get_submodule("layers.5")(features)), 2)
    torch.testing.assert_close(network(image), network.get_submodule("layers.8")(fine))


def test_windows_overlap_by_half() -> None:
    features = torch.rand(2, 3, 12, 20)
    given = overlapping(features, 8).reshape(2, 2, 4, 3, 8, 8)
    for row in range(2):
        for column in range(4):
            y, x = 4 * row, 4 * column
            assert torch.equal(given[:, row, column], features[:, :, y : y + 8, x : x + 8])


def test_weights_are_linear_between_centres() -> None:
    weights = np.random.default_rng(0).random((3, 2))
    given = between_centres(torch.from_numpy(weights)[None, None], window=8)[0, 0].numpy()
    places_y, places_x = np.arange(16) + 0.5, np.arange(12) + 0.5
    along_y = np.stack([np.interp(places_y, [4, 8, 12], w) for w in weights.T], axis=1)
    expected = np.stack([np.interp(places_x, [4, 8], w) for w in along_y])
    np.testing.assert_allclose(given, expected)


def test_weights_between_windows_of_a_tile_are_those_of_the_whole() -> None:
    torch.manual_seed(0)
    attention = FourierChannelAttention(6, window=16, spectrum_px=None, squeezed=2).eval()
    features = torch.randn(1, 6, 64, 96)
    with torch.no_grad():
        whole, tile = attention(features), attention(features[..., 8:48, 16:64])
    torch.testing.assert_close(tile[..., 8:-8, 8:-8], whole[..., 16:40, 24:56])


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("coarsen", [1, 2])
def test_output_is_finer_by_the_factor(factor: int, coarsen: int) -> None:
    network = tiny(factor=factor, coarsen=coarsen, fine=4)
    y, x = 2 * network.divisor, 3 * network.divisor
    assert network.factor == factor
    assert network(torch.rand(2, 1, y, x)).shape == (2, 1, factor * y, factor * x)


def test_only_the_sigmoid_bounds_the_output() -> None:
    network, bounded = tiny(), tiny(sigmoid=True)
    bounded.load_state_dict(network.state_dict())
    image = 100 * torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(bounded(image), torch.sigmoid(network(image)))
    assert network(image).abs().max() > 1


def test_windows_that_cannot_be_halved_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        DFCAN(window=20, coarsen=2)


def stirred() -> DFCAN:
    """Return a network in which the attention matters."""
    network = tiny()
    for module in network.modules():
        if isinstance(module, AttentionBlock):
            for layer in (*module.convolutions, *module.attention.weigh):
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight)
                    layer.weight.data *= 3
    return network


def missed_by_a_tile(network: DFCAN) -> float:
    """What the middle of a tile differs from the whole image, a share of the image's spread."""
    image = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(1))
    image[..., :64] *= 0.1  # half of it shows hardly anything
    halo = 16
    with torch.no_grad():
        whole = network(image)[..., 64:192, 64:192]
        tile = network(image[..., 32:96, 32:96])
    inside = np.s_[..., 2 * halo : -2 * halo, 2 * halo : -2 * halo]
    return float((tile - whole)[inside].square().mean().sqrt() / whole[inside].std())


def test_a_tile_is_restored_as_the_whole() -> None:
    published = stirred()  # it looks at all that it is given
    for module in published.modules():
        if isinstance(module, FourierChannelAttention):
            module.register_forward_hook(of_all)
    difference = missed_by_a_tile(published)
    assert difference > 0.002
    assert missed_by_a_tile(stirred()) < difference / 10


def of_all(module: nn.Module, given: tuple[Tensor], output: Tensor) -> Tensor:
    """The weights that a window as large as the features would have."""
    (features,) = given
    network = FourierChannelAttention(
        features.shape[1], window=features.shape[2], spectrum_px=None, squeezed=4
    )
    network.load_state_dict(module.state_dict())
    return network.eval()(features)


def test_traced_and_exported_networks_take_other_sizes(tmp_path: Path) -> None:
    network = tiny(spectrum_px=24, coarsen=2)
    example, image = torch.rand(1, 1, 32, 48), torch.rand(2, 1, 96, 64)
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
    torch.testing.assert_close(torch.from_numpy(given), expected, atol=1e-4, rtol=1e-3)
    assert "DFT" not in {node.op_type for node in onnx.load(path).graph.node}
