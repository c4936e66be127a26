from typing import Any

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from simulation.structures import Grid
from simulation.structures.filaments import nets, tubes
from simulation.structures.walk import persistent_walk

GRIDS = [Grid((200, 200), 0.06), Grid((11, 128, 128), 0.08, 0.25)]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("structure", "kind"), [(tubes, "tubes"), (nets, "threads")])
def test_filaments_are_bright_along_their_geometry(structure: Any, kind: str, grid: Grid) -> None:
    specimen = structure(grid, np.random.default_rng(0))
    for filament in specimen.geometry[kind]:
        voxels = (np.array(filament["points_um"]) / grid.steps_um - 0.5).T
        inside = np.all(np.minimum(voxels.T, np.array(grid.shape) - 1 - voxels.T) > 2, axis=1)
        # ends are half as bright, and bends between the points written cut their corners
        seen = map_coordinates(specimen.image, voxels[:, inside], order=1)[1:-1]
        if len(seen) > 5:
            assert np.median(seen) > 0.4 * filament["brightness"]


def test_turns_of_a_walk_decay_over_its_persistence() -> None:
    # cosine of the turn after a length s is exp(-s / 2p): the azimuth diffuses by s / p
    rng = np.random.default_rng(0)
    cosines = list[float]()
    for _ in range(400):
        line = persistent_walk(rng, np.zeros(2), 0.0, 0.0, 10.0, 8.0, 0.1)
        last = line[-1] - line[-2]
        cosines.append(float(last[1]) / 0.1)
    assert np.mean(cosines) == pytest.approx(np.exp(-10 / 16), abs=0.08)


@pytest.mark.parametrize("axes", [2, 3])
def test_steps_of_a_walk_are_equally_long(axes: int) -> None:
    line = persistent_walk(np.random.default_rng(0), np.zeros(axes), 1.0, 0.3, 5.0, 3.0, 0.1)
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    np.testing.assert_allclose(steps, 0.1)
    assert len(line) == 50
