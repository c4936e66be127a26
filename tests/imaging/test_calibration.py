"""Planted miscalibration, closed forms, scipy and uncertainty-toolbox."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import uncertainty_toolbox as uct
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import optimize
from scipy.stats import norm

from imaging.calibration import (
    BINS,
    FLOOR,
    Array,
    coverage,
    ence,
    fit_isotonic,
    fit_line,
    gaussian_factor,
    gaussian_nll,
    interval_factor,
    map_std,
    mean_z_squared,
    reliability_bins,
    standardise,
)
from packages.posterior import KNOTS, Calibration

SIGMA = np.random.default_rng(0).gamma(4, 0.02, (512, 512))
ERROR = SIGMA * np.random.default_rng(1).normal(size=SIGMA.shape)
Z = ERROR / SIGMA
TRUE = np.random.default_rng(1).uniform(0.05, 0.5, 400_000)


def planted(truth: Array, seed: int = 0) -> Array:
    """Gaussian errors of true standard deviations."""
    return truth * np.random.default_rng(seed).standard_normal(truth.shape)


def test_what_is_stated_as_certain_counts_with_the_smallest() -> None:
    z, sigma = standardise(np.array([FLOOR, 1.0]), np.array([0.0, 2.0]))
    assert z.tolist() == [1.0, 0.5]
    assert sigma.tolist() == [FLOOR, 2.0]


def test_mean_z_squared_is_that_of_a_plain_mean() -> None:
    assert mean_z_squared(Z) == pytest.approx(np.mean(Z**2), rel=1e-12)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9, 0.95])
def test_the_half_width_of_a_gaussian_is_that_of_scipy(level: float) -> None:
    assert gaussian_factor(level) == pytest.approx(norm.interval(level)[1], rel=1e-12)


@pytest.mark.parametrize("factor", [0.6, 1.0])
def test_coverage_is_that_of_uncertainty_toolbox(factor: float) -> None:
    error, std = ERROR[:64, :64].ravel(), factor * SIGMA[:64, :64].ravel()
    levels, observed = uct.get_proportion_lists_vectorized(
        0 * error, std, error, num_bins=21, prop_type="interval"
    )
    z, _ = standardise(error, std)
    found = [coverage(z, gaussian_factor(level)) for level in levels]
    np.testing.assert_allclose(found, observed, atol=1e-3)


def test_nll_is_that_of_uncertainty_toolbox() -> None:
    expected = uct.nll_gaussian(0 * ERROR.ravel(), SIGMA.ravel(), ERROR.ravel())
    assert gaussian_nll(Z, SIGMA) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_factors_of_laplacian_errors_are_not_those_of_a_gaussian(level: float) -> None:
    draws = np.random.default_rng(0).laplace(size=400_000)
    assert interval_factor(draws, level) == pytest.approx(-np.log(1 - level), rel=0.02)


def test_an_interval_covers_the_share_that_its_factor_was_read_off_for() -> None:
    assert coverage(Z, interval_factor(Z, 0.9)) == pytest.approx(0.9, abs=1 / Z.size)


def test_ence_is_that_of_a_plain_loop() -> None:
    order = np.argsort(SIGMA, axis=None)
    std, error = SIGMA.ravel()[order], 1.3 * ERROR.ravel()[order]
    differences: list[float] = []
    for place in np.array_split(np.arange(SIGMA.size), BINS):
        stated, found = (np.sqrt(np.mean(values[place] ** 2)) for values in (std, error))
        differences.append(abs(stated - found) / stated)
    # Edges of bins differ by a pixel.
    assert ence(1.3 * Z, SIGMA) == pytest.approx(np.mean(differences), rel=1e-4)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 0.0), (0.5, 1.0), (2.0, 0.5)])
def test_ence_recovers_a_planted_factor(factor: float, expected: float) -> None:
    # RMSE of 8738 Gaussian errors scatters by 0.76 %, and their mean absolute value is 0.6 %.
    assert ence(Z / factor, factor * SIGMA) == pytest.approx(expected, abs=0.02)


def test_bins_are_those_of_a_plain_loop() -> None:
    order = np.argsort(SIGMA, axis=None)
    expected = [
        (np.sqrt(np.mean(s**2)), np.sqrt(np.mean(e**2)))
        for s, e in zip(
            np.array_split(SIGMA.ravel()[order], BINS),
            np.array_split(ERROR.ravel()[order], BINS),
            strict=True,
        )
    ]
    bins = reliability_bins(Z, SIGMA)
    np.testing.assert_allclose(bins[:, :2], expected, rtol=2e-3)  # edges differ by a pixel
    assert bins[:, 2].sum() == SIGMA.size


def test_equal_standard_deviations_are_one_bin() -> None:
    assert len(reliability_bins(ERROR, np.ones(SIGMA.shape))) == 1


def test_two_standard_deviations_are_two_bins() -> None:
    std = np.where(np.arange(512) < 100, 1.0, 2.0) * np.ones(SIGMA.shape)
    bins = reliability_bins(ERROR / std, std)
    assert bins[:, [0, 2]].tolist() == [[1.0, 100 * 512.0], [2.0, 412 * 512.0]]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_planted_miscalibration_is_undone(power: float) -> None:
    knots, values = fit_isotonic(planted(TRUE), 0.4 * TRUE**power, KNOTS)
    probe = np.linspace(0.1, 0.45, 8)
    np.testing.assert_allclose(map_std(0.4 * probe**power, knots, values), probe, 0.05)


def test_the_fit_is_that_of_scipy_in_bins_of_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    std, error = np.sort(rng.uniform(0.1, 1, 1024)), rng.normal(size=1024)
    edges = [0, 512, 768, 896, 960, 992, 1008, 1016, 1024]  # each knot of half the pixels left
    parts = [slice(*ends) for ends in pairwise(edges)]
    stated = [np.sqrt(np.mean(std[part] ** 2)) for part in parts]
    found = np.array([np.mean(error[part] ** 2) for part in parts])
    monotone = optimize.isotonic_regression(found, weights=np.diff(edges)).x
    order = rng.permutation(1024)
    knots, values = fit_isotonic(error[order], std[order], 9)
    np.testing.assert_allclose(knots, [*stated, 2 * stated[-1]], rtol=1e-6)
    np.testing.assert_allclose(values[:-1], np.sqrt(monotone), rtol=1e-6)
    assert values[-1] == pytest.approx(2 * values[-2])


@example(count=30, seed=2, spread=1.0572788690630481e-15)  # less than scikit-learn tells apart
@given(st.integers(1, 400), st.integers(0, 10), st.floats(0, 5))
def test_knots_increase_and_values_do_not_fall(count: int, seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    std = np.abs(spread * rng.normal(size=count))
    knots, values = fit_isotonic(rng.normal(size=count), std, KNOTS)
    assert knots.shape == values.shape == (KNOTS,)
    assert (np.diff(knots) > 0).all()
    assert (np.diff(values) >= 0).all()
    assert np.isfinite(values).all()


def test_a_map_is_that_of_the_networks() -> None:
    knots, values = fit_isotonic(planted(TRUE), 0.4 * TRUE**2, KNOTS)
    module = Calibration()
    module.load_state_dict({"knots": torch.from_numpy(knots), "values": torch.from_numpy(values)})
    probe = np.linspace(0, 0.3, 100)
    mapped = module(torch.from_numpy(probe).float()).double().numpy()
    np.testing.assert_allclose(map_std(probe, knots, values), mapped, rtol=1e-5)


def test_the_line_is_found_where_there_is_one() -> None:
    slope, offset = fit_line(planted(TRUE), (TRUE - 0.02) / 1.5)
    assert slope == pytest.approx(1.5, rel=0.02)
    assert offset == pytest.approx(0.02, abs=0.003)


def test_one_standard_deviation_has_no_line() -> None:
    assert fit_line(ERROR.ravel(), np.ones(ERROR.size)) == (1.0, 0.0)


def test_isotonic_beats_the_line_where_the_relation_is_curved() -> None:
    stated, error = 0.4 * TRUE**2, planted(TRUE, seed=2)
    slope, offset = fit_line(planted(TRUE), stated)
    line = standardise(error, slope * stated + offset)
    isotonic = standardise(error, map_std(stated, *fit_isotonic(planted(TRUE), stated, KNOTS)))
    assert gaussian_nll(*isotonic) < gaussian_nll(*line)
    assert ence(*isotonic) < 0.1 * ence(*standardise(error, stated))


def test_scores_of_true_gaussians_are_those_of_theory() -> None:
    z, sigma = standardise(planted(TRUE), TRUE)
    for level in (0.5, 0.9, 0.95):
        assert coverage(z, gaussian_factor(level)) == pytest.approx(level, abs=0.003)
    assert mean_z_squared(z) == pytest.approx(1, abs=0.01)
    assert ence(z, sigma) < 0.02
    assert gaussian_nll(z, sigma) == pytest.approx(np.mean(norm(scale=TRUE).entropy()), abs=0.01)
