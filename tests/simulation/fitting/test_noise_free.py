"""Generated structure as a microscope's images, with and without noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from simulation import psf
from simulation.fitting import noise_free as structures
from simulation.fitting.fit import in_effect
from simulation.fitting.noise_free import SAMPLING, Structure, generate, photograph, with_width
from simulation.fitting.power_spectrum import radial_power
from simulation.microscope import Microscope

NATIVE_UM, WIDEST_UM = 0.32, 0.8


@pytest.fixture(scope="module")
def tubes() -> Structure:
    return generate("tubes", NATIVE_UM, WIDEST_UM, seed=0, fields=3)


def test_fields_hold_their_margin(tubes: Structure) -> None:
    margin = int(np.ceil(2 * WIDEST_UM / NATIVE_UM)) * SAMPLING
    side = 96 * SAMPLING + 2 * margin
    assert tubes.margin_px == margin
    assert tubes.brightness.shape == (3, side, side)
    assert tubes.pixel_size_um == NATIVE_UM / SAMPLING
    assert float(tubes.brightness.min()) >= 0


def test_fields_follow_from_their_seed_and_number(tubes: Structure) -> None:
    again = generate("tubes", NATIVE_UM, WIDEST_UM, seed=0, fields=2)
    torch.testing.assert_close(again.brightness, tubes.brightness[:2], rtol=0, atol=0)
    other = generate("tubes", NATIVE_UM, WIDEST_UM, seed=1, fields=1)
    assert (other.brightness[0] != tubes.brightness[0]).any()


def test_more_fields_go_on_where_others_end(tubes: Structure) -> None:
    begun = generate("tubes", NATIVE_UM, WIDEST_UM, seed=0, fields=1)
    joined = begun.and_also(generate("tubes", NATIVE_UM, WIDEST_UM, seed=0, fields=2, first=1))
    torch.testing.assert_close(joined.brightness, tubes.brightness, rtol=0, atol=0)


def test_images_have_their_bright_level_at_one(tubes: Structure) -> None:
    images = tubes.images(with_width(in_effect(Microscope()), 0.5))
    assert images.shape == (3, 96, 96)
    np.testing.assert_allclose(np.percentile(images, 99.8, axis=(1, 2)), 1)
    assert images.min() >= 0


def test_a_wider_psf_leaves_less_fine_structure(tubes: Structure) -> None:
    narrow, wide = (
        radial_power(tubes.images(with_width(in_effect(Microscope()), width))).power.mean(0)
        for width in (0.4, 0.8)
    )
    fine = slice(20, 36)
    assert wide[fine].sum() < 0.2 * narrow[fine].sum()


def test_layers_add_up(tubes: Structure) -> None:
    both = tubes.layered(2)
    torch.testing.assert_close(both.brightness[1], tubes.brightness[1] + tubes.brightness[0])
    assert both.layers == 2


def test_magnified_structure_is_coarser() -> None:
    acquisition = with_width(in_effect(Microscope()), 0.4)
    one, large = (
        radial_power(
            generate("granules", NATIVE_UM, WIDEST_UM, 0, 3, magnification).images(acquisition)
        ).power.mean(0)
        for magnification in (1.0, 2.5)
    )
    assert large[18:30].sum() / large[2:10].sum() < one[18:30].sum() / one[2:10].sum()


def test_structures_are_named_for_people(tubes: Structure) -> None:
    assert str(tubes) == "tubes"
    assert str(replace(tubes.layered(3), magnification=2.5)) == (
        "tubes, 2.5 times as large, 3 layers"
    )


def test_width_is_that_of_the_psf() -> None:
    acquisition = with_width(in_effect(Microscope()), 0.55)
    assert float(psf.fwhm_um(acquisition.optics)[0]) == pytest.approx(0.55, rel=1e-3)


def test_width_beyond_all_apertures_is_refused() -> None:
    with pytest.raises(ValueError, match="No numerical aperture gives a width"):
        with_width(in_effect(Microscope()), 0.1)


def test_photographs_follow_from_their_seed(tubes: Structure) -> None:
    microscope = replace(Microscope(), pixel_size_um=NATIVE_UM)
    first, again, other = (
        photograph(tubes, np.ones(1), microscope, fields=2, seed=seed) for seed in (3, 3, 4)
    )
    assert first.shape == (2, 96, 96)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(first, first.round())
    assert first.max() <= microscope.saturation_counts


def test_photographs_take_the_light_that_is_given(
    tubes: Structure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structures, "_SIDE_PX", 48)
    still = replace(
        Microscope(),
        photons=(100.0, 100.0),
        background_photons=(0.01, 0.01),
        background_variation=(0.0, 0.0),
        offset_counts=(100.0, 100.0),
        bleaching=(0.0, 0.0),
        depth_um=(0.0, 0.0),
    )
    dim, bright = (
        photograph(tubes, np.array([relative]), still, fields=2, seed=3) - 100.0
        for relative in (0.5, 2.0)
    )
    assert bright.mean() == pytest.approx(4 * dim.mean(), rel=0.1)
