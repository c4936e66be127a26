"""Which images of a dataset are still the files that were scored."""

from dataclasses import replace
from pathlib import Path

from imaging.benchmark_run import DatasetEntry, ImageEntry
from imaging.cli import UserError
from imaging.files import sha256


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


def _is_intact(image: ImageEntry) -> bool:
    files = (
        (image.input, image.input_sha256),
        (image.target, image.target_sha256),
        (image.repeat, image.repeat_sha256),
    )
    try:
        return all(sha256(Path(file)) == then for file, then in files if file)
    except (OSError, UserError):
        return False
