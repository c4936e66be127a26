import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from simulation.structures import Grid
from simulation.structures.sheets import sheets

GRIDS = [Grid((200, 200), 0.06), Grid((9, 128, 128), 0.08, 0.25)]


@pytest.mark.parametrize("grid", GRIDS)
def test_sheets_are_bright_where_the_plane_of_focus_cuts_them(grid: Grid) -> None:
    on, everywhere = list[float](), list[float]()
    for seed in range(4):
        specimen = sheets(grid, np.random.default_rng(seed))
        image = specimen.image[len(specimen.image) // 2] if grid.is_volume else specimen.image
        everywhere.append(float(image.mean()))
        for sheet in specimen.geometry["sheets"]:
            places = np.array(sheet["points_um"])[:, -2:] / grid.pixel_size_um - 0.5
            on += list(map_coordinates(image, places.T, order=1))
    assert np.median(on) > 4 * np.mean(everywhere)


def test_sheets_of_a_volume_go_on_from_plane_to_plane() -> None:
    image = sheets(GRIDS[1], np.random.default_rng(0)).image
    neighbours = np.corrcoef(image[4].ravel(), image[5].ravel())[0, 1]
    far = np.corrcoef(image[0].ravel(), image[8].ravel())[0, 1]
    assert neighbours > 0.4 > far
