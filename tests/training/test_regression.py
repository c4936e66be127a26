import inspect
from typing import Any

import pytest
import torch
from torch import nn

from imaging.cli import UserError
from training.losses import LOSSES
from training.model_verb import verb_of
from training.recipe import Recipe
from training.recipes import care, care_ensemble, hazematching, hdn
from training.regression import regression, with_loss


def test_a_regression_compares_what_its_network_restores() -> None:
    recipe = regression(model="none", architecture=nn.Identity, loss="mse-ssim", presets={})
    image, target = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)
    expected = LOSSES["mse-ssim"].function(image, target)
    assert recipe.loss(nn.Identity(), image, target) == expected
    assert recipe.loss_name == LOSSES["mse-ssim"].title


@pytest.mark.parametrize("name", LOSSES)
def test_care_takes_every_loss(name: str) -> None:
    recipe = with_loss(care.RECIPE, name)
    network = recipe.architecture(depth=1, filters=4, kernel_size=3)
    recipe.loss(network, torch.rand(2, 1, 64, 64), torch.rand(2, 1, 64, 64)).backward()
    assert all(weights.grad is not None for weights in network.parameters())
    assert (recipe.loss_name, recipe.pixel_loss) == (LOSSES[name].title, name)


@pytest.mark.parametrize("recipe", [care_ensemble.RECIPE, hazematching.RECIPE, hdn.RECIPE])
def test_what_does_more_than_restore_keeps_its_own_loss(recipe: Recipe[Any]) -> None:
    with pytest.raises(UserError, match=rf"{recipe.model} does more .* leave --loss out"):
        with_loss(recipe, "mae")


def test_an_unknown_loss_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(UserError, match=f"no loss 'l2': choose one of {', '.join(LOSSES)}"):
        with_loss(care.RECIPE, "l2")


def test_the_help_names_every_loss() -> None:
    said = inspect.getdoc(verb_of("care")) or ""
    *others, last = LOSSES
    assert f"{', '.join(others)} or {last}" in " ".join(said.split())
