import numpy as np
import pandas as pd
import pytest

from benchmark.comparison.agreement import Agreement
from benchmark.page.sections import (
    tell_agreement,
    tell_limits,
    tell_registration,
    tell_values,
    tell_verdicts,
)
from benchmark.trust.trust_report import TrustReport
from imaging.benchmark_run import DatasetEntry
from tests import records
from tests.benchmark.trust.records import trust_run


def about(sentences: list[str]) -> set[str]:
    return {sentence.partition(":")[0] for sentence in sentences}


def dataset(registration: str = "", **files: str) -> DatasetEntry:
    return records.dataset("d", records.image("0", **files), registration=registration)


def test_an_exact_truth_leaves_nothing_open() -> None:
    assert tell_limits(dataset("exact", target="t.tif")) == []


@pytest.mark.parametrize(
    ("registration", "said"), [("registered", "afterwards"), ("approximate", "approximately")]
)
def test_a_displaced_truth_is_said_to_cost_the_sharp(registration: str, said: str) -> None:
    (sentence,) = tell_limits(dataset(registration, target="t.tif"))
    assert sentence.startswith("Small differences: ")
    assert said in sentence


@pytest.mark.parametrize(
    ("image", "also", "not_"),
    [
        ({}, {"Resolution", "Consistency with the photons counted"}, {"Truth of what repeats"}),
        ({"repeat": "r.tif"}, {"Truth of what repeats"}, {"Resolution"}),
        ({"native": "n.tif"}, {"Resolution"}, {"Consistency with the photons counted"}),
    ],
)
def test_without_truth_what_is_missing_is_said(
    image: dict[str, str], also: set[str], not_: set[str]
) -> None:
    told = about(tell_limits(dataset(**image)))
    assert told >= {"Added detail", "Hallucination", "Absolute intensities", "Calibration"} | also
    assert not told & not_


def test_agreement_is_written_row_by_row() -> None:
    values = np.array([[1.0, -0.25], [-0.25, 1.0]])
    rows = tell_agreement(Agreement(("a", "input"), values))
    assert rows[0] == ("a", [("1.00", 1.0), ("−0.25", -0.25)])
    assert tell_agreement(None) == []


def test_registration_is_written_with_units() -> None:
    headings, rows = tell_registration(
        {"a": {"kept": "affine", "residual_after_median_um": 0.0312}, "b": {"rotation_deg": -1.5}}
    )
    assert headings == ["kept", "residual after median, µm", "rotation, deg"]
    assert rows == [("a", "affine", "0.0312", ""), ("b", "", "", "−1.5")]


def findings(names: list[str]) -> TrustReport:
    run = trust_run(dict.fromkeys(names, "1" * 64), "resolves much", "invents more")
    return TrustReport(pd.DataFrame(), {}, run)


def test_a_verdict_of_another_package_is_said_to_be_so() -> None:
    here = [records.package("same", sha256="1" * 64), records.package("newer", sha256="2" * 64)]
    told = {v.name: v for v in tell_verdicts(findings(["same", "newer", "other"]), here)}
    assert told["same"].note == ""
    assert "version" in told["newer"].note
    assert told["other"].note == "not among the packages above"
    assert told["same"].sentence == "Resolves much."
    assert told["same"].faults == ["Invents more"]


def test_values_without_interval_or_end_are_written_as_such() -> None:
    row = {"package": "a", "test": "points", "condition": "10 photons", "metric": "d50_um"}
    table = pd.DataFrame(
        [
            {**row, "value": np.inf, "low": np.nan, "high": np.nan, "n": 9},
            {**row, "value": 0.5, "low": 0.4, "high": 0.6, "n": 9},
        ]
    )
    assert [told[4:] for told in tell_values(table)] == [
        ("never", "–", "9"),
        ("0.5", "0.4 – 0.6", "9"),
    ]
