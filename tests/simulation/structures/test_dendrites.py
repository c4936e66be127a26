import numpy as np
import pytest

from simulation.structures import Grid
from simulation.structures.dendrites import dendrites, spine

GRID = Grid((256, 256), 0.08)


def _at(image: np.ndarray, points_um: np.ndarray) -> np.ndarray:
    pixels = np.floor(points_um / GRID.pixel_size_um).astype(int)
    inside = ((pixels >= 0) & (pixels < 256)).all(axis=1)
    return image[tuple(pixels[inside].T)]


@pytest.mark.parametrize("seed", range(4))
def test_every_head_is_as_bright_as_it_is_thick(seed: int) -> None:
    """The resolution of the target takes something of it, and other neurites may lie over it."""
    specimen = dendrites(GRID, np.random.default_rng(seed))
    shafts = {shaft["structure"]: shaft for shaft in specimen.geometry["dendrites"]}
    for head in specimen.geometry["spines"]:
        seen = _at(specimen.image, np.array(head["points_um"]))
        thick_um = shafts[head["structure"]]["brightness"] * 2 * head["radius_um"]
        assert (seen > 0.4 * thick_um).all()


@pytest.mark.parametrize("seed", range(4))
def test_every_shaft_is_as_bright_as_it_is_thick(seed: int) -> None:
    specimen = dendrites(GRID, np.random.default_rng(seed))
    for shaft in specimen.geometry["dendrites"]:
        seen = _at(specimen.image, np.array(shaft["points_um"]))
        thick_um = 2 * np.median(shaft["radii_um"])
        assert np.median(seen) > 0.6 * shaft["brightness"] * thick_um


def test_all_shapes_of_spines_are_drawn() -> None:
    geometries = [dendrites(GRID, np.random.default_rng(seed)).geometry for seed in range(6)]
    drawn = {head["shape"] for geometry in geometries for head in geometry["spines"]}
    assert drawn == {"mushroom", "thin", "stubby", "filopodium"}


@pytest.mark.parametrize("seed", range(5))
def test_a_mushroom_has_a_head_wider_than_its_neck(seed: int) -> None:
    base = np.zeros(2)
    axis = spine(np.random.default_rng(seed), "mushroom", base, 0.0, 0.0).axis
    from_base = np.linalg.norm(axis.points, axis=1)
    neck = axis.radii[(from_base > 0.1) & (from_base < 0.3)].min()
    assert axis.radii.max() > 1.5 * neck


def test_the_focal_plane_of_a_volume_holds_spines() -> None:
    grid = Grid((9, 128, 128), 0.1, 0.25)
    heads = dendrites(grid, np.random.default_rng(0)).geometry["spines"]
    depths_um = np.array([head["points_um"][0][0] for head in heads])
    assert (np.abs(depths_um - grid.focus_um[0]) < 0.5).any()
