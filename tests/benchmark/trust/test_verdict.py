import math
from typing import Any

import pandas as pd
import pytest

from benchmark.trust.trust_report import COLUMNS
from benchmark.trust.verdict import judge, usual
from imaging.trust_run import FailedTests


def _table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(package: str, test: str, metric: str, value: float, spread: float = 0.0) -> dict[str, Any]:
    return {
        "package": package,
        "test": test,
        "condition": "30 photons",
        "metric": metric,
        "value": value,
        "low": value - spread,
        "high": value + spread,
        "n": 9,
    }


FOUND = (
    _row("net", "tubes", "d50_um", 0.314),
    _row("net", "tubes", "false_splits", 0.02),
    _row("net", "gaps", "false_bridges", 0.3),
    _row("net", "gaps", "false_breaks", 0.1),
    _row("net", "crossings", "count_accuracy", 0.9),
    _row("net", "empty", "invented_per_1000_um2", 0.41),
    _row("net", "amplitudes", "ratio_exponent", 0.8),
    _row("net", "amplitudes", "dim_lost", 0.2),
)


def test_the_sentence_says_what_was_found() -> None:
    assert str(judge(_table(*FOUND), "net", [30.0])) == (
        "net: at 30 photons, resolves tubes 0.31 µm apart; splits 2 % of single tubes; "
        "bridges 30 % of visible gaps; breaks 10 % of tubes; counts 90 % of meeting tubes right; "
        "invents 0.41 objects per 1000 µm² on noise; keeps brightness ratios to the power 0.8; "
        "loses 20 % of dim points"
    )


def test_what_resolves_nothing_is_told_so() -> None:
    verdict = judge(_table(_row("net", "tubes", "d50_um", math.inf)), "net", [30.0])
    assert "does not resolve tubes 0.8 µm apart" in verdict.sentence


def test_a_package_without_values_has_a_sentence_too() -> None:
    assert judge(_table(), "net", [30.0]).sentence == "nothing could be measured"


def test_a_package_that_failed_has_a_fault_whatever_else_was_found() -> None:
    told = "failed on 3 of 27 sets of phantoms (Memory ran out)"
    failed = FailedTests("net", 3, 27, "Memory ran out.")
    assert judge(_table(*FOUND), "net", [30.0], failed).faults == (told,)
    of_none = judge(_table(), "net", [30.0], failed)
    assert str(of_none) == f"net: nothing could be measured; FAULT: {told}"


def test_the_least_gain_on_other_images_is_told() -> None:
    gains = {"cells": 2.0, "granules": 1.0, "nets": -0.5}
    rows = [_row("net", "shifts", "si_psnr_a_gain", v) | {"condition": k} for k, v in gains.items()]
    sentence = judge(_table(*rows), "net", [30.0]).sentence
    assert "gains 2.0 dB of SI-PSNR on cells and loses 0.5 dB on nets" in sentence


@pytest.mark.parametrize(("spread", "is_fault"), [(0.04, True), (0.06, False)])
def test_a_fault_needs_intervals_apart(spread: float, is_fault: bool) -> None:
    table = _table(
        _row("net", "gaps", "false_bridges", 0.4, spread),
        _row("input", "gaps", "false_bridges", 0.3, spread),
    )
    faults = judge(table, "net", [30.0]).faults
    assert bool(faults) is is_fault
    assert all("bridges more gaps than its input (at 30 photons)" in fault for fault in faults)


@pytest.mark.parametrize(
    ("test", "metric", "told"),
    [
        ("points", "d50_um", "takes two points for one from farther apart than its input"),
        ("tubes", "d50_um", "takes two tubes for one from farther apart than its input"),
        ("gaps", "false_bridges", "bridges more gaps than its input"),
        ("gaps", "false_breaks", "breaks more tubes than its input"),
        ("empty", "invented_per_1000_um2", "invents more objects than its input shows"),
        ("empty", "invented_light", "fills empty fields with more light than its input"),
        ("amplitudes", "dim_lost", "loses more dim points beside bright ones than its input"),
    ],
)
def test_more_than_the_input_is_a_fault_and_less_is_none(test: str, metric: str, told: str) -> None:
    levels = {"more": 0.4, "input": 0.3, "less": 0.2}
    table = _table(*(_row(name, test, metric, level) for name, level in levels.items()))
    assert judge(table, "more", [30.0]).faults == (f"{told} (at 30 photons)",)
    assert judge(table, "less", [30.0]).faults == ()


def test_a_better_count_is_no_fault_and_a_worse_one_is() -> None:
    table = _table(
        _row("better", "crossings", "count_accuracy", 0.9, 0.01),
        _row("worse", "crossings", "count_accuracy", 0.7, 0.01),
        _row("input", "crossings", "count_accuracy", 0.8, 0.01),
    )
    assert judge(table, "better", [30.0]).faults == ()
    assert judge(table, "worse", [30.0]).faults == (
        "miscounts more tubes than its input (at 30 photons)",
    )


@pytest.mark.parametrize(("share", "is_fault"), [(0.08, True), (0.06, False)])
def test_splits_may_be_five_percent(share: float, is_fault: bool) -> None:
    table = _table(_row("net", "tubes", "false_splits", share, 0.02))
    assert bool(judge(table, "net", [30.0]).faults) is is_fault


@pytest.mark.parametrize("objects", ["points", "tubes"])
def test_splits_are_told_of_what_was_split(objects: str) -> None:
    (fault,) = judge(_table(_row("net", objects, "false_splits", 0.5)), "net", [30.0]).faults
    assert fault == f"splits more than 5 % of single {objects} (at 30 photons)"


@pytest.mark.parametrize(("spread", "is_fault"), [(0.1, True), (0.3, False)])
def test_a_loss_against_the_input_needs_its_whole_interval(spread: float, is_fault: bool) -> None:
    rows = [
        _row("net", "shifts", "si_psnr_a_gain", -0.25, spread) | {"condition": "granules"},
        _row("net", "shifts", "si_psnr_a_gain", 1.0) | {"condition": "cells"},
    ]
    told = ("has a lower SI-PSNR than its input (on granules)",)
    assert judge(_table(*rows), "net", [30.0]).faults == (told if is_fault else ())


def test_losses_on_several_kinds_of_images_are_all_named() -> None:
    gains = {"cells": 1.0, "granules": -1.0, "cells, 30 % more noise": -2.0}
    rows = [_row("net", "shifts", "si_psnr_a_gain", v) | {"condition": k} for k, v in gains.items()]
    (fault,) = judge(_table(*rows), "net", [30.0]).faults
    assert fault.endswith("(on granules; cells, 30 % more noise)")


def test_many_objects_are_told_as_a_whole_number() -> None:
    row = _row("net", "empty", "invented_per_1000_um2", 341.6)
    assert "invents 342 objects" in judge(_table(row), "net", [30.0]).sentence


def test_a_loss_that_is_told_as_none_is_no_fault() -> None:
    row = _row("net", "shifts", "si_psnr_a_gain", -0.04) | {"condition": "cells"}
    assert judge(_table(row), "net", [30.0]).faults == ()


def test_faults_are_looked_for_at_every_level() -> None:
    table = _table(_row("net", "tubes", "false_splits", 0.5, 0.02))
    assert "at 30 photons" in judge(table, "net", [10.0, 30.0, 50.0, 100.0]).faults[0]


def test_the_usual_level_lies_in_the_middle() -> None:
    assert usual([100.0, 10.0, 30.0]) == 30.0
