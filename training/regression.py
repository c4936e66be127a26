"""Recipes of networks that restore one image, which can be trained on any pixel loss."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from torch import Tensor, nn

from imaging.cli import UserError
from packages.care.model import as_planes
from training.losses import LOSSES
from training.recipe import N, Preset, Recipe


def regression(
    *,
    model: str,
    architecture: Callable[..., N],
    loss: str,
    presets: Mapping[str, Preset],
    of_volumes: Mapping[str, Preset] = MappingProxyType({}),
) -> Recipe[N]:
    """Return the recipe of a network that restores one image.

    Parameters
    ----------
    model, architecture, presets, of_volumes
        As in `Recipe`; the network's forward returns the restored image, shape (batch, 1, y, x).
    loss
        The name in `LOSSES` of what it is trained on, unless the user asks for another.

    Returns
    -------
    Recipe
        Without further numbers to log.
    """
    return Recipe(
        model=model,
        architecture=architecture,
        loss=_of_restored(loss),
        loss_name=LOSSES[loss].title,
        presets=presets,
        of_volumes=of_volumes,
        pixel_loss=loss,
    )


def with_loss(recipe: Recipe[N], loss: str) -> Recipe[N]:
    """Return a recipe with another pixel loss.

    Parameters
    ----------
    recipe
        Of a network that restores one image.
    loss
        The name in `LOSSES`, as the user gave it.

    Returns
    -------
    Recipe
        Otherwise the same.

    Raises
    ------
    UserError
        No such loss, or the model is not trained on a loss of pixels.
    """
    if recipe.pixel_loss is None:
        raise UserError(
            f"{recipe.model} does more than restore one image, and is trained on a loss of its own "
            f"({recipe.loss_name}): leave --loss out, or train a model that it is for, such as "
            "care."
        )
    if loss not in LOSSES:
        raise UserError(f"There is no loss '{loss}': choose one of {', '.join(LOSSES)}.")
    return replace(recipe, loss=_of_restored(loss), loss_name=LOSSES[loss].title, pixel_loss=loss)


def _of_restored(name: str) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    compare = LOSSES[name].function

    def loss(network: nn.Module, image: Tensor, target: Tensor) -> Tensor:
        return compare(as_planes(network(image)), as_planes(target))

    return loss
