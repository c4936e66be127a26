import json

import numpy as np
import pytest

from simulation.structures import PHANTOMS, STRUCTURES, Grid, Specimen

ALL = STRUCTURES | PHANTOMS
GRIDS = {"image": Grid((96, 112), 0.08), "volume": Grid((9, 72, 80), 0.1, 0.25)}


def _draw(name: str, grid: str, seed: int = 0) -> Specimen:
    return ALL[name](GRIDS[grid], np.random.default_rng(seed))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", ALL)
def test_same_state_gives_same_bytes(name: str, grid: str) -> None:
    one, same = _draw(name, grid), _draw(name, grid)
    assert one.image.tobytes() == same.image.tobytes()
    assert one.geometry == same.geometry


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", ALL)
def test_other_state_gives_other_image(name: str, grid: str) -> None:
    assert not np.array_equal(_draw(name, grid).image, _draw(name, grid, 1).image)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_image_is_float32_finite_and_not_negative(name: str, grid: str, seed: int) -> None:
    image = _draw(name, grid, seed).image
    assert image.shape == GRIDS[grid].shape
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", ALL)
def test_geometry_is_json_rounded_to_a_tenth_of_a_nanometre(name: str, grid: str) -> None:
    geometry = _draw(name, grid).geometry
    assert json.loads(json.dumps(geometry)) == geometry
    axes = len(GRIDS[grid].shape)
    for objects in geometry.values():
        for object in objects:
            points = np.array(object["points_um"])
            assert points.shape[1:] == (axes,)
            np.testing.assert_array_equal(points, np.round(points, 4))


@pytest.mark.parametrize("name", STRUCTURES)
def test_bright_structure_is_about_one(name: str) -> None:
    grid = Grid((200, 200), 0.08)
    fields = [STRUCTURES[name](grid, np.random.default_rng(seed)).image for seed in range(8)]
    peaks = [np.percentile(field, 99.8) for field in fields]
    assert 0.3 < np.median(peaks) < 3
    assert min(peaks) > 0.05
