from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.files import sha256
from tests.microscope_files import NAMES, write_xlif, write_xlif_of_lof
from tests.small_images import SIZES, refused

pytest.importorskip("liffile", reason="the libraries of the extra 'formats' are not installed")
PIXELS = np.random.default_rng(3).integers(0, 4000, (1, 2, 3, 4, 6, 7)).astype(np.uint16)


def test_pixels_of_a_lof(tmp_path: Path) -> None:
    write_xlif_of_lof(tmp_path / "a.xlif", PIXELS)
    found = images.read(tmp_path / "a.xlif")
    np.testing.assert_array_equal(found.values, PIXELS[0])
    assert found.attrs["pixel_size_um"] == pytest.approx(SIZES)
    assert list(found["c"].values) == list(NAMES)


@pytest.mark.parametrize("write", [write_xlif, write_xlif_of_lof])
def test_files_that_an_xlif_names_are_no_images_of_their_own(
    tmp_path: Path, write: Callable[[Path, np.ndarray], None]
) -> None:
    write(tmp_path / "a.xlif", PIXELS)
    (item,) = open_dataset(tmp_path).items
    assert item.input == tmp_path / "a.xlif"


def test_the_hash_of_an_xlif_is_also_of_what_it_names(tmp_path: Path) -> None:
    write_xlif(tmp_path / "a.xlif", PIXELS)
    before = sha256(tmp_path / "a.xlif")
    (tmp_path / "a 5.tif").write_bytes(b"other")
    assert sha256(tmp_path / "a.xlif") != before


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    write_xlif(tmp_path / "a.xlif", PIXELS)
    (tmp_path / "a 5.tif").unlink()
    refused(tmp_path / "a.xlif", r"its pixels in a 5\.tif, which is not there")


def test_a_lof_that_is_not_there(tmp_path: Path) -> None:
    write_xlif_of_lof(tmp_path / "a.xlif", PIXELS)
    (tmp_path / "a.lof").unlink()
    refused(tmp_path / "a.xlif", r"its pixels in .*a\.lof, which is not there")


def test_a_file_of_another_size(tmp_path: Path) -> None:
    write_xlif(tmp_path / "a.xlif", PIXELS)
    tifffile.imwrite(tmp_path / "a 5.tif", np.zeros((5, 7), np.uint16), metadata=None)
    with pytest.raises(UserError, match=r"a 5\.tif is not the plane of 6 x 7 pixels"):
        images.read(tmp_path / "a.xlif")


def test_pixels_in_files_of_another_kind(tmp_path: Path) -> None:
    write_xlif(tmp_path / "a.xlif", PIXELS)
    text = (tmp_path / "a.xlif").read_text().replace(".tif", ".jpg")
    (tmp_path / "a.xlif").write_text(text)
    refused(tmp_path / "a.xlif", r"its pixels in a 0\.jpg, neither a LOF nor a TIFF")


@pytest.mark.parametrize("suffix", [".xlef", ".xlcf"])
def test_lists_of_images_are_refused_with_what_to_give(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_text("<LMSDataContainerHeader/>")
    refused(tmp_path / f"a{suffix}", r"give one of the \.xlif files")
