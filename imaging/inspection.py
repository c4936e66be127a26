"""What must be known of images before they are restored, scored or trained on."""

from collections.abc import Iterable

import xarray as xr

from imaging.cli import UserError
from imaging.datasets import Dataset, Item
from imaging.intensities import remark_on_intensities
from imaging.pairing import inspect_pairs
from imaging.remarks import Remark, Remarks, remarks_of


def inspect(image: xr.DataArray) -> list[Remark]:
    """Look for what makes the results of an image wrong without an error.

    Parameters
    ----------
    image
        As `imaging.images.read` gives it; it may be lazy.

    Returns
    -------
    list of Remark
        What its reader remarked, and what its intensities tell.
    """
    return [*remarks_of(image), *remark_on_intensities(image)]


def inspect_items(items: Iterable[Item], prefix: str = "") -> Remarks:
    """Look at the images of a dataset, inputs and targets.

    Parameters
    ----------
    items
        The images.
    prefix
        What their names begin with, where several datasets are in play.

    Returns
    -------
    Remarks
        Of all that can be read, and of pairs that do not fit; what cannot fails where it is used.
    """
    found = Remarks()
    items = list(items)
    for item in items:
        for name, read in (("", item.read_input), (" (target)", item.read_target)):
            try:
                image = read(lazy=True)
                remarks = [] if image is None else inspect(image)
            except (UserError, OSError):
                continue
            found.add(f"{prefix}{item.name}{name}", remarks)
    found.update(inspect_pairs(items, prefix))
    return found


def check_annotations(items: Iterable[Item]) -> None:
    """Read what people marked and drew in images, before long work begins that would need it.

    Parameters
    ----------
    items
        The images.

    Raises
    ------
    UserError
        Marks or a mask do not fit their image.
    """
    for item in items:
        item.read_annotations()
        item.read_mask()


def inspect_dataset(dataset: Dataset) -> Remarks:
    """Look at all images of a dataset, and take over what was found when it was opened."""
    found = inspect_items(dataset.items)
    found.update(dataset.remarks)
    return found
