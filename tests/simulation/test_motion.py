import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from simulation import motion


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _image(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=_generator(9), dtype=torch.float64)


def _even(batch: int, lines: int, y: float, x: float) -> torch.Tensor:
    return torch.tensor([y, x], dtype=torch.float64).expand(batch, lines, 2)


@given(st.integers(1, 40), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_displacement_has_mean_zero(
    lines: int, jitter_um: float, breathing_um: float, drift_um: float, seed: int
) -> None:
    displacement = motion.line_displacement_um(
        (2, lines), jitter_um, breathing_um, 17.0, drift_um, _generator(seed)
    )
    assert displacement.shape == (2, lines, 2)
    torch.testing.assert_close(displacement.mean(dim=1), torch.zeros(2, 2), rtol=0, atol=1e-6)


def test_jitter_has_the_stated_spread_in_both_directions() -> None:
    displacement = motion.line_displacement_um((1, 40_000), 0.05, 0.0, 9.0, 0.0, _generator())
    torch.testing.assert_close(
        displacement.std(dim=1), torch.full((1, 2), 0.05), rtol=4 / math.sqrt(80_000), atol=0
    )


def test_lines_jitter_independently() -> None:
    jitter = motion.line_displacement_um((1, 40_000), 1.0, 0.0, 9.0, 0.0, _generator())[0]
    neighbours = (jitter[1:] * jitter[:-1]).mean(dim=0)
    assert neighbours.abs().max() < 4 / math.sqrt(40_000)


def test_breathing_is_a_sine_of_the_stated_amplitude_and_period() -> None:
    displacement = motion.line_displacement_um((5, 60), 0.0, 0.3, 20.0, 0.0, _generator())
    spectrum = torch.fft.rfft(displacement, dim=1).abs() / 30
    amplitude_um = spectrum.square().sum(dim=2).sqrt()
    expected = torch.zeros(5, 31)
    expected[:, 3] = 0.3
    torch.testing.assert_close(amplitude_um, expected, rtol=1e-4, atol=1e-5)


def test_drift_is_straight_and_as_long_as_stated() -> None:
    path = motion.line_displacement_um((5, 11), 0.0, 0.0, 20.0, 0.4, _generator())
    torch.testing.assert_close((path[:, -1] - path[:, 0]).norm(dim=1), torch.full((5,), 0.4))
    torch.testing.assert_close(path.diff(n=2, dim=1), torch.zeros(5, 9, 2), rtol=0, atol=1e-6)


def test_each_image_moves_in_its_own_way() -> None:
    drift_um = torch.tensor([0.0, 0.1, 0.5]).view(-1, 1, 1)
    path = motion.line_displacement_um((3, 7), 0.0, 0.0, 20.0, drift_um, _generator())
    torch.testing.assert_close((path[:, -1] - path[:, 0]).norm(dim=1), drift_um.flatten())


def test_no_displacement_returns_the_image() -> None:
    image = _image(2, 12, 9)
    assert torch.equal(motion.displace(image, torch.zeros(2, 3, 2)), image)


@given(st.floats(-15, 15), st.floats(-15, 15))
def test_even_displacement_agrees_with_scipy(y: float, x: float) -> None:
    image = _image(2, 12, 10)
    moved = motion.displace(image, _even(2, 4, y, x))
    for before, after in zip(image.numpy(), moved.numpy(), strict=True):
        expected = ndimage.shift(before, (y, x), order=1, mode="nearest")
        np.testing.assert_allclose(after, expected, atol=1e-9)


def test_each_line_moves_its_own_rows() -> None:
    image = _image(2, 8, 10)
    displacement = torch.zeros(2, 4, 2)
    displacement[1, 2, 1] = 3
    moved = motion.displace(image, displacement)
    expected = image.clone()
    expected[1, 4:6, 3:] = image[1, 4:6, :-3]
    expected[1, 4:6, :3] = image[1, 4:6, :1]
    assert torch.equal(moved, expected)


def test_displacing_is_differentiable() -> None:
    image = _image(1, 4, 5).requires_grad_()
    displacement = torch.tensor([[[0.3, -0.7], [1.4, 0.2]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(motion.displace, (image, displacement.requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_image_keeps_its_type(dtype: torch.dtype) -> None:
    displacement = motion.line_displacement_um((1, 4), 0.1, 0.1, 9.0, 0.1, _generator())
    assert motion.displace(_image(1, 8, 8).to(dtype), displacement).dtype == dtype
