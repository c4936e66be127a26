"""A run folder: a training that can be interrupted, continued, looked at and packaged.

::

    RUN/
      run.json      what was asked for, on which data, with which versions
      log.jsonl     one line per mark: losses, learning rate, time waited for data
      progress.png  the losses, and crops of input, restored and truth
      last.pt       everything a resumed training needs
      best.pt       the same at the lowest calibration loss
      weights.pt    the best averaged weights with their metadata: what `packages build` takes
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from imaging.cli import UserError, console, progress
from imaging.dataset_facts import Split
from imaging.datasets import Dataset, Item, open_dataset
from imaging.files import sha256
from imaging.inspection import inspect_dataset
from imaging.known_images import SIDES_PX
from imaging.remarks import Remarks
from imaging.trained_weights import FILE_NAME, Example, TrainedWeights
from imaging.training_metadata import Reached, Request, Settings
from packages.unpack import Unpacked
from simulation.microscope import Microscope, read_microscope
from simulation.simulate import simulate
from training.calibrate import calibrate_weights
from training.checkpoint import load_checkpoint
from training.data import Pair, Patches, load_pairs
from training.degrade import FreshPatches
from training.division import describe_division, split_items
from training.factor import find_factor
from training.further import Further, open_further
from training.interruption import interrupt_between_steps
from training.know import note_trained
from training.loop import Budget, Log, State, start, train
from training.metadata import (
    collect_metadata,
    cut_example,
    mean_absolute_errors,
    versions,
)
from training.pixel_sizes import find_pixel_size_um, remark_on_unstated
from training.recipe import N, Recipe
from training.regression import with_loss
from training.run_folder import Images, RunFolder
from training.run_record import TrainingRun

_FIXED_CROPS = 32
_CALIBRATED = 64  # images of each part on which the standard deviation is calibrated and judged
_EXAMPLES = 16  # validation images among which the package's test image is chosen


def run(
    recipe: Recipe[N],
    *,
    data: Path | None,
    out: Path,
    preset: str,
    steps: int | None,
    minutes: float | None,
    seed: int,
    resume: bool,
    microscope: Path | None = None,
    also: Sequence[Path] = (),
    loss: str | None = None,
    origin: Unpacked | None = None,
) -> Path:
    """Train in a run folder, from the start or from where it stopped.

    Parameters but the recipe and `origin`, a package whose weights to begin with instead of random
    ones, are those of `python -m training MODEL`, described in its help.

    Returns
    -------
    Path
        The deployable weights, ``out/weights.pt``.

    Raises
    ------
    UserError
        Unusable data, a folder of another request, nothing to resume.
    KeyboardInterrupt
        After saving, when the user interrupts.
    """
    _refuse_length(steps, minutes, seed)
    if preset not in recipe.presets:
        names = ", ".join(recipe.presets)
        raise UserError(f"There is no preset '{preset}': choose one of {names}.")
    own_loss = recipe.pixel_loss
    recipe = recipe if loss is None else with_loss(recipe, loss)
    if resume and not (out / TrainingRun.FILE).exists():
        raise UserError(f"{out} holds no training to resume: leave --resume out to start one.")
    asked = _read_microscope(microscope)
    if data is None:
        data, dendrites = _simulate(out, seed, asked.file)
        also = [dendrites, *also]
    dataset, parts = _open(data)
    settings = recipe.presets[preset](find_factor(dataset))
    further = open_further(also, dataset)
    request = Request(
        recipe=recipe.model,
        preset=preset,
        settings=settings,
        seed=seed,
        steps=steps or settings.steps,
        minutes=minutes,
        data=dataset.name,
        data_sha256=sha256(data),
        microscope=asked.name,
        also={other.dataset.name: sha256(other.dataset.path) for other in further},
        adapted_from=origin.lineage if origin else None,
        pixel_loss=None if recipe.pixel_loss == own_loss else recipe.pixel_loss,
    )
    _refuse_another(out, request, resume=resume)
    remarks = inspect_dataset(dataset)
    remarks.update(remark_on_unstated(dataset))
    for other in further:
        remarks.update(inspect_dataset(other.dataset))
    images = _load(parts, further, settings, remarks)
    remarks.say()
    fabric = Fabric(accelerator="auto", devices=1, precision=precision())
    patches = _patches(images.all_training, request, dataset, asked.microscope, fabric.device)
    # Only now: data that cannot be used leave no folder behind.
    TrainingRun(request, versions(), remarks.entries).write(out / TrainingRun.FILE)
    state, log = _train(out, recipe, request, dataset, images, patches, fabric, origin)
    reached = _finish(out, state.average, images, request, log)
    fresh = _fresh(images, request, dataset, asked.microscope, fabric.device)
    note_trained(out, images, fresh, ", ".join([dataset.name, *request.also]))
    _say_what_was_made(out, recipe.model, state, log, reached)
    return out / FILE_NAME


def _simulate(out: Path, seed: int, microscope: Path | None) -> tuple[Path, Path]:
    """Simulate what is trained on where nothing is given: cells, and dendrites beside them."""
    data = simulate(out / "data", seed=seed, microscope=microscope)
    also = simulate(out / "dendrites", seed=seed, microscope=microscope, structure="dendrites")
    return data, also


def _open(data: Path) -> tuple[Dataset, dict[Split, tuple[Item, ...]]]:
    """Open a dataset in its parts, and say where these are not its own."""
    dataset = open_dataset(data)
    parts = split_items(dataset)
    find_pixel_size_um(dataset)  # refuses images of several
    if division := describe_division(dataset, parts):
        console.print(division, highlight=False, soft_wrap=True)
    return dataset, parts


def _load(
    parts: Mapping[Split, tuple[Item, ...]],
    further: Sequence[Further],
    settings: Settings,
    remarks: Remarks,
) -> Images:
    training = load_pairs(parts["train"], remarks)
    others = [load_pairs(other.items, remarks) for other in further]
    calibration = load_pairs(parts["calibration"], remarks)
    crops = Patches(calibration, size_px=settings.patch_px, batch_size=_FIXED_CROPS, seed=0)
    example = cut_example(load_pairs(parts["validation"][:_EXAMPLES], remarks))
    return Images(
        training,
        [(other.describe(len(pairs)), pairs) for other, pairs in zip(further, others, strict=True)],
        calibration,
        parts["validation"][:_CALIBRATED],
        crops.batch(0),
        Example(torch.from_numpy(example.input), torch.from_numpy(example.target)),
    )


def _train(
    out: Path,
    recipe: Recipe[N],
    request: Request,
    dataset: Dataset,
    images: Images,
    patches: Patches,
    fabric: Fabric,
    origin: Unpacked | None,
) -> tuple[State[N], Log]:
    """Train in the run folder until the length asked for is reached."""
    budget = Budget(request.steps, request.minutes)
    weights = origin.weights if origin else None
    state = start(recipe, request.settings, seed=request.seed, fabric=fabric, weights=weights)
    log = Log(out / "log.jsonl")
    _go_on(out, state, log, budget)
    metadata = collect_metadata(
        recipe,
        request,
        dataset,
        state,
        fabric.device,
        training_images=len(images.training),
        calibration_images=len(images.calibration),
        also=tuple(described for described, _ in images.also),
    )
    folder = RunFolder(out, recipe, metadata, images, log)
    with progress() as bars, interrupt_between_steps() as interrupted:
        bar = bars.add_task("", total=1.0)

        def after_step(state: State[N], done: float) -> None:
            bars.update(bar, completed=done, description=f"Training, step {state.step}")
            if interrupted():
                folder.save_last(state)
                raise KeyboardInterrupt

        train(
            recipe,
            request.settings,
            state,
            patches,
            images.fixed,
            budget=budget,
            fabric=fabric,
            log=log,
            on_step=after_step,
            on_mark=folder.save,
        )
    folder.draw(state)
    return state, log


def _go_on(out: Path, state: State[N], log: Log, budget: Budget) -> None:
    """Continue where the folder's training stopped, if it has begun."""
    if (out / "last.pt").exists():
        state.load_dict(load_checkpoint(out / "last.pt"))
        console.print(f"Going on from step {state.step} of {out}.")
    log.resume(state.step)
    if not log.entries and budget.progress(state.step, state.seconds) >= 1:
        raise UserError(f"{out} has already done {state.step} steps: ask for a longer training.")


