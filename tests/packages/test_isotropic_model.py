"""Isotropic restoration: slices of both directions, averaged, with finer planes."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from packages.export import measure_halo
from packages.isotropic.model import Isotropic
from packages.network_contract import divisors, factors
from tests.exported import run_exported

FACTOR = 3


@pytest.fixture(scope="module")
def network() -> Isotropic:
    torch.manual_seed(0)
    return Isotropic(factor_z=FACTOR, depth=1, filters=4).eval()


@pytest.fixture(scope="module")
def volume() -> torch.Tensor:
    return torch.rand(2, 1, 5, 8, 12, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_both_directions_of_slices_are_averaged(network: Isotropic, volume: torch.Tensor) -> None:
    xz = network(volume[..., 3, :])
    yz = network(volume[..., 7])
    restored = network(volume)
    assert restored.shape == (2, 1, FACTOR * 5, 8, 12)
    torch.testing.assert_close(restored[..., 3, 7], (xz[..., 7] + yz[..., 3]) / 2)


@torch.no_grad()
def test_rows_and_columns_are_treated_alike(network: Isotropic, volume: torch.Tensor) -> None:
    turned = network(volume.transpose(-1, -2)).transpose(-1, -2)
    torch.testing.assert_close(turned, network(volume))


@torch.no_grad()
def test_what_is_learnt_is_added_to_linear_interpolation(volume: torch.Tensor) -> None:
    """Outer faces stay where they are, as with scipy's grid mode."""
    untaught = Isotropic(factor_z=FACTOR, depth=1, filters=4)
    for parameter in untaught.parameters():
        nn.init.zeros_(parameter)
    stack = volume[0, 0].numpy()
    expected = np.asarray(
        ndimage.zoom(stack, (FACTOR, 1, 1), order=1, mode="nearest", grid_mode=True)
    )
    np.testing.assert_allclose(untaught(volume)[0, 0].numpy(), expected, atol=1e-6)


def test_it_says_how_sides_and_planes_grow(network: Isotropic) -> None:
    assert divisors(network) == {"z": 1, "y": 2, "x": 2}
    assert factors(network) == {"z": FACTOR, "y": 1, "x": 1}


def test_the_number_of_planes_is_not_halved(network: Isotropic) -> None:
    """Six convolutions of three rows reach six planes; interpolation no further."""
    assert measure_halo(network, divisors(network), factors(network))["z"] == 6


def test_exported_it_takes_stacks_of_any_size(network: Isotropic, volume: torch.Tensor) -> None:
    with torch.no_grad():
        expected = network(volume)
    for given in run_exported(network, torch.rand(1, 1, 3, 4, 6), volume).values():
        torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_channels_keep_their_places_and_each_is_seen_for_all(volume: torch.Tensor) -> None:
    torch.manual_seed(0)
    network = Isotropic(factor_z=FACTOR, channels=2, depth=1, filters=4).eval()
    both = torch.cat([volume, 1 - volume], dim=1)
    restored = network(both)
    assert restored.shape == (2, 2, FACTOR * 5, 8, 12)
    # The second channel tells of the first, too.
    assert not torch.allclose(
        network(both * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1, 1)), restored
    )
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    alone = Isotropic(factor_z=FACTOR, depth=1, filters=4).eval()
    for parameter in alone.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(network(both)[:, 1:], alone(1 - volume))
