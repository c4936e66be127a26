"""On which devices a training runs, and how they divide each step among them.

Every process holds the whole network. Of each batch, which is the same whatever their number, each
takes its share, and gradients are averaged. The first process alone writes and says anything.
"""

import warnings
from typing import Generic, Literal, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from imaging.cli import UserError, console
from training.data import Batch
from training.recipe import N, Recipe

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
"""The fabric's names of arithmetic."""


class Processes(Protocol):
    """What a fabric says of those that take part."""

    @property
    def global_rank(self) -> int:
        """Number of this one, from 0."""
        ...

    @property
    def world_size(self) -> int:
        """How many there are."""
        ...


def open_fabric(*, devices: int = 1, nodes: int = 1, precision: Precision | None = None) -> Fabric:
    """Choose devices: GPUs where there are any, else as many processes on the CPU.

    Parameters
    ----------
    devices
        Of each node.
    nodes
        Computers that take part.
    precision
        Arithmetic; the fastest that trains well on this machine when omitted.

    Returns
    -------
    Fabric
        Its other processes are not started yet; in them, this silences the console.

    Raises
    ------
    UserError
        Fewer than one, or not so many here, or arithmetic that they do not have.
    """
    if devices < 1 or nodes < 1:
        raise UserError("A training needs at least one device on one node: --devices 1 --nodes 1.")
    several = devices * nodes > 1
    try:
        fabric = Fabric(
            accelerator="auto",
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if several else "auto",
            precision=precision or default_precision(),
        )
    except Exception as error:
        # Lightning has a class of its own for what it does not find, and ValueError for the rest.
        raise UserError(
            f"{devices} devices on each of {nodes} nodes, --precision "
            f"{precision or default_precision()}, cannot be had here: {_first_line(error)}"
        ) from error
    if fabric.global_rank:
        console.quiet = True
    # Of weights with one channel, which lie alike in either order. It says itself that it is none.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    return fabric


def default_precision() -> Precision:
    """Return the fabric's name of the fastest arithmetic that trains well on this machine.

    Processors that multiply numbers of 16 bits do so about twice as fast. Weights, their average
    and what is validated stay in 32 bits.
    """
    if not torch.cuda.is_available():
        found = torch.cpu.get_capabilities()
        fast = found.get("avx512_bf16", False) or found.get("amx_bf16", False)
        return "bf16-mixed" if fast else "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


class Loss(nn.Module, Generic[N]):
    """A recipe's loss as a module: what a fabric wraps.

    A wrapper brings mixed precision and averaged gradients to calls of its module's forward. Losses
    call other methods of a network than that, so it is the loss which is wrapped.

    Parameters
    ----------
    recipe
        Whose loss.
    network
        Of the recipe's architecture.
    """

    def __init__(self, recipe: Recipe[N], network: N) -> None:
        super().__init__()
        self._recipe = recipe
        self.network = network

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar."""
        return self._recipe.loss(self.network, image, target)


def refuse_division(batch_size: int, fabric: Processes) -> None:
    """Make sure that batches can be divided equally among the processes.

    Raises
    ------
    UserError
        They cannot.
    """
    if batch_size % fabric.world_size:
        raise UserError(
            f"A batch of {batch_size} patches cannot be divided equally among "
            f"{fabric.world_size} devices: give another number of --devices."
        )


def share(batch: Batch, fabric: Processes) -> Batch:
    """Return the part of a batch that this process is to look at."""
    count = len(batch.input) // fabric.world_size
    own = slice(fabric.global_rank * count, (fabric.global_rank + 1) * count)
    return Batch(batch.input[own], batch.target[own])


def draw_apart(fabric: Processes, *, seed: int, step: int) -> None:
    """Let processes draw different noise in a step, the same again in a resumed training.

    The first goes on with the random numbers of a training on one device, which checkpoints hold.

    Parameters
    ----------
    fabric
        Tells the process.
    seed
        Of the training.
    step
        That begins.
    """
    if fabric.global_rank:
        sequence = np.random.SeedSequence((seed, step, fabric.global_rank))
        torch.manual_seed(int(sequence.generate_state(1)[0]))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
