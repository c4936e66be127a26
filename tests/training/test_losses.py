from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from torch import Tensor
from torch.nn import functional as F

from training.losses import (
    LOSSES,
    fourier,
    frequency_distribution,
    mean_absolute_error,
    mean_absolute_error_and_fourier,
    mean_absolute_error_and_frequency_distribution,
    ms_ssim_and_absolute_error,
    squared_error_and_ssim,
)
from training.ssim import ms_ssim, ssim

Array = NDArray[np.float64]


def pair(side: int = 64) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(side)
    target = rng.random((2, 1, side, side + 3))
    return torch.from_numpy(target + 0.1 * rng.normal(size=target.shape)), torch.from_numpy(target)


def arrays(restored: Tensor, target: Tensor) -> tuple[Array, Array]:
    return restored.numpy(), target.numpy()


def test_the_mean_absolute_error_is_one() -> None:
    x, y = arrays(*pair())
    assert mean_absolute_error(*pair()).item() == pytest.approx(np.abs(x - y).mean())


def test_squared_error_and_ssim_are_weighted_as_for_dfcan() -> None:
    x, y = arrays(*pair())
    expected = ((x - y) ** 2).mean() + 0.1 * (1 - ssim(*pair()).mean().item())
    assert squared_error_and_ssim(*pair()).item() == pytest.approx(expected)


def test_ms_ssim_and_absolute_error_count_alike() -> None:
    x, y = arrays(*pair())
    expected = 0.5 * (1 - ms_ssim(*pair()).mean().item()) + 0.5 * np.abs(x - y).mean()
    assert ms_ssim_and_absolute_error(*pair()).item() == pytest.approx(expected)


@pytest.mark.parametrize("side", [12, 13])
def test_fourier_is_its_formula_over_all_frequencies(side: int) -> None:
    x, y = (np.fft.fft2(image, norm="ortho") for image in arrays(*pair(side)))
    phases = np.cos(np.angle(x) - np.angle(y))
    expected = np.abs(np.abs(x) - np.abs(y)).mean() + 0.5 * (1 - phases.mean())
    assert fourier(*pair(side)).item() == pytest.approx(expected)


def test_the_fourier_loss_counts_a_tenth_beside_the_absolute_error() -> None:
    expected = mean_absolute_error(*pair()) + 0.1 * fourier(*pair())
    assert mean_absolute_error_and_fourier(*pair()).item() == pytest.approx(expected.item())


def gradients(image: Tensor) -> Sequence[Tensor]:
    """Two channels on the image's grid, and three on a coarser one."""
    filters = torch.randn(3, 1, 3, 3, dtype=image.dtype, generator=torch.Generator().manual_seed(1))
    fine = torch.cat([image.diff(dim=2)[..., 1:], image.diff(dim=3)[:, :, 1:]], dim=1)
    return [fine, F.conv2d(image, filters, stride=2)]


def distance(x: Array, y: Array) -> float:
    """Return the mean Wasserstein distance over images and the loss's directions, one by one."""
    directions = torch.randn(32, x.shape[1], 5, 5, generator=torch.Generator().manual_seed(0))
    found: list[float] = []
    for of_x, of_y in zip(x, y, strict=True):
        for direction in directions.double().numpy():
            unit = direction / np.linalg.norm(direction)
            projected = [
                [
                    (unit * maps[:, i : i + 5, j : j + 5]).sum()
                    for i in range(0, maps.shape[1] - 4, 5)
                    for j in range(0, maps.shape[2] - 4, 5)
                ]
                for maps in (of_x, of_y)
            ]
            found.append(float(wasserstein_distance(*projected)))
    return float(np.mean(found))


def test_frequency_distributions_are_apart_by_sliced_wasserstein_distances() -> None:
    restored, target = pair(24)
    expected = 0.0
    for maps in zip(gradients(restored), gradients(target), strict=True):
        x, y = (np.fft.rfft2(of_image.numpy(), norm="ortho") for of_image in maps)
        expected += distance(np.abs(x), np.abs(y)) + distance(np.angle(x), np.angle(y))
    given = frequency_distribution(restored, target, features=gradients)
    assert given.item() == pytest.approx(expected, rel=1e-5)


def test_frequency_distributions_are_of_pixels_where_nothing_else_is_given() -> None:
    expected = frequency_distribution(*pair(), features=lambda image: [image])
    assert frequency_distribution(*pair()).item() == expected.item()


def test_the_frequency_distribution_counts_little_beside_the_absolute_error() -> None:
    expected = mean_absolute_error(*pair()) + 0.03 * frequency_distribution(*pair())
    given = mean_absolute_error_and_frequency_distribution(*pair())
    assert given.item() == pytest.approx(expected.item())


LEVELS = {"structured": 1.0, "constant": 0.0}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("contrast", LEVELS.values(), ids=LEVELS)
def test_equal_images_have_no_loss_and_a_gradient_that_is_a_number(
    name: str, contrast: float
) -> None:
    _, target = pair()
    target = (0.5 + contrast * target).float()
    restored = target.clone().requires_grad_()
    loss = LOSSES[name].function(restored, target)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert restored.grad is not None
    assert restored.grad.norm() < 1e-3


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("contrast", [(0.0, 1.0), (1.0, 0.0)], ids=["restored", "target"])
def test_a_constant_image_leaves_a_gradient_that_is_a_number(
    name: str, contrast: tuple[float, float]
) -> None:
    restored, target = (
        (0.5 + share * image).float() for share, image in zip(contrast, pair(), strict=True)
    )
    restored.requires_grad_()
    LOSSES[name].function(restored, target).backward()
    assert restored.grad is not None
    assert restored.grad.isfinite().all()
    assert 0 < restored.grad.norm() < 1


@pytest.mark.parametrize("name", LOSSES)
def test_mixed_precision_does_not_reach_a_loss(name: str) -> None:
    restored, target = (image.float() for image in pair())
    half = restored.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = LOSSES[name].function(half, target)
    assert loss.dtype == torch.float32
    assert loss.item() == LOSSES[name].function(half.float(), target).item()
