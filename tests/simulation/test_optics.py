import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from simulation import optics


def _random(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape))


@given(st.integers(9, 40), st.integers(9, 40), st.integers(0, 4), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_focus_equals_scipys_convolution(rows: int, columns: int, reach: int, batch: int) -> None:
    image = _random(0, batch, rows, columns)
    kernel = _random(1, batch, 2 * reach + 1, 2 * reach + 1)
    expected = [fftconvolve(i, k, mode="same") for i, k in zip(image, kernel, strict=True)]
    np.testing.assert_allclose(optics.focus(image, kernel), np.stack(expected), atol=1e-10)


def test_one_kernel_serves_a_batch() -> None:
    image, kernel = _random(0, 3, 20, 24), _random(1, 1, 5, 5)
    each = torch.cat([optics.focus(one[None], kernel) for one in image])
    torch.testing.assert_close(optics.focus(image, kernel), each)


def test_planes_of_a_volume_add_up() -> None:
    volume, kernels = _random(0, 2, 4, 16, 20), _random(1, 4, 7, 7)
    expected = [
        sum(
            fftconvolve(plane, kernel, mode="same")
            for plane, kernel in zip(v, kernels, strict=True)
        )
        for v in volume
    ]
    np.testing.assert_allclose(optics.focus(volume, kernels), np.stack(expected), atol=1e-10)


def test_a_volume_of_one_plane_is_that_plane() -> None:
    image, kernel = _random(0, 2, 16, 20), _random(1, 1, 5, 5)
    torch.testing.assert_close(optics.focus(image[:, None], kernel), optics.focus(image, kernel))


def test_periodic_focus_differs_within_reach_of_the_border_only() -> None:
    image, kernel = _random(0, 2, 30, 36), _random(1, 2, 9, 9)
    dark = optics.focus(image, kernel)
    periodic = optics.focus(image, kernel, periodic=True)
    torch.testing.assert_close(dark[:, 4:-4, 4:-4], periodic[:, 4:-4, 4:-4])
    total = image.sum((-2, -1)) * kernel.sum((-2, -1))
    torch.testing.assert_close(periodic.sum((-2, -1)), total)


@pytest.mark.parametrize("sampling", [1, 2, 3, 4])
def test_sampling_averages_over_the_area_of_a_native_pixel(sampling: int) -> None:
    image = _random(0, 2, 12, 24)
    blocks = image.reshape(2, 12 // sampling, sampling, 24 // sampling, sampling)
    torch.testing.assert_close(optics.sample(image, sampling), blocks.mean((2, 4)))
