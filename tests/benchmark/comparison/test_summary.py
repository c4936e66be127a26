import numpy as np
import pandas as pd
import pytest

from benchmark.comparison.summary import Summary, summarise
from imaging.scores import COLUMNS
from tests import records

IMAGES = [f"{i:02}" for i in range(12)]
NOISE = np.random.default_rng(0).normal(0, 2, len(IMAGES))
ABSENT = pd.DataFrame(columns=["package", "dataset", "image", "metric", "reason"])


def rows(package: str, values: np.ndarray, metric: str = "si_psnr_a") -> list[tuple[object, ...]]:
    return [(package, "d", i, metric, v) for i, v in zip(IMAGES, values, strict=False)]


def summary(*tables: list[tuple[object, ...]], absent: pd.DataFrame = ABSENT) -> Summary:
    table = pd.DataFrame([row for rows in tables for row in rows], columns=list(COLUMNS))
    packages = [*map(records.package, "ab"), records.package("truth", control=True)]
    return summarise(packages, table, absent, {image: image for image in IMAGES})


def place(found: Summary, metric: str) -> int:
    return [column.metric for column in found.columns].index(metric)


def test_a_consistent_lead_is_marked() -> None:
    assert summary(rows("a", 30 + NOISE), rows("b", 29.9 + NOISE)).best == {"si_psnr_a": "a"}


def test_a_lead_within_chance_is_not_marked() -> None:
    assert summary(rows("a", 30 + NOISE), rows("b", 29.9 - NOISE)).best == {}


def test_where_lower_is_better_the_lowest_is_marked() -> None:
    best = summary(rows("a", 0.3 + NOISE, "lpips_alex"), rows("b", 0.1 + NOISE, "lpips_alex")).best
    assert best == {"lpips_alex": "b"}


def test_where_a_value_is_best_the_closest_is_marked() -> None:
    near, far = 0.9 + NOISE / 100, 0.99 + NOISE / 1000
    best = summary(rows("a", far, "coverage_90"), rows("b", near, "coverage_90")).best
    assert best == {"coverage_90": "b"}


def test_a_lead_that_many_comparisons_would_give_by_chance_is_not_marked() -> None:
    """Ahead on 11 of 12 images: p = 0.001 alone, but not among a hundred comparisons."""
    ahead = np.where(np.arange(12) == 0, -0.1, 0.1 + np.arange(12) / 100)
    alone = rows("a", 30 + ahead), rows("b", np.full(12, 30.0))
    others = ["ssim", "psnr", "ms_ssim", "pearson", "si_psnr_b", "ssim_affine"]
    noise = [
        rows(f"other {i}", np.random.default_rng(i).normal(size=12), metric)
        for metric in others
        for i in range(17)
    ]
    assert summary(*alone).best == {"si_psnr_a": "a"}
    assert "si_psnr_a" not in summary(*alone, *noise).best


def test_a_leader_must_be_ahead_of_all() -> None:
    close = rows("a", 30 + NOISE), rows("b", 30 - NOISE), rows("c", 20 + NOISE)
    found = summary(*close)
    assert found.best == {}
    assert {test.other for test in found.tests if test.p < 0.05} == {"c"}


@pytest.mark.parametrize("metric", ["width_90", "sharpness"])
def test_nobody_wins_by_what_only_describes(metric: str) -> None:
    assert summary(rows("a", 0.1 + NOISE, metric), rows("b", 0.2 + NOISE, metric)).best == {}


def test_the_input_is_not_compared_with_itself() -> None:
    scores = [
        rows(name, x + NOISE / 100, "rsp") for name, x in (("input", 1), ("a", 0.9), ("b", 0.8))
    ]
    assert summary(*scores).best == {"rsp": "a"}


def test_a_sample_stands_below_its_package() -> None:
    found = summary(rows("a", 30 + NOISE), rows("a (sample)", 27 + NOISE), rows("b", 29 + NOISE))
    assert [row.name for row in found.rows] == ["a", "a (sample)", "b", "truth"]
    assert found.rows[1].kind == "package"


def test_every_family_is_a_table_of_who_has_a_value() -> None:
    absent = pd.DataFrame(
        [("b", "d", i, "coverage_90", "It gives no standard deviation.") for i in IMAGES],
        columns=list(ABSENT.columns),
    )
    found = summary(
        rows("a", 30 + NOISE),
        rows("b", 29 + NOISE),
        rows("a", 0.9 + NOISE / 100, "coverage_90"),
        absent=absent,
    )
    tables = {family.title: family for family in found.families}
    assert [row.name for row in tables["Fidelity"].rows] == ["a", "b", "truth"]
    assert [row.name for row in tables["Calibration"].rows] == ["a"]
    assert tables["Calibration"].absent == ("b: It gives no standard deviation.",)
    assert "Structure" not in tables


