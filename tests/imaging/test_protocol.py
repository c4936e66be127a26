from pathlib import Path

import pytest

from imaging.cli import UserError
from imaging.dataset_facts import Facts, ImageFacts, write_facts
from imaging.datasets import open_dataset
from imaging.files import read_toml
from imaging.protocol import Protocol

STATED = """
[protocol]
name = "biosr"
version = 1
split_by = "cell"
split = { train = "6-35", validation = "36-50" }
normalisation = "none"
structure = "MT"
"""


def test_a_protocol_is_read_as_it_is_written(tmp_path: Path) -> None:
    split = {"train": "6-35", "validation": "36-50"}
    facts = Facts(
        protocol=Protocol(
            name="biosr",
            version=1,
            split_by="cell",
            split=split,  # pyright: ignore[reportArgumentType]
            normalisation="none",
            structure="MT",
        ),
        images={"a": ImageFacts(level=3)},
    )
    write_facts(tmp_path, facts)
    assert read_toml(tmp_path / "dataset.toml", Facts) == facts
    (tmp_path / "dataset.toml").write_text(STATED)
    assert read_toml(tmp_path / "dataset.toml", Facts).protocol == facts.protocol


def test_an_image_has_its_level_of_light(tmp_path: Path) -> None:
    for name in ("input/a.tif", "input/b.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "dataset.toml").write_text("[images.b]\nlevel = 2\n")
    assert [item.level for item in open_dataset(tmp_path).items] == [None, 2]


@pytest.mark.parametrize(
    ("changed", "into", "message"),
    [
        ('name = "biosr"', "", r"entry 'protocol\.name' is missing; correct it"),
        ("version = 1", "version = 0", r"'protocol\.version': Input should be greater than or"),
        ("version = 1", "version = 'one'", r"version' is 'one' where a whole number belongs"),
        ('"cell"', '""', r"'protocol\.split_by': String should have at least 1 character"),
        ("train =", "test =", r"'protocol\.split\.test': Input should be 'train', 'calibration' o"),
        ("structure", "levels", r"no entry 'protocol\.levels': remove it or correct its name"),
    ],
)
def test_a_bad_entry_is_one_sentence(tmp_path: Path, changed: str, into: str, message: str) -> None:
    (tmp_path / "dataset.toml").write_text(STATED.replace(changed, into))
    with pytest.raises(UserError, match=message):
        read_toml(tmp_path / "dataset.toml", Facts)


def test_it_is_named_with_its_version_and_structure(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(STATED)
    assert str(read_toml(tmp_path / "dataset.toml", Facts).protocol) == "biosr 1, MT"
