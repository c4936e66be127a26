import pytest
import torch

from packages.dfcan.model import DFCAN, FourierChannelAttention
from packages.models import model_named
from training.recipes.dfcan import RECIPE


@pytest.mark.parametrize("preset", RECIPE.presets)
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_a_patch_is_one_window(preset: str, factor: int) -> None:
    settings = RECIPE.presets[preset](factor)
    few = {"filters": 4, "groups": 1, "blocks": 1}
    network = RECIPE.architecture(**{**settings.network, **few})
    cells = network.layers[0](torch.zeros(1, 1, *2 * [settings.patch_px // factor]))
    (attention,) = [m for m in network.modules() if isinstance(m, FourierChannelAttention)]
    assert network.factor == factor
    assert cells.shape[2:] == (attention.window, attention.window)


def test_the_full_preset_has_the_published_sizes() -> None:
    published = {"filters": 64, "groups": 4, "blocks": 4, "spectrum_px": 128}
    assert RECIPE.presets["full"](2).network.items() >= published.items()


def test_the_small_preset_fits_a_reference_checkpoint() -> None:
    small = RECIPE.architecture(**RECIPE.presets["small"](2).network)
    assert sum(t.numel() * t.element_size() for t in small.state_dict().values()) < 8e6


def test_the_loss_is_the_publications() -> None:
    assert RECIPE.pixel_loss == "mse-ssim"


def test_the_room_is_the_recipes() -> None:
    assert model_named(RECIPE.model).description()["architecture"]["callable"] == DFCAN.__name__
