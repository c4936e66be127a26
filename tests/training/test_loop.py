import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional as F

from imaging.cli import UserError
from imaging.training_metadata import Settings
from training.data import Patches
from training.loop import MARKS, Budget, Log, State, learning_rate, start, train, update_average
from training.recipe import Recipe

from .test_data import pair_of

SETTINGS = Settings(network={"channels": 3}, patch_px=16, batch_size=2, learning_rate=1e-2, steps=9)


class Tiny(nn.Sequential):
    """Dropout makes it depend on the random state, as a resumed run must."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(1, channels, 3, padding=1), nn.Dropout(0.5), nn.Conv2d(channels, 1, 1)
        )


def absolute_error(network: nn.Module, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.l1_loss(network(image), target)


TINY = Recipe("tiny", Tiny, absolute_error, "L1", {"small": lambda _: SETTINGS})


def run(
    steps: int, folder: Path, state: State[Tiny] | None = None, recipe: Recipe[Tiny] = TINY
) -> State[Tiny]:
    fabric = Fabric(accelerator="cpu", devices=1)
    target = np.random.default_rng(0).random((40, 40), dtype=np.float32)
    patches = Patches([pair_of(target)], size_px=16, batch_size=2, seed=1)
    return train(
        recipe,
        SETTINGS,
        state or start(recipe, SETTINGS, seed=0, fabric=fabric),
        patches,
        patches.batch(0),
        budget=Budget(steps),
        fabric=fabric,
        log=Log(folder / "log.jsonl"),
        on_step=lambda _state, _done: None,
        on_mark=lambda _state, _best: None,
    )


def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run(12, tmp_path)

    fabric = Fabric(accelerator="cpu", devices=1)
    begun = start(TINY, SETTINGS, seed=0, fabric=fabric)

    def stop_after_five(state: State[Tiny], _done: float) -> None:
        if state.step == 5:
            torch.save(state.to_dict(), tmp_path / "last.pt")
            raise KeyboardInterrupt

    target = np.random.default_rng(0).random((40, 40), dtype=np.float32)
    patches = Patches([pair_of(target)], size_px=16, batch_size=2, seed=1)
    with pytest.raises(KeyboardInterrupt):
        train(
            TINY,
            SETTINGS,
            begun,
            patches,
            patches.batch(0),
            budget=Budget(12),
            fabric=fabric,
            log=Log(tmp_path / "l"),
            on_step=stop_after_five,
            on_mark=lambda _s, _b: None,
        )
    torch.manual_seed(99)
    resumed = start(TINY, SETTINGS, seed=42, fabric=fabric)
    resumed.load_dict(torch.load(tmp_path / "last.pt", weights_only=True))
    resumed = run(12, tmp_path, resumed)

    assert resumed.step == whole.step == 12
    for kind in ("network", "average"):
        one, other = getattr(whole, kind).state_dict(), getattr(resumed, kind).state_dict()
        assert all(torch.equal(one[k], other[k]) for k in one)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    run(300, tmp_path)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(entries) == MARKS
    assert entries[-1]["calibration_loss"] < 0.8 * entries[0]["calibration_loss"]


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path) -> None:
    def broken(network: nn.Module, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return absolute_error(network, image, target) * math.nan

    recipe = Recipe("tiny", Tiny, broken, "", {})
    with pytest.raises(UserError, match="no longer a number"):
        run(3, tmp_path, recipe=recipe)


class Unusual(nn.Module):
    """Is not trained by way of its forward."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, channels, 1)

    def see(self, image: torch.Tensor) -> torch.Tensor:
        return self.layer(image)


def test_mixed_precision_reaches_whatever_a_loss_calls(tmp_path: Path) -> None:
    seen: set[torch.dtype] = set()

    def loss(network: Unusual, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        features = network.see(image)
        if torch.is_grad_enabled():  # not where the average is validated
            seen.add(features.dtype)
        return F.mse_loss(features.mean(dim=1, keepdim=True), target)

    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    patches = Patches([pair_of(np.ones((40, 40), np.float32))], size_px=16, batch_size=2, seed=1)
    recipe = Recipe("unusual", Unusual, loss, "L2", {"small": lambda _: SETTINGS})
    train(
        recipe,
        SETTINGS,
        start(recipe, SETTINGS, seed=0, fabric=fabric),
        patches,
        patches.batch(0),
        budget=Budget(2),
        fabric=fabric,
        log=Log(tmp_path / "log.jsonl"),
        on_step=lambda _state, _done: None,
        on_mark=lambda _state, _best: None,
    )
    assert seen == {torch.bfloat16}


def test_learning_rate_rises_then_falls_to_zero() -> None:
    rates = [learning_rate(SETTINGS, p) for p in np.linspace(0, 1, 201)]
    assert max(rates) == pytest.approx(SETTINGS.learning_rate)
    assert rates[0] > 0
    assert rates[-1] == pytest.approx(0)
    assert np.all(np.diff(rates[4:]) <= 0)


@pytest.mark.parametrize("step", [0, 10, 100_000])
def test_average_follows_its_definition(step: int) -> None:
    average, network = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.constant_(average.weight, 2.0)
    nn.init.constant_(network.weight, 5.0)
    update_average(average.requires_grad_(False), network, step=step, decay=0.99)
    decay = min(0.99, (1 + step) / (10 + step))
    assert float(average.weight) == pytest.approx(decay * 2 + (1 - decay) * 5)


def test_budget_in_minutes_counts_seconds() -> None:
    assert Budget(10, minutes=2).progress(step=9999, seconds=60) == 0.5


def test_budget_in_steps_ignores_the_clock() -> None:
    assert Budget(10).progress(step=5, seconds=1e9) == 0.5


def test_log_drops_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    for step in (1, 2, 3):
        log.append({"step": step})
    with log.path.open("a") as stream:
        stream.write('{"step": 4, "lo')  # killed while writing
    log.resume(2)
    assert log.entries == [{"step": 1}, {"step": 2}]
    assert len(log.path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("losses", "share"),
    [
        ([1.0, 0.5, 0.25, 0.125, 0.0], 0.25),
        ([1.0, 0.0, 0.0, 0.0], 0.0),
        ([-1.0, -2.0, -2.5, -3.0, -3.0], 0.25),
        ([1.0, 0.5, 0.0], None),  # too few to tell
        ([1.0, 1.1, 1.2, 1.3], None),  # it never fell
    ],
)
def test_how_much_of_the_fall_came_late(
    tmp_path: Path, losses: list[float], share: float | None
) -> None:
    log = Log(tmp_path / "log.jsonl", [{"calibration_loss": loss} for loss in losses])
    assert log.late_fall == share
