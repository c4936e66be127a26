from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.masks import read_mask
from tests.small_images import image

INPUT = image("zyx", (2, 6, 5), pixel_size_um={"z": 1.0, "y": 0.1, "x": 0.1})


def written(folder: Path, labels: np.ndarray, dims: str = "zyx", size_um: float = 0.1) -> Path:
    sizes = {dim: size_um for dim in dims if dim in "yx"}
    array = xr.DataArray(labels, dims=tuple(dims), attrs={"pixel_size_um": sizes})
    images.write(folder / "a.tif", array)
    return folder / "a.tif"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_labels_are_read_as_whole_numbers(tmp_path: Path, dtype: str) -> None:
    labels = np.arange(60).reshape(2, 6, 5).astype(dtype)
    found = read_mask(written(tmp_path, labels), INPUT)
    assert found.dtype.kind in "iu"
    assert found.dims == ("z", "y", "x")
    np.testing.assert_array_equal(found.values, np.arange(60).reshape(2, 6, 5))


def test_channels_share_a_mask(tmp_path: Path) -> None:
    several = image("czyx", (3, 2, 6, 5), pixel_size_um={"y": 0.1, "x": 0.1})
    assert read_mask(written(tmp_path, np.ones((2, 6, 5), "uint8")), several).shape == (2, 6, 5)


@pytest.mark.parametrize(
    ("labels", "dims", "sentence"),
    [
        (np.ones((6, 5), "uint8"), "yx", r"is 6 \(y\) x 5 \(x\), and its image 2 \(z\) x 6"),
        (np.ones((2, 6, 4), "uint8"), "zyx", r"is 2 \(z\) x 6 \(y\) x 4 \(x\), and its image"),
        (np.full((2, 6, 5), 0.5, "float32"), "zyx", "holds 0.5, and a mask is of whole numbers"),
        (np.full((2, 6, 5), -1, "float32"), "zyx", "holds -1, and a mask"),
        (np.zeros((2, 6, 5), "uint8"), "zyx", "is 0 everywhere"),
    ],
)
def test_what_is_no_mask_of_the_image_is_refused(
    tmp_path: Path, labels: np.ndarray, dims: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        read_mask(written(tmp_path, labels, dims), INPUT)


def test_a_mask_of_other_pixels_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, np.ones((2, 6, 5), "uint8"), size_um=0.2)
    with pytest.raises(UserError, match=r"states pixels of 0\.2 µm along y, and its image 0\.1 µm"):
        read_mask(file, INPUT)
