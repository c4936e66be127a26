from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.image_folders import of_scene
from tests.czi_metadata import name_scenes
from tests.microscope_files import SEVERAL, WRITERS
from tests.small_images import ramp

REASON = "the libraries of the extra 'formats' are not installed"
PIXELS = np.arange(2 * 2 * 6 * 7, dtype=np.uint16).reshape(2, 2, 1, 1, 6, 7)
NAMES = {
    ".czi": ("scene 1", "scene 2"),
    ".ims": ("DataSet", "DataSet1"),
    ".lif": ("Series0", "Series1"),
    ".nd2": ("position 1", "position 2"),
}


@pytest.fixture(params=SEVERAL)
def two_images(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    library, write = WRITERS[request.param]
    pytest.importorskip(library, reason=REASON)
    write(tmp_path / f"a{request.param}", PIXELS)
    return tmp_path / f"a{request.param}"


def test_a_name_chooses_an_image(two_images: Path) -> None:
    found = images.read(of_scene(two_images, NAMES[two_images.suffix][1]))
    np.testing.assert_array_equal(found.values, PIXELS[1, :, 0, 0])


def test_a_number_chooses_an_image(two_images: Path) -> None:
    found = images.read(of_scene(two_images, "2"))
    np.testing.assert_array_equal(found.values, PIXELS[1, :, 0, 0])


def test_an_image_is_named(two_images: Path) -> None:
    second = NAMES[two_images.suffix][1]
    assert images.read(of_scene(two_images, "2"), lazy=True).attrs["scenes"] == (second,)


def test_positions_are_named(two_images: Path) -> None:
    assert images.read(two_images, lazy=True).attrs["scenes"] == NAMES[two_images.suffix]


def test_a_name_that_no_image_has(two_images: Path) -> None:
    first, second = NAMES[two_images.suffix]
    with pytest.raises(UserError, match=rf"\(#1 {first} \(.*; #2 {second} \(.*give it to --scene"):
        images.read(of_scene(two_images, "third"))


def two_pictures(path: Path) -> Path:
    with tifffile.TiffWriter(path, ome=True) as writer:
        for at, name in enumerate(("well A", "field/2 #7")):
            writer.write(ramp((6 + at, 7)), metadata={"Name": name})
    return path


@pytest.mark.parametrize("scene", ["field/2 #7", "2"])
def test_images_of_a_tiff_have_names(tmp_path: Path, scene: str) -> None:
    found = images.read(of_scene(two_pictures(tmp_path / "a.ome.tif"), scene))
    np.testing.assert_array_equal(found.values, ramp((7, 7)))
    assert found.attrs["scenes"] == ("field/2 #7",)


def test_an_image_of_a_file_of_one_has_no_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", ramp((6, 7)), metadata={"Name": "well A"})
    assert "scenes" not in images.read(tmp_path / "a.ome.tif").attrs


def test_a_dataset_of_a_named_image(tmp_path: Path) -> None:
    (item,) = open_dataset(of_scene(two_pictures(tmp_path / "a.ome.tif"), "well A")).items
    np.testing.assert_array_equal(item.read_input().values, ramp((6, 7)))


def test_a_folder_has_no_scenes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder of images: --scene is for one file"):
        of_scene(tmp_path, "1")


def test_scenes_of_a_czi_have_their_own_names(tmp_path: Path) -> None:
    library: Any = pytest.importorskip("pylibCZIrw.czi", reason=REASON)
    with library.create_czi(str(tmp_path / "a.czi")) as file:
        for at in range(2):
            file.write(PIXELS[at, 0, 0, 0], scene=at, location=(0, 20 * at))
        file.write_metadata(channel_names={0: "GFP"}, scale_x=1e-7, scale_y=1e-7)
    name_scenes(tmp_path / "a.czi", ["TR1", "TR2"])
    found = images.read(of_scene(tmp_path / "a.czi", "TR2"))
    np.testing.assert_array_equal(found.values, PIXELS[1, 0, 0, 0])
