import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.metrics import METRICS, NotApplicable
from benchmark.metrics.fidelity import pearson, si_psnr_a
from benchmark.metrics.tolerant import pearson_tolerant, si_psnr_tolerant
from tests.benchmark.metrics.acquisitions import blurred

RNG = np.random.default_rng(0)
SCENE = blurred(RNG.normal(size=(80, 90)), 1.5)
Score = Callable[..., float]
PLAIN: list[tuple[Score, Score]] = [(si_psnr_tolerant, si_psnr_a), (pearson_tolerant, pearson)]
PIXEL_UM = 0.1


def beside(dy: int, dx: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A truth, and a prediction of it that lies so far beside it."""
    truth, prediction = SCENE[10:70, 10:80], SCENE[10 - dy : 70 - dy, 10 - dx : 80 - dx]
    return truth, prediction + noise * np.random.default_rng(1).normal(size=truth.shape)


@pytest.mark.parametrize(("tolerant", "plain"), PLAIN)
def test_without_tolerance_it_is_the_plain_metric(tolerant: Score, plain: Score):
    truth, prediction = beside(1, 2, noise=0.05)
    assert tolerant(truth, prediction, PIXEL_UM, 0.0) == plain(truth, prediction)
    assert tolerant(truth, prediction, PIXEL_UM, 0.99 * PIXEL_UM) == plain(truth, prediction)


@pytest.mark.parametrize(
    ("tolerant", "perfect"), [(si_psnr_tolerant, math.inf), (pearson_tolerant, 1)]
)
def test_a_shift_within_the_tolerance_costs_nothing(tolerant: Score, perfect: float):
    assert tolerant(*beside(-3, 4), PIXEL_UM, 0.5) == pytest.approx(perfect)


@pytest.mark.parametrize(("tolerant", "plain"), PLAIN)
def test_a_shift_beyond_the_tolerance_costs(tolerant: Score, plain: Score):
    truth, prediction = beside(-3, 4)
    assert tolerant(truth, prediction, PIXEL_UM, 0.49) < plain(truth, truth + 1e-6 * prediction)


@given(
    dy=st.integers(-4, 4),
    dx=st.integers(-4, 4),
    noise=st.floats(0, 1),
    tolerances=st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
)
@settings(max_examples=15, deadline=None, derandomize=True)
@pytest.mark.parametrize(("tolerant", "plain"), PLAIN)
def test_more_tolerance_is_never_worse(
    tolerant: Score,
    plain: Score,
    dy: int,
    dx: int,
    noise: float,
    tolerances: tuple[float, float],
):
    truth, prediction = beside(dy, dx, noise)
    less, more = sorted(tolerances)
    values = [tolerant(truth, prediction, PIXEL_UM, tolerance) for tolerance in (less, more)]
    assert plain(truth, prediction) <= values[0] <= values[1]


def test_it_is_the_correlation_of_what_both_show():
    truth, prediction = beside(2, -1, noise=0.3)
    shifted = prediction[2:, :-1], truth[:-2, 1:]  # it lies two rows down and a column left
    expected = np.corrcoef(shifted[0].ravel(), shifted[1].ravel())[0, 1]
    assert pearson_tolerant(truth, prediction, PIXEL_UM, 0.25) == pytest.approx(expected)


def test_it_needs_a_stated_tolerance():
    truth, prediction = beside(0, 0)
    known = {"truth": truth, "prediction": prediction, "pixel_um": PIXEL_UM}
    with pytest.raises(NotApplicable, match="states no tolerance"):
        METRICS["pearson_tolerant"].of(known)


def test_an_image_smaller_than_its_tolerance_is_refused():
    with pytest.raises(NotApplicable, match="half the image"):
        pearson_tolerant(*beside(0, 0), PIXEL_UM, 3.0)


def test_a_tolerance_of_three_pixels_is_three_in_floating_point_too() -> None:
    truth, prediction = beside(3, 0)
    assert 0.3 / 0.1 < 3
    assert pearson_tolerant(truth, prediction, 0.1, 0.3) == pytest.approx(1)
