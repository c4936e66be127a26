import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packages.care.model import UNet
from packages.export import TILES_PRECISION, measure_effective_halo, measure_halo


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


IMAGE = torch.rand(1, 1, 384, 384, generator=torch.Generator().manual_seed(0))


def test_a_box_is_noticed_as_far_as_it_reaches() -> None:
    assert measure_effective_halo(Smoothed(1, 12), IMAGE, 16).halo == 16
    assert measure_effective_halo(Smoothed(1, 20), IMAGE, 16).halo == 32


def test_many_passes_are_noticed_less_far_than_they_reach() -> None:
    network = Smoothed(14, 6)
    halo, _ = measure_effective_halo(network, IMAGE, 32)
    assert halo < 14 * 6
    whole, window = network(IMAGE)[0], network(IMAGE[..., 64:, 32:])[0]
    inside = (window - whole[..., 64:, 32:])[..., halo:, halo:].abs().max()
    assert inside <= TILES_PRECISION * (whole[0].max() - whole[0].min())


def test_the_remainder_is_what_lies_beyond_the_halo() -> None:
    """Of an addition that is the same everywhere in a window, and too small to be noticed."""

    class Tinted(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image + 1e-7 * image.shape[-1]

    halo, remainder = measure_effective_halo(Tinted(), IMAGE.double(), 16)
    missing = torch.tensor([64.0, 128.0, 64.0])  # columns that windows leave out
    pixels = torch.tensor([320 - halo, 256 - halo, 320 - halo])
    pixels = pixels * torch.tensor([320 - halo, 320 - halo, 256 - halo])
    expected = 1e-7 * ((missing**2 * pixels).sum() / pixels.sum()).sqrt()
    assert remainder == pytest.approx(float(expected), rel=1e-6)


def test_a_network_that_sees_everything_has_no_halo() -> None:
    # A gradient, so that windows have another mean than the whole.
    image = IMAGE + torch.linspace(0, 3, 384)
    with pytest.raises(ValueError, match="no halo"):
        measure_effective_halo(Centred(), image, 32)


class BesideNothing(nn.Module):
    """A blur, and a channel in which nothing is."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([Smoothed(1, 20)(image), torch.zeros_like(image)], dim=1)


def test_an_empty_channel_does_not_hide_the_halo_of_the_others() -> None:
    assert measure_effective_halo(BesideNothing(), IMAGE, 16).halo == 32


@pytest.mark.parametrize("factor", [2, 3])
def test_a_halo_is_measured_in_pixels_of_the_input(factor: int) -> None:
    """Two convolutions of 3 pixels on the input's grid and one of 3 on the finer one."""
    network = UNet(depth=0, filters=4, kernel_size=3, factor=factor, residual=False)
    assert measure_halo(network, 1, factor) == 3
    enlarging = nn.Sequential(Smoothed(1, 12), nn.Upsample(scale_factor=float(factor)))
    assert measure_effective_halo(enlarging, IMAGE, 16, factor).halo == 16
