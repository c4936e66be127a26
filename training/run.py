"""A run folder: a training that can be interrupted, continued, looked at and packaged.

::

    RUN/
      run.json      what was asked for, on which data, with which versions
      log.jsonl     one line per mark: losses, learning rate, time waited for data
      progress.png  the losses, and crops of input, restored and truth
      last.pt       everything a resumed training needs
      best.pt       the same at the lowest calibration loss
      weights.pt    the best averaged weights with their facts: what `packages build` takes
"""

import io
import json
import math
import platform
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch.nn import functional as F

from packages import __version__, images
from packages.cli import UserError, console, progress
from packages.datasets import Dataset, open_dataset
from packages.files import replacing, sha256, write_json
from packages.measure import Measure
from training.data import Batch, Pair, Patches, load_pairs, split_items
from training.loop import Budget, Log, State, start, train
from training.picture import draw
from training.recipe import Recipe, Settings
from training.simulation.dataset import simulate

_FIXED_CROPS = 32
_EXAMPLE_PX = 256
_PICTURE_EVERY_S = 60.0
_LIBRARIES = ("torch", "numpy", "lightning-fabric")


@dataclass(frozen=True)
class Request:
    """What was asked for: a run folder holds one of it."""

    recipe: str
    preset: str
    settings: dict[str, Any]
    seed: int
    steps: int
    minutes: float | None
    data: str
    data_sha256: str


