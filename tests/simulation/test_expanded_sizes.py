from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging.cli import UserError
from imaging.images import write
from simulation.expanded_sizes import find_pixel_size_um, find_z_step_um


def _files(folder: Path, *stated_um: dict[str, float]) -> dict[str, Path]:
    """Write stacks of these sizes, named a, b and so on."""
    files: dict[str, Path] = {}
    for name, sizes in zip("abc", stated_um, strict=False):
        files[name] = folder / f"{name}.ome.tif"
        stack = xr.DataArray(np.ones((3, 8, 8), np.uint8), dims=("z", "y", "x"))
        write(files[name], stack.assign_attrs(pixel_size_um=sizes))
    return files


FINE, COARSE = {"y": 0.05, "x": 0.05}, {"y": 0.1, "x": 0.1}


def test_pixel_size_is_stated_size_over_expansion(tmp_path: Path) -> None:
    assert find_pixel_size_um(_files(tmp_path, FINE, FINE), 4) == pytest.approx(0.0125)


def test_file_without_pixel_size_takes_that_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find_pixel_size_um(_files(tmp_path, FINE, {}), 1) == pytest.approx(0.05)
    assert "b.ome.tif: no pixel size stated" in capsys.readouterr().out


def test_no_pixel_size_at_all_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert find_pixel_size_um(_files(tmp_path, {}), 1) == 0.08
    assert "No file states its pixel size" in capsys.readouterr().out


def test_disagreeing_pixel_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"b\.ome\.tif of 0\.1 µm"):
        find_pixel_size_um(_files(tmp_path, FINE, COARSE), 1)


def test_oblong_pixels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.ome\.tif has pixels of 0\.1 x 0\.05"):
        find_pixel_size_um(_files(tmp_path, {"y": 0.05, "x": 0.1}), 1)


def test_distance_of_planes_is_the_stated_one_over_expansion(tmp_path: Path) -> None:
    assert find_z_step_um(_files(tmp_path, {"z": 1.0}, {"z": 1.005}), 4) == pytest.approx(0.25)


def test_disagreeing_distances_of_planes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"planes 1 µm apart, but .*b\.ome\.tif 1\.2 µm"):
        find_z_step_um(_files(tmp_path, {"z": 1.0}, {"z": 1.2}), 4)
