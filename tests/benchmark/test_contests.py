import pandas as pd

from benchmark.columns import column_of
from benchmark.contests import Contest, best_beyond_chance, compare_leads

SOURCES = {str(i): f"specimen {i // 2}" for i in range(24)}
EVERY = list(SOURCES)


def of(scores: dict[str, "pd.Series[float]"], metric: str = "si_psnr_a") -> Contest | None:
    by_metric = {(name, metric): values.sort_index() for name, values in scores.items()}
    return Contest.of(column_of(metric), by_metric, SOURCES)


def series(offset: float, images: list[str]) -> "pd.Series[float]":
    return pd.Series({image: float(int(image) % 5) + offset for image in images})


def test_who_failed_on_some_images_does_not_take_part() -> None:
    contest = of({"a": series(1, EVERY), "b": series(2, EVERY), "c": series(9, EVERY[:-1])})
    assert contest is not None
    assert set(contest.losses) == {"a", "b"}
    assert len(contest.sources) == 24


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
