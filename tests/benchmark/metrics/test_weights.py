from pathlib import Path

import pytest
import torch

from benchmark.metrics import weights
from benchmark.metrics.metric import MissingFile
from benchmark.metrics.weights import WeightsFile, find_weights, fingerprint, read_weights
from imaging.cli import UserError

PUBLISHED = {"0.weight": torch.arange(6.0).reshape(2, 3)}
FILE = WeightsFile(("w.pth", "full.pth"), "features.", fingerprint(PUBLISHED))


@pytest.fixture(autouse=True)
def nothing_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty torch hub cache; return its folder of weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def save(path: Path, **more: torch.Tensor) -> Path:
    """Write the published parameters and others."""
    torch.save({f"features.{k}": v for k, v in PUBLISHED.items()} | more, path)
    return path


def test_a_file_is_found_beside_the_one_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "w.pth").touch()
    (tmp_path / "backbone.pth").touch()
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "backbone.pth"))
    assert find_weights(FILE) == tmp_path / "w.pth"


def test_the_argument_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for folder in ("argument", "variable"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "w.pth").touch()
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "variable"))
    assert find_weights(FILE).parent.name == "variable"
    assert find_weights(FILE, tmp_path / "argument").parent.name == "argument"


def test_a_file_of_the_other_name_is_found_in_the_cache(nothing_found: Path):
    nothing_found.mkdir(parents=True)
    (nothing_found / "full.pth").touch()
    assert find_weights(FILE) == nothing_found / "full.pth"


def test_a_file_that_is_nowhere_is_missing():
    with pytest.raises(MissingFile, match=r"w\.pth or full\.pth"):
        find_weights(FILE)


def test_a_named_place_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"nowhere.*does not exist"):
        find_weights(FILE)


def test_parameters_without_the_prefix_are_not_read(tmp_path: Path):
    read = read_weights(FILE, save(tmp_path / "full.pth", classifier=torch.zeros(3)))
    assert read.keys() == PUBLISHED.keys()
    torch.testing.assert_close(read["0.weight"], PUBLISHED["0.weight"], rtol=0, atol=0)


@pytest.mark.parametrize(
    "other",
    [
        {"features.0.weight": torch.zeros(2, 3)},  # a value
        {"features.0.weight": torch.arange(6.0).reshape(3, 2)},  # a shape
        {"features.1.weight": torch.arange(6.0).reshape(2, 3)},  # a name
        {"features.0.weight": 3},
        [1, 2],
    ],
)
def test_other_parameters_are_refused(tmp_path: Path, other: object):
    torch.save(other, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth does not hold the published weights"):
        read_weights(FILE, tmp_path / "w.pth")


@pytest.mark.parametrize("size", [0, 100, -100])
def test_a_file_cut_off_is_refused(tmp_path: Path, size: int):
    whole = save(tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(whole[:size])
    with pytest.raises(UserError, match=r"w\.pth does not hold the published weights"):
        read_weights(FILE, tmp_path / "w.pth")


@pytest.mark.parametrize("content", [b"junk", b"junk\n", b"NaN", b"abc", b"", b"<!DOCTYPE html>"])
def test_a_file_of_anything_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match="does not hold the published weights"):
        read_weights(FILE, tmp_path / "w.pth")
