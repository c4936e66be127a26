from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from packages.updown.model import DoubleNorm, ExternalAttention, InstanceNorm, UpDown
from tests.exported import run_exported

SMALL: dict[str, Any] = {"units": 3, "filters": 4, "entries": 6}


def network(**arguments: Any) -> UpDown:
    torch.manual_seed(0)
    return UpDown(**(SMALL | arguments)).eval()


def image(*sides: int) -> Tensor:
    return torch.rand(2, 1, *sides, generator=torch.Generator().manual_seed(1))


def counted(units: int, filters: int, entries: int, scale: int) -> int:
    """Parameters of the published network, layer by layer, each PReLU with one."""
    sampling = 3 * (filters**2 * (scale + 4) ** 2 + filters + 1)
    fused = [filters**2 * maps + filters + 1 for maps in range(2, units)]
    stem = (9 + 1) * 4 * filters + 1 + (4 * filters + 1) * filters + 1
    head = units * filters * 9 + 1
    attention = units * 2 * entries * filters
    return stem + (2 * units - 1) * sampling + 2 * sum(fused) + attention + head


@pytest.mark.parametrize(("attention", "millions"), [("none", 5.94), ("double", 6.00)])
def test_the_published_form_has_as_many_parameters(attention: Any, millions: float) -> None:
    count = sum(parameter.numel() for parameter in UpDown(attention=attention).parameters())
    assert count == counted(7, 64, 64 if attention == "double" else 0, 2)
    assert count / 1e6 == pytest.approx(millions, abs=0.005)


def deconvolved(features: Tensor, layer: nn.ConvTranspose2d) -> Tensor:
    """Each pixel adds the kernel, times its value, to the fine grid, of which the rim is cut."""
    (kernel, _), (step, _), cut = layer.kernel_size, layer.stride, int(layer.padding[0])
    batch, _, y, x = features.shape
    sides = (step * (y - 1) + kernel, step * (x - 1) + kernel)
    fine = torch.zeros(batch, layer.out_channels, *sides)
    for i in range(kernel):
        for j in range(kernel):
            added = torch.einsum("bcyx,cd->bdyx", features, layer.weight[:, :, i, j])
            fine[..., i : i + step * y : step, j : j + step * x : step] += added
    assert layer.bias is not None
    return fine[..., cut : sides[0] - cut, cut : sides[1] - cut] + layer.bias[:, None, None]


def by_the_paper(ours: UpDown, image: Tensor) -> Tensor:
    """The units and connections as they were published, without attention; layers in their order.

    An up unit and the down unit behind it hold their layers in this order, each with its PReLU.
    """
    layers = {
        name: list(_layers(getattr(ours, name))) for name in ("stem", "first", "downs", "ups")
    }

    def apply(name: str, features: Tensor) -> Tensor:
        layer, slope = layers[name].pop(0)
        if isinstance(layer, nn.ConvTranspose2d):
            result = deconvolved(features, layer)
        else:
            result = F.conv2d(features, layer.weight, layer.bias, layer.stride, layer.padding)
        return torch.where(result > 0, result, slope.weight * result)

    def unit(name: str, x: Tensor) -> Tensor:
        first = apply(name, x)
        error = apply(name, first) - x
        return first + apply(name, error)

    x = apply("stem", apply("stem", image))
    high, low = [unit("first", x)], list[Tensor]()
    for t in range(1, SMALL["units"]):
        low.append(unit("downs", high[0] if t == 1 else apply("downs", torch.cat(high, dim=1))))
        high.append(unit("ups", low[0] if t == 1 else apply("ups", torch.cat(low, dim=1))))
    return F.conv2d(torch.cat(high, dim=1), ours.head.weight, ours.head.bias, padding=1)


