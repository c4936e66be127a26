"""Published files of parameters: where they are looked for, and how they are fetched."""

import functools
import os
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmark.metrics.metric import MissingFile
from imaging.cli import UserError
from imaging.files import replacing, sha256

VARIABLE = "LPIPS_BACKBONE_WEIGHTS"


@dataclass(frozen=True)
class WeightsFile:
    """A published file of parameters.

    Attributes
    ----------
    names
        The file names it goes by; the first is the official one.
    sha256_prefixes
        How its hash may begin.
    url, size
        Where it is published, and how large it is.
    """

    names: tuple[str, ...]
    sha256_prefixes: tuple[str, ...]
    url: str
    size: str


def find_weights(file: WeightsFile, path: Path | None = None, *, download: bool = False) -> Path:
    """Find a file of weights: argument, environment variable, torch hub cache, download.

    Parameters
    ----------
    file
        What is looked for.
    path
        The file itself or a folder that holds it; by default what ``LPIPS_BACKBONE_WEIGHTS`` names.
        When it is a file, others are looked for beside it.
    download
        Fetch it into the torch hub cache when it is nowhere else.

    Returns
    -------
    Path
        A file whose hash is that of the published one.

    Raises
    ------
    MissingFile
        It is nowhere, and was not to be downloaded.
    UserError
        The place named does not exist, a file is not the published one, or the download failed.
    """
    named = path or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    if named is not None and not named.exists():
        raise UserError(f"{named}, named for LPIPS weights, does not exist: check {VARIABLE}.")
    folders = [cache] if named is None else [named if named.is_dir() else named.parent, cache]
    for candidate in (folder / name for folder in folders for name in file.names):
        if candidate.is_file():
            _refuse_other(candidate, file)
            return candidate
    target = cache / file.names[0]
    if not download:
        raise MissingFile(
            f"LPIPS needs {file.names[0]}: download {file.url} ({file.size}) and set {VARIABLE} to "
            "the file or folder that holds it."
        )
    _download(file, target)
    return target


@functools.lru_cache(maxsize=8)
def _known(path: Path, changed_ns: int, prefixes: tuple[str, ...]) -> bool:
    """Whether a file's hash begins as published; remembered until the file changes."""
    return sha256(path).startswith(prefixes)


def _refuse_other(path: Path, file: WeightsFile) -> None:
    if not _known(path, path.stat().st_mtime_ns, file.sha256_prefixes):
        raise UserError(
            f"{path} is not the published file (its sha256 does not begin with "
            f"{' or '.join(file.sha256_prefixes)}): remove it and fetch {file.url} again."
        )


def _download(file: WeightsFile, target: Path) -> None:
    try:
        with (
            replacing(target) as temporary,
            urllib.request.urlopen(file.url, timeout=60) as source,
        ):
            with temporary.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            _refuse_other(temporary, file)
    except OSError as error:
        raise UserError(
            f"{file.url} ({file.size}) could not be fetched to {target} ({error}): download it "
            f"there by hand, or set {VARIABLE} to the file or folder that holds it."
        ) from error
