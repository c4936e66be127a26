import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.protocol import of_biosr
from tests.biosr_files import (
    RAW_UM,
    SIDE,
    SIM_UM,
    raw,
    sim,
    write_cell,
    write_crops,
    write_er_cell,
    write_nonlinear_cell,
    write_priism,
)
from training.biosr import import_biosr, parse_levels
from training.division import split_items

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def tubes(tmp_path: Path) -> Path:
    """Cells of all three parts, and one after those that the literature names."""
    return write_tubes(tmp_path)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    return import_biosr(write_tubes(folder), folder / "out")


def write_tubes(folder: Path) -> Path:
    for cell in (1, 6, 36, 51):
        write_cell(folder / "Microtubules", cell)
    return folder / "Microtubules"


def refused(folder: Path, out: Path, words: str, **options: str) -> None:
    """Expect one sentence, and nothing left behind."""
    with pytest.raises(UserError, match=words) as caught:
        import_biosr(folder, out, **options)
    assert re.fullmatch(r"[^\n]*\.", str(caught.value))
    assert not list(out.parent.glob(f"*{out.name}*"))


def test_wide_field_is_the_mean_of_the_frames(imported: Path) -> None:
    wide_field = images.read(imported / "input" / "Cell_006_level_02.tif")
    assert wide_field.dtype == np.float32
    np.testing.assert_array_equal(wide_field, np.full((SIDE, SIDE), 600 + 20 + 4))


def test_targets_keep_their_values_and_both_state_pixels(imported: Path) -> None:
    dataset = open_dataset(imported)
    (item,) = (item for item in dataset.items if item.name == "Cell_036_level_01")
    target = item.read_target()
    assert target is not None
    np.testing.assert_array_equal(target, sim(36)[0])
    assert target.dtype == np.uint16
    assert target.attrs["pixel_size_um"] == pytest.approx(dict.fromkeys("yx", SIM_UM))
    assert item.read_input().attrs["pixel_size_um"] == pytest.approx(dict.fromkeys("yx", RAW_UM))
    assert (dataset.facts.pixel_size_um, dataset.facts.target_pixel_size_um) == (RAW_UM, SIM_UM)


def test_the_division_is_that_of_the_literature(
    tubes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = open_dataset(import_biosr(tubes, tmp_path / "out", levels="1"))
    assert {item.source: item.split for item in dataset.items} == {
        "Microtubules Cell_001": "calibration",
        "Microtubules Cell_006": "train",
        "Microtubules Cell_036": "validation",
    }
    said = capsys.readouterr().out
    assert "1 cell after the 50th" in said
    assert "not there: 2 to 5, 7 to 35, 37 to 50." in said


def test_two_cells_are_left_to_the_rule_of_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell in (1, 2):
        write_cell(tmp_path / "MT", cell, levels=(1, 2, 3))
    dataset = open_dataset(import_biosr(tmp_path / "MT", tmp_path / "out"))
    assert {item.split for item in dataset.items} == {None}
    assert all(split_items(dataset).values())
    assert "would leave train and validation empty" in capsys.readouterr().out


def test_levels_are_chosen_and_stated(tubes: Path, tmp_path: Path) -> None:
    dataset = open_dataset(import_biosr(tubes, tmp_path / "out", levels="2"))
    assert {item.level for item in dataset.items} == {2}
    assert len(dataset.items) == 3


def test_whole_cells_follow_the_protocol(imported: Path) -> None:
    assert open_dataset(imported).facts.protocol == of_biosr("Microtubules")


@pytest.mark.parametrize(
    ("text", "expected"), [("3", [3]), ("1..3", [1, 2, 3]), ("1,4,7..9", [1, 4, 7, 8, 9])]
)
def test_levels_are_read(text: str, expected: list[int]) -> None:
    assert parse_levels(text) == expected


@pytest.mark.parametrize("text", ["", "3..1", "0", "1-9", "1,,2"])
def test_unreadable_levels_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"write 1\.\.9"):
        parse_levels(text)


def test_nonlinear_targets_are_thrice_as_fine(tmp_path: Path) -> None:
    write_nonlinear_cell(tmp_path / "F-actin_Nonlinear", 1)
    out = import_biosr(tmp_path, tmp_path / "out")
    name = "Cell_001_level_01.tif"
    np.testing.assert_array_equal(images.read(out / "target" / name), sim(1, factor=3)[0])
    np.testing.assert_array_equal(images.read(out / "input" / name), np.full((SIDE, SIDE), 122))
    assert open_dataset(out).facts.target_pixel_size_um == pytest.approx(0.0604 / 3)


