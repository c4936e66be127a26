"""Networks whose restored image has finer pixels than the image that they see."""

import importlib
from typing import Any

import pytest
import torch
from torch import nn

from packages.care_ensemble.model import CareEnsemble
from packages.hazematching.model import HazeMatching
from packages.hdn.model import HDN
from packages.network_contract import RestorationNetwork
from training.recipe import Recipe

SMALLEST: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "care_ensemble": (CareEnsemble, {"members": 2, "filters": 4}),
    "hdn": (HDN, {"filters": (8, 8), "latents": 2, "samples": 4}),
    "hazematching": (HazeMatching, {"filters": 4, "width": 8, "blocks": 1, "samples": 4}),
}


@pytest.mark.parametrize("coarsen", [1, 2])
@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("name", SMALLEST)
def test_all_channels_are_on_the_finer_grid(name: str, factor: int, coarsen: int) -> None:
    architecture, arguments = SMALLEST[name]
    network = architecture(**arguments, factor=factor, coarsen=coarsen).eval()
    with torch.no_grad():
        restored = network(torch.rand(2, 1, 16, 32))
    assert restored.shape == (2, 3, factor * 16, factor * 32)


@pytest.mark.parametrize("name", SMALLEST)
def test_a_loss_compares_with_the_finer_truth(name: str) -> None:
    """Every weight gets a gradient from it."""
    recipe: Recipe[nn.Module] = importlib.import_module(f"training.recipes.{name}").RECIPE
    architecture, arguments = SMALLEST[name]
    network = architecture(**arguments, factor=2, coarsen=1)
    recipe.loss(network, torch.rand(2, 1, 16, 16), torch.rand(2, 1, 32, 32)).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["care", "dfcan", "rcan", "updown", *SMALLEST])
def test_presets_follow_from_the_factor(name: str, factor: int) -> None:
    """At least 64 pixels of the image are seen, in whole cells of the coarsest level."""
    recipe: Recipe[nn.Module] = importlib.import_module(f"training.recipes.{name}").RECIPE
    for preset in ("small", "full"):
        settings = recipe.presets[preset](factor)
        network = recipe.architecture(**settings.network)
        assert isinstance(network, RestorationNetwork)
        assert network.factor == factor
        assert settings.patch_px % (factor * network.divisor) == 0
        assert settings.patch_px >= 64 * factor
