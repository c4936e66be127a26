from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging.images import write
from simulation.simulate import simulate


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("made") / "data", images=4, size=64, seed=7)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    for index in range(3):
        pixels = np.random.default_rng(index).integers(0, 255, (40, 70)).astype(np.uint8)
        attributes = {"pixel_size_um": {"y": 0.06, "x": 0.06}}
        image = xr.DataArray(pixels, dims=("y", "x"), attrs=attributes)
        write(folder / f"cell{index}.tif", image)
    return folder
