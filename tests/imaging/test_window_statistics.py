import numpy as np
import pytest

from imaging.window_statistics import GROUPS, contrast_of, statistics_of

SIDE = 128
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(SIDE, SIDE))
Y, X = np.indices((SIDE, SIDE))


def test_gain_and_offset_change_nothing() -> None:
    assert statistics_of(30 * NOISE + 500) == pytest.approx(statistics_of(NOISE), abs=1e-3)


def test_each_statistic_tells_of_one_group() -> None:
    assert {name.partition(".")[0] for name in statistics_of(NOISE)} == set(GROUPS)


def test_white_noise_is_what_theory_says_at_every_scale() -> None:
    found = statistics_of(NOISE)
    # Percentiles 2 and 99.8 of a Gaussian are 4.932 standard deviations apart.
    assert found["noise.size 0"] == pytest.approx(np.log10(0.6745 * 2 / 2 / 4.932), abs=0.02)
    for level in range(3):
        # Of three equal variances one is of differences in both directions.
        assert found[f"noise.share {level}"] == pytest.approx(np.log10(0.5), abs=0.1)
        assert found[f"noise.dark {level}"] == pytest.approx(0, abs=0.3)
    # Root mean square over median of a Gaussian's magnitudes.
    assert found["noise.tail 0"] == pytest.approx(np.log10(1 / 0.6745), abs=0.02)


def test_noise_of_photons_grows_with_brightness() -> None:
    photons = np.random.default_rng(1).poisson(2 + 200 * X / SIDE).astype(np.float64)
    # Half of the pixels are dark, with 50 photons in the mean; a tenth bright, with 190.
    assert statistics_of(photons)["noise.dark 0"] == pytest.approx(np.log10(52 / 192), abs=0.1)


def test_what_is_cut_off_has_nothing_above() -> None:
    clipped = np.minimum(NOISE, np.quantile(NOISE, 0.95))
    found, usual = statistics_of(clipped), statistics_of(NOISE)
    for name in ("highest", "bright", "brighter"):
        assert found[f"saturation.{name}"] == pytest.approx(np.log10(0.01), abs=1e-3)
        assert usual[f"saturation.{name}"] > -1.5


def test_a_wave_is_in_its_band_and_along_its_direction() -> None:
    wave = np.sin(2 * np.pi * X * 16 / SIDE)  # 8/64 cycles per pixel: the sixth band
    found = statistics_of(wave)
    powers = {name: value for name, value in found.items() if name.startswith("spectrum.")}
    assert max(powers, key=lambda name: powers[name]) == "spectrum.5"
    assert found["direction.4"] > 3
    assert found["structure.coherence 1"] == pytest.approx(1, abs=1e-3)


def test_turning_an_image_turns_directions_alone() -> None:
    image = NOISE + 3 * np.sin(X / 5) + np.sin(Y / 3)
    found, turned = statistics_of(image), statistics_of(image.T)
    for name, value in found.items():
        expected = -value if name.startswith("direction.") else value
        assert turned[name] == pytest.approx(expected, abs=1e-3), name


def test_lines_out_of_place_are_seen() -> None:
    shifts = np.random.default_rng(2).normal(0, 2, SIDE)[:, None]
    steady, unsteady = (np.sin((X + shift) / 6) + np.sin(Y / 6) for shift in (0, shifts))
    assert statistics_of(steady)["direction.lines 1"] == pytest.approx(0, abs=0.2)
    assert statistics_of(unsteady)["direction.lines 1"] > 1


def test_gains_of_columns_are_seen() -> None:
    image = RNG.poisson(50 + 20 * np.sin(X / 9 + Y / 13)).astype(np.float64)
    gains = RNG.uniform(0.8, 1.2, SIDE // 4).repeat(4)
    assert statistics_of(image)["direction.gains"] == pytest.approx(0, abs=0.4)
    # Nothing but gains is the same in all strips of rows: 1 of columns, and 0 of rows.
    assert statistics_of(image * gains)["direction.gains"] == pytest.approx(1, abs=0.4)
    assert statistics_of(image * gains[:, None])["direction.gains"] == pytest.approx(-1, abs=0.4)


def test_contrast_is_of_more_than_a_pixel() -> None:
    spike, square = np.zeros((64, 64)), np.zeros((64, 64))
    spike[5, 5] = 16
    square[8:16, 8:16] = 1  # 4 of 256 means
    assert contrast_of(spike) == 0
    assert contrast_of(square) == pytest.approx(1)