def test_er_has_a_target_of_each_level(tmp_path: Path) -> None:
    write_er_cell(tmp_path / "ER", 1)
    out = import_biosr(tmp_path, tmp_path / "out")
    target = images.read(out / "target" / "Cell_001_level_06.tif")
    np.testing.assert_array_equal(target, sim(1 + 6)[0])


def test_crops_bring_their_parts(tmp_path: Path) -> None:
    dataset = open_dataset(import_biosr(write_crops(tmp_path / "CCPs"), tmp_path / "out"))
    assert dataset.facts.protocol is None
    found = {item.name: (item.split, item.level) for item in dataset.items}
    assert found["training_00000002"] == ("train", None)
    assert found["validate_00000001"] == ("calibration", None)
    assert found["test_001_level_03"] == ("validation", 3)
    assert len(found) == 8
    assert (dataset.facts.pixel_size_um, dataset.facts.target_pixel_size_um) == (RAW_UM, SIM_UM)


def test_levels_choose_among_test_images_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crops = write_crops(tmp_path / "CCPs")
    assert len(open_dataset(import_biosr(crops, tmp_path / "out", levels="3")).items) == 6
    assert "4 crops" in capsys.readouterr().out


@pytest.mark.parametrize("order", ["<", ">"])
def test_extended_headers_and_both_orders_of_bytes(tmp_path: Path, order: str) -> None:
    cell = tmp_path / "MT" / "Cell_001"
    write_priism(cell / "RawSIMData_level_01.mrc", raw(1, 1), RAW_UM, order=order, extended=2048)
    target = sim(1).astype("f4")
    write_priism(cell / "SIM_gt.mrc", target, SIM_UM, reconstructed=True, order=order, extended=512)
    out = import_biosr(tmp_path / "MT", tmp_path / "out")
    assert images.read(out / "input" / "Cell_001_level_01.tif").values.flat[0] == 114
    np.testing.assert_array_equal(images.read(out / "target" / "Cell_001_level_01.tif"), target[0])


