import math
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch

from training.simulation.microscope import MicroscopeRanges, record


def test_draws_lie_in_their_ranges() -> None:
    ranges = MicroscopeRanges()
    rng = np.random.default_rng(0)
    drawn = [asdict(ranges.draw(rng)) for _ in range(300)]
    for field in fields(ranges):
        ends = getattr(ranges, field.name)
        if isinstance(ends, tuple):
            values = [microscope[field.name] for microscope in drawn]
            assert ends[0] <= min(values) < max(values) <= ends[1]
            assert max(values) - min(values) > 0.8 * (ends[1] - ends[0])


def test_blur_and_target_add_up_to_the_psf() -> None:
    microscope = MicroscopeRanges().draw(np.random.default_rng(3))
    assert math.hypot(microscope.blur_fwhm_um, microscope.target_fwhm_um) == pytest.approx(
        microscope.psf_fwhm_um
    )


def test_same_state_draws_same_microscope() -> None:
    ranges = MicroscopeRanges()
    assert ranges.draw(np.random.default_rng(9)) == ranges.draw(np.random.default_rng(9))


def test_record_of_an_even_field_has_the_theoretical_mean_and_variance() -> None:
    microscope = replace(
        MicroscopeRanges().draw(np.random.default_rng(1)),
        photons=40.0,
        background_photons=1.0,
        excess_noise_factor=1.4,
        gain_counts_per_photon=60.0,
        offset_counts=300.0,
        read_noise_counts=10.0,
    )
    field = torch.full((8, 256, 256), 0.5, dtype=torch.float64)
    counts = record(field, 0.08, microscope, torch.Generator().manual_seed(0))
    assert counts.shape == (8, 64, 64)
    assert counts.dtype == torch.uint16
    inner = counts[:, 4:-4, 4:-4].double()  # beyond the border it is dark
    mean, variance = 21 * 60 + 300, 1.4 * 21 * 60**2 + 10**2 + 1 / 12
    n = inner.numel()
    assert inner.mean().item() == pytest.approx(mean, abs=4 * math.sqrt(variance / n))
    assert inner.var().item() == pytest.approx(variance, rel=4 * math.sqrt(2.1 / n))


def test_record_repeats_from_the_same_generator_state() -> None:
    microscope = MicroscopeRanges().draw(np.random.default_rng(1))
    field = torch.rand(64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    one, other = (
        record(field, 0.08, microscope, torch.Generator().manual_seed(4)) for _ in range(2)
    )
    assert torch.equal(one.int(), other.int())


def test_negative_brightness_counts_as_background() -> None:
    microscope = MicroscopeRanges().draw(np.random.default_rng(1))
    dark, below = (
        record(torch.full((32, 32), v), 0.08, microscope, torch.Generator().manual_seed(4))
        for v in (0.0, -0.5)
    )
    assert torch.equal(dark.int(), below.int())
