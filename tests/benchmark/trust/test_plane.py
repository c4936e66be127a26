import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.trust.plane import DIP, FAINTEST, Floats, Plane, line, peaks

SIGMA_UM = 0.1


def _two(distance_um: float, ratio: float = 1.0) -> Floats:
    x = np.linspace(-1, 1, 401)
    left = np.exp(-(((x + distance_um / 2) / SIGMA_UM) ** 2) / 2)
    right = ratio * np.exp(-(((x - distance_um / 2) / SIGMA_UM) ** 2) / 2)
    return left + right


def _dip(distance_um: float) -> float:
    profile = _two(distance_um)
    return 1 - profile[200] / profile.max()


@settings(deadline=None)
@given(st.floats(0.0, 1.0))
def test_two_gaussians_are_two_where_the_valley_is_deep_enough(distance_um: float) -> None:
    assert len(peaks(_two(distance_um))) == (2 if _dip(distance_um) >= DIP else 1)


@pytest.mark.parametrize(("ratio", "count"), [(FAINTEST + 0.01, 2), (FAINTEST - 0.01, 1)])
def test_a_faint_peak_is_no_object(ratio: float, count: int) -> None:
    assert len(peaks(_two(1.0, ratio))) == count


def test_peaks_stand_where_the_objects_are() -> None:
    x = np.linspace(-1, 1, 401)
    assert x[peaks(_two(0.8))] == pytest.approx([-0.4, 0.4], abs=0.005)


@pytest.mark.parametrize("profile", [np.zeros(9), -np.ones(9), np.arange(9.0)])
def test_a_profile_without_a_peak_holds_nothing(profile: Floats) -> None:
    assert len(peaks(profile)) == 0


def test_places_are_counted_from_the_corner_of_the_image() -> None:
    image = np.zeros((40, 40))
    image[20, 10] = 1.0
    plane = Plane(image, 0.1)
    assert plane.at([[2.05, 1.05]]) == pytest.approx([1.0])


def test_what_is_looked_up_stands_above_the_ground() -> None:
    image = np.full((40, 40), 7.0)
    image[20, 10] = 8.0
    assert Plane(image, 0.1).at([[2.05, 1.05], [3.5, 3.5]]) == pytest.approx([1.0, 0.0], abs=1e-6)


def test_a_smooth_image_is_looked_up_between_pixels() -> None:
    y, x = (np.mgrid[:60, :60] + 0.5) * 0.1
    plane = Plane(np.sin(y) * np.cos(x), 0.1)
    seen = plane.at([[2.313, 3.871]]) + plane.ground
    assert seen == pytest.approx(np.sin(2.313) * np.cos(3.871), abs=1e-4)


@pytest.mark.parametrize(("place", "held"), [([0.5, 0.5], True), ([0.3, 2.0], False)])
def test_the_edge_is_not_judged(place: list[float], held: bool) -> None:
    assert Plane(np.zeros((40, 40)), 0.1).holds([place]) is held


def test_a_line_runs_from_end_to_end_in_small_steps() -> None:
    places = line(np.array([0.0, 0.0]), np.array([0.3, 0.4]))
    assert places[[0, -1]].tolist() == [[0.0, 0.0], [0.3, 0.4]]
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() <= 0.02 + 1e-12
