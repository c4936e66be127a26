"""Calibrate trained weights: their standard deviation, and what they promise of structures."""

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from imaging.cli import UserError, console, counted
from imaging.datasets import Dataset, open_dataset
from imaging.files import sha256
from imaging.inspection import inspect_dataset
from imaging.pixel_sizes import are_unlike
from imaging.trained_weights import TrainedWeights
from imaging.training_metadata import CalibrationResult, SamplingOptions
from imaging.trust_mask import PROMISED, TrustMask
from packages.network_contract import factors, states_std
from packages.options import with_options
from packages.posterior import Calibration
from training.calibration_fit import calibrate
from training.data import Pair, load_pairs
from training.division import split_items
from training.factor import find_factor
from training.pixel_sizes import find_pixel_size_um
from training.recipe import Recipe
from training.restored import restore
from training.trust_fit import FEWEST_IMAGES, fit_trust


def recalibrate(
    weights: Path,
    /,
    *,
    data: Path,
    out: Path,
    samples: int | None = None,
    steps: int | None = None,
) -> Path:
    """Calibrate a trained model on other data: standard deviation and trust mask.

    Parameters are those of `python -m training calibrate`, described in its help.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        A number of samples or steps that the model cannot do, unusable data, of other pixels,
        finer than what the model restores or coarser, or too few to calibrate anything, or a file
        that exists.
    """
    if out.exists():
        raise UserError(f"{out} exists: choose another name, so that no weights are lost.")
    trained = TrainedWeights.read(weights)
    network, trained = _network(weights, trained, SamplingOptions(samples, steps))
    dataset = open_dataset(data)
    refuse_other_pixels(weights, trained.metadata.data.pixel_size_um, dataset)
    _refuse_other_factor(weights, network, dataset)
    volumes = trained.metadata.request.settings.patch_planes is not None
    parts = split_items(dataset, volumes=volumes)
    remarks = inspect_dataset(dataset)
    calibration, validation = (
        load_pairs(parts[part], remarks, volumes=volumes) for part in ("calibration", "validation")
    )
    remarks.say()
    if len(calibration) < FEWEST_IMAGES:
        _refuse_nothing_to_fit(weights, network, data, len(calibration))
    calibrate_weights(
        out,
        trained,
        network,
        calibration,
        validation,
        data=dataset.name,
        data_sha256=sha256(data),
    )
    console.print(f"Made {out}", soft_wrap=True)
    return out


def calibrate_weights(
    out: Path,
    trained: TrainedWeights,
    network: nn.Module,
    calibration: Sequence[Pair],
    validation: Sequence[Pair],
    *,
    data: str,
    data_sha256: str,
) -> None:
    """Calibrate weights, write them and say what it brought.

    Parameters
    ----------
    out
        File to write.
    trained
        The weights; they stay as they are.
    network
        That holds them; where it states a standard deviation, this is calibrated in place.
    calibration, validation
        Images to fit on, and others to measure on what that brings.
    data, data_sha256
        Name and hash of their dataset, for the model card.
    """
    said: list[str] = []
    weights, metadata = trained.weights, trained.metadata
    with console.status("Calibrating"):
        _forget_calibration(network)
        seen, unseen = restore(network, calibration), restore(network, validation)
        if states_std(network):
            measured = calibrate(network, seen, unseen)
            found = CalibrationResult(**measured, data=data, data_sha256=data_sha256)
            fitted = network.calibration.state_dict()
            weights = weights | {f"calibration.{k}": v.cpu() for k, v in fitted.items()}
            metadata = replace(metadata, calibration=found)
            said.append(_on_intervals(found))
        trust = fit_trust(seen, unseen, data=data, data_sha256=data_sha256)
        said.append(_on_trust(trust, len(seen)))
    metadata = replace(metadata, trust_mask=trust)
    TrainedWeights(weights, metadata, trained.example).write(out)
    console.print("\n".join(said), highlight=False, soft_wrap=True)


def _forget_calibration(network: nn.Module) -> None:
    if states_std(network):
        network.calibration.load_state_dict(Calibration().state_dict())


def _on_intervals(found: CalibrationResult) -> str:
    covered = " and ".join(
        f"{scores['coverage_0.9']:.1%} {when} calibration"
        for scores, when in ((found.before, "before"), (found.after, "after"))
    )
    return f"90 % intervals cover {covered}, on {found.images.validation} validation images."


def _on_trust(found: TrustMask | None, images: int) -> str:
    if found is None:
        return (
            f"No trust mask: {counted(images, 'calibration image')} can promise nothing of "
            f"structures, which takes {FEWEST_IMAGES}."
        )
    share = PROMISED[0]
    return (
        f"The trust mask of {float(share):.0%} holds {found.false[share]:.1%} false structures, "
        f"and {found.found[share]:.0%} of the truth's, on "
        f"{counted(found.validation_images, 'validation image')}."
    )


def refuse_other_pixels(weights: Path, learnt_um: float | None, dataset: Dataset) -> None:
    """Refuse images that a package of the weights would resample before it restores them.

    Parameters
    ----------
    weights
        Their file.
    learnt_um
        Side of the pixels that they were trained on; None where unknown.
    dataset
        What is to be restored.

    Raises
    ------
    UserError
        Its pixels have another size.
    """
    size_um = find_pixel_size_um(dataset)
    if learnt_um is not None and size_um is not None and are_unlike(learnt_um, size_um):
        raise UserError(
            f"{dataset.path} has pixels of {size_um:g} µm and {weights} was trained on "
            f"{learnt_um:g} µm: calibrate on images of that size (in Fiji: Image > Scale)."
        )


def _refuse_other_factor(weights: Path, network: nn.Module, dataset: Dataset) -> None:
    factor, own = find_factor(dataset), factors(network)["y"]
    if factor != own:
        raise UserError(
            f"The targets of {dataset.path} have {factor} times as many pixels along y and x as "
            f"its inputs, and what {weights} restores {own} times: calibrate on pairs of that kind."
        )


def _refuse_nothing_to_fit(weights: Path, network: nn.Module, data: Path, images: int) -> None:
    if not states_std(network):
        raise UserError(
            f"{data} has {counted(images, 'calibration image')}, of which a trust mask takes "
            f"{FEWEST_IMAGES}, and {weights} states no uncertainty: simulate more images."
        )


def _network(
    weights: Path, trained: TrainedWeights, options: SamplingOptions
) -> tuple[nn.Module, TrainedWeights]:
    """Build the network of trained weights with the options asked for, which enter its metadata."""
    model = trained.metadata.model
    try:
        network = _build(trained)
        if options != SamplingOptions():
            metadata = with_options(trained.metadata, network, options)
            trained = replace(trained, metadata=metadata)
            network = _build(trained)
    except (ImportError, LookupError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{weights} is not weights made by a training of this version: train again."
        ) from error
    except ValueError as error:
        raise UserError(f"'{model}' cannot be built like this: {error}.") from error
    return network, trained


def _build(trained: TrainedWeights) -> nn.Module:
    """Build the network that the recipe of trained weights names, in evaluation mode."""
    recipe: Recipe[nn.Module] = importlib.import_module(
        f"training.recipes.{trained.metadata.model}"
    ).RECIPE
    network = recipe.architecture(**trained.metadata.request.settings.network)
    network.load_state_dict(trained.weights)
    return network.eval()
