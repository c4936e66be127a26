import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity
from skimage.transform import downscale_local_mean
from torch import Tensor

from tests.benchmark.metrics.peers import peer
from training.ssim import ms_ssim, ssim


def images(side: int, *, bright: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return two images, structured and of noise, and the same more or less well restored."""
    rng = np.random.default_rng(side)
    structured = ndimage.gaussian_filter(rng.normal(size=(side, side + 16)), 4)
    structured = np.exp(-4000 * structured**2)
    target = bright * np.stack([structured, rng.random(structured.shape)])[:, None]
    restored = target + 0.1 * rng.normal(size=target.shape) + 0.05
    return torch.from_numpy(restored), torch.from_numpy(target)


def of_scikit_image(restored: Tensor, target: Tensor, K1: float = 0.01) -> list[float]:
    """Return the similarity of each image; with a large K1 without luminance."""
    found = (
        structural_similarity(
            y[0],
            x[0],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            K1=K1,
        )
        for x, y in zip(restored.numpy(), target.numpy(), strict=True)
    )
    return [float(value) for value in found]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("side", [11, 96])
def test_ssim_is_that_of_scikit_image(side: int) -> None:
    expected = of_scikit_image(*images(side))
    np.testing.assert_allclose(ssim(*images(side)), expected, atol=1e-12)


def test_ssim_of_bright_images_needs_no_more_than_float32() -> None:
    restored, target = images(64, bright=20)
    expected = ssim(restored, target)
    torch.testing.assert_close(ssim(restored.float(), target.float()).double(), expected)


def test_five_scales_are_those_of_pytorch_msssim() -> None:
    restored, target = images(176)
    expected = peer("pytorch_msssim").ms_ssim(restored, target, data_range=1, size_average=False)
    # It keeps its window in float32.
    torch.testing.assert_close(ms_ssim(restored, target), expected, atol=1e-5, rtol=0)


def halved(batch: Tensor) -> Tensor:
    even = batch.numpy()[..., : batch.shape[-2] // 2 * 2, : batch.shape[-1] // 2 * 2]
    return torch.from_numpy(downscale_local_mean(even, (1, 1, 2, 2)))


@pytest.mark.parametrize(("side", "scales"), [(64, 3), (87, 3), (88, 4), (128, 4), (176, 5)])
def test_small_patches_have_fewer_scales(side: int, scales: int) -> None:
    pair = images(side)
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    weights /= weights.sum()
    expected = np.ones(2)
    for weight in weights[:-1]:
        expected *= np.power(of_scikit_image(*pair, K1=1e6), weight)
        pair = halved(pair[0]), halved(pair[1])
    expected *= np.power(of_scikit_image(*pair), weights[-1])
    np.testing.assert_allclose(ms_ssim(*images(side)), expected, atol=1e-8)


def test_contrary_structures_are_dissimilar_and_leave_a_gradient() -> None:
    _, target = images(64)
    contrary = (1 - target).requires_grad_()
    similarity = ms_ssim(contrary, target)
    similarity.sum().backward()
    assert (similarity < 1e-3).all()
    assert contrary.grad is not None
    assert contrary.grad.isfinite().all()
