"""Volumes: which data are restored as such, and how they are held and compared."""

import tempfile
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from imaging import images
from imaging.dataset_facts import FEWEST_PLANES
from imaging.datasets import Dataset, Item


def are_volumes(dataset: Dataset) -> bool:
    """Tell whether all images of a dataset are stacks of planes along z, and deep enough.

    Parameters
    ----------
    dataset
        The headers of its inputs are looked at.

    Returns
    -------
    bool
        Of time series every time point must be such a stack.
    """
    return fewest_planes(dataset.items) >= FEWEST_PLANES


def fewest_planes(items: Iterable[Item]) -> int:
    """Return the planes of the shallowest stack; 0 where an image has no axis z."""
    return min((images.read(i.input, lazy=True).sizes.get("z", 0) for i in items), default=0)


def on_disk(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move a volume into a temporary file that is gone with it, so that many need no memory.

    Parameters
    ----------
    volume
        Any shape.

    Returns
    -------
    ndarray
        The same values, mapped into memory.
    """
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, volume.dtype, "w+", shape=volume.shape)
    mapped[:] = volume
    return mapped