def _layers(part: nn.Module) -> Iterator[tuple[Any, Any]]:
    found = [m for m in part.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.PReLU)]
    return zip(found[::2], found[1::2], strict=True)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_without_attention_it_is_dense_back_projection(factor: int) -> None:
    ours = network(attention="none", factor=factor)
    torch.testing.assert_close(ours(image(8, 6)), by_the_paper(ours, image(8, 6)))


def doubly_normalised(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Softmax over the pixels, then L1 over the entries, each as it is written down."""
    powers = np.exp(scores.astype(float))
    over_pixels = powers / powers.sum(axis=(1, 2), keepdims=True)
    return over_pixels / np.abs(over_pixels).sum(axis=3, keepdims=True)


def standardised(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    mean, variance = scores.mean(axis=(1, 2), keepdims=True), scores.var(axis=(1, 2), keepdims=True)
    return (scores - mean) / np.sqrt(variance + 1e-5)


def scores(*shape: int) -> Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(2)) + 1


@pytest.mark.parametrize(
    ("norm", "expected"), [(DoubleNorm, doubly_normalised), (InstanceNorm, standardised)]
)
def test_in_training_attention_normalises_over_each_image(norm: Any, expected: Any) -> None:
    given = scores(3, 8, 6, 5)
    torch.testing.assert_close(
        norm(5).train()(given).double(),
        torch.from_numpy(expected(given.numpy())).double(),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("norm", [DoubleNorm, InstanceNorm])
def test_to_restore_attention_has_the_statistics_of_training(norm: Any) -> None:
    ours, given = norm(5), scores(1, 32, 32, 5)
    for _ in range(200):
        ours.train()(given)
    trained, restored = ours(given), ours.eval()(given)
    torch.testing.assert_close(restored, trained, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours(given[:, 8:]), restored[:, 8:])


def test_attention_reads_a_memory() -> None:
    attention, features = ExternalAttention(4, entries=6, norm="double"), torch.rand(1, 4, 3, 5)
    pixels = features.flatten(2)[0].T.detach().numpy()
    keys, values = (m.weight.detach().numpy() for m in (attention.keys, attention.values))
    shares = doubly_normalised((pixels @ keys.T)[None, None])[0, 0]
    expected = (shares @ values.T.astype(float)).T.reshape(4, 3, 5)
    np.testing.assert_allclose(attention(features)[0].detach(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("factor", "coarsen"), [(1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1)]
)
def test_output_is_on_the_grid_that_it_states(factor: int, coarsen: int) -> None:
    ours = network(factor=factor, coarsen=coarsen)
    y, x = 4 * ours.divisor, 6 * ours.divisor
    assert ours(image(y, x)).shape == (2, 1, ours.factor * y, ours.factor * x)
    assert ours.factor == factor


def test_published_it_sees_82_pixels() -> None:
    ours = network(units=7, filters=1, attention="none").double()
    for parameter in ours.parameters():
        nn.init.constant_(parameter, 0.25)
    seen = torch.rand(1, 1, 1, 128, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(ours(seen.expand(-1, -1, 128, -1))[0, 0, 128, 128], seen)
    columns = gradient[0, 0, 0].nonzero()
    assert int(columns.max() - columns.min()) + 1 == 82


@pytest.mark.parametrize("attention", ["double", "instance"])
def test_a_tile_is_restored_as_in_the_whole_image(attention: Any) -> None:
    ours = network(attention=attention, factor=2)
    wide = torch.cat([image(32, 64), 3 * image(32, 64)], dim=3)
    whole, tile = ours(wide)[..., 192:], ours(wide[..., 64:])[..., 64:]
    torch.testing.assert_close(tile, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", ["double", "instance"])
def test_exported_it_takes_other_sizes(attention: Any) -> None:
    ours = network(attention=attention, factor=2, coarsen=2)
    for given in run_exported(ours, image(12, 16), image(20, 8)).values():
        torch.testing.assert_close(given, ours(image(20, 8)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"factor": 1}, "no finer grid"), ({"attention": "triple"}, "no attention 'triple'")],
)
def test_what_cannot_be_built_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network(**arguments)
