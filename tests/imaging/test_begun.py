from pathlib import Path

import pytest

from imaging.begun import begun_dataset, is_made
from imaging.cli import UserError
from imaging.dataset_facts import Facts, write_facts

ARGUMENTS = {"command": "make", "seed": 3}


def make(out: Path) -> None:
    with begun_dataset(out, ARGUMENTS) as folder:
        (folder / "input").mkdir()
        (folder / "input" / "a.tif").touch()
        write_facts(folder, Facts(provenance=dict(ARGUMENTS)))


def test_what_is_made_has_its_name_and_nothing_beside(tmp_path: Path) -> None:
    make(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dataset.toml", "input"]


def test_a_dataset_of_the_same_arguments_is_made(tmp_path: Path) -> None:
    assert not is_made(tmp_path / "out", ARGUMENTS)
    make(tmp_path / "out")
    assert is_made(tmp_path / "out", ARGUMENTS)
    with pytest.raises(UserError, match="other arguments or files"):
        is_made(tmp_path / "out", {"seed": 4})


def test_an_interrupt_keeps_what_is_written(tmp_path: Path) -> None:
    def interrupted() -> None:
        with begun_dataset(tmp_path / "out", ARGUMENTS) as folder:
            (folder / "input").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (tmp_path / "out").exists()
    with begun_dataset(tmp_path / "out", ARGUMENTS) as folder:
        assert (folder / "input").is_dir()


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def failed() -> None:
        with begun_dataset(tmp_path / "out", ARGUMENTS) as folder:
            (folder / "input").mkdir()
            raise UserError("No.")

    with pytest.raises(UserError):
        failed()
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "mine.txt").touch()
    with pytest.raises(UserError, match="is in the way"), begun_dataset(tmp_path / "out", {}):
        pass
    assert (tmp_path / "out.partial" / "mine.txt").exists()
