import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.care.model import UNet
from packages.export import TILES_PRECISION, measure_effective_halo, measure_halo
from packages.network_contract import divisors, factors


class Smoothed(nn.Module):
    """Averages again and again: what could be reached grows, what is noticed hardly does."""

    def __init__(self, passes: int, reach: int) -> None:
        super().__init__()
        self.passes, self.reach = passes, reach

    def forward(self, image: Tensor) -> Tensor:
        for _ in range(self.passes):
            image = F.avg_pool2d(image, 2 * self.reach + 1, 1, self.reach)
        return torch.cat([image, image**2], dim=1)


class Centred(nn.Module):
    """Depends on the mean of all that it is given."""

    def forward(self, image: Tensor) -> Tensor:
        return image - image.mean(dim=(2, 3), keepdim=True)


def square(side: int) -> dict[str, int]:
    return {"y": side, "x": side}


ONE = square(1)
IMAGE = torch.rand(1, 1, 384, 384, generator=torch.Generator().manual_seed(0))


def test_a_box_is_noticed_as_far_as_it_reaches() -> None:
    assert measure_effective_halo(Smoothed(1, 12), IMAGE, square(16), ONE).halo == square(16)
    assert measure_effective_halo(Smoothed(1, 20), IMAGE, square(16), ONE).halo == square(32)


def test_many_passes_are_noticed_less_far_than_they_reach() -> None:
    network = Smoothed(14, 6)
    halo = measure_effective_halo(network, IMAGE, square(32), ONE).halo["y"]
    assert halo < 14 * 6
    whole, window = network(IMAGE)[0], network(IMAGE[..., 64:, 32:])[0]
    inside = (window - whole[..., 64:, 32:])[..., halo:, halo:].abs().max()
    assert inside <= TILES_PRECISION * (whole[0].max() - whole[0].min())


def test_the_remainder_is_what_lies_beyond_the_halo() -> None:
    """Of an addition that is the same everywhere in a window, and too small to be noticed."""

    class Tinted(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image + 1e-7 * image.shape[-1]

    sides, remainder = measure_effective_halo(Tinted(), IMAGE.double(), square(16), ONE)
    halo = sides["y"]
    missing = torch.tensor([64.0, 128.0, 64.0])  # columns that windows leave out
    pixels = torch.tensor([320 - halo, 256 - halo, 320 - halo])
    pixels = pixels * torch.tensor([320 - halo, 320 - halo, 256 - halo])
    expected = 1e-7 * ((missing**2 * pixels).sum() / pixels.sum()).sqrt()
    assert remainder == pytest.approx(float(expected), rel=1e-6)


def test_a_network_that_sees_everything_has_no_halo() -> None:
    # A gradient, so that windows have another mean than the whole.
    image = IMAGE + torch.linspace(0, 3, 384)
    with pytest.raises(ValueError, match="no halo"):
        measure_effective_halo(Centred(), image, square(32), ONE)


class BesideNothing(nn.Module):
    """A blur, and a channel in which nothing is."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([Smoothed(1, 20)(image), torch.zeros_like(image)], dim=1)


def test_an_empty_channel_does_not_hide_the_halo_of_the_others() -> None:
    assert measure_effective_halo(BesideNothing(), IMAGE, square(16), ONE).halo == square(32)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_halo_is_measured_in_pixels_of_the_input(factor: int) -> None:
    """Two convolutions of 3 pixels on the input's grid and one of 3 on the finer one."""
    network = UNet(depth=0, filters=4, kernel_size=3, factor=factor, residual=False)
    assert measure_halo(network, ONE, square(factor)) == square(3)
    enlarging = nn.Sequential(Smoothed(1, 12), nn.Upsample(scale_factor=float(factor)))
    assert measure_effective_halo(enlarging, IMAGE, square(16), square(factor)).halo == square(16)


@pytest.mark.parametrize("halve_z", [False, True])
def test_the_halo_of_volumes_is_measured_along_each_axis(halve_z: bool) -> None:
    """By the kernels: without pooling, as many planes as convolutions; with it, less than wide."""
    network = UNet(dimensions=3, depth=1, filters=2, coarsen=2, residual=False, halve_z=halve_z)
    sides = divisors(network)
    assert sides == {"z": 2 if halve_z else 1, "y": 4, "x": 4}
    halo = measure_halo(network, sides, factors(network))
    assert halo["y"] == halo["x"]
    # Two convolutions before, two below and two behind, and the last layer.
    assert halo["z"] == 7 if not halve_z else 7 < halo["z"] <= 2 + 2 * 2 + 2 + 1 + 2


def test_planes_are_cut_off_to_find_how_many_are_noticed() -> None:
    class Smeared(nn.Module):
        def forward(self, volume: Tensor) -> Tensor:
            return F.avg_pool3d(volume, (5, 9, 9), 1, (2, 4, 4))

    volume = torch.rand(1, 1, 32, 256, 256, generator=torch.Generator().manual_seed(0))
    sides = {"z": 1, "y": 16, "x": 16}
    assert measure_effective_halo(Smeared(), volume, sides, dict.fromkeys(sides, 1)).halo == {
        "z": 2, "y": 16, "x": 16
    }  # fmt: skip
