from collections.abc import Mapping

import pytest
import torch

from packages.local_mean import LocalMean
from packages.rcan.model import RCAN
from training.recipe import Preset
from training.recipes.rcan import RECIPE


@pytest.mark.parametrize("presets", [RECIPE.presets, RECIPE.of_volumes])
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_attention_looks_as_far_as_training_patches(
    presets: Mapping[str, Preset], factor: int
) -> None:
    """So that on one of these it is what was published, and of volumes on each plane of it."""
    settings = presets["small"](factor)
    arguments = settings.network | {"groups": 1, "blocks": 1}
    network = RCAN(**arguments)  # pyright: ignore[reportArgumentType]
    sides: list[int] = []

    def note(mean: LocalMean, given: tuple[torch.Tensor], returned: torch.Tensor) -> None:
        sides.extend([mean.cells, *returned.shape[-2:]])

    for module in network.modules():
        if isinstance(module, LocalMean):
            module.register_forward_hook(note)
    seen_px = settings.patch_px // factor
    planes = (2,) if network.divisor_z else ()
    network(torch.zeros(1, 1, *planes, seen_px, seen_px))
    assert len(set(sides)) == 1


def test_full_is_the_published_network() -> None:
    settings = RECIPE.presets["full"](2)
    shape = {"groups": 10, "blocks": 20, "filters": 64, "reduction": 16}
    assert settings.network == shape | {"factor": 2, "window": 64}
    assert settings.learning_rate == 1e-4


def test_full_of_volumes_is_the_published_network() -> None:
    settings = RECIPE.of_volumes["full"](1)
    shape = {"groups": 5, "blocks": 3, "filters": 32, "reduction": 8}
    assert settings.network == shape | {"factor": 1, "window": 128, "dimensions": 3}
    assert settings.learning_rate == 1e-4


def test_small_of_volumes_sees_no_more_planes_than_a_halo_is_measured_in() -> None:
    """Its volume of 32 planes loses 4 at either side of a cut; half of the rest is left."""
    arguments = RECIPE.of_volumes["small"](1).network
    network = RCAN(**arguments).eval()  # pyright: ignore[reportArgumentType]
    seen = torch.rand(1, 1, 25, 32, 32, requires_grad=True)
    network(seen)[0, 0, 12].sum().backward()
    assert seen.grad is not None
    planes = seen.grad[0, 0].abs().amax(dim=(1, 2)).nonzero()
    assert (int(planes.min()), int(planes.max())) == (3, 21)
