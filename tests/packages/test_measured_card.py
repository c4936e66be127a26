"""From weights to a model card, nothing stood in for: the card says what scores.csv says.

A package is built, benchmarked, and built again with what was measured. Means, units and directions
are worked out here by hand from the table, and looked for in the zip.
"""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from benchmark.running.run import run_benchmark
from packages.build import build
from tests.benchmark import stand_ins

from .test_build import checkpoint

__all__ = ["checkpoint"]  # the fixture, for this file

# Name on the card, and which values are better; those that judge the input as well come first.
GAINS = {
    "si_psnr_a": ("SI-PSNR (dB)", "higher"),
    "ssim_affine": ("SSIM", "higher"),
    "ms_ssim": ("MS-SSIM", "higher"),
    "micro_ms3im": ("MicroMS3IM", "higher"),
    "frc_to_truth": ("FRC (px)", "lower"),
}
OTHERS = {
    "rsp": ("RSP", "higher"),
    "seconds_per_megapixel": ("Time (s/MP)", "lower"),
    "peak_mib": ("Memory (MiB)", "lower"),
}
COSTS = ("seconds_per_megapixel", "peak_mib")
TOLD = GAINS | OTHERS
DIGITS = 1e-3  # of a number with four


@dataclass(frozen=True)
class Card:
    """What a built package tells, and the means of its table by package and metric."""

    means: dict[tuple[str, str], float]
    description: dict[str, Any]
    documentation: str


@pytest.fixture(scope="module")
def card(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder = tmp_path_factory.mktemp("card")
    data = stand_ins.dataset(folder / "cells", 3, side=192)
    plain = build("care", checkpoint=checkpoint, out=folder / "plain.zip")
    run_benchmark([plain], [data], folder / "results")
    told = build("care", checkpoint=checkpoint, out=folder / "told.zip", results=folder / "results")
    table = pd.read_csv(folder / "results/scores.csv", dtype={"image": str})
    with zipfile.ZipFile(told) as archive:
        return Card(
            {
                (str(package), str(metric)): float(rows["value"].mean())
                for (package, metric), rows in table.groupby(["package", "metric"])
            },
            yaml.safe_load(archive.read("rdf.yaml")),
            archive.read("documentation.md").decode(),
        )


@pytest.fixture(scope="module")
def evaluation(card: Card) -> dict[str, Any]:
    (found,) = card.description["config"]["restoration_zoo"]["evaluations"]
    return found


def test_the_card_tells_every_score_that_there_is(card: Card, evaluation: dict[str, Any]) -> None:
    assert {("plain", metric) for metric in TOLD} <= card.means.keys()
    assert evaluation["metrics"] == [name for name, _ in TOLD.values()]


@pytest.mark.parametrize("metric", TOLD)
def test_results_are_the_means_of_the_table(
    card: Card, evaluation: dict[str, Any], metric: str
) -> None:
    place = evaluation["metrics"].index(TOLD[metric][0])
    (value,) = evaluation["results"][place]
    assert value == pytest.approx(card.means["plain", metric], rel=DIGITS)
    of_input = evaluation["results_of_input"][place]
    if metric in COSTS:
        assert of_input is None
    else:
        assert of_input == pytest.approx(card.means["input", metric], rel=DIGITS)


@pytest.mark.parametrize("metric", TOLD)
def test_the_documentation_has_the_means_of_the_table(card: Card, metric: str) -> None:
    name, _ = TOLD[metric]
    row = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", card.documentation, re.MULTILINE)
    assert row is not None
    mean, interval, of_input, images = (cell.strip() for cell in row[1].split("|"))
    assert float(mean) == pytest.approx(card.means["plain", metric], rel=DIGITS)
    low, high = map(float, interval.split(" to "))
    assert low * (1 - DIGITS) <= card.means["plain", metric] <= high * (1 + DIGITS)
    assert images == "3"
    if metric in COSTS:
        assert of_input == ""
    else:
        assert float(of_input) == pytest.approx(card.means["input", metric], rel=DIGITS)


@pytest.mark.parametrize("metric", TOLD)
def test_where_better_values_lie_is_said_rightly(
    card: Card, evaluation: dict[str, Any], metric: str
) -> None:
    name, direction = TOLD[metric]
    explained = evaluation["metrics_long"][evaluation["metrics"].index(name)]
    assert explained.startswith(f"{metric}: ")
    assert explained.endswith(f", {direction} is better")
    assert f"- {name}: {explained.partition(': ')[2]}." in card.documentation


def test_what_is_no_better_than_the_input_is_a_limitation(card: Card) -> None:
    known = card.description["config"]["bioimageio"]["bias_risks_limitations"]["limitations"]
    said = set(re.findall(r"On cells its (.+?) is no better than that of the unrestored", known))
    gained: dict[str, float] = {}
    for metric, (_, direction) in GAINS.items():
        lead = card.means["plain", metric] - card.means["input", metric]
        gained[metric] = lead if direction == "higher" else -lead
    assert said == {GAINS[metric][0] for metric, gain in gained.items() if gain <= 0}
    assert said  # weights drawn at random restore nothing
