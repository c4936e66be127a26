"""Published parameters: where they are looked for, and how they are known."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmark.metrics.metric import MissingFile
from imaging.cli import UserError

VARIABLE = "LPIPS_BACKBONE_WEIGHTS"


@dataclass(frozen=True)
class WeightsFile:
    """Published parameters, and the files that may hold them.

    Attributes
    ----------
    names
        The file names they go by; `benchmark weights` writes the first.
    prefix
        How the names of its parameters begin; others in the file are not read.
    sha256
        Of names and values of the parameters: `fingerprint`.
    """

    names: tuple[str, ...]
    prefix: str
    sha256: str


def cache() -> Path:
    """Return the folder of torch that fetched weights lie in."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_weights(file: WeightsFile, path: Path | None = None) -> Path:
    """Find a file of weights: argument, environment variable, torch hub cache.

    Parameters
    ----------
    file
        What is looked for.
    path
        The file itself or a folder that holds it; by default what ``LPIPS_BACKBONE_WEIGHTS`` names.
        When it is a file, others are looked for beside it.

    Returns
    -------
    Path
        A file of one of the names.

    Raises
    ------
    MissingFile
        It is nowhere.
    UserError
        The place named does not exist.
    """
    named = path or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None and not named.exists():
        raise UserError(f"{named}, named for LPIPS weights, does not exist: check {VARIABLE}.")
    folders = [cache()] if named is None else [named if named.is_dir() else named.parent, cache()]
    for candidate in (folder / name for folder in folders for name in file.names):
        if candidate.is_file():
            return candidate
    raise MissingFile(
        f"LPIPS needs {' or '.join(file.names)}: fetch it with `python -m benchmark weights`, or "
        f"set {VARIABLE} to the file or folder that holds it."
    )


def read_weights(file: WeightsFile, path: Path) -> dict[str, Tensor]:
    """Read parameters that must be the published ones.

    Parameters
    ----------
    file
        What it must hold.
    path
        Where `find_weights` found it.

    Returns
    -------
    dict
        Tensors on the CPU, by their names after the prefix.

    Raises
    ------
    UserError
        It holds others.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        parameters = {
            name.removeprefix(file.prefix): tensor
            for name, tensor in content.items()
            if name.startswith(file.prefix)
        }
        known = fingerprint(parameters) == file.sha256
    except OSError:
        raise
    except Exception:
        # Of a file that is none of its own torch raises whatever its bytes lead to.
        known, parameters = False, {}
    if not known:
        raise UserError(
            f"{path} does not hold the published weights of LPIPS: remove it and run "
            "`python -m benchmark weights`."
        )
    return parameters


def fingerprint(parameters: Mapping[str, Tensor]) -> str:
    """Hash parameters whatever file they lie in.

    Parameters
    ----------
    parameters
        By name.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(parameters.items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().numpy().astype("<f4").tobytes())
    return digest.hexdigest()
