"""The training loop, the same for every recipe."""

import copy
import json
import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from imaging.cli import UserError
from imaging.files import replacing
from imaging.training_metadata import Settings
from training.data import Batch, Patches
from training.devices import Loss, draw_apart, share
from training.recipe import N, Recipe

MARKS = 50  # how often a training is validated, logged and saved
_FEWEST_MARKS = 4  # of which something can be told
_MEASURED = 4  # crops on which a recipe measures what it wants
# Of batches and weights, by the number of their axes: convolutions are fastest so.
_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass(frozen=True)
class Budget:
    """How long a training lasts: a number of steps, or minutes.

    Attributes
    ----------
    steps
        Length in steps, when `minutes` is None.
    minutes
        Length in minutes of work, validation included.
    """

    steps: int
    minutes: float | None = None

    def progress(self, step: int, seconds: float) -> float:
        """Return the fraction done, 0 to 1, after some steps and seconds."""
        done = step / self.steps if self.minutes is None else seconds / (60 * self.minutes)
        return min(done, 1.0)


@dataclass
class State(Generic[N]):
    """What a training has come to: all that a resumed run needs.

    Attributes
    ----------
    network, optimizer
        As they are after `step` steps.
    average
        Exponential moving average of the network's weights: what is validated and shipped.
    best_loss
        Lowest calibration loss of the average so far.
    """

    network: N
    optimizer: torch.optim.Optimizer
    average: N
    step: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf

    def to_dict(self) -> dict[str, Any]:
        """Return tensors and plain values for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best_loss": self.best_loss,
            "random_state": torch.get_rng_state(),
            "cuda_random_states": torch.cuda.get_rng_state_all(),
        }

    def load_dict(self, saved: dict[str, Any]) -> None:
        """Continue from what `to_dict` returned."""
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.average.load_state_dict(saved["average"])
        self.step = int(saved["step"])
        self.seconds = float(saved["seconds"])
        self.best_loss = float(saved["best_loss"])
        torch.set_rng_state(saved["random_state"].cpu())
        if len(saved["cuda_random_states"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([s.cpu() for s in saved["cuda_random_states"]])


@dataclass
class Log:
    """One JSON object per mark, in a file that grows."""

    path: Path
    entries: list[dict[str, float]] = field(default_factory=list[dict[str, float]])

    def resume(self, step: int) -> None:
        """Read what was logged up to a step and drop what came after it."""
        lines = (
            self.path.read_text(encoding="utf-8", errors="replace").splitlines()
            if self.path.exists()
            else []
        )
        whole = [line for line in lines if line.endswith("}")]
        try:
            self.entries = [e for e in map(json.loads, whole) if e["step"] <= step]
        except (ValueError, LookupError, TypeError) as error:
            raise UserError(
                f"{self.path} was changed and cannot be read: train again, with another --out."
            ) from error
        with replacing(self.path) as temporary:
            temporary.write_text("".join(json.dumps(e) + "\n" for e in self.entries), "utf-8")

    @property
    def late_fall(self) -> float | None:
        """Return which share of the calibration loss's fall came in the second half."""
        losses = [entry["calibration_loss"] for entry in self.entries]
        if len(losses) < _FEWEST_MARKS or losses[0] <= losses[-1]:
            return None
        return (losses[(len(losses) - 1) // 2] - losses[-1]) / (losses[0] - losses[-1])

    def append(self, entry: dict[str, float]) -> None:
        """Add one line."""
        self.entries.append(entry)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")


def start(
    recipe: Recipe[N],
    settings: Settings,
    *,
    seed: int,
    fabric: Fabric,
    weights: dict[str, Tensor] | None = None,
) -> State[N]:
    """Build a network and its optimiser on the fabric's device.

    Parameters
    ----------
    recipe, settings
        What to build.
    seed
        Of the initial weights.
    fabric
        Devices and precision.
    weights
        To begin with instead of random ones.

    Returns
    -------
    State
        At step 0.
    """
    torch.manual_seed(seed)
    network = recipe.architecture(**settings.network)
    if weights is not None:
        network.load_state_dict(weights)
    network = network.to(fabric.device)
    for tensor in network.parameters():
        if tensor.ndim in _LAYOUTS:
            tensor.data = tensor.data.contiguous(memory_format=_LAYOUTS[tensor.ndim])
    average = copy.deepcopy(network).requires_grad_(False).eval()
    # Fused Adam updates all weights in one pass over memory.
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, fused=True)
    return State(network, optimizer, average)


def learning_rate(settings: Settings, progress: float) -> float:
    """Return the learning rate: a linear warm-up, then a cosine to 0.

    Parameters
    ----------
    settings
        Peak and length of the warm-up.
    progress
        Fraction of the training done, 0 to 1.

    Returns
    -------
    float
        The rate of the next step.
    """
    if progress < settings.warmup:
        # The first step of a short training must move too.
        return settings.learning_rate * max(progress / settings.warmup, 0.01)
    rest = (progress - settings.warmup) / (1 - settings.warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * rest))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, *, step: int, decay: float) -> None:
    """Move the averaged weights towards the current ones.

    Parameters
    ----------
    average, network
        Of the same architecture; `average` is changed.
    step
        Steps done: early on the average forgets faster, or it would remember the random start.
    decay
        Share of the average that stays, once training is long.
    """
    update = get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))
    update(list(average.parameters()), list(network.parameters()), None)
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)


