import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from benchmark.objects.detection import Looks, detect, lead, threshold


def looks(shift: float, *, lines: int = 6, seed: int = 0, level: float = 1.6) -> Looks:
    rng = np.random.default_rng(seed)
    line_of_mark, line_of_control = np.arange(60) % lines, np.arange(300) % lines
    return Looks(
        rng.normal(size=60) + shift,
        rng.normal(size=300),
        line_of_mark,
        line_of_control,
        np.full(60, level),
        np.full(300, level),
    )


def test_detectability_is_the_statistic_of_mann_and_whitney() -> None:
    seen = looks(1.0)
    expected = mannwhitneyu(seen.marks, seen.controls).statistic / (60 * 300)
    assert detect(seen).detectability.value == pytest.approx(expected)


def test_ties_count_half() -> None:
    seen = Looks(np.ones(2), np.ones(3), np.zeros(2, int), np.zeros(3, int), np.ones(2), np.ones(3))
    assert detect(seen).detectability.value == 0.5


def test_one_line_has_no_interval() -> None:
    interval = detect(looks(1.0, lines=1)).detectability
    assert (interval.low, interval.high) == (None, None)


def test_the_interval_holds_the_value_of_the_population() -> None:
    """Normal values a deviation apart: Φ(1/√2) = 0.760."""
    covered = 0
    for seed in range(20):
        interval = detect(looks(1.0, lines=20, seed=seed)).detectability
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 0.760 <= interval.high
    assert covered >= 16


def test_contrast_is_the_difference_of_means() -> None:
    seen = looks(1.0)
    expected = seen.marks.mean() - seen.controls.mean()
    assert detect(seen).contrast.value == pytest.approx(expected)


def test_shares_are_those_above_the_threshold() -> None:
    seen = looks(1.0)
    found = detect(seen)
    assert found.kept.value == pytest.approx((seen.marks > 1.6).mean())
    assert found.false.value == pytest.approx((seen.controls > 1.6).mean())


def test_the_threshold_lets_five_percent_of_control_points_through() -> None:
    controls = np.random.default_rng(0).normal(size=1000)
    assert (controls > threshold(controls)).mean() == 0.05


def test_a_lead_over_itself_is_nothing() -> None:
    found = lead(looks(1.0), looks(1.0)).detectability
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_lead_is_surer_than_either_value() -> None:
    """What varies from line to line is common to both."""
    ahead, behind = looks(1.2), looks(1.0)
    found, alone = lead(ahead, behind).detectability, detect(ahead).detectability
    assert None not in (found.low, found.high, alone.low, alone.high)
    assert found.low > 0  # type: ignore[operator]
    assert found.high - found.low < (alone.high - alone.low) / 2  # type: ignore[operator]
