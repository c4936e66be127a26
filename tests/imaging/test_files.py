from pathlib import Path

import pytest
from pydantic.dataclasses import dataclass

from imaging.cli import UserError
from imaging.files import STRICT, read_toml, replacing, sha256, write_toml


@dataclass(config=STRICT)
class Facts:
    number: float


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with replacing(target) as temporary:
        temporary.write_text("x")
        assert not target.exists()
    assert target.read_text() == "x"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_failure(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a.txt").write_text("old")

    def fail() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").touch()
    with replacing(tmp_path / "f") as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [p.name for p in (tmp_path / "f").iterdir()] == ["new"]


def test_sha256_of_a_file_is_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")  # FIPS 180-2


def test_sha256_of_a_folder_depends_on_names(tmp_path: Path) -> None:
    for folder, name in (("one", "a"), ("two", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"same")
    assert sha256(tmp_path / "one") != sha256(tmp_path / "two")


def test_toml_round_trip(tmp_path: Path) -> None:
    write_toml(tmp_path / "a.toml", {"number": 0.1})
    assert read_toml(tmp_path / "a.toml", Facts).number == 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number = 1\nother = 2", "no entry 'other'"),
        ("number = 'x'", "entry 'number' is 'x' where a number belongs; correct it"),
        ("number = ", "not a TOML file"),
    ],
)
def test_bad_toml_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(UserError, match=message):
        read_toml(tmp_path / "a.toml", Facts)


def test_a_file_does_not_replace_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tif").mkdir()
    (tmp_path / "a.tif" / "kept").touch()
    with pytest.raises(UserError, match="is a folder"), replacing(tmp_path / "a.tif") as temporary:
        temporary.touch()
    assert [p.name for p in (tmp_path / "a.tif").iterdir()] == ["kept"]


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    (tmp_path / ".999999999.a.txt").touch()
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.touch()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_names_the_file_by_its_final_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full") as raised, replacing(tmp_path / "a.txt"):
        raise OSError(28, "full")
    assert raised.value.filename == str(tmp_path / "a.txt")
