"""What a recipe says: the hyper-parameters and the loss of one model."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from pydantic import JsonValue
from torch import Tensor, nn

from imaging.training_metadata import Settings

N = TypeVar("N", bound=nn.Module)
Arguments = dict[str, JsonValue]
"""Of an architecture."""


_PATCH_PX = 128  # of the truth; of an image with a finer truth at least half as many are seen
_CELLS = 16  # networks halve the microscope's grid up to four times


class Grid(NamedTuple):
    """How the pixels of truth, image and microscope lie in each other.

    Attributes
    ----------
    factor
        Pixels of the truth along one of the image.
    coarsen
        Pixels of the image along one of the microscope, where it was interpolated.
    """

    factor: int
    coarsen: int

    @property
    def arguments(self) -> Arguments:
        """Those of an architecture that works on the grid of the microscope's pixels."""
        return {"coarsen": self.coarsen, "factor": self.factor}


Preset = Callable[[Grid], Settings]
"""Hyper-parameters for images on a grid; raises `UserError` where the model cannot learn these."""


def laptop(grid: Grid, network: Arguments) -> Settings:
    """Return the settings for a laptop of a network with these arguments."""
    return Settings(network, _patch_px(grid), batch_size=8, learning_rate=2e-3, steps=6000)


def gpu(grid: Grid, network: Arguments, learning_rate: float) -> Settings:
    """Return the settings for a GPU of such a network, as many steps as CARE was published with."""
    return Settings(
        network, _patch_px(grid), batch_size=16, learning_rate=learning_rate, steps=40_000
    )


def _patch_px(grid: Grid) -> int:
    """Return the side of a patch of the truth, the image's being whole cells of any network."""
    cells = _CELLS * grid.coarsen
    seen_px = max(_PATCH_PX // grid.factor, _PATCH_PX // 2)
    return grid.factor * math.ceil(seen_px / cells) * cells


def _nothing(network: nn.Module, image: Tensor, target: Tensor) -> dict[str, float]:
    return {}


@dataclass(frozen=True)
class Recipe(Generic[N]):
    """How one model is trained.

    Attributes
    ----------
    model
        Folder in packages/ that defines the network.
    architecture
        Builds the network, of type N, from `Settings.network`.
    loss
        ``loss(network, input, target)``: a scalar, from tensors of shape (batch, 1, y, x), that of
        the target on the restored image's grid. The network's own forward is the restoration, all
        channels of it.
    loss_name
        As it goes into the model card.
    presets
        By name; "small" is for a laptop, "full" for a GPU.
    measure
        ``measure(network, input, target)``: further numbers to log at each mark, by name.
    """

    model: str
    architecture: Callable[..., N]
    loss: Callable[[N, Tensor, Tensor], Tensor]
    loss_name: str
    presets: Mapping[str, Preset]
    measure: Callable[[N, Tensor, Tensor], dict[str, float]] = _nothing
