import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulation import specimen

Z = float(stats.norm.ppf(1 - 0.5e-4))
"""Bound of a standard normal at 99.99 % confidence."""


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _per_image(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)


@pytest.mark.parametrize("labels_per_um2", [300.0, 5000.0])
@pytest.mark.parametrize("brightness", [0.01, 1.0])
@pytest.mark.parametrize("normal", [False, True])
def test_labels_keep_the_mean_and_add_the_variance_of_their_number(
    brightness: float, labels_per_um2: float, normal: bool
) -> None:
    image = torch.full((1, 300, 300), brightness, dtype=torch.float64)
    made = specimen.labelled(image, labels_per_um2, 0.08, _generator(), normal=normal)
    values = made.numpy().ravel()
    variance = brightness / (labels_per_um2 * 0.08**2)
    assert abs(values.mean() - brightness) < Z * math.sqrt(variance / values.size)
    fourth = np.mean((values - values.mean()) ** 4)
    assert abs(values.var() - variance) < Z * math.sqrt((fourth - variance**2) / values.size)


def test_each_image_has_its_own_labelling() -> None:
    few, many = specimen.labelled(torch.ones(2, 90, 90), _per_image(500, 8000), 0.08, _generator())
    assert few.std() / many.std() == pytest.approx(4, rel=0.05)


def test_nothing_is_labelled_where_nothing_is() -> None:
    dark = torch.zeros(2, 8, 8)
    assert torch.equal(specimen.labelled(dark, 1000.0, 0.08, _generator()), dark)


def test_smooth_field_has_the_stated_covariance() -> None:
    draws, length_px = 20_000, 4.0
    fields = specimen.smooth_field((draws, 9, 9), length_px, _generator())
    for dy, dx in [(0, 0), (0, 3), (4, 0), (4, 3), (8, 8)]:
        products = fields[:, 0, 0] * fields[:, dy, dx]
        expected = math.exp(-(dy**2 + dx**2) / (2 * length_px**2))
        assert abs(products.mean() - expected) < Z * products.std() / math.sqrt(draws)


def test_smooth_field_has_mean_zero() -> None:
    fields = specimen.smooth_field((20_000, 2, 2), 4.0, _generator(1))
    assert abs(fields[:, 0, 0].mean()) < Z / math.sqrt(20_000)


def test_smooth_field_is_nearly_normal() -> None:
    values = specimen.smooth_field((20_000, 1, 1), 4.0, _generator(2)).flatten()
    # Each of the 32 waves has kurtosis −1.5.
    assert stats.kurtosis(values.numpy()) == pytest.approx(-1.5 / 32, abs=4 * math.sqrt(24 / 2e4))


def test_each_field_has_its_own_length() -> None:
    rough, smooth = specimen.smooth_field((2, 256, 256), _per_image(3, 12), _generator())
    # The gradient of such a field has standard deviation 1 / L.
    assert rough.diff(dim=1).std() * 3 == pytest.approx(1, rel=0.3)
    assert smooth.diff(dim=1).std() * 12 == pytest.approx(1, rel=0.3)


def test_smooth_stack_has_the_covariance_of_theory_along_z() -> None:
    draws = [specimen.smooth_stack((3, 4, 4), 1.5, 2.0, _generator(n)) for n in range(600)]
    above, _, below = torch.stack(draws).unbind(1)
    assert float((above * below).mean()) == pytest.approx(math.exp(-((3 / 2) ** 2) / 2), abs=0.06)


def test_background_of_a_stack_goes_on_from_plane_to_plane() -> None:
    near = specimen.background((2, 20, 20), 3.0, 0.4, 5.0, _generator(), z_step_px=0.1)
    torch.testing.assert_close(near[0], near[1], rtol=0.1, atol=0)


@pytest.mark.parametrize("variation", [0.2, 0.8])
def test_background_has_the_stated_mean(variation: float) -> None:
    photons = specimen.background((40_000, 1, 1), 3.0, variation, 5.0, _generator()).flatten()
    assert abs(photons.mean() - 3) < Z * photons.std() / math.sqrt(photons.numel())


def test_background_has_the_stated_variation() -> None:
    photons = specimen.background((40_000, 1, 1), 3.0, 0.4, 5.0, _generator(1))
    assert float(photons.log().std()) == pytest.approx(0.4, rel=Z / math.sqrt(2 * 40_000))


def test_background_without_variation_is_even() -> None:
    photons = specimen.background((2, 5, 5), _per_image(1, 7), 0.0, 5.0, _generator())
    torch.testing.assert_close(photons, _per_image(1, 7).expand(2, 5, 5))


def test_the_corners_lose_the_stated_share() -> None:
    image = specimen.vignetted(torch.ones(1, 21, 31), 0.3, torch.zeros(1, 2))
    corners = image[0, [0, 0, -1, -1], [0, -1, 0, -1]]
    torch.testing.assert_close(corners, torch.full((4,), 0.7))


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.01, 0.9))
def test_vignetting_falls_as_the_fourth_power_of_the_cosine(
    y: float, x: float, corner_loss: float
) -> None:
    centre = torch.tensor([[y, x]], dtype=torch.float64)
    image = specimen.vignetted(torch.ones(1, 5, 5, dtype=torch.float64), corner_loss, centre)
    angle_at_corner = math.acos((1 - corner_loss) ** 0.25)
    distance = math.hypot(1 - y, -0.5 - x) / math.sqrt(2)
    cosine = math.cos(math.atan(distance * math.tan(angle_at_corner)))
    assert float(image[0, 4, 1]) == pytest.approx(cosine**4)


def test_no_vignetting_changes_nothing() -> None:
    image = torch.rand(2, 6, 7, generator=_generator())
    assert torch.equal(specimen.vignetted(image, 0.0, torch.zeros(2, 2)), image)


def test_each_image_has_its_own_vignetting() -> None:
    image = specimen.vignetted(torch.ones(2, 3, 3), _per_image(0.1, 0.4), torch.zeros(2, 2))
    torch.testing.assert_close(image[:, 0, 0], torch.tensor([0.9, 0.6]))


def test_attenuation_loses_both_photons() -> None:
    share = specimen.attenuation(_per_image(0, 100, 300), 200.0)
    torch.testing.assert_close(share, _per_image(1, math.exp(-1), math.exp(-3)))


def test_attenuation_of_numbers_leaves_the_type_of_an_image() -> None:
    assert (torch.ones(2) * specimen.attenuation(100.0, 200.0)).dtype == torch.float32
