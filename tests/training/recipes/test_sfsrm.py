import pytest

from packages.models import model_named
from packages.sfsrm.model import SFSRM
from training.recipes.sfsrm import RECIPE


@pytest.mark.parametrize("preset", RECIPE.presets)
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_presets_follow_from_the_factor(preset: str, factor: int) -> None:
    settings = RECIPE.presets[preset](factor)
    network = RECIPE.architecture(**{**settings.network, "blocks": 1, "filters": 4})
    assert network.factor == factor
    assert settings.patch_px % (factor * network.divisor) == 0


def test_the_full_preset_has_the_published_sizes() -> None:
    published = {"filters": 64, "growth": 32, "blocks": 23}
    assert RECIPE.presets["full"](4).network.items() >= published.items()


def test_the_small_preset_fits_a_reference_checkpoint() -> None:
    small = RECIPE.architecture(**RECIPE.presets["small"](2).network)
    assert sum(t.numel() * t.element_size() for t in small.state_dict().values()) < 8e6


def test_the_loss_is_similarity_over_scales_and_absolute_error() -> None:
    assert RECIPE.pixel_loss == "ms-ssim-l1"


def test_the_room_is_the_recipes() -> None:
    assert model_named(RECIPE.model).description()["architecture"]["callable"] == SFSRM.__name__
