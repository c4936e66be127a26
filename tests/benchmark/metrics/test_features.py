import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics import NotApplicable
from benchmark.metrics.features import fsim, gmsd, phase_congruency
from benchmark.metrics.metric import Score

Plane = NDArray[np.float64]


def pair(shape: tuple[int, int], kind: str) -> tuple[Plane, Plane]:
    rng = np.random.default_rng(3)
    truth = np.asarray(ndimage.gaussian_filter(rng.random(shape), 2), dtype=np.float64)
    blurred = np.asarray(ndimage.gaussian_filter(truth, 1.5), dtype=np.float64)
    return truth, blurred if kind == "blurred" else truth + 0.02 * rng.normal(size=shape)


# Of piq 0.8.0, which needs torchvision, on these pairs after fit and clipping.
OF_PIQ = [
    ((96, 110), "blurred", 0.0482334, 0.950706),
    ((96, 110), "noisy", 0.0484715, 0.911917),
    ((400, 520), "blurred", 0.0457662, 0.973949),
    ((400, 520), "noisy", 0.0464574, 0.965884),
]


@pytest.mark.parametrize(("shape", "kind", "expected", "_"), OF_PIQ)
def test_gmsd_is_that_of_piq(shape: tuple[int, int], kind: str, expected: float, _: float):
    assert gmsd(*pair(shape, kind)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("shape", "kind", "_", "expected"), OF_PIQ)
def test_fsim_is_that_of_piq(shape: tuple[int, int], kind: str, _: float, expected: float):
    # It computes in float32.
    assert fsim(*pair(shape, kind)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("metric", [gmsd, fsim])
def test_gain_and_offset_cost_nothing(metric: Score):
    truth, prediction = pair((64, 64), "noisy")
    expected = metric(truth, prediction)
    assert metric(truth, 7 * prediction - 3) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", [gmsd, fsim])
def test_small_images_are_not_applicable(metric: Score):
    with pytest.raises(NotApplicable, match="at least 32 x 32 pixels, not 31 x 40"):
        metric(*pair((31, 40), "noisy"))


def test_an_edge_is_in_phase_and_a_slope_is_not():
    step = np.where(np.arange(128) < 64, 0.0, 1.0)
    found = phase_congruency(np.tile(step, (128, 1)))[64]
    assert found[64] > 0.8
    assert found[30] < 0.1


def test_phase_congruency_is_that_of_the_turned_image():
    image, _ = pair((64, 64), "noisy")
    turned = phase_congruency(np.rot90(image))
    np.testing.assert_allclose(turned, np.rot90(phase_congruency(image)), atol=1e-3)
