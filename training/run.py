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

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from imaging.cli import UserError, console, progress
from imaging.dataset_facts import Split
from imaging.datasets import Dataset, Item, open_dataset
from imaging.files import sha256
from imaging.inspection import inspect_dataset
from imaging.remarks import Remarks
from imaging.trained_weights import FILE_NAME, Example, TrainedWeights
from imaging.training_metadata import Reached, Request, Settings
from packages.unpack import Unpacked
from simulation.simulate import simulate
from training.calibrate import calibrate_weights
from training.checkpoint import load_checkpoint
from training.data import Patches, load_pairs
from training.devices import Precision, default_precision, open_fabric, refuse_division
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
from training.pixel_sizes import find_pixel_size_um, find_z_step_um, remark_on_unstated
from training.recipe import N, Preset, Recipe
from training.recorded import draw_fresh, draw_patches, read_asked
from training.regression import with_loss
from training.run_folder import Images, RunFolder
from training.run_record import TrainingRun
from training.volumes import are_volumes, fewest_planes

_FIXED_CROPS, _FIXED_VOLUMES = 32, 4
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
    planes: bool = False,
    devices: int = 1,
    nodes: int = 1,
    precision: Precision | None = None,
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
    refuse_length(steps, minutes, seed)
    refuse_preset(recipe.presets, preset)
    precision = precision or default_precision()
    fabric = open_fabric(devices=devices, nodes=nodes, precision=precision)
    own_loss = recipe.pixel_loss
    recipe = recipe if loss is None else with_loss(recipe, loss)
    refuse_nothing_to_resume(out, resume=resume)
    asked = read_asked(microscope)
    if data is None:
        if nodes > 1:
            raise UserError("Several nodes would simulate the same images: give them with --data.")
        data, dendrites = _simulate(out, seed, asked.file)
        also = [dendrites, *also]
    dataset = open_dataset(data)
    volumes = bool(recipe.of_volumes) and not planes and are_volumes(dataset)
    parts = _divide(dataset, volumes=volumes)
    further = open_further(also, dataset, volumes=volumes)
    if volumes:
        settings = _of_volumes(recipe, preset, dataset, further, microscope)
    else:
        settings = recipe.presets[preset](find_factor(dataset))
    refuse_division(settings.batch_size, fabric)
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
    refuse_another(out, request, resume=resume)
    remarks = inspect_dataset(dataset)
    remarks.update(remark_on_unstated(dataset))
    for other in further:
        remarks.update(inspect_dataset(other.dataset))
    images = _load(parts, further, settings, remarks)
    remarks.say()
    # What is refused is refused once: the other processes begin where the first has come to here.
    fabric.launch()
    patches = draw_patches(images.all_training, request, dataset, asked.microscope, fabric.device)
    # Only now: data that cannot be used leave no folder behind.
    if fabric.is_global_zero:
        TrainingRun(request, versions(), remarks.entries).write(out / TrainingRun.FILE)
    state, log = train_in_folder(
        out, recipe, request, dataset, images, patches, fabric, origin, precision=precision
    )
    if not fabric.is_global_zero:
        return out / FILE_NAME
    reached = measure_reached(out, state.average, images, log)
    _calibrate(out, state.average, images, request)
    fresh = draw_fresh(images, request, dataset, asked.microscope, fabric.device)
    note_trained(out, images, fresh, ", ".join([dataset.name, *request.also]))
    say_what_was_made(out, recipe.model, state, log, reached)
    return out / FILE_NAME


def _simulate(out: Path, seed: int, microscope: Path | None) -> tuple[Path, Path]:
    """Simulate what is trained on where nothing is given: cells, and dendrites beside them."""
    data = simulate(out / "data", seed=seed, microscope=microscope)
    also = simulate(out / "dendrites", seed=seed, microscope=microscope, structure="dendrites")
    return data, also


def _divide(dataset: Dataset, *, volumes: bool) -> dict[Split, tuple[Item, ...]]:
    """Return the parts of a dataset, and say where these are not its own."""
    parts = split_items(dataset, volumes=volumes)
    find_pixel_size_um(dataset)  # refuses images of several
    if division := describe_division(dataset, parts):
        console.print(division, highlight=False, soft_wrap=True)
    return parts


def _of_volumes(
    recipe: Recipe[N],
    preset: str,
    dataset: Dataset,
    further: Sequence[Further],
    microscope: Path | None,
) -> Settings:
    """Return the settings for volumes, and say that they are restored as such."""
    refuse_preset(recipe.of_volumes, preset)
    if microscope is not None:
        raise UserError(
            "--microscope degrades planes anew, and these are volumes: leave it out, or restore "
            "plane by plane with --planes."
        )
    step_um = find_z_step_um(dataset)
    usual = recipe.of_volumes[preset](find_factor(dataset))
    items = [*dataset.items, *(item for other in further for item in other.items)]
    depth = min(usual.patch_planes or 0, fewest_planes(items))
    console.print(
        f"The images are volumes of planes {step_um:g} µm apart, and are restored as such; "
        "--planes restores plane by plane.",
        highlight=False,
        soft_wrap=True,
    )
    return replace(usual, patch_planes=depth)


def refuse_preset(presets: Mapping[str, Preset], preset: str) -> None:
    """Make sure that there is a preset of this name."""
    if preset not in presets:
        raise UserError(f"There is no preset '{preset}': choose one of {', '.join(presets)}.")


