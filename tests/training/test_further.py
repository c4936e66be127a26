from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from training.further import open_further


def pairs(folder: Path, pixel_um: float, count: int = 5) -> Path:
    rng = np.random.default_rng(0)
    for i in range(count):
        for side in ("input", "target"):
            (folder / side).mkdir(parents=True, exist_ok=True)
            image = xr.DataArray(
                rng.random((32, 32), dtype=np.float32),
                dims=("y", "x"),
                attrs={"pixel_size_um": {"y": pixel_um, "x": pixel_um}},
            )
            images.write(folder / side / f"{i}.tif", image)
    return folder


def test_only_training_images_are_taken(tmp_path: Path) -> None:
    """Of five sources the first and the last are held out."""
    first = open_dataset(pairs(tmp_path / "cells", 0.1))
    (other,) = open_further([pairs(tmp_path / "dendrites", 0.1)], first)
    assert [item.name for item in other.items] == ["1", "2", "3"]


def test_other_pixels_are_refused_with_both_sizes(tmp_path: Path) -> None:
    first = open_dataset(pairs(tmp_path / "cells", 0.1))
    with pytest.raises(UserError, match=r"has pixels of 0\.2 µm and .* of 0\.1 µm"):
        open_further([pairs(tmp_path / "dendrites", 0.2)], first)


def test_two_datasets_of_one_name_are_refused(tmp_path: Path) -> None:
    first = open_dataset(pairs(tmp_path / "a" / "cells", 0.1))
    with pytest.raises(UserError, match="have one name"):
        open_further([pairs(tmp_path / "b" / "cells", 0.1)], first)
