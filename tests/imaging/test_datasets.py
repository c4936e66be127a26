from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.remarks import remarks_of
from tests.small_images import random_image, write_recording


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_pairs_by_name_whatever_the_format(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.ome.tif", "input/b.tif", "target/a.mrc", "target/b.png")
    items = open_dataset(tmp_path).items
    assert [(i.name, i.target and i.target.name) for i in items] == [("a", "a.mrc"), ("b", "b.png")]


def test_some_images_may_have_a_repeat(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif", "input/b.tif", "target/a.tif", "target/b.tif", "repeat/b.mrc")
    first, second = open_dataset(tmp_path).items
    assert first.repeat is first.of_repeat is None
    assert second.of_repeat is not None
    assert second.of_repeat.input == second.repeat == tmp_path / "repeat" / "b.mrc"


def test_a_repeat_as_an_image_has_no_truth(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif", "target/a.tif", "native/a.tif", "repeat/a.tif")
    again = open_dataset(tmp_path).items[0].of_repeat
    assert again is not None
    assert again.target is again.native is again.repeat is None


def test_marks_and_mask_belong_to_the_image_of_their_name(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.1.ome.tif", "annotations/a.1.csv", "annotations/a.1.png")
    (item,) = open_dataset(tmp_path).items
    assert item.annotations == tmp_path / "annotations" / "a.1.csv"
    assert item.mask == tmp_path / "annotations" / "a.1.png"


def test_an_image_without_annotations_has_none(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif", "annotations/.hidden")
    (item,) = open_dataset(tmp_path).items
    assert item.read_annotations() is item.read_mask() is None


def test_marks_are_held_to_the_pixel_size_of_the_dataset(tmp_path: Path) -> None:
    array = xr.DataArray(np.eye(8, dtype=np.uint8), dims=("y", "x"))
    images.write(tmp_path / "input/a.tif", array)
    images.write(tmp_path / "annotations/a.tif", array)
    (tmp_path / "dataset.toml").write_text("pixel_size_um = 0.5\n")
    (tmp_path / "annotations/a.csv").write_text(
        "object,shape,kind,x_um,y_um\ns,point,spine,3.5,1\n"
    )
    (item,) = open_dataset(tmp_path).items
    marks, mask = item.read_annotations(), item.read_mask()
    assert marks is not None
    assert marks.points[0].x_um == 3.5
    assert mask is not None
    np.testing.assert_array_equal(mask.values, array.values)


def test_other_files_of_marks_are_remarked_on(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif", "annotations/a.csv", "annotations/RoiSet.zip")
    (entry,) = open_dataset(tmp_path).remarks.entries
    assert "benchmark annotate" in entry.sentence
    assert list(entry.images) == [f"{tmp_path.name}/annotations/RoiSet.zip"]


def test_a_folder_of_images_has_no_truth(tmp_path: Path) -> None:
    touch(tmp_path, "a.tif", "b.tif", "notes.txt", ".hidden.tif")
    assert [(i.name, i.target) for i in open_dataset(tmp_path).items] == [("a", None), ("b", None)]


def test_one_image_is_a_dataset(tmp_path: Path) -> None:
    touch(tmp_path, "stack.ome.tif")
    dataset = open_dataset(tmp_path / "stack.ome.tif")
    assert (dataset.name, dataset.items[0].name) == ("stack", "stack")


def test_validation_is_what_a_benchmark_may_see(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif", "input/b.tif", "target/a.tif", "target/b.tif")
    (tmp_path / "dataset.toml").write_text(
        '[images.a]\nsplit = "train"\n[images.b]\nsplit = "validation"\nsource = "mouse 2"\n'
    )
    items = open_dataset(tmp_path).evaluation_items
    assert [(i.name, i.source) for i in items] == [("b", "mouse 2")]


def test_an_undivided_dataset_is_evaluated_whole(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif", "input/b.tif")
    assert len(open_dataset(tmp_path).evaluation_items) == 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("input/a.tif", "input/b.tif", "target/a.tif"), "'b' has no partner in target/"),
        (("input/a.tif", "target/a.tif", "target/b.tif"), "'b' has no partner in input/"),
        (("input/a.tif", "target/a.jpg"), r"no partner in target/, for a\.jpg is of a kind"),
        (("input/a.tif", "repeat/a.tif", "repeat/b.tif"), "'b', which is not in input/"),
        (("input/a.tif", "annotations/b.csv"), "annotations holds 'b', which is not in input/"),
        (("input/a.tif", "annotations/b.tif"), "annotations holds 'b', which is not in input/"),
        (("input/a.tif", "input/a.png"), "two images of one name"),
        (("input/notes.txt",), "holds no image"),
        (("readme.md",), "holds no image"),
    ],
)
def test_what_cannot_be_paired_is_named(
    tmp_path: Path, files: tuple[str, ...], message: str
) -> None:
    touch(tmp_path, *files)
    with pytest.raises(UserError, match=message):
        open_dataset(tmp_path)


def test_an_entry_without_its_image_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif")
    (tmp_path / "dataset.toml").write_text('[images.z]\nsource = "x"\n')
    with pytest.raises(UserError, match="describes 'z'"):
        open_dataset(tmp_path)


def test_an_empty_target_folder_does_not_pair(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif")
    (tmp_path / "target").mkdir()
    with pytest.raises(UserError, match="'a' has no partner in target/"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("size", ["-0.08", "0.0", "nan"])
def test_an_impossible_pixel_size_is_refused(tmp_path: Path, size: str) -> None:
    touch(tmp_path, "input/a.tif")
    (tmp_path / "dataset.toml").write_text(f"pixel_size_um = {size}\n")
    with pytest.raises(UserError, match="entry 'pixel_size_um'"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("expansion", ["", "expansion_factor = 4\n"])
@pytest.mark.parametrize(("of_file", "read"), [({}, 0.5), ({"z": 2.0}, 2.0)])
def test_the_dataset_says_the_distance_of_planes(
    of_file: dict[str, float], read: float, expansion: str, tmp_path: Path
) -> None:
    stack = xr.DataArray(np.ones((3, 8, 8), np.uint8), dims=("z", "y", "x"))
    for part in ("input", "target"):
        file = tmp_path / part / "a.ome.tif"
        images.write(file, stack.assign_attrs(pixel_size_um=of_file))
    (tmp_path / "dataset.toml").write_text(f"z_step_um = 0.5\n{expansion}")
    (item,) = open_dataset(tmp_path).items
    target = item.read_target()
    assert target is not None
    assert item.read_input().attrs["pixel_size_um"] == {"z": read}
    expected = read / 4 if expansion and of_file else read
    assert target.attrs["pixel_size_um"] == {"z": expected}


def test_a_plane_has_no_distance_to_others(tmp_path: Path) -> None:
    images.write(tmp_path / "input/a.tif", xr.DataArray(np.ones((8, 8), np.uint8), dims=("y", "x")))
    (tmp_path / "dataset.toml").write_text("z_step_um = 0.5\n")
    assert open_dataset(tmp_path).items[0].read_input().attrs["pixel_size_um"] == {}


@pytest.mark.parametrize(("of_file", "read"), [({}, 0.05), ({"y": 0.04, "x": 0.04}, 0.04)])
def test_the_dataset_says_the_pixel_size_of_a_finer_target(
    tmp_path: Path, of_file: dict[str, float], read: float
) -> None:
    image = xr.DataArray(np.eye(8, dtype=np.uint8), dims=("y", "x"))
    images.write(tmp_path / "input/a.tif", image)
    images.write(tmp_path / "target/a.ome.tif", image.assign_attrs(pixel_size_um=of_file))
    (tmp_path / "dataset.toml").write_text("pixel_size_um = 0.1\ntarget_pixel_size_um = 0.05\n")
    item = open_dataset(tmp_path).items[0]
    target = item.read_target()
    assert target is not None
    assert item.read_input().attrs["pixel_size_um"] == pytest.approx({"y": 0.1, "x": 0.1})
    assert target.attrs["pixel_size_um"] == pytest.approx({"y": read, "x": read})


@pytest.mark.parametrize("kind", [b"\xff\xff", b"\x05\x00"])  # unknown, and a fraction
def test_nothing_is_printed_of_a_damaged_image(
    tmp_path: Path, kind: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tif"
    images.write(path, random_image(4, 5))
    content = bytearray(path.read_bytes())
    directory = int.from_bytes(content[4:8], "little")
    content[directory + 4 : directory + 6] = kind  # the type of the first tag
    path.write_bytes(content)
    open_dataset(tmp_path)
    assert (caplog.messages, capfd.readouterr().err) == ([], "")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        open_dataset(tmp_path / "nowhere")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpeg")
    with pytest.raises(UserError, match="no known ending"):
        open_dataset(tmp_path / "a.jpeg")


@pytest.mark.parametrize(
    ("of_file", "details"), [(0.1, []), (0.101, []), (0.2, ["0.2 µm, not 0.1 µm"])]
)
def test_a_dataset_that_contradicts_its_file_is_remarked_on(
    tmp_path: Path, of_file: float, details: list[str]
) -> None:
    own = {"z": 1.0, "y": of_file, "x": of_file}
    images.write(tmp_path / "input/a.ome.tif", random_image(4, 5).assign_attrs(pixel_size_um=own))
    (tmp_path / "dataset.toml").write_text("pixel_size_um = 0.1\n")
    found = open_dataset(tmp_path).items[0].read_input()
    assert found.attrs["pixel_size_um"]["x"] == of_file
    assert [remark.detail for remark in remarks_of(found)] == details


@pytest.mark.parametrize(
    ("of_file", "read"),
    [({}, {"y": 0.1, "x": 0.1}), ({"x": 0.2}, {"y": 0.1, "x": 0.2})],
)
def test_the_dataset_says_the_pixel_size_where_the_file_does_not(
    tmp_path: Path, of_file: dict[str, float], read: dict[str, float]
) -> None:
    image = xr.DataArray(np.eye(8, dtype=np.uint8), dims=("y", "x"))
    for folder in ("input", "target"):
        file = tmp_path / folder / "a.ome.tif"
        images.write(file, image.assign_attrs(pixel_size_um=of_file))
    (tmp_path / "dataset.toml").write_text("pixel_size_um = 0.1")
    item = open_dataset(tmp_path).items[0]
    target = item.read_target()
    assert target is not None
    assert item.read_input().attrs["pixel_size_um"] == pytest.approx(read)
    assert target.attrs["pixel_size_um"] == pytest.approx(read)


def test_files_of_one_recording_are_one_source(tmp_path: Path) -> None:
    write_recording(tmp_path / "a", "b.ome.tif", "d.ome.tif")
    write_recording(tmp_path / "b", "c.ome.tif", "e.ome.tif")
    touch(tmp_path / "all", "f.tif")
    for file in (*(tmp_path / "a").iterdir(), *(tmp_path / "b").iterdir()):
        file.rename(tmp_path / "all" / file.name)
    sources = {item.name: item.source for item in open_dataset(tmp_path / "all").items}
    assert sources == {"b": "b", "c": "c", "d": "b", "e": "c", "f": "f"}


def test_targets_of_one_recording_are_one_source(tmp_path: Path) -> None:
    touch(tmp_path, "input/a.tif", "input/b.tif")
    write_recording(tmp_path / "target", "a.ome.tif", "b.ome.tif")
    assert [item.source for item in open_dataset(tmp_path).items] == ["a", "a"]


SPLITS = '[images.a]\nsplit = "train"\n[images.b]\nsplit = "validation"\n'


def test_a_recording_in_two_parts_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path / "input", "a.ome.tif", "b.ome.tif")
    (tmp_path / "dataset.toml").write_text(SPLITS)
    with pytest.raises(UserError, match="'a' into train and 'b' into validation"):
        open_dataset(tmp_path)


def test_stated_sources_count_more_than_recordings(tmp_path: Path) -> None:
    write_recording(tmp_path / "input", "a.ome.tif", "b.ome.tif")
    stated = SPLITS.replace("\nsplit", '\nsource = "x"\nsplit', 1)
    stated = stated.replace('"train"\n[images.b]', '"train"\n[images.b]\nsource = "y"')
    (tmp_path / "dataset.toml").write_text(stated)
    assert [item.source for item in open_dataset(tmp_path).items] == ["x", "y"]


@pytest.mark.parametrize("folder", ["", "input", "target"])
def test_images_of_other_kinds_are_remarked_on(tmp_path: Path, folder: str) -> None:
    data = tmp_path / "data"
    files = {"": ["a.tif"]}.get(folder, ["input/a.tif", "target/a.tif"])
    touch(data, *files)
    touch(data / folder, "b.vsi", "notes.txt", "run.xml", ".c.vsi", "c.JPG", "settings.json")
    entries = open_dataset(data).remarks.entries
    beside = f"data/{folder}/" if folder else "data/"
    assert [list(entry.images) for entry in entries] == [[f"{beside}b.vsi", f"{beside}c.JPG"]]


def test_a_folder_of_other_kinds_only_says_which(tmp_path: Path) -> None:
    touch(tmp_path, "a.oir", "b.oir", "c.oir", "d.oir", "notes.txt")
    with pytest.raises(UserError, match=r"a\.oir, b\.oir, c\.oir and 1 more"):
        open_dataset(tmp_path)