def test_the_same_again_is_recognised(imported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = (imported / "dataset.toml").stat().st_mtime_ns
    import_biosr(imported.parent / "Microtubules", imported)
    assert (imported / "dataset.toml").stat().st_mtime_ns == made
    assert "is already there" in capsys.readouterr().out


def test_other_sources_are_not_taken_for_the_same(tubes: Path, tmp_path: Path) -> None:
    out = import_biosr(tubes, tmp_path / "out")
    write_priism(tubes / "Cell_006" / "SIM_gt.mrc", sim(8), SIM_UM, reconstructed=True)
    with pytest.raises(UserError, match="other arguments or files"):
        import_biosr(tubes, out)


def test_an_interrupted_import_goes_on(
    tubes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = images.write
    written: list[Path] = []

    def stop_after_three(path: Path, image: xr.DataArray) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        write(path, image)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(images, "write", stop_after_three)
        with pytest.raises(KeyboardInterrupt):
            import_biosr(tubes, out)
    assert not out.exists()
    kept = {path.name: path.stat().st_mtime_ns for path in written if path.parent.name == "input"}
    import_biosr(tubes, out)
    assert len(open_dataset(out).items) == 6
    for name, made in kept.items():
        assert (out / "input" / name).stat().st_mtime_ns == made


def test_a_file_that_is_cut_off(tubes: Path, tmp_path: Path) -> None:
    file = tubes / "Cell_006" / "RawSIMData_level_02.mrc"
    file.write_bytes(file.read_bytes()[:-2])
    refused(tubes, tmp_path / "out", "Cell_006.RawSIMData_level_02.mrc is cut off")


def test_cells_of_another_size(tubes: Path, tmp_path: Path) -> None:
    file = tubes / "Cell_006" / "RawSIMData_level_02.mrc"
    write_priism(file, raw(6, 2, side=8), RAW_UM)
    refused(tubes, tmp_path / "out", "level_02.mrc has 8 x 8 pixels, but .* 16 x 16")


def test_raw_frames_that_are_missing(tubes: Path, tmp_path: Path) -> None:
    file = tubes / "Cell_006" / "RawSIMData_level_02.mrc"
    write_priism(file, raw(6, 2, frames=7), RAW_UM)
    refused(tubes, tmp_path / "out", "level_02.mrc holds 7 planes, but .*level_01.mrc 9: the mean")


def test_cells_that_are_left_out_are_not_looked_at(tubes: Path, tmp_path: Path) -> None:
    unused = tubes / "Cell_051"
    (unused / "RawSIMData_level_02.mrc").unlink()
    write_priism(unused / "RawSIMData_level_01.mrc", raw(51, 1, side=8), RAW_UM)
    made = import_biosr(tubes, tmp_path / "out", levels="1..2")
    assert len(list((made / "input").iterdir())) == 6


def test_the_folder_that_one_is_in(
    tubes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tubes)
    made = open_dataset(import_biosr(Path(), tmp_path / "out"))
    assert made.facts.protocol == of_biosr("Microtubules")


def test_a_folder_of_another_name_states_no_protocol(
    tubes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = tubes.rename(tmp_path / "mine")
    assert open_dataset(import_biosr(renamed, tmp_path / "out")).facts.protocol is None
    assert "'mine' is no structure of BioSR" in capsys.readouterr().out
    told = import_biosr(renamed, tmp_path / "told", structure="MT")
    assert open_dataset(told).facts.protocol == of_biosr("Microtubules")


def test_a_target_that_is_no_whole_multiple(tmp_path: Path) -> None:
    cell = write_cell(tmp_path / "MT", 1)
    write_priism(cell / "SIM_gt.mrc", sim(1, side=12), SIM_UM, reconstructed=True)
    refused(
        tmp_path / "MT", tmp_path / "out", "must have the same size, or the target 2 to 4 times"
    )


def test_a_target_of_several_planes(tmp_path: Path) -> None:
    cell = write_cell(tmp_path / "MT", 1)
    write_priism(cell / "SIM_gt.mrc", np.repeat(sim(1), 2, axis=0), SIM_UM, reconstructed=True)
    refused(tmp_path / "MT", tmp_path / "out", "holds several planes")


def test_a_level_that_is_nowhere(tubes: Path, tmp_path: Path) -> None:
    refused(tubes, tmp_path / "out", "has no level 9, only 1 to 2", levels="1..2,9")


def test_a_level_that_one_cell_lacks(
    tubes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tubes / "Cell_006" / "RawSIMData_level_02.mrc").unlink()
    refused(tubes, tmp_path / "out", "Cell_006 of .* has no level 2", levels="1..2")
    import_biosr(tubes, tmp_path / "out")
    assert "has no level 2 (1 missing); what is there is taken" in capsys.readouterr().out


def test_a_place_that_is_taken(tubes: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(UserError, match="is no dataset"):
        import_biosr(tubes, tmp_path / "out")


def test_pixel_sizes_that_contradict_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = write_cell(tmp_path / "MT", 1)
    write_priism(cell / "SIM_gt.mrc", sim(1), RAW_UM, reconstructed=True)
    out = import_biosr(tmp_path / "MT", tmp_path / "out")
    assert open_dataset(out).facts.target_pixel_size_um == SIM_UM
    assert "states pixels of 0.0626 µm" in capsys.readouterr().out


@pytest.mark.skipif(not SHARED.exists(), reason="needs the images of ../shared")
def test_real_files(tmp_path: Path) -> None:
    cell = tmp_path / "MT" / "Cell_001"
    cell.mkdir(parents=True)
    shutil.copy(SHARED / "repeats" / "rdlsim_MT_raw9_TIRFSIM.mrc", cell / "RawSIMData_level_01.mrc")
    real = images.read(SHARED / "expanded" / "biosr_MT_Cell_001_SIMgt.mrc").values
    write_priism(cell / "SIM_gt.mrc", real[None, :512, :512], SIM_UM, reconstructed=True)
    dataset = open_dataset(import_biosr(tmp_path / "MT", tmp_path / "out"))
    frames = np.fromfile(cell / "RawSIMData_level_01.mrc", "<u2", offset=1024)
    mean = frames.reshape(9, 256, 256).mean(axis=0)
    np.testing.assert_allclose(dataset.items[0].read_input(), mean, rtol=1e-6)
    assert (dataset.facts.pixel_size_um, dataset.facts.target_pixel_size_um) == (RAW_UM, SIM_UM)
