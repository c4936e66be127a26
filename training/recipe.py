"""What a recipe says: the hyper-parameters and the loss of one model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from pydantic import JsonValue
from torch import Tensor, nn

from imaging.training_metadata import Settings

N = TypeVar("N", bound=nn.Module)
Arguments = dict[str, JsonValue]
"""Of an architecture."""


_PATCH_PX = 128  # of the truth; of an image with a finer truth at least half as many are seen
_CELL_PX = 4  # along a cell, on whose grid small networks work: see decision 3


Preset = Callable[[int], Settings]
"""Hyper-parameters for truths some times as fine as their images, which is 1 on one grid.

Raises `UserError` where the model cannot learn these."""


def on_cells(factor: int) -> Arguments:
    """Return the arguments of an architecture that works on cells of 4 pixels of the truth."""
    return {"coarsen": max(1, _CELL_PX // factor), "factor": factor}


def laptop(factor: int, network: Arguments) -> Settings:
    """Return the settings for a laptop of a network with these arguments."""
    return Settings(network, _patch_px(factor), batch_size=8, learning_rate=2e-3, steps=6000)


def in_volumes(settings: Settings, **network: JsonValue) -> Settings:
    """Return settings for volumes: patches of 16 planes, each as wide as those of planes.

    Eight planes to either side hold next to all light that reaches a plane of a two-photon stack
    of usual steps. `network` replaces arguments of the architecture.
    """
    return replace(
        settings,
        network=settings.network | {"dimensions": 3} | network,
        batch_size=2,
        patch_planes=16,
    )


def gpu(factor: int, network: Arguments, learning_rate: float) -> Settings:
    """Return the settings for a GPU of such a network, as many steps as CARE was published with."""
    return Settings(
        network, _patch_px(factor), batch_size=16, learning_rate=learning_rate, steps=40_000
    )


def looking_as_far_as_patches(factor: int, settings: Settings) -> Settings:
    """Return settings of a network whose attention has windows of the patches' size."""
    return replace(settings, network=settings.network | {"window": settings.patch_px // factor})


def _patch_px(factor: int) -> int:
    return max(_PATCH_PX, _PATCH_PX // 2 * factor)


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
    of_volumes
        The same for volumes; empty where the model restores planes alone.
    measure
        ``measure(network, input, target)``: further numbers to log at each mark, by name.
    pixel_loss
        Its loss by the name in `training.losses.LOSSES`, where the network restores one image and
        could be trained on any of these; None where it needs a loss of its own.
    """

    model: str
    architecture: Callable[..., N]
    loss: Callable[[N, Tensor, Tensor], Tensor]
    loss_name: str
    presets: Mapping[str, Preset]
    measure: Callable[[N, Tensor, Tensor], dict[str, float]] = _nothing
    pixel_loss: str | None = None
    of_volumes: Mapping[str, Preset] = field(default_factory=dict[str, Preset])
