"""What packages state of themselves: how they were trained, and how calibrated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packages.cli import UserError
from packages.files import sha256
from packages.rdf import read_rdf

Calibration = tuple[NDArray[np.float64], NDArray[np.float64]]


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


def calibration_of(method: Mapping[str, Any]) -> Calibration | None:
    """Return how a package says that it calibrates its standard deviation.

    Parameters
    ----------
    method
        Entry of "packages" in run.json.

    Returns
    -------
    tuple of ndarray or None
        Standard deviations of the network, increasing, and what the package makes of them; between
        these the map is linear. None where the package states no map, or one without an inverse.
    """
    try:
        stated = description_of(method)["config"]["restoration_zoo"]["calibration"]
        network, delivered = (np.array(stated[k], np.float64) for k in ("knots", "values"))
    except (KeyError, TypeError, ValueError):
        return None
    usable = network.ndim == 1 and network.size > 1 and network.shape == delivered.shape
    return (network, delivered) if usable and _is_map(network) and _is_map(delivered) else None


def _is_map(values: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(values).all() and values[0] >= 0 and (np.diff(values) > 0).all())
