import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.structures import Grid
from simulation.structures.rasterise import (
    add_ball,
    add_lines,
    add_points,
    fill_balls,
    perlin_noise,
    resolved,
    smooth_noise,
)

IMAGE = Grid((60, 60), 0.05)
VOLUME = Grid((15, 40, 40), 0.08, 0.25)


def _centroid_um(image: np.ndarray, grid: Grid) -> np.ndarray:
    grids = np.meshgrid(*map(grid.centres_um, range(len(grid.shape))), indexing="ij")
    return np.array([np.average(along, weights=image) for along in grids])


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.floats(0.3, 0.7)] * 3), st.sampled_from([IMAGE, VOLUME]))
def test_the_centroid_of_a_point_is_where_it_is_put(place: tuple[float, ...], grid: Grid) -> None:
    point = np.array(place[: len(grid.shape)]) * grid.sides_um
    image = np.zeros(grid.shape)
    add_points(image, grid, point[None], np.ones(1))
    seen = _centroid_um(resolved(image, grid), grid)
    assert seen == pytest.approx(point, abs=0.01 * grid.pixel_size_um)


@pytest.mark.parametrize("grid", [IMAGE, VOLUME])
def test_a_point_on_the_centre_of_a_voxel_has_its_brightness_as_peak(grid: Grid) -> None:
    image = np.zeros(grid.shape)
    voxel = np.array(grid.shape) // 2
    add_points(image, grid, ((voxel + 0.5) * grid.steps_um)[None], np.array([0.7]))
    assert resolved(image, grid)[tuple(voxel)] == pytest.approx(0.7, rel=1e-4)


def test_points_outside_are_left_out() -> None:
    image = np.zeros(IMAGE.shape)
    add_points(image, IMAGE, np.array([[-1.0, 1.0], [1.0, 9.0]]), np.ones(2))
    assert not image.any()


def test_a_line_along_pixels_as_wide_as_the_resolution_has_its_brightness() -> None:
    image = np.zeros((60, 60))
    grid = Grid((60, 60), 0.08)
    add_lines(image, grid, [np.array([[30.5, -9.0], [30.5, 90.0]]) * 0.08], [1.0])
    assert resolved(image, grid)[30, 30] == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("pixel_size_um", [0.02, 0.03])
def test_a_line_is_as_bright_and_as_wide_as_the_resolution_says(pixel_size_um: float) -> None:
    grid = Grid((100, 100), pixel_size_um)
    image = np.zeros(grid.shape)
    y_um = 50.5 * pixel_size_um
    add_lines(image, grid, [np.array([[y_um, -1.0], [y_um, 4.0]])], [0.8])
    profile = resolved(image, grid)[:, 50]
    assert profile.max() == pytest.approx(0.8, rel=0.03)
    spread = np.average((grid.centres_um(0) - y_um) ** 2, weights=profile)
    assert np.sqrt(8 * np.log(2) * spread) == pytest.approx(0.07, rel=0.03)


@pytest.mark.parametrize("radius_um", [0.2, 0.5])
def test_a_disc_holds_its_area(radius_um: float) -> None:
    image = np.zeros(IMAGE.shape)
    add_ball(image, IMAGE, np.array([1.52, 1.47]), radius_um, 2.0)
    assert image.sum() * 0.05**2 == pytest.approx(2 * np.pi * radius_um**2, rel=0.06)
    assert image.max() == pytest.approx(2, rel=0.01)


def test_a_ball_holds_its_content() -> None:
    grid = Grid((40, 40, 40), 0.05, 0.05)
    image = np.zeros(grid.shape)
    add_ball(image, grid, np.array([1.0, 1.02, 0.98]), 0.5, 1.0)
    assert image.sum() * 0.05**3 == pytest.approx(4 / 3 * np.pi * 0.5**3, rel=0.06)


@pytest.mark.parametrize("grid", [Grid((200, 200), 0.1), Grid((40, 128, 128), 0.1, 0.25)])
def test_smooth_noise_has_the_correlation_of_a_blurred_field(grid: Grid) -> None:
    # white noise blurred by a Gaussian of s is correlated as exp(-d² / 4 s²)
    field = smooth_noise(grid, 0.4, np.random.default_rng(0))
    assert field.std() == pytest.approx(1, abs=0.1)
    correlation = np.mean(field * np.roll(field, 5, -1)) / np.mean(field**2)
    assert correlation == pytest.approx(np.exp(-(0.5**2) / (4 * 0.4**2)), abs=0.08)


def test_perlin_noise_spans_0_to_1() -> None:
    cloud = perlin_noise(IMAGE, 1.0, np.random.default_rng(0))
    assert (cloud.min(), cloud.max()) == (0, 1)


def test_a_ball_is_as_thick_as_its_chord() -> None:
    grid = Grid((41, 41), 0.05)
    image = np.zeros(grid.shape)
    fill_balls(image, grid, np.array([[1.025, 1.025]]), np.array([0.6]))
    away_um = 0.05 * np.abs(np.arange(41) - 20)
    expected = 2 * np.sqrt(np.clip(0.6**2 - away_um**2, 0, None))
    np.testing.assert_allclose(image[20], expected, atol=1e-7)


def test_balls_that_overlap_are_one() -> None:
    grid = Grid((41, 41), 0.05)
    one, twice = np.zeros(grid.shape), np.zeros(grid.shape)
    fill_balls(one, grid, np.array([[1.0, 1.0]]), np.array([0.5]))
    fill_balls(twice, grid, np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.5, 0.5]))
    np.testing.assert_array_equal(one, twice)


def test_a_ball_fills_its_volume() -> None:
    grid = Grid((41, 41, 41), 0.05, 0.05)
    image = np.zeros(grid.shape)
    fill_balls(image, grid, np.array([[1.0, 1.0, 1.0]]), np.array([0.6]))
    assert image.sum() * 0.05**3 == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.03)


def test_light_of_a_ball_thinner_than_a_pixel_falls_with_its_volume() -> None:
    """A row of them is a neck: its light per length goes with the square of its radius."""
    grid = Grid((61, 61), 0.08)
    along = np.stack([np.full(400, 2.43), np.linspace(0.5, 4.4, 400)], axis=1)
    thin, thinner = np.zeros(grid.shape), np.zeros(grid.shape)
    fill_balls(thin, grid, along, np.full(400, 0.03))
    fill_balls(thinner, grid, along, np.full(400, 0.015))
    assert thin.sum() / thinner.sum() == pytest.approx(4)
