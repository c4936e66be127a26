import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.comparison import unchanged
from benchmark.comparison.unchanged import (
    calibration_of,
    description_of,
    split_intact,
    training_of,
)
from imaging.benchmark_run import DatasetEntry, ImageEntry, PackageEntry
from imaging.files import sha256
from tests import records

KINDS = ("input", "target", "repeat", "annotations", "mask")
MAP = {"knots": [0.01, 0.1, 1.0], "values": [0.02, 0.1, 3.0]}
DESCRIPTION = {
    "config": {
        "bioimageio": {"training": {"seed": 3}},
        "restoration_zoo": {"calibration": MAP},
    },
    "weights": {"pytorch_state_dict": {"architecture": {"callable": "UNet"}}},
}


def entry(path: Path, content: object = DESCRIPTION) -> PackageEntry:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", yaml.safe_dump(content))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return records.package(path.stem, file=str(path), sha256=digest)


def test_training_comes_with_the_network(tmp_path: Path) -> None:
    assert training_of(entry(tmp_path / "a.zip")) == {
        "seed": 3,
        "architecture": {"callable": "UNet"},
    }


def test_the_map_of_the_standard_deviation_is_read(tmp_path: Path) -> None:
    found = calibration_of(entry(tmp_path / "a.zip"))
    assert found is not None
    assert [side.tolist() for side in found] == [MAP["knots"], MAP["values"]]


@pytest.mark.parametrize(
    "stated",
    [
        {"knots": [0.1, 0.2], "values": [0.1, 0.1]},  # flat: it cannot be undone
        {"knots": [0.1, 0.2], "values": [0.1]},
        {"knots": [], "values": []},
        {"knots": ["a"], "values": [1]},
        {"knots": [[0.1], [0.2]], "values": [[0.1], [0.2]]},
        {"knots": [-1.0, 0.2], "values": [0.1, 0.2]},
        {"knots": [0.1, float("nan")], "values": [0.1, 0.2]},
        {"knots": [0.1, float("inf")], "values": [0.1, 0.2]},
        {"knots": [0.0], "values": [0.05]},
    ],
)
def test_a_map_without_an_inverse_is_none(tmp_path: Path, stated: dict[str, Any]) -> None:
    content = {"config": {"restoration_zoo": {"calibration": stated}}}
    assert calibration_of(entry(tmp_path / "a.zip", content)) is None


@pytest.mark.parametrize("content", [{}, {"config": None}, ["a list"], {"config": {"x": 1}}])
def test_packages_of_others_state_nothing(tmp_path: Path, content: object) -> None:
    method = entry(tmp_path / "a.zip", content)
    assert training_of(method) == {}
    assert calibration_of(method) is None


def test_a_package_that_moved_or_changed_is_not_asked(tmp_path: Path) -> None:
    method = entry(tmp_path / "a.zip")
    assert description_of(replace(method, file=str(tmp_path / "gone.zip"))) == {}
    assert description_of(replace(method, sha256="0" * 64)) == {}


def test_a_damaged_package_states_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("no zip")
    digest = hashlib.sha256(b"no zip").hexdigest()
    method = records.package("a", file=str(tmp_path / "a.zip"), sha256=digest)
    assert description_of(method) == {}


def test_a_folder_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/rdf.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    method = records.package("a", file=str(tmp_path / "a"), sha256=sha256(tmp_path / "a"))
    assert training_of(method)["seed"] == 3


def test_a_package_is_read_once_for_all_sections_of_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def read(file: Path, sha256: str) -> dict[str, Any]:
        asked.append(file)
        return DESCRIPTION

    monkeypatch.setattr(unchanged, "read_unchanged_rdf", read)
    package = entry(tmp_path / "a.zip")
    for _ in range(3):
        assert training_of(package)
        assert calibration_of(package)
    assert asked == [tmp_path / "a.zip"]


def dataset(folder: Path) -> DatasetEntry:
    """Two images with everything."""
    images: list[ImageEntry] = []
    for name in ("a", "b"):
        files: dict[str, str] = {}
        for kind in KINDS:
            file = folder / f"{name}-{kind}.tif"
            file.write_text(f"{kind} of {name}")
            files |= {kind: str(file), f"{kind}_sha256": sha256(file)}
        images.append(records.image(name, **files))
    return records.dataset("d", *images)


def test_files_as_they_were_are_intact(tmp_path: Path) -> None:
    before = dataset(tmp_path)
    assert split_intact(before) == (before, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_changed_or_went_away_takes_its_image_along(
    tmp_path: Path, kind: str, gone: bool
) -> None:
    before = dataset(tmp_path)
    file = tmp_path / f"a-{kind}.tif"
    if gone:
        file.unlink()
    else:
        file.write_text("another one")
    intact, others = split_intact(before)
    assert [image.name for image in intact.images] == ["b"]
    assert others == ["a"]


def test_what_an_image_never_had_is_not_missed(tmp_path: Path) -> None:
    before = dataset(tmp_path)
    first, second = before.images
    alone = replace(first, target="", target_sha256="", repeat="", repeat_sha256="")
    assert split_intact(replace(before, images=[alone, second]))[1] == []
