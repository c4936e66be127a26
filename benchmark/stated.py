"""What packages state of themselves: how they were trained, and what their calibration changed."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from packages.cli import UserError
from packages.files import sha256

_DESCRIPTION = "rdf.yaml"
_STAGES = (
    ("before", "network, Gaussian intervals"),
    ("linear", "linear fit, Gaussian intervals"),
    ("after", "as delivered, own intervals"),
)
_MEASURED = ("coverage_0.5", "coverage_0.9", "coverage_0.95", "nll", "ence")


def description_of(method: Mapping[str, Any]) -> dict[str, Any]:
    """Read the description of a package that ran.

    Parameters
    ----------
    method
        Entry of "packages" in run.json.

    Returns
    -------
    dict
        The content of its rdf.yaml; empty for a control, and where the package moved, changed or
        cannot be read.
    """
    file = Path(method["file"])
    try:
        if method["control"] or sha256(file) != method["sha256"]:
            return {}
        if file.is_dir():
            text = (file / _DESCRIPTION).read_bytes()
        else:
            with zipfile.ZipFile(file) as archive:
                text = archive.read(_DESCRIPTION)
        content: Any = yaml.safe_load(text)
    except (OSError, UserError, KeyError, zipfile.BadZipFile, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def training_of(method: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a package says it was trained, and its network; empty where it does not."""
    stated = description_of(method)
    try:
        architecture = stated["weights"]["pytorch_state_dict"]["architecture"]
        return {**stated["config"]["bioimageio"]["training"], "architecture": architecture}
    except (KeyError, TypeError):
        return {}


def calibration_of(method: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return what a package says its calibration changed.

    Parameters
    ----------
    method
        Entry of "packages" in run.json.

    Returns
    -------
    list of tuple
        For each stage its name, found coverage of 50, 90 and 95 % intervals, NLL and ENCE; none
        where the package does not say.
    """
    try:
        stated = description_of(method)["config"]["restoration_zoo"]["calibration"]
        return [
            (words, *(_number(name, stated[stage][name]) for name in _MEASURED))
            for stage, words in _STAGES
        ]
    except (KeyError, TypeError, ValueError):
        return []


def _number(name: str, value: object) -> str:
    number = float(str(value))
    text = f"{100 * number:.1f} %" if name.startswith("coverage") else f"{number:.3f}"
    return text.replace("-", "−")
