from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.network_contract import divisors
from packages.rcan.model import RCAN, ChannelAttention
from tests.exported import run_exported

SMALL: dict[str, Any] = {"groups": 2, "blocks": 2, "filters": 8, "reduction": 4, "window": 32}


def network(**arguments: Any) -> RCAN:
    torch.manual_seed(0)
    return RCAN(**(SMALL | arguments)).eval()


def image(*sides: int) -> Tensor:
    return torch.rand(2, 1, *sides, generator=torch.Generator().manual_seed(1))


Convolution = nn.Conv2d | nn.Conv3d


def convolutions(network: nn.Module) -> list[Convolution]:
    return [module for module in network.modules() if isinstance(module, Convolution)]


def attentions(network: nn.Module) -> list[Convolution]:
    """The last convolution of each channel attention, W₂."""
    found = [module for module in network.modules() if isinstance(module, ChannelAttention)]
    return [convolutions(attention)[-1] for attention in found]


def counted(
    groups: int, blocks: int, filters: int, reduction: int, upscale: int, dimensions: int
) -> int:
    """Parameters of the published network for one colour, layer by layer."""

    def conv(before: int, after: int, side: int = 3) -> int:
        return before * after * side**dimensions + after

    narrow = filters // reduction
    block = 2 * conv(filters, filters) + conv(filters, narrow, 1) + conv(narrow, filters, 1)
    group = blocks * block + conv(filters, filters)
    body = groups * group + conv(filters, filters)
    up = conv(filters, 4 * filters) if upscale == 2 else 0
    return conv(1, filters) + body + up + conv(filters, 1)


@pytest.mark.parametrize(
    ("shape", "factor", "dimensions", "millions"),
    [  # Zhang et al.; Chen et al. in 2-D, and as published
        ((10, 20, 64, 16), 2, 2, 15.44),
        ((5, 3, 32, 8), 1, 2, 0.338),
        ((5, 3, 32, 8), 1, 3, 1.003),
    ],
)
def test_the_published_forms_have_as_many_parameters(
    shape: tuple[int, int, int, int], factor: int, dimensions: int, millions: float
) -> None:
    groups, blocks, filters, reduction = shape
    published = RCAN(
        groups=groups,
        blocks=blocks,
        filters=filters,
        reduction=reduction,
        factor=factor,
        dimensions=dimensions,
    )
    count = sum(parameter.numel() for parameter in published.parameters())
    assert count == counted(*shape, factor, dimensions)
    assert count / 1e6 == pytest.approx(millions, abs=0.005)