def run(
    recipe: Recipe,
    *,
    data: Path | None,
    out: Path,
    preset: str,
    steps: int | None,
    minutes: float | None,
    seed: int,
    resume: bool,
) -> Path:
    """Train in a run folder, from the start or from where it stopped.

    Parameters
    ----------
    recipe
        Which model.
    data
        Dataset with targets; one is simulated in ``out/data`` without it.
    out
        Run folder.
    preset
        Name of the recipe's settings.
    steps, minutes
        Length of the training; at most one of them.
    seed
        Of weights and batches.
    resume
        Go on although the length asked for has changed; without it a request that differs from
        what the folder holds is refused.

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
    settings = _settings(recipe, preset, steps, minutes)
    if seed < 0:
        raise UserError(f"--seed {seed} is negative: give a whole number from 0.")
    data = data or simulate(out / "data", seed=seed)
    dataset = open_dataset(data)
    parts = split_items(dataset)
    request = Request(
        recipe=recipe.room,
        preset=preset,
        settings=_plain(settings),
        seed=seed,
        steps=steps or settings.steps,
        minutes=minutes,
        data=dataset.name,
        data_sha256=sha256(data),
    )
    _refuse_another(out, request, resume=resume)
    budget = Budget(request.steps, minutes)

    training = load_pairs(parts["train"])
    calibration = load_pairs(parts["calibration"])
    patches = Patches(
        training, size_px=settings.patch_px, batch_size=settings.batch_size, seed=seed
    )
    fixed = Patches(calibration, size_px=settings.patch_px, batch_size=_FIXED_CROPS, seed=0).batch(
        0
    )
    example = _example(load_pairs(parts["validation"][:1])[0])

    # Only now: data that cannot be used leave no folder behind.
    write_json(out / "run.json", {"request": asdict(request), "versions": _versions()})
    fabric = Fabric(accelerator="auto", devices=1, precision=precision())
    state = start(recipe, settings, seed=seed, fabric=fabric)
    log = Log(out / "log.jsonl")
    if (out / "last.pt").exists():
        state.load_dict(load_checkpoint(out / "last.pt"))
        console.print(f"Going on from step {state.step} of {out}.")
    log.resume(state.step)
    facts = {
        "room": recipe.room,
        "request": asdict(request),
        "loss": recipe.loss_name,
        "data": _data_facts(dataset, len(training), len(calibration)),
        "versions": _versions(),
        "device": _device_name(fabric.device),
        "inference": _inference_cost(recipe, state, fabric.device),
    }
    drawn_at = time.monotonic()

    def save(state: State, is_best: bool) -> None:
        nonlocal drawn_at
        if is_best:
            save_checkpoint(out / "best.pt", state.to_dict())
            reached = {
                "steps": state.step,
                "seconds": round(state.seconds, 1),
                "calibration_loss": state.best_loss,
                **_errors(recipe, state, fixed),
            }
            save_checkpoint(
                out / "weights.pt",
                {
                    "weights": {k: v.cpu() for k, v in state.average.state_dict().items()},
                    "facts": facts | {"reached": reached},
                    "example": {
                        "input": torch.from_numpy(example.input),
                        "target": torch.from_numpy(example.target),
                    },
                },
            )
        # Last: a run killed before resumes earlier, and makes the others again.
        save_checkpoint(out / "last.pt", state.to_dict())
        if time.monotonic() - drawn_at > _PICTURE_EVERY_S:
            draw(out / "progress.png", recipe, state.average, log.entries, fixed)
            drawn_at = time.monotonic()

    with progress() as bars, _interrupt_between_steps() as interrupted:
        bar = bars.add_task("", total=1.0)

        def after_step(state: State, done: float) -> None:
            bars.update(bar, completed=done, description=f"Training, step {state.step}")
            if interrupted():
                save_checkpoint(out / "last.pt", state.to_dict())
                raise KeyboardInterrupt

        train(
            recipe,
            settings,
            state,
            patches,
            fixed,
            budget=budget,
            fabric=fabric,
            log=log,
            on_step=after_step,
            on_mark=save,
        )
    draw(out / "progress.png", recipe, state.average, log.entries, fixed)
    waiting = np.average(
        [e["waiting_for_data"] for e in log.entries],
        weights=np.diff([0.0, *(e["seconds"] for e in log.entries)]),
    )
    errors = _errors(recipe, state, fixed)
    console.print(
        f"Trained {recipe.room} for {state.step} steps in {state.seconds / 60:.1f} min "
        f"({waiting:.1%} of it waiting for data). Mean absolute error on calibration crops "
        f"{errors['error_restored']:.4f}, before restoration {errors['error_input']:.4f}. "
        f"Made {out / 'weights.pt'}",
        soft_wrap=True,
    )
    return out / "weights.pt"


def precision() -> Any:
    """Return the fabric's name of the fastest arithmetic that trains well on this machine."""
    if not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values, whole or not at all."""
    stream = io.BytesIO()
    torch.save(content, stream)  # into a file, it would report a full disk as a fault of its own
    with replacing(path) as temporary:
        temporary.write_bytes(stream.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read tensors and plain values; a file that holds anything else is refused.

    Parameters
    ----------
    path
        Written by `save_checkpoint`.

    Returns
    -------
    dict
        On the CPU.

    Raises
    ------
    UserError
        Not a checkpoint.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise UserError(
            f"{path} is not a readable checkpoint: remove it, or the whole run, and train again."
        ) from error


def _refuse_another(out: Path, request: Request, *, resume: bool) -> None:
    """Make sure that the run folder is free, or holds this very request."""
    file = out / "run.json"
    asked = json.loads(json.dumps(asdict(request)))
    if file.exists():
        held = json.loads(file.read_text(encoding="utf-8"))["request"]
        lengths = {"steps", "minutes"} if resume else set[str]()
        differing = [k for k in asked if k not in lengths and asked[k] != held.get(k)]
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
    elif resume:
        raise UserError(f"{out} holds no training to resume: leave --resume out to start one.")


def _settings(recipe: Recipe, preset: str, steps: int | None, minutes: float | None) -> Settings:
    if preset not in recipe.presets:
        raise UserError(
            f"There is no preset '{preset}': choose one of {', '.join(recipe.presets)}."
        )
    if steps is not None and minutes is not None:
        raise UserError("Give --steps or --minutes, not both.")
    if (steps is not None and steps < 1) or (minutes is not None and not 0 < minutes < math.inf):
        raise UserError("A training needs at least one step, or more than 0 minutes.")
    return recipe.presets[preset]


def _plain(settings: Settings) -> dict[str, Any]:
    return {k: dict(v) if k == "network" else v for k, v in vars(settings).items()}


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES} | {"restoration-zoo": __version__}


def _data_facts(dataset: Dataset, training: int, calibration: int) -> dict[str, Any]:
    size = dataset.facts.pixel_size_um
    if size is None:
        stated = images.read(dataset.items[0].input, lazy=True).attrs["pixel_size_um"]
        size = stated.get("x")
    return {
        "name": dataset.name,
        "description": dataset.facts.description or "",
        "pixel_size_um": size,
        "provenance": dict(dataset.facts.provenance),
        "training_images": training,
        "calibration_images": calibration,
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} {device.type.upper()}, {torch.get_num_threads()} threads"


@torch.no_grad()
def _inference_cost(recipe: Recipe, state: State, device: torch.device) -> dict[str, Any]:
    """Measure a megapixel, after a first one that warms caches up."""
    image = torch.zeros(1, 1, 1024, 1024, device=device)
    recipe.restore(state.average, image)
    with Measure(device) as cost:
        recipe.restore(state.average, image)
    return {
        "seconds_per_megapixel": round(cost.seconds, 4),
        "peak_mib_per_megapixel": round(cost.peak_mib, 1),
        "device": _device_name(device),
    }


@torch.no_grad()
def _errors(recipe: Recipe, state: State, fixed: Batch) -> dict[str, float]:
    """Compare the mean absolute error of restored and of unrestored crops."""
    device = next(state.average.parameters()).device
    target = fixed.target.to(device)
    restored = recipe.restore(state.average, fixed.input.to(device))
    return {
        "error_restored": float(F.l1_loss(restored, target)),
        "error_input": float(F.l1_loss(fixed.input.to(device), target)),
    }


def _example(pair: Pair) -> Pair:
    """Cut the window with most structure: it becomes the package's test image and cover."""
    height, width = pair.target.shape
    rows, columns = min(height, _EXAMPLE_PX), min(width, _EXAMPLE_PX)
    corners = [
        (i, j)
        for i in range(0, height - rows + 1, _EXAMPLE_PX // 4)
        for j in range(0, width - columns + 1, _EXAMPLE_PX // 4)
    ]
    i, j = max(corners, key=lambda c: pair.target[c[0] : c[0] + rows, c[1] : c[1] + columns].sum())
    window = np.s_[i : i + rows, j : j + columns]
    return replace(pair, input=pair.input[window].copy(), target=pair.target[window].copy())


@contextmanager
def _interrupt_between_steps() -> Generator[Callable[[], bool]]:
    """Let Ctrl-C wait for the end of a step, so that what is saved is consistent.

    A second Ctrl-C interrupts at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        asked.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
