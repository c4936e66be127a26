import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from packages.local_mean import CELL_PX, LocalMean, onto_pixels
from tests.exported import run_exported


def image(rows: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, rows * CELL_PX, columns * CELL_PX, generator=generator)


def sliced(features: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Cut every window out of the image and average it."""
    sides = features.shape[-2:]
    means = np.empty((*features.shape[:2], sides[0] // CELL_PX, sides[1] // CELL_PX), np.float32)
    for at in np.ndindex(means.shape[-2:]):
        first = [
            max(min(cell * CELL_PX - window // (2 * CELL_PX) * CELL_PX, side - window), 0)
            for cell, side in zip(at, sides, strict=True)
        ]
        y, x = (slice(start, start + window) for start in first)
        means[..., at[0], at[1]] = features[..., y, x].mean(axis=(-2, -1))
    return means


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (4, 4), (8, 3)])
def test_on_a_training_patch_it_is_the_mean_of_the_patch(rows: int, columns: int) -> None:
    patch = image(rows, columns)
    everywhere = onto_pixels(LocalMean(8 * CELL_PX)(patch))
    torch.testing.assert_close(
        everywhere, patch.mean(dim=(2, 3), keepdim=True).expand_as(patch), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("window", [8, 40, 64])
def test_on_a_larger_image_it_is_the_mean_of_each_window(window: int) -> None:
    features = image(11, 14)
    np.testing.assert_allclose(
        LocalMean(window)(features), sliced(features.numpy(), window), rtol=1e-5
    )


def test_a_tile_agrees_with_the_image_farther_than_half_a_window_from_its_edge() -> None:
    mean, features = LocalMean(32), image(16, 16)
    whole = onto_pixels(mean(features))[..., 32:, 32:]
    tile = onto_pixels(mean(features[..., 32:, 32:]))
    torch.testing.assert_close(tile[..., 24:, 24:], whole[..., 24:, 24:])
    assert (tile - whole).abs().max() > 1e-3


def test_between_cells_it_is_linear() -> None:
    ramp = torch.arange(4.0).reshape(1, 1, 1, 4).expand(1, 1, 4, 4)
    centres = (torch.arange(4.0 * CELL_PX) + 0.5) / CELL_PX - 0.5
    torch.testing.assert_close(onto_pixels(ramp)[0, 0, 7], centres.clamp(0, 3))


def test_windows_are_whole_cells() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        LocalMean(60)


def test_exported_it_takes_other_sizes() -> None:
    network, other = LocalMean(32), image(9, 3)
    for given in run_exported(network, image(4, 6), other).values():
        torch.testing.assert_close(given, network(other))
