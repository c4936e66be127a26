import hashlib
from pathlib import Path

import pytest

from benchmark.metrics import weights
from benchmark.metrics.weights import WeightsFile, find_weights
from imaging.cli import UserError


@pytest.fixture(autouse=True)
def nothing_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty torch hub cache; return its folder of weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def published(tmp_path: Path) -> WeightsFile:
    """A file on a server."""
    source = tmp_path / "server" / "w.pth"
    source.parent.mkdir()
    source.write_bytes(b"parameters")
    prefix = hashlib.sha256(b"parameters").hexdigest()[:8]
    return WeightsFile(("w.pth",), (prefix,), source.as_uri(), "10 B")


def test_a_file_is_found_beside_the_one_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, published: WeightsFile
):
    (tmp_path / "w.pth").write_bytes(b"parameters")
    (tmp_path / "backbone.pth").write_bytes(b"others")
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "backbone.pth"))
    assert find_weights(published) == tmp_path / "w.pth"


def test_the_argument_goes_before_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, published: WeightsFile
):
    for folder in ("argument", "variable"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "w.pth").write_bytes(b"parameters")
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "variable"))
    assert find_weights(published).parent.name == "variable"
    assert find_weights(published, tmp_path / "argument").parent.name == "argument"


def test_a_download_arrives_in_the_cache(published: WeightsFile, nothing_found: Path):
    path = find_weights(published, download=True)
    assert path == nothing_found / "w.pth"
    assert path.read_bytes() == b"parameters"
    assert [p.name for p in nothing_found.iterdir()] == ["w.pth"]
    assert find_weights(published) == path


def test_a_wrong_download_is_not_kept(published: WeightsFile, nothing_found: Path):
    other = WeightsFile(published.names, ("00000000",), published.url, published.size)
    with pytest.raises(UserError, match="not the published file"):
        find_weights(other, download=True)
    assert list(nothing_found.iterdir()) == []


def test_a_failed_download_is_one_sentence(published: WeightsFile, nothing_found: Path):
    gone = WeightsFile(published.names, ("0",), published.url + "x", published.size)
    with pytest.raises(UserError, match="could not be fetched"):
        find_weights(gone, download=True)
    assert list(nothing_found.iterdir()) == []


def test_another_file_under_the_name_is_refused(tmp_path: Path, published: WeightsFile):
    (tmp_path / "w.pth").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"w\.pth is not the published file"):
        find_weights(published, tmp_path)


def test_a_named_place_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, published: WeightsFile
):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"nowhere.*does not exist"):
        find_weights(published)