def _load(
    parts: Mapping[Split, tuple[Item, ...]],
    further: Sequence[Further],
    settings: Settings,
    remarks: Remarks,
) -> Images:
    planes = settings.patch_planes
    volumes = planes is not None
    training = load_pairs(parts["train"], remarks, volumes=volumes)
    others = [load_pairs(other.items, remarks, volumes=volumes) for other in further]
    calibration = load_pairs(parts["calibration"], remarks, volumes=volumes)
    crops = Patches(
        calibration,
        size_px=settings.patch_px,
        batch_size=_FIXED_VOLUMES if volumes else _FIXED_CROPS,
        seed=0,
        planes=planes,
    )
    example = cut_example(load_pairs(parts["validation"][:_EXAMPLES], remarks, volumes=volumes))
    return Images(
        training,
        [(other.describe(len(pairs)), pairs) for other, pairs in zip(further, others, strict=True)],
        calibration,
        parts["validation"][:_CALIBRATED],
        crops.batch(0),
        Example(torch.from_numpy(example.input), torch.from_numpy(example.target)),
    )


def train_in_folder(
    out: Path,
    recipe: Recipe[N],
    request: Request,
    dataset: Dataset,
    images: Images,
    patches: Patches,
    fabric: Fabric,
    origin: Unpacked | None = None,
    *,
    precision: Precision,
) -> tuple[State[N], Log]:
    """Train in the run folder until the length asked for is reached."""
    budget = Budget(request.steps, request.minutes)
    weights = origin.weights if origin else None
    state = start(recipe, request.settings, seed=request.seed, fabric=fabric, weights=weights)
    log = Log(out / "log.jsonl")
    _go_on(out, state, log, budget, fabric)
    metadata = collect_metadata(
        recipe,
        request,
        dataset,
        state,
        fabric.device,
        precision=precision,
        training_images=len(images.training),
        calibration_images=len(images.calibration),
        also=tuple(described for described, _ in images.also),
    )
    folder = RunFolder(out, recipe, metadata, images, log)
    with progress() as bars, interrupt_between_steps() as interrupted:
        bar = bars.add_task("", total=1.0)

        def after_step(state: State[N], done: float) -> None:
            bars.update(bar, completed=done, description=f"Training, step {state.step}")
            # All stop at the same step, or some would wait for the others without end.
            if fabric.broadcast(interrupted()):
                if fabric.is_global_zero:
                    folder.save_last(state)
                fabric.barrier()
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
    if fabric.is_global_zero:
        folder.draw(state)
    return state, log


def _go_on(out: Path, state: State[N], log: Log, budget: Budget, fabric: Fabric) -> None:
    """Continue where the folder's training stopped, if it has begun."""
    if (out / "last.pt").exists():
        state.load_dict(load_checkpoint(out / "last.pt"))
        console.print(f"Going on from step {state.step} of {out}.")
    if fabric.is_global_zero:
        log.resume(state.step)
    done = not log.entries and budget.progress(state.step, state.seconds) >= 1
    if fabric.broadcast(done):
        raise UserError(f"{out} has already done {state.step} steps: ask for a longer training.")


def measure_reached(out: Path, network: nn.Module, images: Images, log: Log) -> Reached:
    """Measure what the best weights reach, and note it in them; the network gets them."""
    best = TrainedWeights.read(out)
    network.load_state_dict(best.weights)
    reached = best.metadata.reached
    if reached.error_restored is None:  # once: a posterior's mean takes long
        errors = mean_absolute_errors(network, images.fixed)
        # The loss of weights that were trained before hardly falls, and when, tells nothing.
        late_fall = None if best.metadata.request.adapted_from else log.late_fall
        reached = replace(reached, **errors, late_fall=late_fall)
        best = replace(best, metadata=replace(best.metadata, reached=reached))
        best.write(out / FILE_NAME)
    return reached


def _calibrate(out: Path, network: nn.Module, images: Images, request: Request) -> None:
    """Calibrate the best weights, unless they are; the network has them."""
    best = TrainedWeights.read(out)
    if best.metadata.calibration is None and best.metadata.trust_mask is None:
        calibrate_weights(
            out / FILE_NAME,
            best,
            network,
            images.calibration[:_CALIBRATED],
            load_pairs(images.validation, volumes=request.settings.patch_planes is not None),
            data=request.data,
            data_sha256=request.data_sha256,
        )


def say_what_was_made(out: Path, model: str, state: State[N], log: Log, reached: Reached) -> None:
    """Say how long a training took and what it reaches."""
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


def refuse_another(out: Path, request: Request, *, resume: bool) -> None:
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


def refuse_nothing_to_resume(out: Path, *, resume: bool) -> None:
    """Make sure that there is a training where one is to go on."""
    if resume and not (out / TrainingRun.FILE).exists():
        raise UserError(f"{out} holds no training to resume: leave --resume out to start one.")


def refuse_length(steps: int | None, minutes: float | None, seed: int) -> None:
    """Make sure that a training of this length and seed can be."""
    if steps is not None and minutes is not None:
        raise UserError("Give --steps or --minutes, not both.")
    if (steps is not None and steps < 1) or (minutes is not None and not 0 < minutes < math.inf):
        raise UserError("A training needs at least one step, or more than 0 minutes.")
    if seed < 0:
        raise UserError(f"--seed {seed} is negative: give a whole number from 0.")
