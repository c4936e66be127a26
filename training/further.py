"""Further datasets whose training images are trained on beside those of the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imaging.cli import UserError
from imaging.dataset_facts import FEWEST_PLANES
from imaging.datasets import Dataset, Item, open_dataset
from imaging.pixel_sizes import are_unlike
from imaging.training_metadata import FurtherData
from training.division import split_items
from training.factor import find_factor
from training.pixel_sizes import find_pixel_size_um
from training.volumes import are_volumes


@dataclass(frozen=True)
class Further:
    """A further dataset.

    Attributes
    ----------
    dataset
        The whole; only its training images are trained on, and nothing is chosen or calibrated on
        the others.
    items
        Its training images.
    """

    dataset: Dataset
    items: tuple[Item, ...]

    def describe(self, training_images: int) -> FurtherData:
        """Return what the model card says of it, which gave so many images."""
        return FurtherData(self.dataset.name, dict(self.dataset.facts.provenance), training_images)


def open_further(
    paths: Sequence[Path], first: Dataset, *, volumes: bool = False
) -> tuple[Further, ...]:
    """Open further datasets.

    Parameters
    ----------
    paths
        Their folders.
    first
        The dataset that weights are chosen on.
    volumes
        Whether they are of volumes.

    Returns
    -------
    tuple of Further
        In the same order.

    Raises
    ------
    UserError
        One cannot be used, has other pixels than the first, or the name of another.
    """
    factor = find_factor(first)
    size_um = find_pixel_size_um(first)
    named = {first.name: first.path}
    found: list[Further] = []
    for path in paths:
        dataset = open_dataset(path)
        if dataset.name in named:
            raise UserError(
                f"{named[dataset.name]} and {path} have one name, and the model card could not "
                "tell them apart: rename one of the folders."
            )
        named[dataset.name] = path
        own_um = find_pixel_size_um(dataset)
        own_factor = find_factor(dataset)
        if own_factor != factor:
            raise UserError(
                f"The targets of {path} are {own_factor} times as fine as its inputs and those of "
                f"{first.path} {factor} times: a model restores to one grid."
            )
        if size_um is not None and own_um is not None and are_unlike(size_um, own_um):
            raise UserError(
                f"{path} has pixels of {own_um:g} µm and {first.path} of {size_um:g} µm: a model "
                "is trained on pixels of one size, so bring the images to one (in Fiji: Image > "
                "Scale), or simulate them with --pixel-size."
            )
        if volumes and not are_volumes(dataset):
            raise UserError(
                f"{path} holds images that are no stacks of {FEWEST_PLANES} planes or more, and "
                f"{first.path} holds volumes: leave it out, or restore planes with --planes."
            )
        found.append(Further(dataset, split_items(dataset, volumes=volumes)["train"]))
    return tuple(found)
