"""Images of a run as items of their datasets, so that what a dataset states is taken over once."""

from pathlib import Path

from imaging.benchmark_run import DatasetEntry, ImageEntry
from imaging.datasets import Item


def item_of(image: ImageEntry, dataset: DatasetEntry) -> Item:
    """Return an image that was scored as an item of its dataset.

    Parameters
    ----------
    image, dataset
        Of the run.

    Returns
    -------
    Item
        Of input and truth; what else is known of it is left out.
    """
    return Item(
        name=image.name,
        input=Path(image.input),
        target=Path(image.target) if image.target else None,
        native=None,
        source=image.source,
        split=None,
        microscope={},
        pixel_size_um=dataset.pixel_size_um,
        target_pixel_size_um=dataset.target_pixel_size_um,
        expansion_factor=dataset.expansion_factor,
        z_step_um=dataset.z_step_um,
    )
