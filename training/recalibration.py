"""Calibrate the standard deviation of trained weights, or calibrate it again on other data."""

import importlib
from pathlib import Path
from typing import Any

from torch import nn

from packages.cli import UserError, console
from packages.datasets import open_dataset
from packages.files import sha256
from packages.options import with_options
from training.calibration import calibrate
from training.checkpoint import load_checkpoint, save_checkpoint
from training.data import Pair, load_pairs, split_items
from training.recipe import Recipe


def recalibrate(
    weights: Path,
    /,
    *,
    data: Path,
    out: Path,
    samples: int | None = None,
    steps: int | None = None,
) -> Path:
    """Calibrate the standard deviation of a trained model on other data.

    What is learned stays as it is. For another microscope, for instance, for another number of
    samples, or with more images: how many pixels an interval covers differs from image to image,
    so 30 images leave an uncertainty of about 2 points, 100 of about 1.

    Parameters
    ----------
    weights
        Run folder of a training, or its weights.pt.
    data
        Dataset with targets: its calibration images are fitted on, its validation images tell what
        the calibration brings. The model must not have been trained on either.
    out
        File to write, which `packages build --checkpoint` takes.
    samples, steps
        Of the posterior, where the model draws samples, and of the way to each, where it makes them
        in steps; as before without them.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        Weights without a standard deviation, a number of samples or steps that the model cannot
        do, unusable data, or a file that exists.
    """
    file = weights / "weights.pt" if weights.is_dir() else weights
    if not file.exists():
        raise UserError(f"{file} does not exist: give a run folder, or the weights.pt in it.")
    if out.exists():
        raise UserError(f"{out} exists: choose another name, so that no weights are lost.")
    trained = load_checkpoint(file)
    options = {"samples": samples, "steps": steps}
    network = _network(file, trained, {k: v for k, v in options.items() if v is not None})
    dataset = open_dataset(data)
    parts = split_items(dataset)
    stated = {"data": dataset.name, "data_sha256": sha256(data)}
    calibration, validation = load_pairs(parts["calibration"]), load_pairs(parts["validation"])
    calibrate_weights(out, trained, network, calibration, validation, stated)
    console.print(f"Made {out}", soft_wrap=True)
    return out


def calibrate_weights(
    out: Path,
    trained: dict[str, Any],
    network: nn.Module,
    calibration: list[Pair],
    validation: list[Pair],
    stated: dict[str, str],
) -> None:
    """Calibrate weights, write them and say what it brought.

    Parameters
    ----------
    out
        File to write.
    trained
        Content of a `weights.pt`.
    network
        That holds these weights.
    calibration, validation
        Images to fit on, and others to compare before and after on.
    stated
        Name and hash of their dataset, for the model card.
    """
    with console.status("Calibrating the standard deviation"):
        found: dict[str, Any] = calibrate(network, calibration, validation) | stated
    weights = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    facts = trained["facts"] | {"calibration": found}
    save_checkpoint(out, trained | {"weights": weights, "facts": facts})
    covered = " and ".join(
        f"{found[when]['coverage_0.9']:.1%} {when} calibration" for when in ("before", "after")
    )
    console.print(
        f"90 % intervals cover {covered}, on {found['images']['validation']} validation images.",
        soft_wrap=True,
    )


def _network(file: Path, trained: dict[str, Any], options: dict[str, int]) -> nn.Module:
    """Build the network of trained weights; options replace its arguments, there too."""
    try:
        facts = trained["facts"]
        recipe: Recipe = importlib.import_module(f"training.recipes.{facts['room']}").RECIPE
        arguments: dict[str, Any] = facts["request"]["settings"]["network"]
        network = recipe.architecture(**arguments)
        network.load_state_dict(trained["weights"])
    except (ImportError, LookupError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{file} is not weights made by a training of this version: train again."
        ) from error
    if not hasattr(network, "calibration"):
        raise UserError(f"{file} holds weights of '{facts['room']}', which states no uncertainty.")
    if options:
        arguments |= with_options(facts, network, options)
        try:
            network = recipe.architecture(**arguments)
        except ValueError as error:
            raise UserError(f"'{facts['room']}' cannot be built like this: {error}.") from error
        network.load_state_dict(trained["weights"])
    return network.eval()
