"""Note in weights which images they were trained on, so that their package can tell others."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from imaging.cli import UserError, console, counted
from imaging.datasets import open_dataset
from imaging.inspection import inspect_dataset
from imaging.known_images import KnownImages, know
from imaging.remarks import Remarks
from imaging.trained_weights import FILE_NAME, TrainedWeights
from training.calibrate import refuse_other_pixels
from training.data import Array, Pair, Patches, load_pairs
from training.division import split_items
from training.run_folder import Images

_FRESH = 300  # images of a microscope that records anew: as many as in a usual dataset
_PLANES = 5  # of a volume
_TOO_FEW = (
    "Which images the model knows is not noted, for they are too few, or smaller than 128 pixels: "
    "its package will not tell whether others are like them."
)


def note_known(
    weights: Path, /, *, data: list[Path], out: Path, unlike: list[Path] | None = None
) -> Path:
    """Measure the images that weights were trained on, and note it in them.

    Parameters are those of `python -m training know`, described in its help.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        No weights, unusable data, of other pixels, too few or too small, a file that exists, or
        two datasets of one name.
    """
    if out.exists():
        raise UserError(f"{out} exists: choose another name, so that no weights are lost.")
    trained = TrainedWeights.read(weights)
    volumes = trained.metadata.request.settings.patch_planes is not None
    datasets = [open_dataset(path) for path in data]
    remarks, pairs = Remarks(), list[Pair]()
    for dataset in datasets:
        refuse_other_pixels(weights, trained.metadata.data.pixel_size_um, dataset)
        parts = split_items(dataset, volumes=volumes)
        remarks.update(inspect_dataset(dataset))
        pairs += load_pairs((*parts["train"], *parts["calibration"]), remarks, volumes=volumes)
    others: dict[str, list[Array]] = {}
    for dataset in (open_dataset(path) for path in unlike or ()):
        refuse_other_pixels(weights, trained.metadata.data.pixel_size_um, dataset)
        if dataset.name in others:
            raise UserError(f"Two datasets of --unlike are called '{dataset.name}': rename one.")
        remarks.update(inspect_dataset(dataset))
        others[dataset.name] = inputs_of(load_pairs(dataset.items, remarks, volumes=volumes))
    remarks.say()
    with console.status("Measuring the images"):
        known = know(inputs_of(pairs), ", ".join(of.name for of in datasets), others)
    if known is None:
        raise UserError(
            f"{', '.join(map(str, data))} is too small to tell which images the model knows: give "
            "100 windows of 128 pixels or more, for instance 50 images of 256."
        )
    TrainedWeights(trained.weights, replace(trained.metadata, known=known), trained.example).write(
        out
    )
    console.print(f"{describe(known)} Made {out}", soft_wrap=True)
    return out


def note_trained(run: Path, images: Images, fresh: Patches | None, data: str) -> None:
    """Note in the best weights of a run which images they were trained on, unless it is noted.

    Parameters
    ----------
    run
        The folder.
    images
        What was trained on.
    fresh
        Draws inputs that were recorded anew, where these were trained on.
    data
        Names of the datasets.
    """
    best = TrainedWeights.read(run)
    if best.metadata.known is not None:
        return
    with console.status("Measuring the images"):
        known = know(inputs_of([*images.all_training, *images.calibration], fresh), data)
    replace(best, metadata=replace(best.metadata, known=known)).write(run / FILE_NAME)
    console.print(describe(known), soft_wrap=True)


def inputs_of(pairs: Sequence[Pair], fresh: Patches | None = None) -> list[Array]:
    """Return what a network is shown in training, in the order of the pairs.

    Parameters
    ----------
    pairs
        Whose inputs are trained on.
    fresh
        Draws inputs that are recorded anew, where these are trained on instead.
    """
    if fresh is None:
        return [plane for pair in pairs for plane in _planes(pair.normalised_input)]
    batches = range(-(-_FRESH // fresh.batch_size))
    return [image for i in batches for image in fresh.batch(i).input[:, 0].numpy()]


def _planes(image: Array) -> Array:
    """Return a plane, or of a volume planes at even distances: (plane, y, x)."""
    if image.ndim == 2:
        return image[None]
    chosen = np.linspace(0, len(image) - 1, _PLANES + 2).round().astype(int)[1:-1]
    return image[np.unique(chosen)]


def describe(known: KnownImages | None) -> str:
    """Say what was noted."""
    if known is None:
        return _TOO_FEW
    windows = ", ".join(
        f"{counted(of.windows, 'window')} of {of.side_px} pixels" for of in known.of_windows
    )
    return f"Noted which images the model knows, from {windows}."
