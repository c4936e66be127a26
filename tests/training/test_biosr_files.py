from pathlib import Path

import pytest

from imaging.cli import UserError
from tests.biosr_files import write_cell, write_crops, write_er_cell
from training.biosr_files import find_structure, of_cells, of_crops


@pytest.fixture
def biosr(tmp_path: Path) -> Path:
    for structure in ("CCPs", "Microtubules"):
        write_cell(tmp_path / structure, 1, levels=(1,))
    write_er_cell(tmp_path / "ER", 1, levels=(1,))
    return tmp_path


@pytest.mark.parametrize(
    ("called", "name"),
    [("MT", "Microtubules"), ("microtubules", "Microtubules"), ("CCP", "CCPs"), ("er", "ER")],
)
def test_structures_have_short_names(biosr: Path, called: str, name: str) -> None:
    assert find_structure(biosr, called) == (name, biosr / name)


def test_a_structure_is_recognised_by_its_folder(biosr: Path) -> None:
    assert find_structure(biosr / "ER", None) == ("ER", biosr / "ER")


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        (None, "CCPs, ER, Microtubules: choose one with --structure"),
        ("Myosin", "no structure 'Myosin': choose one of CCP"),
        ("F-actin", "holds no F-actin, only CCPs, ER, Microtubules"),
    ],
)
def test_a_structure_that_cannot_be_told(biosr: Path, structure: str | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        find_structure(biosr, structure)


def test_a_structure_that_the_folder_is_not(biosr: Path) -> None:
    with pytest.raises(UserError, match="holds ER, not CCPs"):
        find_structure(biosr / "ER", "CCP")


def test_neither_layout(tmp_path: Path) -> None:
    (tmp_path / "Microtubules").mkdir()
    with pytest.raises(UserError, match="Cell_001 or the like, training_wf"):
        find_structure(tmp_path, None)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        find_structure(tmp_path / "none", None)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "cell.mrc").touch()
    with pytest.raises(UserError, match="is a file: give the folder"):
        find_structure(tmp_path / "cell.mrc", None)


@pytest.mark.parametrize(
    ("structure", "lost", "words"),
    [
        ("CCPs", "SIM_gt.mrc", r"no SIM image, SIM_gt.mrc or SIM_gt_a.mrc"),
        ("CCPs", "RawSIMData_level_01.mrc", "no raw frames"),
        ("ER", "GTSIM/GTSIM_level_01.mrc", "no SIM image, GTSIM/GTSIM_level_01.mrc"),
    ],
)
def test_a_cell_that_is_not_whole(biosr: Path, structure: str, lost: str, words: str) -> None:
    (biosr / structure / "Cell_001" / lost).unlink()
    with pytest.raises(UserError, match=words):
        of_cells(biosr / structure, structure)


def test_crops_in_folders_of_their_parts(tmp_path: Path) -> None:
    write_crops(tmp_path)
    for part, what in (("train", "training"), ("val", "validate"), ("test", "test")):
        for kind in ("wf", "gt"):
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / f"{what}_{kind}").rename(tmp_path / part / f"{what}_{kind}")
    assert len(of_crops(tmp_path, "CCPs")) == 8


def test_targets_by_level(tmp_path: Path) -> None:
    write_crops(tmp_path)
    targets = tmp_path / "test_gt"
    for level in (1, 3):
        (targets / f"level_{level:02d}").mkdir()
        for number in (1, 2):
            name = f"{number:03d}.tif"
            (targets / f"level_{level:02d}" / name).write_bytes((targets / name).read_bytes())
    found = {recording.name: recording.target for recording in of_crops(tmp_path, "ER")}
    assert found["test_002_level_03"] == targets / "level_03" / "002.tif"


def test_crops_without_partner(tmp_path: Path) -> None:
    write_crops(tmp_path)
    (tmp_path / "training_gt" / "00000002.tif").unlink()
    with pytest.raises(UserError, match=r"'00000002' .* no partner"):
        of_crops(tmp_path, "CCPs")


def test_crops_without_targets(tmp_path: Path) -> None:
    write_crops(tmp_path)
    (tmp_path / "validate_gt").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="validate_gt does not exist"):
        of_crops(tmp_path, "CCPs")


def test_no_crops_at_all(tmp_path: Path) -> None:
    (tmp_path / "test_wf").mkdir()
    (tmp_path / "test_gt").mkdir()
    with pytest.raises(UserError, match=r"holds no \.tif"):
        of_crops(tmp_path, "CCPs")
