"""The description of a package as it stands, unchecked."""

import zipfile
from pathlib import Path
from typing import Any

import yaml

from imaging.cli import UserError
from imaging.files import sha256

RDF = "rdf.yaml"


def read_rdf(path: Path) -> dict[str, Any]:
    """Read the content of a package's rdf.yaml; `packages.package.open_package` checks it, too.

    Parameters
    ----------
    path
        A zip, or a folder.

    Returns
    -------
    dict
        Empty where there is none that can be read.
    """
    try:
        if path.is_dir():
            text = (path / RDF).read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                text = archive.read(RDF)
        content: Any = yaml.safe_load(text)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def read_unchanged_rdf(path: Path, then: str) -> dict[str, Any] | None:
    """Read the content of rdf.yaml of a package that is still as it was.

    Parameters
    ----------
    path
        A zip, or a folder.
    then
        SHA-256 that it had.

    Returns
    -------
    dict or None
        As `read_rdf` returns it; None where the package is gone or has changed.
    """
    try:
        unchanged = sha256(path) == then
    except (OSError, UserError):
        return None
    return read_rdf(path) if unchanged else None
