from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from imaging.cli import UserError
from imaging.training_metadata import Settings
from training.data import Batch, Patches
from training.devices import draw_apart, open_fabric, refuse_division, share
from training.loop import Budget, Log, State, start, train
from training.recipe import Recipe

from .test_data import pair_of

SETTINGS = Settings(network={"channels": 3}, patch_px=16, batch_size=4, learning_rate=1e-2, steps=4)


class Reached(nn.Module):
    """Its loss calls another method than forward, as those of several recipes do."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, 1, 1)

    def restore(self, image: Tensor) -> Tensor:
        return self.last(F.relu(self.first(image)))


def absolute_error(network: Reached, image: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(network.restore(image), target)


RECIPE = Recipe("reached", Reached, absolute_error, "L1", {"small": lambda _: SETTINGS})


class EnoughError(Exception):
    """Ends a training in the middle."""


class Rank:
    """What the division of work asks of a fabric."""

    def __init__(self, rank: int, size: int) -> None:
        self.global_rank, self.world_size = rank, size


def trained(
    fabric: Fabric, folder: Path, *, until: int = 4, saved: Path | None = None
) -> State[Reached]:
    target = np.random.default_rng(0).random((40, 40), dtype=np.float32)
    patches = Patches([pair_of(target)], size_px=16, batch_size=4, seed=1)
    state = start(RECIPE, SETTINGS, seed=0, fabric=fabric)
    log = Log(folder / "log.jsonl")
    if saved is not None:
        state.load_dict(torch.load(saved, weights_only=True))

    def stop(state: State[Reached], _done: float) -> None:
        if state.step == until:
            raise EnoughError

    with suppress(EnoughError):
        train(
            RECIPE,
            SETTINGS,
            state,
            patches,
            patches.batch(0),
            budget=Budget(4),
            fabric=fabric,
            log=log,
            on_step=stop,
            on_mark=lambda _state, _best: None,
        )
    return state


def trained_in_two(fabric: Fabric, folder: Path) -> None:
    torch.set_num_threads(1)  # those of the process that was forked are not here
    state = trained(fabric, folder, until=2)
    if fabric.is_global_zero:
        torch.save(state.to_dict(), folder / "last.pt")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.filterwarnings("ignore:Grad strides do not match bucket view strides")
def test_two_processes_train_as_one_which_goes_on_from_them(tmp_path: Path) -> None:
    one = Fabric(accelerator="cpu", devices=1)
    two = Fabric(accelerator="cpu", devices=2, strategy="ddp_fork")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    expected = trained(one, tmp_path / "one")
    two.launch(partial(trained_in_two, folder=tmp_path / "two"))
    given = trained(one, tmp_path / "two", saved=tmp_path / "two" / "last.pt")
    torch.testing.assert_close(given.network.state_dict(), expected.network.state_dict())
    # Each step once, of all patches.
    lines = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("one", "two")]
    assert len(lines[0]) == len(lines[1]) == 4


def test_shares_are_the_batch() -> None:
    batch = Batch(torch.rand(6, 1, 4, 4), torch.rand(6, 1, 8, 8))
    shares = [share(batch, Rank(rank, 3)) for rank in range(3)]
    torch.testing.assert_close(torch.cat([part.input for part in shares]), batch.input)
    torch.testing.assert_close(torch.cat([part.target for part in shares]), batch.target)


def test_processes_draw_noise_of_their_own_again() -> None:
    drawn: list[Tensor] = []
    for rank in (1, 2, 1):
        draw_apart(Rank(rank, 3), seed=5, step=7)
        drawn.append(torch.rand(3))
    torch.testing.assert_close(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_the_first_process_goes_on_with_its_random_numbers() -> None:
    before = torch.get_rng_state()
    draw_apart(Rank(0, 2), seed=5, step=7)
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(UserError, match=r"8 patches cannot be divided equally among 3 devices"):
        refuse_division(8, Rank(3, 3))


@pytest.mark.parametrize(("devices", "nodes"), [(0, 1), (1, 0)])
def test_no_device_is_refused(devices: int, nodes: int) -> None:
    with pytest.raises(UserError, match="at least one device"):
        open_fabric(devices=devices, nodes=nodes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has this arithmetic")
def test_arithmetic_that_is_not_here_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be had here"):
        open_fabric(precision="16-mixed")
