import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from benchmark.comparison.comparisons import (
    MetricComparison,
    Rank,
    best_beyond_chance,
    compare,
    compare_leads,
    estimate_ranks,
    holm,
)
from benchmark.metrics.columns import column_of

SOURCES = {str(i): f"specimen {i // 2}" for i in range(24)}
EVERY = list(SOURCES)


def of(scores: dict[str, "pd.Series[float]"], metric: str = "si_psnr_a") -> MetricComparison | None:
    by_metric = {(name, metric): values.sort_index() for name, values in scores.items()}
    return MetricComparison.of(column_of(metric), by_metric, SOURCES)


def series(offset: float, images: list[str]) -> "pd.Series[float]":
    return pd.Series({image: float(int(image) % 5) + offset for image in images})


def test_who_failed_on_some_images_has_no_place() -> None:
    contest = of({"a": series(1, EVERY), "b": series(2, EVERY), "c": series(9, EVERY[:-1])})
    assert contest is not None
    assert set(contest.ranks) == {"a", "b"}
    assert len(contest.sources) == 24


@pytest.mark.parametrize(
    ("offset", "images", "ahead"),
    [
        (4, EVERY[4:], {}),  # better, but it failed on two specimens
        (2, EVERY[4:], {}),  # equal to the leader
        (0, EVERY[4:], {"si_psnr_a": "b"}),  # worse
        (0, EVERY[:10], {}),  # worse, on too few specimens to tell
    ],
)
def test_nobody_is_ahead_who_is_not_ahead_of_those_with_fewer_images(
    offset: float, images: list[str], ahead: dict[str, str]
) -> None:
    contest = of({"a": series(1, EVERY), "b": series(2, EVERY), "c": series(offset, images)})
    assert contest is not None
    assert best_beyond_chance(compare_leads([contest])) == ahead


def test_who_has_fewer_images_is_compared_on_these() -> None:
    contest = of({"a": series(2, EVERY), "b": series(1, EVERY[15:])})
    assert contest is not None
    lead = contest.compare("a", "b").advantage
    assert (lead.mean, lead.images, lead.sources) == (1, 9, 5)


def test_comparisons_with_who_has_fewer_images_are_corrected_for() -> None:
    scores = {"a": series(3, EVERY), "b": series(2, EVERY), "c": series(1, EVERY[2:])}
    contest = of(scores)
    assert contest is not None
    alone = {other: contest.compare("a", other).p for other in ("b", "c")}
    found = {test.other: test.p for test in compare_leads([contest])}
    assert found == {"b": pytest.approx(2 * alone["b"]), "c": pytest.approx(2 * alone["b"])}


def test_packages_that_failed_on_different_images_are_not_compared() -> None:
    assert of({"a": series(1, EVERY[:-1]), "b": series(2, EVERY[1:])}) is None


def test_the_truth_and_an_input_compared_with_itself_stay_out() -> None:
    everyone = {name: series(i, EVERY) for i, name in enumerate(("truth", "input", "a"))}
    against_truth, against_input = of(everyone), of(everyone, "rsp")
    assert against_truth is not None
    assert against_input is not None
    assert set(against_truth.losses) == {"input", "a"}
    assert set(against_input.losses) == {"a"}


def test_the_first_place_and_the_lead_go_to_the_same() -> None:
    contest = of({"a": series(1, EVERY), "b": series(1.5, EVERY)})
    assert contest is not None
    assert [contest.ranks[name].place for name in ("a", "b")] == [2, 1]
    assert best_beyond_chance(compare_leads([contest])) == {"si_psnr_a": "b"}


def test_a_small_but_consistent_advantage_is_found() -> None:
    second = np.random.default_rng(1).normal(30, 5, 20)
    found = compare(second - 0.1, second, np.arange(20))
    assert found.p < 1e-5
    assert (found.effect, found.advantage.mean) == pytest.approx((1, 0.1))


def test_an_advantage_within_chance_is_not_found() -> None:
    rng = np.random.default_rng(2)
    assert compare(rng.normal(30, 5, 20), rng.normal(30, 5, 20), np.arange(20)).p > 0.05