def _finish(out: Path, network: nn.Module, images: Images, request: Request, log: Log) -> Reached:
    """Measure the best weights and calibrate them; return what they reach."""
    best = TrainedWeights.read(out)
    network.load_state_dict(best.weights)
    reached = best.metadata.reached
    if reached.error_restored is None:  # once: a posterior's mean takes long
        errors = mean_absolute_errors(network, images.fixed)
        # The loss of weights that were trained before hardly falls, and when, tells nothing.
        late_fall = None if request.adapted_from else log.late_fall
        reached = replace(reached, **errors, late_fall=late_fall)
        best = replace(best, metadata=replace(best.metadata, reached=reached))
        best.write(out / FILE_NAME)
    if best.metadata.calibration is None and best.metadata.trust_mask is None:
        calibrate_weights(
            out / FILE_NAME,
            best,
            network,
            images.calibration[:_CALIBRATED],
            load_pairs(images.validation),
            data=request.data,
            data_sha256=request.data_sha256,
        )
    return reached


def _say_what_was_made(out: Path, model: str, state: State[N], log: Log, reached: Reached) -> None:
    waiting = np.average(
        [e["waiting_for_data"] for e in log.entries],
        weights=np.diff([0.0, *(e["seconds"] for e in log.entries)]),
    )
    console.print(
        f"Trained {model} for {state.step} steps in {state.seconds / 60:.1f} min "
        f"({waiting:.1%} of it waiting for data). Mean absolute error on calibration crops "
        f"{reached.error_restored:.4f}, before restoration {reached.error_input:.4f}. "
        + (f"{reached.doubt} Give --resume and a longer training. " if reached.doubt else "")
        + f"Made {out / FILE_NAME}",
        soft_wrap=True,
    )


