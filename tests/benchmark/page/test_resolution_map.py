import numpy as np
import pytest
from scipy import ndimage

from benchmark.metrics.rolling import rolling_correlation
from benchmark.page.resolution_map import resolution_map


def recordings(shape: tuple[int, int], noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two recordings, the left half of which is blurred four times as much."""
    rng = np.random.default_rng(0)
    scene = rng.normal(size=shape)
    fine, coarse = (ndimage.gaussian_filter(scene, sigma) * sigma for sigma in (1, 4))
    left = np.arange(shape[1]) < shape[1] // 2
    both = 5 + np.where(left, coarse, fine)
    return both + rng.normal(0, noise, shape), both + rng.normal(0, noise, shape)


@pytest.mark.parametrize("shape", [(128, 192), (130, 197)])
def test_every_pixel_has_the_frequency_of_its_cell(shape: tuple[int, int]) -> None:
    one, two = recordings(shape, 0.02)
    found = resolution_map(one, two)
    cells = rolling_correlation(one, two)
    assert found.shape == shape
    stride, expected = cells.stride, np.nan_to_num(1 / cells.resolution_px)
    np.testing.assert_array_equal(found[: 8 * stride : stride, ::stride], expected[:8])


def test_what_is_sharper_is_brighter() -> None:
    found = resolution_map(*recordings((128, 256), 0.02))
    left, right = found[:, :96], found[:, 160:]
    assert np.median(right[right > 0]) > 1.5 * np.median(left[left > 0])


def test_what_is_too_small_is_unresolved() -> None:
    assert not resolution_map(np.eye(40), np.eye(40)).any()


def test_the_last_cells_reach_to_the_border() -> None:
    one, two = recordings((130, 197), 0.02)
    found = resolution_map(one, two)
    np.testing.assert_array_equal(found[-1], found[-3])
    assert found[-1].any()