def test_the_truth_takes_no_part() -> None:
    perfect = rows("truth", np.full(12, np.inf))
    assert summary(rows("a", 30 + NOISE), rows("b", 29 + NOISE), perfect).best == {"si_psnr_a": "a"}


def test_the_best_mean_of_all_images_is_not_marked_where_a_better_package_lacks_some() -> None:
    found = summary(rows("a", 30 + NOISE), rows("b", 33 + NOISE[:10]))
    assert found.best == {}
    assert found.rows[1].cells[place(found, "si_psnr_a")].share == "10/12"


def test_a_worse_package_that_lacks_images_does_not_keep_the_best_from_being_marked() -> None:
    assert summary(rows("a", 30 + NOISE), rows("b", 29 + NOISE[:9])).best == {"si_psnr_a": "a"}


def test_a_mean_that_lacks_images_says_so_and_why() -> None:
    absent = pd.DataFrame([("b", "d", "11", "ssim", "Too small.")], columns=list(ABSENT.columns))
    found = summary(rows("a", NOISE, "ssim"), rows("b", NOISE[:11], "ssim"), absent=absent)
    whole, partial = (found.rows[i].cells[place(found, "ssim")] for i in (0, 1))
    assert (whole.footnote, whole.share) == (0, "")
    assert found.footnotes[partial.footnote - 1] == (
        "11 of 12 images: this mean does not compare with means over others. Too small."
    )


def test_means_over_the_same_images_carry_no_share() -> None:
    truth = rows("truth", np.full(12, np.inf))
    found = summary(rows("a", 30 + NOISE[:11]), rows("b", 29 + NOISE[:11]), truth)
    assert [row.cells[place(found, "si_psnr_a")].share for row in found.rows] == ["", "", ""]


def test_costs_are_not_marked() -> None:
    metric = "seconds_per_megapixel"
    assert summary(rows("a", 3 + NOISE, metric), rows("b", 1 + NOISE, metric)).best == {}


def test_a_metric_in_which_nobody_has_a_value_has_no_column_but_a_reason() -> None:
    absent = pd.DataFrame(
        [(name, "d", i, "ms_ssim", "Too small.") for name in "ab" for i in IMAGES],
        columns=list(ABSENT.columns),
    )
    found = summary(rows("a", 30 + NOISE), rows("a", 0.3 + NOISE / 100, "ssim"), absent=absent)
    tables = {family.title: family for family in found.families}
    assert [column.metric for column in tables["Structure"].columns] == ["ssim"]
    assert found.unmeasured == ("MS-SSIM: Too small.",)


def test_a_missing_value_points_to_its_reason() -> None:
    absent = pd.DataFrame([("b", "d", "00", "ssim", "Too small.")], columns=list(ABSENT.columns))
    found = summary(rows("a", 30 + NOISE, "ssim"), rows("b", 30 + NOISE), absent=absent)
    cell = found.rows[1].cells[place(found, "ssim")]
    assert (cell.text, found.footnotes[cell.footnote - 1]) == ("n/a", "Too small.")


def test_a_row_without_any_value_says_why_once() -> None:
    absent = pd.DataFrame(
        [("b", "d", i, "si_psnr_a", "No native pixels.") for i in IMAGES],
        columns=list(ABSENT.columns),
    )
    found = summary(rows("a", 30 + NOISE), absent=absent)
    assert (found.rows[1].cells, found.rows[1].reason) == ((), "No native pixels.")


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("si_psnr_a", 29.876, "29.88"),
        ("si_psnr_a", -1.5, "−1.50"),
        ("si_psnr_a", np.inf, "> 100"),
        ("ssim", 0.98765, "0.988"),
        ("ssim", -1e-9, "0.000"),
        ("seconds_per_megapixel", 0.012345, "0.0123"),
        ("seconds_per_megapixel", 12345.0, "12345"),
    ],
)
def test_values_have_the_digits_that_mean_something(metric: str, value: float, text: str) -> None:
    found = summary(rows("a", np.full(12, value), metric))
    assert found.rows[0].cells[place(found, metric)].text == text
