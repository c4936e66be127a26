import pytest
import torch

from packages.local_mean import LocalMean
from packages.rcan.model import RCAN
from training.recipes.rcan import RECIPE


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_attention_looks_as_far_as_training_patches(factor: int) -> None:
    """So that on one of these it is what was published."""
    settings = RECIPE.presets["small"](factor)
    arguments = settings.network | {"groups": 1, "blocks": 1}
    network = RCAN(**arguments)  # pyright: ignore[reportArgumentType]
    sides: list[int] = []

    def note(mean: LocalMean, given: tuple[torch.Tensor], returned: torch.Tensor) -> None:
        sides.extend([mean.cells, *returned.shape[2:]])

    for module in network.modules():
        if isinstance(module, LocalMean):
            module.register_forward_hook(note)
    seen_px = settings.patch_px // factor
    network(torch.zeros(1, 1, seen_px, seen_px))
    assert len(set(sides)) == 1


def test_full_is_the_published_network() -> None:
    settings = RECIPE.presets["full"](2)
    shape = {"groups": 10, "blocks": 20, "filters": 64, "reduction": 16}
    assert settings.network == shape | {"factor": 2, "window": 64}
    assert settings.learning_rate == 1e-4
