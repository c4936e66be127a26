import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from benchmark.trust.plane import Geometry, Plane
from benchmark.trust.protrusions import look, summarise
from tests.benchmark.trust.drawings import PIXEL_UM, render, value

SHAFT_UM = [[10.0, 6.0], [10.0, 10.0]]


def scene(brightness: float, aside_um: float) -> tuple[Plane, Geometry]:
    """A shaft along x of brightness 1, and one point below it."""
    place = [[10.0 + aside_um, 8.0]]
    drawn = {
        "tubes": [{"points_um": SHAFT_UM, "brightness": 1.0}],
        "points": [{"points_um": place, "brightness": brightness}],
    }
    geometry: Geometry = {
        "spines": [{"points_um": place, "brightness": brightness, "distance_um": aside_um}],
        "shafts": [{"points_um": SHAFT_UM}],
    }
    return Plane(render(drawn, 0.3), PIXEL_UM), geometry


@pytest.mark.parametrize("aside_um", [1.0, -1.4])
def test_a_spine_is_seen_at_its_place_and_not_across_the_shaft(aside_um: float) -> None:
    (outcome,) = look(*scene(0.4, aside_um))
    assert outcome["spine"] == pytest.approx(0.4, abs=0.02)
    assert outcome["opposite"] == pytest.approx(0.0, abs=0.02)


def test_gain_and_offset_change_nothing() -> None:
    plane, geometry = scene(0.4, 1.0)
    (one,), (other,) = (
        look(Plane(a * plane.image + b, PIXEL_UM), geometry) for a, b in ((1, 0), (30, 100))
    )
    assert one == pytest.approx(other, abs=1e-9)


def test_a_spine_at_the_edge_is_left_out() -> None:
    plane, geometry = scene(0.4, 1.0)
    geometry["spines"][0]["points_um"] = [[20.4, 8.0]]
    assert look(plane, geometry) == []


def test_a_shaft_that_was_erased_is_left_out() -> None:
    plane, geometry = scene(0.4, 1.0)
    assert look(Plane(np.zeros_like(plane.image), PIXEL_UM), geometry) == []


def table(spine: list[float], opposite: list[float]) -> pd.DataFrame:
    count = len(spine)
    return pd.DataFrame(
        {
            "image": [str(n % 3) for n in range(count)],
            "brightness": np.linspace(0.05, 1, count),
            "distance_um": np.linspace(0.1, 1.5, count),
            "spine": spine,
            "opposite": opposite,
        }
    )


def test_the_probability_is_that_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(0)
    spine, opposite = rng.normal(1, 1, 40).round(1), rng.normal(0, 1, 40).round(1)
    expected = mannwhitneyu(spine, opposite).statistic / 40**2
    found = summarise(table(spine.tolist(), opposite.tolist()))
    assert value(found, "spine_auc") == pytest.approx(expected, abs=1e-12)


def test_spines_brighter_than_nearly_all_empty_places_are_shown() -> None:
    opposite = np.arange(100) / 100  # 95 % lie below 0.9405
    spine = np.where(np.arange(100) < 30, 0.93, 0.95)
    found = summarise(table(spine.tolist(), opposite.tolist()))
    assert value(found, "spines_shown") == pytest.approx(0.7)


def test_dim_spines_are_counted_by_themselves() -> None:
    """Of 20 from 0.05 to 1, three are less bright than 0.2."""
    found = summarise(table([0.0, 2.0, 2.0, *[0.0] * 17], [1.0] * 20))
    assert value(found, "dim_spines_shown") == pytest.approx(2 / 3)
