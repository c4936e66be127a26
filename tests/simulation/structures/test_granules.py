import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from simulation.structures import Grid
from simulation.structures.granules import granules, points

GRIDS = [Grid((200, 200), 0.06), Grid((9, 128, 128), 0.08, 0.25)]


@pytest.mark.parametrize("grid", GRIDS)
def test_every_granule_is_bright_in_its_middle(grid: Grid) -> None:
    specimen = granules(grid, np.random.default_rng(0))
    assert len(specimen.geometry["granules"]) > 20
    for granule in specimen.geometry["granules"]:
        voxel = (np.array(granule["points_um"][0]) / grid.steps_um).astype(int)
        if granule["radius_um"] > 2 * grid.pixel_size_um:
            # half a plane beside the middle, a small ball has lost light
            assert specimen.image[tuple(voxel)] > 0.35 * granule["brightness"]


@pytest.mark.parametrize("grid", GRIDS)
def test_points_account_for_every_peak(grid: Grid) -> None:
    specimen = points(grid, np.random.default_rng(0))
    peaks = np.argwhere(
        (specimen.image == maximum_filter(specimen.image, 3)) & (specimen.image > 0.3)
    )
    places = np.array([point["points_um"][0] for point in specimen.geometry["points"]])
    for peak in peaks:
        away = np.abs(places - (peak + 0.5) * grid.steps_um) / grid.steps_um
        assert away.max(1).min() < 1


def test_density_of_points_is_that_of_the_range() -> None:
    grid = Grid((400, 400), 0.05)
    counts = [len(points(grid, np.random.default_rng(s)).geometry["points"]) for s in range(12)]
    assert min(counts) / grid.area_um2 > 0.4 * 0.85
    assert max(counts) / grid.area_um2 < 2 * 1.15