def shuffled(features: Tensor, factor: int) -> Tensor:
    """Sub-pixel convolution's last step: channel c·r² + i·r + j becomes pixel (i, j) of a cell."""
    batch, channels, y, x = features.shape
    fine = torch.empty(batch, channels // factor**2, y * factor, x * factor)
    for i in range(factor):
        for j in range(factor):
            fine[..., i::factor, j::factor] = features[:, i * factor + j :: factor**2]
    return fine


def by_the_paper(layers: Iterator[Convolution], image: Tensor, factors: list[int]) -> Tensor:
    """RCAN as its equations have it, means over the whole patch or each plane of it."""

    def conv(features: Tensor) -> Tensor:
        layer = next(layers)
        function = F.conv2d if features.ndim == 4 else F.conv3d
        return function(features, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2)

    first = conv(image)
    deep = first
    for _ in range(SMALL["groups"]):
        group = deep
        for _ in range(SMALL["blocks"]):
            x = conv(conv(group).clamp(min=0))
            z = x.mean(dim=(-2, -1), keepdim=True)
            s = 1 / (1 + torch.exp(-conv(conv(z).clamp(min=0))))
            group = group + s * x
        deep = deep + conv(group)
    features = first + conv(deep)
    for factor in factors:
        features = shuffled(conv(features), factor)
    return conv(features)


@pytest.mark.parametrize(("factor", "steps"), [(1, []), (2, [2]), (3, [3]), (4, [2, 2])])
def test_on_a_training_patch_it_is_the_published_network(factor: int, steps: list[int]) -> None:
    ours = network(factor=factor)
    expected = by_the_paper(iter(convolutions(ours)), image(32, 32), steps)
    torch.testing.assert_close(ours(image(32, 32)), expected)


def test_on_a_patch_of_a_volume_each_plane_has_its_own_means() -> None:
    ours = network(factor=1, dimensions=3)
    expected = by_the_paper(iter(convolutions(ours)), image(3, 32, 32), [])
    torch.testing.assert_close(ours(image(3, 32, 32)), expected)


@pytest.mark.parametrize(
    ("factor", "coarsen"), [(1, 1), (1, 2), (1, 4), (2, 2), (3, 1), (3, 2), (4, 1)]
)
def test_output_is_on_the_grid_that_it_states(factor: int, coarsen: int) -> None:
    ours = network(factor=factor, coarsen=coarsen)
    y, x = 2 * ours.divisor, 3 * ours.divisor
    assert ours(image(y, x)).shape == (2, 1, ours.factor * y, ours.factor * x)
    assert ours.factor == factor


def test_of_volumes_planes_stay_as_many() -> None:
    ours = network(factor=2, coarsen=2, dimensions=3)
    assert divisors(ours) == {"z": 1, "y": 16, "x": 16}
    assert ours(image(5, 16, 32)).shape == (2, 1, 5, 32, 64)


def test_it_works_on_the_coarser_grid() -> None:
    sides: list[int] = []
    ours = network(factor=1, coarsen=4)
    for layer in convolutions(ours)[:-3]:  # all but those onto the fine grid
        layer.register_forward_hook(lambda *given: sides.append(given[-1].shape[-1]))
    ours(image(64, 64))
    assert max(sides) == 16


def test_an_output_pixel_sees_what_its_convolutions_reach() -> None:
    ours = network(factor=2)
    for layer in convolutions(ours):
        nn.init.ones_(layer.weight)
    for attention in attentions(ours):  # the same weight everywhere
        nn.init.zeros_(attention.weight)
    seen = image(96, 96).double().requires_grad_()
    ours.double()(seen)[0, 0, 96, 96].backward()
    assert seen.grad is not None
    rows = seen.grad[0, 0].abs().amax(dim=1).nonzero()
    # First, blocks and groups, after the groups, onto sub-pixels; half a pixel of the last one.
    reach = 1 + 2 * (2 * 2 + 1) + 1 + 1
    assert (int(rows.min()), int(rows.max())) == (48 - reach - 1, 48 + reach)


def test_a_tile_is_restored_as_in_the_whole_image() -> None:
    wide = torch.cat([image(64, 160), 3 * image(64, 160)], dim=3)  # means differ along it
    errors: list[float] = []
    for window in (32, 320):
        ours = network(factor=2, window=window)
        for attention in attentions(ours):  # random ones hardly depend on the mean
            attention.weight.data *= 30
        whole, tile = ours(wide), ours(wide[..., 160:])
        inside = (tile - whole[..., 320:])[..., 160:]
        errors.append((inside.square().mean().sqrt() / whole.std()).item())
    assert errors[0] < 1e-4 < 1e-3 < errors[1]


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_a_tile_is_restored_as_in_the_whole_volume(axis: int) -> None:
    """Along z it looks at a plane for each block, along y and x as far as its windows."""
    ours = network(factor=1, dimensions=3, all_through_planes=False, window=8)
    for attention in attentions(ours):
        attention.weight.data *= 30
    half, halo = (8, 4) if axis == 2 else (48, 40)
    sides = [8, 16, 16]
    sides[axis - 2] = half
    wide = torch.cat([image(*sides), 3 * image(*sides), image(*sides)], dim=axis)
    with torch.no_grad():
        whole, tile = ours(wide), ours(wide.narrow(axis, half, 2 * half))
    beside = tile - whole.narrow(axis, half, 2 * half)
    inside = beside.narrow(axis, halo, 2 * half - halo)
    assert inside.square().mean().sqrt() < 1e-4 * whole.std()
    assert beside.abs().max() > 1e-3 * whole.std()


def test_exported_of_volumes_it_takes_other_sizes() -> None:
    ours, other = network(factor=2, coarsen=2, dimensions=3), image(3, 32, 48)
    for given in run_exported(ours, image(4, 32, 16), other).values():
        torch.testing.assert_close(given, ours(other))


def test_exported_it_takes_other_sizes() -> None:
    ours = network(factor=2, coarsen=2)
    for given in run_exported(ours, image(64, 48), image(32, 80)).values():
        torch.testing.assert_close(given, ours(image(32, 80)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"window": 40, "coarsen": 2}, "window of 40"), ({"reduction": 9}, "reduced 9 times")],
)
def test_what_cannot_be_built_is_refused(arguments: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network(**arguments)