class _Asked(NamedTuple):
    """The microscope asked for, its file if it has one, and what tells it from others."""

    microscope: Microscope | None
    file: Path | None
    name: str | None


def _read_microscope(file: Path | None) -> _Asked:
    if file is None:
        return _Asked(None, None, None)
    if str(file) == "default":
        return _Asked(Microscope(), None, "default")
    return _Asked(read_microscope(file), file, sha256(file))


def _patches(
    pairs: list[Pair],
    request: Request,
    dataset: Dataset,
    microscope: Microscope | None,
    device: torch.device,
) -> Patches:
    """Draw from pairs as they are, or degrade their targets anew."""
    size_px, batch_size = request.settings.patch_px, request.settings.batch_size
    if microscope is None:
        return Patches(pairs, size_px=size_px, batch_size=batch_size, seed=request.seed)
    input_um = find_pixel_size_um(dataset)
    if input_um is None:
        raise UserError(
            f"{dataset.path} does not say how large its pixels are, which --microscope needs: "
            "state pixel_size_um in dataset.toml."
        )
    return FreshPatches(
        pairs,
        microscope,
        pixel_size_um=input_um / pairs[0].factor,
        size_px=size_px,
        batch_size=batch_size,
        seed=request.seed,
        device=device,
    )


def _fresh(
    images: Images,
    request: Request,
    dataset: Dataset,
    microscope: Microscope | None,
    device: torch.device,
) -> Patches | None:
    """Draw windows that a microscope records anew, where the network was trained on such."""
    if microscope is None:
        return None
    factor = images.training[0].factor
    smallest = min(min(pair.input.shape) for pair in images.all_training)
    windows = replace(request.settings, patch_px=factor * min(smallest, SIDES_PX[0]))
    asked = replace(request, settings=windows)
    return _patches(images.all_training, asked, dataset, microscope, device)


def precision() -> Any:
    """Return the fabric's name of the fastest arithmetic that trains well on this machine."""
    if not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def _refuse_another(out: Path, request: Request, *, resume: bool) -> None:
    """Make sure that the run folder is free, or holds this very request."""
    file, asked = out / TrainingRun.FILE, asdict(request)
    if file.exists():
        held = asdict(TrainingRun.read(file).request)
        lengths = {"steps", "minutes"} if resume else set[str]()
        differing = [k for k in asked if k not in lengths and asked[k] != held[k]]
        if differing:
            raise UserError(
                f"{out} holds another training (it differs in {', '.join(differing)}): "
                + ("only its length can be changed; " if resume else "")
                + "give another --out, or ask for the same"
                + (
                    " and --resume to change its length."
                    if set(differing) <= {"steps", "minutes"}
                    else "."
                )
            )


def _refuse_length(steps: int | None, minutes: float | None, seed: int) -> None:
    """Make sure that a training of this length and seed can be."""
    if steps is not None and minutes is not None:
        raise UserError("Give --steps or --minutes, not both.")
    if (steps is not None and steps < 1) or (minutes is not None and not 0 < minutes < math.inf):
        raise UserError("A training needs at least one step, or more than 0 minutes.")
    if seed < 0:
        raise UserError(f"--seed {seed} is negative: give a whole number from 0.")
