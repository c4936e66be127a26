"""Which images of a dataset are still the files that were scored."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packages.cli import UserError
from packages.files import sha256

_KINDS = ("input", "target", "repeat")


def split_intact(dataset: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Separate images whose files are as a run found them from those that moved or changed.

    Parameters
    ----------
    dataset
        Entry of "datasets" in run.json.

    Returns
    -------
    tuple
        The entry with the images that are intact, and the names of the others.
    """
    intact = [image for image in dataset["images"] if _is_intact(image)]
    kept = {image["name"] for image in intact}
    others = [image["name"] for image in dataset["images"] if image["name"] not in kept]
    return {**dataset, "images": intact}, others


def _is_intact(image: Mapping[str, Any]) -> bool:
    files = {kind: image[kind] for kind in _KINDS if image[kind]}
    try:
        return all(sha256(Path(file)) == image[f"{kind}_sha256"] for kind, file in files.items())
    except (OSError, UserError):
        return False