@pytest.mark.parametrize("decimals", [9, 0])  # all different, and many equal or 0
def test_p_and_effect_are_those_of_all_signs(decimals: int) -> None:
    difference = np.random.default_rng(3).normal(0.5, 2, 10).round(decimals)
    found = compare(-difference, np.zeros(10), np.arange(10))
    unequal = difference[difference != 0]
    ranks = rankdata(np.abs(unequal))
    total = np.sum(ranks * np.sign(unequal))
    flips = np.array(list(itertools.product([-1, 1], repeat=len(ranks))))
    assert found.effect == pytest.approx(total / ranks.sum())
    assert found.p == pytest.approx(np.mean(np.abs(flips @ ranks) >= abs(total) - 1e-9))


@pytest.mark.parametrize(("count", "method"), [(40, "exact"), (150, "approx")])
def test_p_is_that_of_scipy(count: int, method: str) -> None:
    difference = np.random.default_rng(count).normal(0.2, 1, count)
    expected: Any = wilcoxon(difference, method=method)
    assert compare(-difference, 0 * difference, np.arange(count)).p == pytest.approx(
        expected.pvalue, rel=1e-6
    )


def test_one_source_counts_once_however_many_images_it_has() -> None:
    losses = np.random.default_rng(4).normal(size=6)
    once = compare(losses, np.zeros(6), np.arange(6))
    often = compare(np.repeat(losses, 10), np.zeros(60), np.repeat(np.arange(6), 10))
    assert (often.p, often.effect) == pytest.approx((once.p, once.effect))


@pytest.mark.parametrize("count", [1, 5])
def test_few_sources_cannot_show_a_difference(count: int) -> None:
    rising = np.arange(count) / 10
    assert compare(rising, 2 + 2 * rising, np.arange(count)).p > 0.05


def test_equal_losses_do_not_differ() -> None:
    assert compare([1.0, 2.0], [1.0, 2.0], [0, 1]).p == 1


def test_infinite_losses_are_not_tested() -> None:
    assert compare([-np.inf, 1.0], [1.0, 2.0], [0, 1]).p == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_its_definition(p_values: list[float]) -> None:
    corrected = holm(p_values)
    ranked = np.argsort(p_values, kind="stable")
    worst = 0.0
    for step, index in enumerate(ranked):
        worst = max(worst, (len(p_values) - step) * p_values[index])
        assert corrected[index] == pytest.approx(min(worst, 1))


def test_among_true_null_hypotheses_false_findings_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(5)
    found = [bool((holm(rng.uniform(size=50)) < 0.05).any()) for _ in range(1000)]
    assert np.mean(found) < 0.07  # three standard errors above 0.05


def test_ranks_of_two_sources_follow_the_closed_form() -> None:
    # Draws aa, ab, ba, bb: mean losses (0, 1), (1, 1) twice, (2, 1): each extreme in a quarter.
    assert estimate_ranks([[0.0, 2.0], [1.0, 1.0]], ["a", "b"]) == [Rank(1, 1, 2), Rank(1, 1, 2)]


def test_whoever_is_ahead_on_every_source_has_a_certain_place() -> None:
    base = np.random.default_rng(0).normal(30, 5, 20)
    found = estimate_ranks([base + 2, base, base + 1], np.arange(20))
    assert found == [Rank(3, 3, 3), Rank(1, 1, 1), Rank(2, 2, 2)]


def test_a_draw_is_of_whole_sources() -> None:
    """Ahead on nine images of one source and behind on the only one of another: undecided."""
    first = np.array([0.0] * 9 + [2.0])
    found = estimate_ranks([first, np.ones(10)], ["a"] * 9 + ["b"])
    assert found == [Rank(1, 1, 2), Rank(2, 1, 2)]


@pytest.mark.parametrize(
    ("losses", "sources"),
    [([[1.0, 2.0], [2.0, 3.0]], [0, 0]), ([[np.inf, 1.0], [2.0, 2.0]], [0, 1])],
)
def test_a_place_without_interval(losses: list[list[float]], sources: list[int]) -> None:
    assert all(rank.low is None and rank.high is None for rank in estimate_ranks(losses, sources))


def test_intervals_of_ranks_hold_the_true_place_as_often_as_stated() -> None:
    """Four packages whose true losses lie 0.5 standard errors of a difference or more apart."""
    rng = np.random.default_rng(6)
    truth = np.array([0.0, 0.1, 0.4, 0.5])
    held = 0
    for _ in range(60):
        losses = truth[:, None] + rng.normal(0, 1, 30) + rng.normal(0, 0.3, (4, 30))
        found = estimate_ranks(losses, np.arange(30))
        held += sum(
            r.low <= place <= r.high for place, r in enumerate(found, 1) if r.low and r.high
        )
    assert held / 240 > 0.92  # 0.95 less two standard errors
