"""OME-Zarr with shards, coarser levels and places, of both versions."""

import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr
from skimage.transform import downscale_local_mean

from imaging import images
from imaging.cli import UserError
from imaging.formats import ome_zarr_writing as store
from imaging.formats.header import Storage
from tests.small_images import image, ramp

SIZES = {"y": 0.5, "x": 0.25}
ORIGIN = {"y": 100.0, "x": -7.5}


@pytest.fixture(autouse=True)
def coarsest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_COARSEST_PX", 4)


def written(path: Path, pixels: np.ndarray, storage: Storage) -> Any:
    """Write an image of planes and return its group."""
    with images.create(
        path,
        dims="cyx",
        shape=pixels.shape,
        dtype=pixels.dtype,
        pixel_size_um=SIZES,
        channels=["mean", "std"],
        origin_um=ORIGIN,
        storage=storage,
    ) as out:
        out[...] = pixels
    return zarr.open_group(path, mode="r")


def test_levels_are_means_of_the_finer_one(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).normal(size=(2, 16, 8)).astype(np.float32)

    group = written(tmp_path / "a.zarr", pixels, Storage((1, 5, 5), pyramid=True))

    assert sorted(group.array_keys()) == ["0", "1", "2"]
    for level in (1, 2):
        expected = downscale_local_mean(pixels, (1, 2**level, 2**level))
        np.testing.assert_allclose(group[str(level)][...], expected, atol=1e-6)


def test_the_last_pixel_of_an_odd_number_counts_alone(tmp_path: Path) -> None:
    group = written(tmp_path / "a.zarr", ramp((2, 3, 5)), Storage((1, 3, 5), pyramid=True))

    assert group["1"].shape == (2, 2, 3)
    assert group["1"][0, 1, 2] == ramp((2, 3, 5))[0, 2, 4]


def test_levels_lie_where_the_image_does(tmp_path: Path) -> None:
    group = written(tmp_path / "a.zarr", ramp((2, 8, 8)), Storage((1, 8, 8), pyramid=True))

    levels = group.attrs["ome"]["multiscales"][0]["datasets"]
    where = [level["coordinateTransformations"] for level in levels]
    assert [of[0]["scale"] for of in where] == [[1, 0.5, 0.25], [1, 1, 0.5]]
    # The centre of two pixels lies half a pixel beside that of the first.
    assert [of[1]["translation"] for of in where] == [[0, 100, -7.5], [0, 100.25, -7.375]]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_is_written_is_read(tmp_path: Path, version: Literal["0.4", "0.5"]) -> None:
    storage = Storage((1, 5, 5), version=version, pyramid=True)
    group = written(tmp_path / "a.zarr", ramp((2, 12, 9)), storage)

    found = images.read(tmp_path / "a.zarr")
    np.testing.assert_array_equal(found.values, ramp((2, 12, 9)))
    assert found.attrs == {"pixel_size_um": SIZES, "origin_um": ORIGIN}
    assert found["c"].values.tolist() == ["mean", "std"]
    assert group.metadata.zarr_format == {"0.4": 2, "0.5": 3}[version]
    stated = group.attrs["multiscales"][0] if version == "0.4" else group.attrs["ome"]
    assert stated["version"] == version


def test_a_shard_is_one_file_of_several_chunks(tmp_path: Path) -> None:
    storage = Storage((1, 4, 4), shards=(1, 8, 8), pyramid=True)
    group = written(tmp_path / "a.zarr", ramp((2, 12, 9)), storage)

    assert (group["0"].chunks, group["0"].shards) == ((1, 4, 4), (1, 8, 8))
    files = [file for file in (tmp_path / "a.zarr/0/c").rglob("*") if file.is_file()]
    assert len(files) == 2 * 2 * 2
    np.testing.assert_array_equal(images.read(tmp_path / "a.zarr").values, ramp((2, 12, 9)))


def test_an_older_version_has_no_shards(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"OME-Zarr 0\.4 has no shards"):
        written(tmp_path / "a.zarr", ramp((2, 8, 8)), Storage((1, 4, 4), (1, 8, 8), "0.4"))


def test_a_missing_file_is_noticed_at_the_end(tmp_path: Path) -> None:
    written(tmp_path / "a.zarr", ramp((2, 8, 8)), Storage((1, 4, 4)))
    store.finish(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/0/c/1/0/1").unlink()

    with pytest.raises(UserError, match="lost files while it was written"):
        store.finish(tmp_path / "a.zarr")


@pytest.mark.parametrize("lost", ["0/c/0/1", "0"])
def test_files_that_vanish_while_they_are_read(tmp_path: Path, lost: str) -> None:
    path = tmp_path / "a.zarr"
    images.write(path, image("yx", (600, 700)) + 1)
    lazy = images.read(path, lazy=True)
    shutil.rmtree(path / lost, ignore_errors=True)
    (path / lost).unlink(missing_ok=True)

    with pytest.raises(UserError, match=r"a\.zarr lost files while it was read"):
        lazy.isel(y=slice(500, 600), x=slice(600, 700)).load()
