"""What a recipe says: the hyper-parameters and the loss of one model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of one training.

    Attributes
    ----------
    network
        Arguments of the architecture.
    patch_px, batch_size
        Side of a training patch, and patches per step.
    learning_rate
        Peak, reached after `warmup` of the training and falling to 0 on a cosine.
    warmup
        Fraction of the training over which the learning rate rises from 0.
    clip_norm
        Largest norm of the gradient of all weights.
    ema_decay
        Of the exponential moving average of the weights that is validated and shipped.
    steps
        Length of the training when neither steps nor minutes are asked for.
    """

    network: Mapping[str, Any]
    patch_px: int
    batch_size: int
    learning_rate: float
    steps: int
    warmup: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", MappingProxyType(dict(self.network)))


def _nothing(network: nn.Module, image: Tensor, target: Tensor) -> dict[str, float]:
    return {}


@dataclass(frozen=True)
class Recipe:
    """How one room's model is trained.

    Attributes
    ----------
    room
        Folder in packages/ that defines the network.
    architecture
        Builds the network from `Settings.network`.
    loss
        ``loss(network, input, target)``: a scalar, from tensors of shape (batch, 1, y, x). The
        network's own forward is the restoration, all channels of it.
    loss_name
        As it goes into the model card.
    presets
        Settings by name; "small" is for a laptop, "full" for a GPU.
    measure
        ``measure(network, input, target)``: further numbers to log at each mark, by name.
    """

    room: str
    architecture: Callable[..., nn.Module]
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor]
    loss_name: str
    presets: Mapping[str, Settings]
    measure: Callable[[nn.Module, Tensor, Tensor], dict[str, float]] = _nothing
