"""Planted models are each caught by the test that is meant for them, and honest ones pass."""

from dataclasses import asdict
from functools import cache

import pandas as pd
import pytest

from benchmark.trust.trust_report import COLUMNS
from benchmark.trust.verdict import INPUT, judge
from tests.benchmark.trust import drawings
from tests.benchmark.trust.drawings import TEST_OF, Model

AT = {"condition": "30 photons"}


@cache
def _rows(test: str, name: str, model: Model) -> list[dict[str, object]]:
    found = drawings.look(TEST_OF[test], model)
    return [{"package": name, "test": test, **AT, **asdict(value)} for value in found]


def faults(model: Model, *tests: str) -> str:
    rows = [
        row
        for test in tests
        for name, m in ((INPUT, drawings.identity), ("planted", model))
        for row in _rows(test, name, m)
    ]
    return "; ".join(judge(pd.DataFrame(rows, columns=list(COLUMNS)), "planted", [30.0]).faults)


@pytest.mark.parametrize(
    ("model", "test", "words"),
    [
        (drawings.over_smoother, "tubes", "takes two tubes for one"),
        (drawings.over_smoother, "points", "takes two points for one"),
        (drawings.hallucinator, "empty", "invents more objects"),
        (drawings.line_drawer(0.45), "empty", "fills empty fields"),
        (drawings.line_drawer(0.3), "empty", "fills empty fields"),
        (drawings.mesh_drawer, "empty", "fills empty fields"),
        (drawings.dot_drawer, "empty", "fills empty fields"),
        (drawings.blob_drawer, "empty", "fills empty fields"),
        (drawings.cube, "amplitudes", "loses more dim points"),
        (drawings.bridge_builder, "gaps", "bridges more gaps"),
        (drawings.breaker, "gaps", "breaks more tubes"),
        (drawings.splitter, "tubes", "splits more than 5 % of single tubes"),
        (drawings.splitter, "points", "splits more than 5 % of single points"),
        (drawings.splitter, "crossings", "miscounts more tubes"),
    ],
)
def test_a_planted_model_is_caught_by_its_test(model: Model, test: str, words: str) -> None:
    assert words in faults(model, test)


@pytest.mark.parametrize("model", [drawings.identity, drawings.truth])
@pytest.mark.parametrize("test", list(drawings.SCENES))
def test_input_and_truth_pass(model: Model, test: str) -> None:
    assert faults(model, test) == ""


def test_a_bridge_builder_is_not_blamed_for_breaks() -> None:
    assert "breaks" not in faults(drawings.bridge_builder, "gaps")


def test_a_hallucinator_is_not_blamed_for_bridges() -> None:
    assert "bridges" not in faults(drawings.hallucinator, "gaps")
