"""Compare the training loop with the bare network: ``python -m tools.throughput DATASET``.

Bare is forward and backward on batches that are already in memory; the loop adds drawing patches,
optimiser, averaging, clipping, validation and logging. Both run in turns, so that a machine that
slows down slows both. ``python -m tools.throughput fresh DATASET`` compares, in turns too,
drawing a batch that is degraded anew with a training step on it; ``python -m tools.throughput
finer`` a step on images half as fine as their targets with one on the same images interpolated.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from cyclopts import App
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional as F

from imaging.cli import console
from imaging.cli import run as run_app
from imaging.datasets import Item, open_dataset
from packages.care.model import UNet
from simulation.microscope import Microscope
from simulation.targets import DEFAULT_PIXEL_SIZE_UM
from training.data import Patches, load_pairs
from training.degrade import FreshPatches
from training.devices import default_precision
from training.division import split_items
from training.factor import find_factor
from training.loop import MARKS, Budget, Log, State, start, train
from training.pixel_sizes import find_pixel_size_um
from training.recipes.care import RECIPE

app = App(name="python -m tools.throughput", result_action="return_value")
_CROPS = 32


class _TurnOverError(Exception):
    """Ends a turn of the loop in the middle of its training."""


@app.default
def compare(data: Path, /, *, rounds: int = 5, preset: str = "small") -> None:
    """Print steps per second of both, and the median ratio over the rounds.

    A turn is as many steps as lie between two marks, so each turn of the loop validates once.

    For instance:
        python -m tools.throughput data/membranes

    Parameters
    ----------
    data
        Dataset with targets.
    rounds
        How often the two take turns.
    preset
        Hyper-parameters of CARE.
    """
    settings = RECIPE.presets[preset](find_factor(open_dataset(data)))
    steps = settings.steps // MARKS
    parts = split_items(open_dataset(data))

    def patches_of(items: tuple[Item, ...], count: int) -> Patches:
        pairs = load_pairs(items)
        return Patches(pairs, size_px=settings.patch_px, batch_size=count, seed=0)

    patches = patches_of(parts["train"], settings.batch_size)
    fixed = patches_of(parts["calibration"], _CROPS).batch(0)
    fabric = Fabric(accelerator="auto", devices=1, precision=default_precision())
    state = start(RECIPE, settings, seed=0, fabric=fabric)
    network = start(RECIPE, settings, seed=0, fabric=fabric).network
    batches = [
        tuple(
            t.to(fabric.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            for t in (batch.input, batch.target)
        )
        for batch in map(patches.batch, range(steps))
    ]

    def wait() -> None:
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()

    def bare() -> float:
        begin = time.perf_counter()
        for image, target in batches:
            network.zero_grad()
            with fabric.autocast():
                loss = RECIPE.loss(network, image, target)
            fabric.backward(loss)
        wait()
        return steps / (time.perf_counter() - begin)

    def loop(folder: Path) -> float:
        end = state.step + steps

        def stop(state: State[UNet], _done: float) -> None:
            if state.step == end:
                raise _TurnOverError

        begin = time.perf_counter()
        with suppress(_TurnOverError):
            train(
                RECIPE,
                settings,
                state,
                patches,
                fixed,
                budget=Budget(settings.steps),
                fabric=fabric,
                log=Log(folder / "log.jsonl"),
                on_step=stop,
                on_mark=lambda _state, _best: None,
            )
        wait()
        return steps / (time.perf_counter() - begin)

    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        bare()  # warms up
        for _ in range(rounds):
            one, other = bare(), loop(Path(folder))
            ratios.append(other / one)
            console.print(f"bare {one:.2f} steps/s, loop {other:.2f} steps/s: {other / one:.3f}")
    console.print(
        f"{settings.batch_size} patches of {settings.patch_px}² on {fabric.device}: the loop runs "
        f"at {statistics.median(ratios):.3f} of the bare network (median of {rounds} rounds, "
        f"{min(ratios):.3f} to {max(ratios):.3f})"
    )


@app.command
def fresh(data: Path, /, *, rounds: int = 15, batch_size: int = 16, preset: str = "small") -> None:
    """Print the times of a fresh batch and of a training step, and their median ratio.

    A step is forward, backward and optimiser.

    For instance:
        python -m tools.throughput fresh data/membranes

    Parameters
    ----------
    data
        Dataset with targets and a stated pixel size.
    rounds
        How often the two take turns.
    batch_size
        Patches in a batch.
    preset
        Hyper-parameters of CARE.
    """
    settings = RECIPE.presets[preset](find_factor(open_dataset(data)))
    dataset = open_dataset(data)
    patches = FreshPatches(
        load_pairs(split_items(dataset)["train"]),
        Microscope(),
        pixel_size_um=find_pixel_size_um(dataset) or DEFAULT_PIXEL_SIZE_UM,
        size_px=settings.patch_px,
        batch_size=batch_size,
        seed=0,
    )
    fabric = Fabric(accelerator="auto", devices=1, precision=default_precision())
    state = start(RECIPE, settings, seed=0, fabric=fabric)
    _, optimizer = fabric.setup(state.network, state.optimizer)
    ratios: list[float] = []
    for number in range(rounds + 1):
        begin = time.perf_counter()
        batch = patches.batch(number)
        drawn = time.perf_counter() - begin
        image, target = batch.input.to(fabric.device), batch.target.to(fabric.device)
        begin = time.perf_counter()
        optimizer.zero_grad()
        with fabric.autocast():
            loss = RECIPE.loss(state.network, image, target)
        fabric.backward(loss)
        optimizer.step()
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()
        stepped = time.perf_counter() - begin
        if number:  # the first warms up
            ratios.append(drawn / stepped)
            console.print(
                f"batch {1e3 * drawn:.0f} ms, step {1e3 * stepped:.0f} ms: {ratios[-1]:.3f}"
            )
    console.print(
        f"{batch_size} fresh patches of {settings.patch_px}² cost {statistics.median(ratios):.3f} "
        f"of a training step on {fabric.device} with {torch.get_num_threads()} threads (median of "
        f"{rounds} rounds, {min(ratios):.3f} to {max(ratios):.3f})"
    )


@app.command
def finer(*, rounds: int = 6, filters: int = 32, kernel_size: int = 3) -> None:
    """Print what a step of CARE's network costs on the input's grid, over one on the target's.

    Targets have 128² pixels in batches of 8. A step is forward, backward and optimiser; what is
    compared is processor time, so threads beyond one count as much as they work.

    For instance:
        python -m tools.throughput finer

    Parameters
    ----------
    rounds
        How often the two take turns.
    filters
        Of the network.
    kernel_size
        Side of its kernels; 5 is that of the preset `full`.
    """
    torch.manual_seed(0)
    coarse = UNet(factor=2, filters=filters, kernel_size=kernel_size)
    fine = UNet(filters=filters, kernel_size=kernel_size)
    image, target = torch.rand(8, 1, 64, 64), torch.rand(8, 1, 128, 128)
    interpolated = F.interpolate(image, scale_factor=2.0, mode="bilinear")
    steps = [_stepper(coarse, image, target), _stepper(fine, interpolated, target)]
    ratios: list[float] = []
    for number in range(rounds + 1):
        on_coarse, on_fine = (step() for step in steps)
        if number:  # the first warms up
            ratios.append(on_coarse / on_fine)
    console.print(
        f"a step on the input's grid costs {statistics.median(ratios):.2f} of one on the target's "
        f"(median of {rounds} rounds, {min(ratios):.2f} to {max(ratios):.2f})"
    )


def _stepper(network: UNet, image: Tensor, target: Tensor) -> Callable[[], float]:
    """Return what makes two training steps and tells their processor time, s."""
    network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.Adam(network.parameters())

    def step() -> float:
        begin = time.process_time()
        for _ in range(2):
            optimizer.zero_grad()
            F.l1_loss(network(image), target).backward()
            optimizer.step()
        return time.process_time() - begin

    return step


if __name__ == "__main__":
    run_app(app)
