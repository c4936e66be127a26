"""The description of a package as it stands, unchecked."""

import zipfile
from pathlib import Path
from typing import Any

import yaml

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