def train(
    recipe: Recipe[N],
    settings: Settings,
    state: State[N],
    patches: Patches,
    fixed: Batch,
    *,
    budget: Budget,
    fabric: Fabric,
    log: Log,
    on_step: Callable[[State[N], float], None],
    on_mark: Callable[[State[N], bool], None],
) -> State[N]:
    """Train until the budget is spent.

    Parameters
    ----------
    recipe, settings
        Loss and hyper-parameters.
    state
        Where to go on from; changed in place.
    patches
        Of the training part.
    fixed
        Crops of the calibration part on which the average is validated.
    budget
        When to stop.
    fabric
        Devices and precision, its processes started.
    log
        Gets one entry per mark, in the first process.
    on_step
        Called with the state and the fraction done after every step, to show progress.
    on_mark
        Called `MARKS` times with the state and whether the average is the best so far, to save, in
        the first process.

    Returns
    -------
    State
        The same object, trained.

    Raises
    ------
    UserError
        The loss is no longer a number.
    """
    # The state keeps the bare modules; the fabric's wrappers share their weights.
    loss_of, optimizer = fabric.setup(Loss(recipe, state.network), state.optimizer)
    fixed = _to_device(fixed, fabric)
    batches = patches.batches(state.step)
    progress = _progress(budget, state, fabric)
    mark = math.floor(progress * MARKS)
    clock = _Clock(state.seconds)
    total, count = torch.zeros((), device=fabric.device), 0
    waiting_s, mark_start_s = 0.0, clock.seconds
    while progress < 1:
        before = time.perf_counter()
        batch = _to_device(share(next(batches), fabric), fabric)
        waiting_s += time.perf_counter() - before

        rate = learning_rate(settings, progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
        draw_apart(fabric, seed=patches.seed, step=state.step)
        loss = loss_of(batch.input, batch.target)
        optimizer.zero_grad()
        fabric.backward(loss)
        # A gradient that is no number shows in the loss at the next mark; asking here would wait
        # for the GPU at every step.
        fabric.clip_gradients(
            loss_of, optimizer, max_norm=settings.clip_norm, error_if_nonfinite=False
        )
        optimizer.step()
        update_average(state.average, state.network, step=state.step, decay=settings.ema_decay)
        total += loss.detach()
        count += 1

        state.step += 1
        state.seconds = clock.seconds
        progress = _progress(budget, state, fabric)
        if math.floor(progress * MARKS) > mark or progress >= 1:
            mark = math.floor(progress * MARKS)
            calibration_loss = validate(recipe, state.average, fixed)
            entry = {
                "step": state.step,
                "seconds": round(state.seconds, 3),
                "loss": float(_mean_of_all(total, fabric)) / count,
                "calibration_loss": calibration_loss,
                "learning_rate": rate,
                "waiting_for_data": waiting_s / max(clock.seconds - mark_start_s, 1e-9),
                **measured(recipe, state.average, fixed),
            }
            if not math.isfinite(entry["loss"] + calibration_loss):
                raise UserError(
                    f"The loss is no longer a number at step {state.step}: the data hold extreme "
                    f"values or the learning rate is too high. {log.path} tells when it began."
                )
            is_best = calibration_loss < state.best_loss
            state.best_loss = min(state.best_loss, calibration_loss)
            if fabric.is_global_zero:
                log.append(entry)
                on_mark(state, is_best)
            total, count = torch.zeros_like(total), 0
            waiting_s, mark_start_s = 0.0, clock.seconds
        # Last, so that a run interrupted here has done all that belongs to the step.
        on_step(state, progress)
    return state


@torch.no_grad()
def validate(recipe: Recipe[N], network: N, fixed: Batch) -> float:
    """Return the recipe's loss on fixed crops; the network is in evaluation mode."""
    with same_randomness():
        return float(recipe.loss(network, fixed.input, fixed.target))


@torch.no_grad()
def measured(recipe: Recipe[N], network: N, fixed: Batch) -> dict[str, float]:
    """Return what the recipe measures beside its loss, on a few of the fixed crops."""
    with same_randomness():
        return recipe.measure(network, fixed.input[:_MEASURED], fixed.target[:_MEASURED])


@contextmanager
def same_randomness() -> Generator[None]:
    """Draw the same random numbers each time, and leave those of the training alone."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class _Clock:
    """Seconds of work, going on from those of an earlier session."""

    def __init__(self, already: float) -> None:
        self._start = time.perf_counter() - already

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start


def _progress(budget: Budget, state: State[N], fabric: Fabric) -> float:
    """Return the fraction done; all processes go by the clock of the first."""
    done = budget.progress(state.step, state.seconds)
    return done if budget.minutes is None else fabric.broadcast(done)


def _mean_of_all(value: Tensor, fabric: Fabric) -> Tensor:
    return cast(Tensor, fabric.all_reduce(value, reduce_op="mean"))


def _to_device(batch: Batch, fabric: Fabric) -> Batch:
    def move(tensor: Tensor) -> Tensor:
        if fabric.device.type == "cuda" and not tensor.is_cuda:
            tensor = tensor.pin_memory()
        return tensor.to(fabric.device, memory_format=_LAYOUTS[tensor.ndim], non_blocking=True)

    return Batch(move(batch.input), move(batch.target))
