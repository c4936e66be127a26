import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.stated import calibration_of, description_of, training_of
from packages.files import sha256

STAGE = {
    "coverage_0.5": 0.5,
    "coverage_0.9": 0.91,
    "coverage_0.95": 0.954,
    "nll": -2.1,
    "ence": 0.07,
}
DESCRIPTION = {
    "config": {
        "bioimageio": {"training": {"seed": 3}},
        "restoration_zoo": {"calibration": dict.fromkeys(("before", "linear", "after"), STAGE)},
    },
    "weights": {"pytorch_state_dict": {"architecture": {"callable": "UNet"}}},
}


def entry(path: Path, content: object = DESCRIPTION) -> dict[str, Any]:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", yaml.safe_dump(content))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"name": path.stem, "control": False, "file": str(path), "sha256": digest}


def test_training_comes_with_the_network(tmp_path: Path) -> None:
    assert training_of(entry(tmp_path / "a.zip")) == {
        "seed": 3,
        "architecture": {"callable": "UNet"},
    }


def test_calibration_is_told_stage_by_stage(tmp_path: Path) -> None:
    rows = calibration_of(entry(tmp_path / "a.zip"))
    assert [row[1:] for row in rows] == [("50.0 %", "91.0 %", "95.4 %", "−2.100", "0.070")] * 3


@pytest.mark.parametrize("content", [{}, {"config": None}, ["a list"], {"config": {"x": 1}}])
def test_packages_of_others_state_nothing(tmp_path: Path, content: object) -> None:
    method = entry(tmp_path / "a.zip", content)
    assert training_of(method) == {}
    assert calibration_of(method) == []


def test_a_package_that_moved_or_changed_is_not_asked(tmp_path: Path) -> None:
    method = entry(tmp_path / "a.zip")
    assert description_of({**method, "file": str(tmp_path / "gone.zip")}) == {}
    assert description_of({**method, "sha256": "0"}) == {}


def test_a_damaged_package_states_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("no zip")
    digest = hashlib.sha256(b"no zip").hexdigest()
    method = {"name": "a", "control": False, "file": str(tmp_path / "a.zip"), "sha256": digest}
    assert description_of(method) == {}


def test_a_folder_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/rdf.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    method = {"control": False, "file": str(tmp_path / "a"), "sha256": sha256(tmp_path / "a")}
    assert training_of(method)["seed"] == 3
