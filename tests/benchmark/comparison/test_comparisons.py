import pandas as pd
import pytest

from benchmark.comparison.comparisons import MetricComparison, best_beyond_chance, compare_leads
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
