from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from imaging import images
from imaging.cli import UserError
from tests.small_images import REUSE, SIZES, image, ramp, refused


def test_zarr_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "volume.zarr"
    written = image("czyx", (2, 3, 4, 5), pixel_size_um=SIZES)
    images.write(path, written)
    group = zarr.open_group(path, mode="r")
    ome: Any = group.attrs["ome"]
    assert ome["version"] == "0.5"
    multiscale = ome["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == list("czyx")
    scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == [1.0, 0.25, 0.0313, 0.0417]
    array: Any = group["0"]
    assert array.metadata.dimension_names == tuple("czyx")
    np.testing.assert_array_equal(array[...], written.values)


def test_ome_zarr_0_4(tmp_path: Path) -> None:
    path = tmp_path / "old.ome.zarr"
    pixels = ramp((2, 3, 4, 5))
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array(
        "full", shape=pixels.shape, dtype=pixels.dtype, chunks=(1, 1, 4, 5),
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )  # fmt: skip
    array[...] = pixels
    space = [{"name": dim, "type": "space", "unit": "nanometer"} for dim in "yx"]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}, *space],
            "datasets": [
                {
                    "path": "full",
                    "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 40, 30]}],
                }
            ],
            "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 2, 2]}],
        }
    ]
    group.attrs["omero"] = {"channels": [{"label": name} for name in ("red", "green", "blue")]}
    found = images.read(path)
    assert found.dims == ("b", "c", "y", "x")
    assert found["c"].values.tolist() == ["red", "green", "blue"]
    assert found.attrs["pixel_size_um"] == pytest.approx({"y": 0.08, "x": 0.06})
    np.testing.assert_array_equal(found.values, pixels)


def test_an_ome_zarr_axis_that_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "axes.zarr"
    images.write(path, image("zyx", (2, 4, 5)))
    group = zarr.open_group(path)
    ome: Any = group.attrs["ome"]
    ome["multiscales"][0]["axes"][0]["name"] = "phase"
    group.attrs["ome"] = ome
    refused(path, "unknown axis 'phase'")


def test_a_zarr_of_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "none.zarr"
    images.write(path, image("yx", (4, 5)))
    array: Any = zarr.open_group(path)["0"]
    array.resize((0, 5))
    refused(path, "no pixels")


@pytest.mark.parametrize("missing", ["zarr.json", "0/zarr.json"])
def test_a_zarr_without_metadata(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "part.ome.zarr"
    images.write(path, image("yx", (4, 5)))
    (path / missing).unlink()
    refused(path, "copy it again as a whole")


def test_a_zarr_that_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "table.zarr"
    zarr.open_group(path, mode="w")
    refused(path, "multiscales")


def test_a_zarr_with_a_damaged_chunk(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zarr"
    images.write(path, image("yx", (40, 50)))
    chunk = path / "0" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-20])
    refused(path, "damaged")


@REUSE
@given(data=st.data())
def test_a_region_is_written_where_numpy_would(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "regions.zarr"
    shape = (3, 530, 520)  # of several chunks
    expected = np.zeros(shape, np.uint16)
    slices = st.builds(slice, st.integers(0, 600), st.integers(1, 1200) | st.none())
    keys = st.tuples(*[st.integers(-3, 2) | slices] * 3) | st.sampled_from([(..., 5), (1, ...), 2])
    with images.create(path, dims="zyx", shape=shape, dtype="uint16", pixel_size_um={}) as out:
        for key in data.draw(st.lists(keys, min_size=1, max_size=3)):
            pixels = ramp(expected[key].shape)
            out[key] = pixels
            expected[key] = pixels
    np.testing.assert_array_equal(images.read(path).values, expected)


def test_a_folder_that_is_no_zarr_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "a.ome.zarr"
    folder.mkdir()
    (folder / "notes.txt").touch()
    with pytest.raises(UserError, match=r"a\.ome\.zarr: a folder that is no Zarr"):
        images.write(folder, image("yx", (4, 5)))
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("mark", ["zarr.json", ".zgroup"])
def test_a_zarr_is_replaced(tmp_path: Path, mark: str) -> None:
    folder = tmp_path / "a.ome.zarr"
    folder.mkdir()
    (folder / mark).touch()
    (folder / "old").touch()
    images.write(folder, image("yx", (4, 5)))
    assert images.read(folder).shape == (4, 5)
    assert not (folder / "old").exists()
