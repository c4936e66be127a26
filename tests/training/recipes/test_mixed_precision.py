"""Losses in the arithmetic that a GPU trains in, which reaches all that they call."""

from typing import Any

import pytest
import torch
from lightning_fabric import Fabric

from training.recipe import Recipe
from training.recipes import care, care_ensemble, dfcan, hazematching, hdn, rcan, sfsrm, updown

PUBLISHED = {"published": True, "multipliers": [1, 1], "attention_level": 1, "samples": 2}
NETWORKS: list[tuple[Recipe[Any], dict[str, Any]]] = [
    (care.RECIPE, {"depth": 1, "filters": 4}),
    (care_ensemble.RECIPE, {"members": 2, "depth": 1, "filters": 4}),
    (hdn.RECIPE, {"filters": [8, 8], "latents": 2, "samples": 2}),
    (hazematching.RECIPE, {"filters": 4, "depth": 1, "width": 4, "blocks": 1}),
    (hazematching.RECIPE, PUBLISHED),
    (rcan.RECIPE, {"groups": 1, "blocks": 1, "filters": 8, "factor": 1}),
    (updown.RECIPE, {"units": 3, "filters": 4, "factor": 1, "coarsen": 2}),
    (dfcan.RECIPE, {"factor": 1, "filters": 4, "groups": 1, "blocks": 1}),
    (sfsrm.RECIPE, {"factor": 1, "filters": 4, "growth": 2, "blocks": 1}),
]


@pytest.mark.parametrize(("recipe", "arguments"), NETWORKS)
def test_losses_keep_their_value(recipe: Recipe[Any], arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = recipe.architecture(**arguments)
    image, target = torch.rand(2, 1, 64, 64), torch.rand(2, 1, 64, 64)
    values: list[float] = []
    for precision in ("32-true", "bf16-mixed"):
        fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
        torch.manual_seed(1)
        with fabric.autocast():
            loss = recipe.loss(network, image, target)
        assert loss.dtype == torch.float32
        values.append(loss.item())
    loss.backward()
    assert values[1] == pytest.approx(values[0], rel=0.05)
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
