"""What packages state of themselves: how they were trained, and what their calibration changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packages.cli import UserError
from packages.files import sha256
from packages.rdf import read_rdf

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
        changed = method["control"] or sha256(file) != method["sha256"]
    except (OSError, UserError):
        return {}
    return {} if changed else read_rdf(file)


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
