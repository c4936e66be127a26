import pytest
import torch

from packages.updown.model import UpDown
from training.recipes.updown import RECIPE, loss


def test_the_loss_is_the_mean_absolute_error() -> None:
    network = UpDown(units=2, filters=4).eval()
    image, target = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 32, 32)
    expected = (network(image) - target).abs().mean()
    assert loss(network, image, target).item() == pytest.approx(expected.item())


def test_full_is_the_published_network() -> None:
    settings = RECIPE.presets["full"](2)
    shape = {"units": 7, "filters": 64, "entries": 64}
    assert settings.network == shape | {"factor": 2, "coarsen": 1}
    assert settings.learning_rate == 1e-4


def test_onto_the_own_grid_full_goes_up_from_half_of_it() -> None:
    assert RECIPE.presets["full"](1).network["coarsen"] == 2
