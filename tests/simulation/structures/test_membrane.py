import numpy as np
import pytest

from simulation.structures import Grid
from simulation.structures.membrane import Axis, Field, Membrane, add_membrane


def _straight_tube(grid: Grid) -> np.ndarray:
    """A straight tube of 1.6 µm along x at y = 4 µm, labelled evenly, in the plane of focus."""
    along = np.arange(-1, 9, 0.1)
    centre = [*grid.focus_um, 4.0]
    points = np.stack([*(np.full_like(along, x) for x in centre), along], 1)
    axis = Axis(points, np.full_like(along, 0.8))
    image = np.zeros(grid.shape)
    field = Field(grid, np.random.default_rng(0))
    add_membrane(Membrane("tube", [axis], 1.0, 0.4, 0.0, 0.0, 0.0), field, image)
    return image


@pytest.mark.parametrize("planes", [0, 13])
@pytest.mark.parametrize("pixel_size_um", [0.03, 0.08])
def test_a_tube_shows_two_bright_edges_and_a_dimmer_interior(
    pixel_size_um: float, planes: int
) -> None:
    size = round(8 / pixel_size_um)
    shape = (planes, size, size) if planes else (size, size)
    image = _straight_tube(Grid(shape, pixel_size_um, 0.25 if planes else 0.0))
    profile = (image[planes // 2] if planes else image).mean(1)
    y_um = (np.arange(size) + 0.5) * pixel_size_um
    edges = [y_um[np.where(side, profile, 0).argmax()] for side in (y_um < 4, y_um > 4)]
    assert edges[1] - edges[0] == pytest.approx(1.6, abs=0.1)
    assert profile[np.abs(y_um - 4) < 0.1].mean() < 0.6 * profile.max()
    assert profile[np.abs(y_um - 4) > 1.3].max() < 0.02 * profile.max()


def test_a_tube_in_a_volume_is_closed_above_and_below() -> None:
    grid = Grid((13, 100, 100), 0.08, 0.25)
    along_z = _straight_tube(grid).mean(2)[:, 50]
    z_um = grid.centres_um(0) - grid.focus_um[0]
    assert np.abs(z_um[along_z.argmax()]) == pytest.approx(0.8, abs=0.13)
