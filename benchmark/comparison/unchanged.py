"""What is still as a run found it: images of a dataset, and what packages state of themselves."""

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.benchmark_run import DatasetEntry, ImageEntry, PackageEntry
from imaging.cli import UserError
from imaging.files import sha256
from packages.rdf import read_unchanged_rdf

Calibration = tuple[NDArray[np.float64], NDArray[np.float64]]


def split_intact(dataset: DatasetEntry) -> tuple[DatasetEntry, list[str]]:
    """Separate images whose files are as a run found them from those that moved or changed.

    Parameters
    ----------
    dataset
        Of the run.

    Returns
    -------
    tuple
        The dataset with the images that are intact, and the names of the others.
    """
    intact = [image for image in dataset.images if _is_intact(image)]
    kept = {image.name for image in intact}
    others = [image.name for image in dataset.images if image.name not in kept]
    return replace(dataset, images=intact), others


def description_of(package: PackageEntry) -> dict[str, Any]:
    """Read the description of a package that ran.

    Parameters
    ----------
    package
        Of the run.

    Returns
    -------
    dict
        The content of its rdf.yaml; empty for a control, and where the package moved, changed or
        cannot be read.
    """
    return {} if package.control else _description(Path(package.file), package.sha256)


@functools.cache  # every section of a page asks for it, and packages are large
def _description(file: Path, sha256: str) -> dict[str, Any]:
    return read_unchanged_rdf(file, sha256) or {}


def training_of(package: PackageEntry) -> dict[str, Any]:
    """Return how a package says it was trained, and its network; empty where it does not."""
    stated = description_of(package)
    try:
        architecture = stated["weights"]["pytorch_state_dict"]["architecture"]
        return {**stated["config"]["bioimageio"]["training"], "architecture": architecture}
    except (KeyError, TypeError):
        return {}


def calibration_of(package: PackageEntry) -> Calibration | None:
    """Return how a package says that it calibrates its standard deviation.

    Parameters
    ----------
    package
        Of the run.

    Returns
    -------
    tuple of ndarray or None
        Standard deviations of the network, increasing, and what the package makes of them; between
        these the map is linear. None where the package states no map, or one without an inverse.
    """
    try:
        stated = description_of(package)["config"]["restoration_zoo"]["calibration"]
        network, delivered = (np.array(stated[k], np.float64) for k in ("knots", "values"))
    except (KeyError, TypeError, ValueError):
        return None
    usable = network.ndim == 1 and network.size > 1 and network.shape == delivered.shape
    return (network, delivered) if usable and _is_map(network) and _is_map(delivered) else None


def _is_map(values: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(values).all() and values[0] >= 0 and (np.diff(values) > 0).all())


def _is_intact(image: ImageEntry) -> bool:
    files = (
        (image.input, image.input_sha256),
        (image.target, image.target_sha256),
        (image.repeat, image.repeat_sha256),
        (image.displaced, image.displaced_sha256),
        (image.annotations, image.annotations_sha256),
        (image.mask, image.mask_sha256),
    )
    try:
        return all(sha256(Path(file)) == then for file, then in files if file)
    except (OSError, UserError):
        return False
