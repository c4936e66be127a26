import itertools

import pytest
import torch

from packages.care.model import UNet, convolved_jointly


@pytest.mark.parametrize(
    ("depth", "coarsen", "kernel_size", "batch_norm"),
    list(itertools.product([0, 1, 3], [1, 2, 4], [3, 5], [False, True])),
)
def test_output_is_on_the_grid_of_the_input(
    depth: int, coarsen: int, kernel_size: int, batch_norm: bool
) -> None:
    network = UNet(
        depth=depth, coarsen=coarsen, kernel_size=kernel_size, batch_norm=batch_norm, filters=4
    )
    image = torch.rand(2, 1, network.divisor * 2, network.divisor * 3)
    assert network(image).shape == image.shape


def test_residual_network_starts_from_its_input() -> None:
    network = UNet(filters=4, coarsen=4)
    for parameter in network.head.parameters():
        torch.nn.init.zeros_(parameter)
    image = torch.rand(1, 1, 32, 32)
    assert torch.equal(network(image), image)


def test_residual_needs_equal_channels() -> None:
    with pytest.raises(ValueError, match="as many channels"):
        UNet(channels_in=1, channels_out=2)


def test_even_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        UNet(kernel_size=4)


def test_moving_the_image_moves_the_result() -> None:
    torch.manual_seed(0)
    network = UNet(filters=8, coarsen=2).eval()
    image = torch.zeros(1, 1, 128, 128)
    image[..., 60:70, 60:70] = torch.rand(10, 10)
    moved = torch.roll(image, (network.divisor, -network.divisor), (2, 3))
    with torch.no_grad():
        expected = torch.roll(network(image), (network.divisor, -network.divisor), (2, 3))
        inside = slice(40, 88)
        torch.testing.assert_close(
            network(moved)[..., inside, inside], expected[..., inside, inside]
        )


@pytest.mark.parametrize("coarsen", [1, 2])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_finer_output_shows_the_same_field(factor: int, coarsen: int) -> None:
    """What a residual network adds to is the input, interpolated linearly."""
    network = UNet(filters=4, coarsen=coarsen, factor=factor)
    for parameter in network.head.parameters():
        torch.nn.init.zeros_(parameter)
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    finer = (torch.arange(32.0 * factor) + 0.5) / factor - 0.5
    inside = slice(factor, -factor)
    torch.testing.assert_close(network(ramp)[0, 0, 5, inside], finer[inside])


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_coarse_features_count_for_two_by_two_pixels_each(kernel_size: int) -> None:
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(5, 4, kernel_size, padding=kernel_size // 2)
    coarse, fine = torch.rand(2, 3, 4, 6), torch.rand(2, 2, 8, 12)
    joined = torch.cat([coarse.repeat_interleave(2, 2).repeat_interleave(2, 3), fine], dim=1)
    given = convolved_jointly(convolution, coarse, fine)
    torch.testing.assert_close(given, convolution(joined))
