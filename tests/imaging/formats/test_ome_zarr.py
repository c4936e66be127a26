import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from imaging import images
from imaging.cli import UserError
from imaging.remarks import remarks_of
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


def old_zarr(path: Path, pixels: np.ndarray, axes: Any, scale: Any, **more: Any) -> Any:
    """Write an image of version 0.4 or earlier and read it."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array(
        "0", shape=pixels.shape, dtype=pixels.dtype, chunks=(2,) * pixels.ndim
    )
    array[...] = pixels
    scaled = {"coordinateTransformations": [{"type": "scale", "scale": scale}]} if scale else {}
    stated = {"axes": axes} if axes else {}
    group.attrs["multiscales"] = [{"datasets": [{"path": "0", **scaled}], **stated, **more}]
    return images.read(path)


@pytest.mark.parametrize("axes", [None, list("tczyx")])
def test_ome_zarr_0_1_to_0_3(tmp_path: Path, axes: list[str] | None) -> None:
    pixels = ramp((2, 1, 3, 4, 5))
    found = old_zarr(tmp_path / "old.zarr", pixels, axes, None)
    assert found.dims == ("b", "z", "y", "x")
    np.testing.assert_array_equal(found.values, pixels[:, 0])
    assert (found.attrs["pixel_size_um"], remarks_of(found)) == ({}, ())


def test_axes_without_rows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no rows and columns"):
        old_zarr(tmp_path / "zx.zarr", ramp((4, 5)), [{"name": "z"}, {"name": "x"}], None)


def test_a_later_version_must_name_its_axes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"names no axes, as OME-Zarr 0\.6 must"):
        old_zarr(tmp_path / "new.zarr", ramp((2, 1, 3, 4, 5)), None, None, version="0.6")


def test_an_image_that_names_no_axes_has_five(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"names no axes, and has 2 instead of the 5 of OME-Zarr 0"):
        old_zarr(tmp_path / "old.zarr", ramp((4, 5)), None, None)


@pytest.mark.parametrize(
    ("unit", "scale", "expected"),
    [
        ("nanometer", 80, 0.08),
        ("angstrom", 800, 0.08),
        ("yottameter", 8e-32, 0.08),
        ("hectometer", 8e-10, 0.08),
        ("parsec", 1e-22, 3.0856775814913673),
        ("mile", 1e-9, 1.609344),
    ],
)
def test_units_of_ome_zarr(tmp_path: Path, unit: str, scale: float, expected: float) -> None:
    axes = [{"name": dim, "type": "space", "unit": unit} for dim in "yx"]
    found = old_zarr(tmp_path / "unit.zarr", ramp((4, 5)), axes, [scale, scale])
    assert found.attrs["pixel_size_um"] == pytest.approx({"y": expected, "x": expected})
    assert remarks_of(found) == ()


@pytest.mark.parametrize(
    ("unit", "scale", "detail"),
    [
        (None, 0.08, "y: 0.08"),
        ("furlong", 0.08, "y: 0.08 'furlong'"),
        ("micrometer", -0.08, "y: -0.08 'micrometer'"),
        ("micrometer", float("nan"), "y: nan 'micrometer'"),
    ],
)
def test_a_scale_that_cannot_be_understood_is_remarked_on(
    tmp_path: Path, unit: str | None, scale: float, detail: str
) -> None:
    axes = [{"name": "y", "type": "space", "unit": unit}, {"name": "x", "unit": "micrometer"}]
    found = old_zarr(tmp_path / "unit.zarr", ramp((4, 5)), axes, [scale, 0.08])
    assert found.attrs["pixel_size_um"] == {"x": 0.08}
    assert [remark.detail for remark in remarks_of(found)] == [detail]


def test_the_finest_level_is_read_wherever_it_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "coarse_first.zarr"
    images.write(path, image("yx", (4, 6), pixel_size_um={"y": 0.1, "x": 0.1}))
    group: Any = zarr.open_group(path)
    group.create_array("1", shape=(2, 3), dtype="uint16", chunks=(2, 3))[...] = 1
    ome = group.attrs["ome"]
    coarse = {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [0.2, 0.2]}]}
    ome["multiscales"][0]["datasets"].insert(0, coarse)
    group.attrs["ome"] = ome
    found = images.read(path)
    np.testing.assert_array_equal(found.values, ramp((4, 6)))
    assert found.attrs["pixel_size_um"] == {"y": 0.1, "x": 0.1}


@pytest.mark.parametrize("nested", [False, True])
def test_absent_chunks_are_counted(tmp_path: Path, nested: bool) -> None:
    path = tmp_path / "part.zarr"
    axes = [{"name": dim, "type": "space"} for dim in "yx"]
    if nested:
        images.write(path, image("yx", (600, 700)) + 1)
        (path / "0" / "c" / "0" / "1").unlink()
        found = images.read(path)
    else:
        old_zarr(path, ramp((4, 4)) + 1, axes, None)
        (path / "0" / "1.0").unlink()
        found = images.read(path)
    assert [remark.detail for remark in remarks_of(found)] == ["1 of 4 chunks"]


def test_whole_shards_are_not_remarked_on(tmp_path: Path) -> None:
    path = tmp_path / "sharded.zarr"
    images.write(path, image("yx", (8, 8)))
    group: Any = zarr.open_group(path)
    del group["0"]
    array = group.create_array("0", shape=(8, 8), dtype="uint16", chunks=(2, 2), shards=(4, 4))
    array[...] = ramp((8, 8)) + 1
    assert remarks_of(images.read(path)) == ()


def test_the_first_of_several_images_is_read_and_the_others_named(tmp_path: Path) -> None:
    path = tmp_path / "two.zarr"
    images.write(path, image("yx", (4, 5)))
    group: Any = zarr.open_group(path)
    ome = group.attrs["ome"]
    ome["multiscales"] = [ome["multiscales"][0] | {"name": name} for name in ("cell", "label")]
    group.attrs["ome"] = ome
    found = images.read(path)
    assert [remark.detail for remark in remarks_of(found)] == ["of 'cell', 'label'"]


COLLECTIONS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "plate": (
        "B/2/0",
        {"": {"plate": {"wells": [{"path": "B/2"}]}}, "B/2": {"well": {"images": [{"path": "0"}]}}},
    ),
    "well": ("7", {"": {"well": {"images": [{"path": "7"}]}}}),
    "collection": ("0", {"": {"bioformats2raw.layout": 3}}),
}


@pytest.mark.parametrize("kind", COLLECTIONS)
@pytest.mark.parametrize("version", [2, 3])
def test_the_images_of_a_collection(tmp_path: Path, kind: str, version: Literal[2, 3]) -> None:
    path = tmp_path / "many.zarr"
    first, groups = COLLECTIONS[kind]
    for below, attributes in groups.items():
        group = zarr.open_group(path / below, mode="w", zarr_format=version)
        group.attrs.update(attributes if version == 2 else {"ome": attributes})
    if version == 2:
        old_zarr(tmp_path / "one.zarr", ramp((4, 5)), [{"name": "y"}, {"name": "x"}], None)
    else:
        images.write(tmp_path / "one.zarr", image("yx", (4, 5)))
    (path / "OME.txt").touch()
    (tmp_path / "one.zarr").rename(path / first)
    refused(path, f"is a {kind} of images: give the folder of one of them, such as .*{first}")
    np.testing.assert_array_equal(images.read(path / first).values, ramp((4, 5)))


def test_a_zarr_that_claims_more_than_any_memory(tmp_path: Path) -> None:
    path = tmp_path / "absurd.zarr"
    images.write(path, image("yx", (4, 5)))
    metadata = json.loads((path / "0" / "zarr.json").read_text())
    metadata["shape"] = [10**9, 10**9]
    (path / "0" / "zarr.json").write_text(json.dumps(metadata))
    refused(path, "needs more memory than there is")


def test_a_zarr_whose_full_resolution_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "part.zarr"
    images.write(path, image("yx", (4, 5)))
    group: Any = zarr.open_group(path)
    group.create_array("1", shape=(2, 2), dtype="uint16", chunks=(2, 2))[...] = 1
    ome = group.attrs["ome"]
    ome["multiscales"][0]["datasets"].append({"path": "1"})
    group.attrs["ome"] = ome
    (path / "0" / "zarr.json").unlink()
    refused(path, "no array '0'")


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
