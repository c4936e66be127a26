import math

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.metrics.metric import NotApplicable
from benchmark.objects.brightness import (
    Definition,
    Places,
    Volume,
    line_brightness,
    relative,
)

PIXEL = 0.1


def at(x: float, y: float, plane: int = 0) -> Places:
    return Places(np.array([x]), np.array([y]), np.array([plane]), np.array([0]))


def volume(
    planes: NDArray[np.float64], pixel: float = PIXEL, step_um: float | None = 1.0
) -> Volume:
    size = (planes.shape[1] * pixel, planes.shape[2] * pixel)
    return Volume(planes, size, (-pixel / 2, -pixel / 2), step_um)


def with_disc(x: float, y: float, plane: int = 1, radius: float = 0.3) -> NDArray[np.float64]:
    rows, columns = np.mgrid[:60, :60] * PIXEL
    planes = np.zeros((3, 60, 60))
    planes[plane] = np.hypot(rows - y, columns - x) <= radius + 1e-9
    return planes


def test_coordinates_count_from_the_centre_of_the_first_pixel() -> None:
    planes = np.zeros((1, 20, 20))
    planes[0, 7, 4] = 1.0
    found = volume(planes).disc_means(np.array([0.4]), np.array([0.7]), np.array([0]), 1e-6)
    assert found == pytest.approx([1.0], abs=1e-4)


def test_the_same_field_in_finer_pixels_has_the_same_places() -> None:
    coarse = with_disc(3.0, 2.5)
    fine = coarse.repeat(3, axis=1).repeat(3, axis=2)
    whole = Volume(fine, (6.0, 6.0), (-PIXEL / 2, -PIXEL / 2), 1.0)
    found = whole.brightest(at(3.0, 2.5, 1), Definition(search_um=0.0))
    assert found.value == pytest.approx([1.0])


def lens(radius: float, other: float, apart: float) -> float:
    """Area that two overlapping circles share."""
    one = math.acos((apart**2 + radius**2 - other**2) / (2 * apart * radius))
    two = math.acos((apart**2 + other**2 - radius**2) / (2 * apart * other))
    return radius**2 * (one - math.sin(2 * one) / 2) + other**2 * (two - math.sin(2 * two) / 2)


def test_a_disc_beside_the_place_is_found_within_the_search() -> None:
    found = volume(with_disc(3.0, 2.5)).brightest(at(3.5, 2.5, 1), Definition(search_um=0.5))
    assert found.value == pytest.approx([1.0])


def test_of_a_disc_beyond_the_search_only_what_overlaps_is_found() -> None:
    fine = 0.02
    rows, columns = np.mgrid[:300, :300] * fine
    planes = (np.hypot(rows - 2.5, columns - 3.0) <= 0.3)[None].astype(float)
    definition = Definition(disc_um=0.25, search_um=0.0)
    found = volume(planes, fine).brightest(at(3.375, 2.5), definition)
    assert found.value == pytest.approx([lens(0.25, 0.3, 0.375) / (math.pi * 0.25**2)], abs=0.03)


def test_the_distance_is_that_to_the_brightest_disc() -> None:
    planes = with_disc(3.0, 2.5, radius=0.25)
    found = volume(planes).brightest(at(3.375, 2.5, 1), Definition(search_um=0.5))
    assert found.away_um == pytest.approx([0.375], abs=0.01)


@pytest.mark.parametrize(("step_um", "expected"), [(1.0, 1.0), (2.0, 0.0), (None, 0.0)])
def test_planes_within_the_depth_are_looked_at(step_um: float | None, expected: float) -> None:
    seen = volume(with_disc(3.0, 2.5, plane=2), step_um=step_um)
    found = seen.brightest(at(3.0, 2.5, 1), Definition(depth_um=1.0))
    assert found.value == pytest.approx([expected])


def test_a_line_is_as_bright_as_the_median_around_each_vertex() -> None:
    planes = np.ones((1, 60, 60))
    planes[0, :, 30:] = 3.0
    vertices = np.arange(0.5, 5.5, 0.1)
    line = np.stack([vertices, np.full_like(vertices, 3.0), np.zeros_like(vertices)], axis=1)
    found = line_brightness(volume(planes), [line], Definition(shaft_um=1.0))
    assert found[[5, -5]] == pytest.approx([1.0, 3.0])


def test_brightness_is_relative_to_background_and_line() -> None:
    found = relative(np.array([10.0, 20.0, 30.0]), np.array([30.0, 30.0, 30.0]), 10.0)
    assert found == pytest.approx([0.0, 0.5, 1.0])


def test_a_line_that_is_not_seen_says_nothing() -> None:
    with pytest.raises(NotApplicable, match="not brighter than the background"):
        relative(np.array([1.0]), np.array([1.0]), 2.0)


def test_the_background_is_the_median() -> None:
    assert volume(with_disc(3.0, 2.5) + 7.0).background == 7.0
