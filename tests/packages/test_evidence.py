"""What a benchmark found is believed of the package that was benchmarked, and of no other."""

import copy
import hashlib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from bioimageio.spec.model.v0_5 import Evaluation

from benchmark.metrics import METRICS
from benchmark.running.cell import Cell, CellKey
from benchmark.running.results_folder import Results
from imaging.benchmark_run import FailedCell, MetricEntry
from imaging.files import sha256
from imaging.scores import COSTS
from imaging.trust_run import TrustRun, Verdict
from packages import build as build_module
from packages.build import build
from packages.evaluations import SCORES as CARD
from packages.evaluations import add_evidence, evaluation, limitations
from packages.evidence import Evidence, read_evidence, read_verdict
from packages.package import open_package
from tests import records

from .test_build import NETWORK, checkpoint

__all__ = ["checkpoint"]  # the fixture, for this file

DESCRIPTION: dict[str, Any] = {
    "inputs": [{"axes": [{"type": "space", "id": "x"}], "preprocessing": []}],
    "outputs": [{"axes": [{"type": "space", "id": "x"}]}],
    "weights": {"pytorch_state_dict": {"sha256": "5" * 64, "architecture": {"kwargs": NETWORK}}},
    "config": {
        "bioimageio": {
            "training": {"dataset": "tubes"},
            "bias_risks_limitations": {"limitations": "Flat."},
        }
    },
}
# What the unrestored input is judged by, too: the truth, and what is compared with it.
JUDGED = {"truth", "prediction", "delivered"}
SCORES = {
    "care": {"si_psnr_a": (20.0, 22.0, 27.0), "own_coverage_90": (0.6, 0.7, 0.8), "new": (1, 2, 3)},
    "input": {"si_psnr_a": (25.0, 25.0, 25.0), "seconds_per_megapixel": (0.1, 0.1, 0.1)},
}


def results_of(folder: Path, package: Path, *, name: str = "care") -> Path:
    """Write a folder as a finished run and finished trust tests of a package do."""
    packages = [
        records.package("input", control=True),
        records.package(name, file=str(package), sha256=sha256(package)),
    ]
    images = [records.image(f"{i}", source=f"mouse {i}") for i in range(3)]
    provenance = {"command": "simulate"}
    tubes = records.dataset("tubes", *images, part="validation", provenance=provenance)
    run = records.run(packages, [tubes], metrics=records.METRICS | {"new": MetricEntry("neither")})
    results = Results(folder)
    results.begin(run)
    places: list[CellKey] = []
    for method, metrics in SCORES.items():
        for i in range(3):
            place = CellKey(name if method == "care" else method, "tubes", f"{i}")
            values = {metric: float(of_images[i]) for metric, of_images in metrics.items()}
            results.keep(place, Cell({}, values))
            places.append(place)
    results.finish(run, places, [])
    trusted: dict[str, Any] = {entry.name: getattr(run, entry.name) for entry in fields(run)}
    trusted |= {
        "datasets": [],
        "draws": 5,
        "photons": [30.0],
        "verdicts": [Verdict(name, "invents nothing", ("FAULT",))],
    }
    TrustRun(**trusted).write(folder / "trust.json")
    return folder


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "care"
    folder.mkdir()
    (folder / "rdf.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    return folder


@pytest.fixture
def results(tmp_path: Path, package: Path) -> Path:
    return results_of(tmp_path / "results", package)


@pytest.fixture
def evidence(results: Path, tmp_path: Path) -> Evidence:
    [found] = read_evidence(results, DESCRIPTION, tmp_path / "out.zip")
    return found


def test_scores_are_means_over_images(evidence: Evidence) -> None:
    assert evidence.scores["si_psnr_a"].mean == 23
    assert evidence.scores["si_psnr_a"].images == 3
    assert evidence.scores_of_input["si_psnr_a"].mean == 25


def test_an_evaluation_is_as_the_zoo_defines_it(evidence: Evidence) -> None:
    tubes = replace(evidence.dataset, provenance={"published": "https://doi.org/10.1234/tubes"})
    entry = evaluation(replace(evidence, dataset=tubes), trained_on="tubes")
    read = Evaluation.model_validate(entry)

    assert read.metrics == ["SI-PSNR (dB)", "Own 90 %"]
    assert read.results == [[23.0], [0.7]]
    assert read.sample_count == 3
    assert read.dataset_role == "test"
    assert yaml.safe_load(yaml.safe_dump(entry)) == entry


def test_an_evaluation_says_by_hashes_what_was_measured_with_what(
    evidence: Evidence, package: Path
) -> None:
    entry = evaluation(evidence, trained_on="tubes")
    assert entry["benchmarked_package_sha256"] == sha256(package)
    assert entry["benchmark_sha256"] == "b" * 64
    assert entry["versions"] == {"torch": "2"}
    assert entry["interval_95_percent"] == [[20.0, 27.0], [0.6, 0.8]]


def test_the_data_are_the_names_and_hashes_of_their_images(evidence: Evidence) -> None:
    image = records.image("cell", input_sha256="1" * 64, target_sha256="2" * 64)
    found = replace(evidence, dataset=records.dataset("tubes", image))
    expected = hashlib.sha256(b"cell\0" + 64 * b"1" + b"\0" + 64 * b"2" + b"\n").hexdigest()
    assert evaluation(found, trained_on="tubes")["dataset_sha256"] == expected


def test_specimens_are_fewer_than_images_where_they_share_one(evidence: Evidence) -> None:
    images = [records.image(name, source="mouse") for name in "ab"]
    found = replace(evidence, dataset=records.dataset("tubes", *images))
    assert (found.images, found.specimens) == (2, 1)


def test_images_on_which_it_failed_are_told(evidence: Evidence) -> None:
    failures = [
        FailedCell(package, dataset, "2", "It broke.")
        for package, dataset in (("care", "tubes"), ("input", "tubes"), ("care", "cells"))
    ]
    found = replace(evidence, run=replace(evidence.run, failures=failures))
    entry = evaluation(found, trained_on="tubes")
    assert (entry["sample_count"], entry["failed_images"]) == (2, 1)
    assert entry["results_summary"].startswith("2 of 3 images restored.")
    assert limitations([found], None)[0] == "On tubes it failed on 1 of 3 images."


@pytest.mark.parametrize(("device", "told"), [("CPU", "an old one"), ("a GPU", "a GPU")])
def test_the_device_is_the_gpu_or_else_the_processor(
    evidence: Evidence, device: str, told: str
) -> None:
    found = replace(evidence, run=replace(evidence.run, device=device))
    assert evaluation(found, trained_on="tubes")["device"] == told


def test_the_input_counts_where_the_package_has_a_score(results: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(results / "scores.parquet")
    first = (table["image"] == "0") & (table["metric"] == "si_psnr_a")
    table.loc[first & (table["package"] == "input"), "value"] = 1.0
    table[~(first & (table["package"] == "care"))].to_parquet(results / "scores.parquet")
    [found] = read_evidence(results, DESCRIPTION, tmp_path / "out.zip")
    of_input = found.scores_of_input["si_psnr_a"]
    assert (of_input.mean, of_input.images) == (25, 2)


def test_data_with_an_address_are_named_by_it(evidence: Evidence) -> None:
    address = "https://doi.org/10.1234/tubes"
    tubes = replace(evidence.dataset, provenance={"seed": 3, "published": address})
    entry = evaluation(replace(evidence, dataset=tubes), trained_on="tubes")
    assert entry["dataset_source"] == address
    assert "dataset_made_by" not in entry


def test_what_training_saw_of_other_data_is_unknown(evidence: Evidence) -> None:
    assert evaluation(evidence, trained_on="others")["dataset_role"] == "unknown"


def test_of_data_without_an_address_it_is_told_how_they_were_made(evidence: Evidence) -> None:
    entry = evaluation(evidence, trained_on="tubes")
    assert "dataset_source" not in entry
    assert entry["dataset_made_by"] == "command simulate"


@pytest.mark.parametrize(
    ("provenance", "place"),
    [
        ({"published": "https://doi.org/10.1234/tubes"}, "bioimageio"),
        ({"seed": 3}, "restoration_zoo"),
        ({}, "restoration_zoo"),
    ],
)
def test_the_zoo_is_told_of_data_that_have_an_address(
    evidence: Evidence, tmp_path: Path, provenance: dict[str, str | int | float], place: str
) -> None:
    (tmp_path / "documentation.md").write_text("# Model\n")
    description = copy.deepcopy(DESCRIPTION)
    of_tubes = replace(evidence, dataset=replace(evidence.dataset, provenance=provenance))
    add_evidence(tmp_path, description, [of_tubes], None)
    told = [name for name, entries in description["config"].items() if "evaluations" in entries]
    assert told == [place]


def test_limitations_are_what_was_measured(evidence: Evidence) -> None:
    assert limitations([evidence], "invents a tube") == [
        "On tubes its SI-PSNR (dB) is no better than that of the unrestored input (23 against 25).",
        "On tubes its intervals of 90 % hold 70 % of the pixels (95 % interval 60 % to 80 %).",
        "Trust tests on phantoms: invents a tube.",
    ]


def test_to_be_no_better_than_the_input_is_a_limitation(evidence: Evidence) -> None:
    equal = replace(evidence, scores_of_input={"si_psnr_a": evidence.scores["si_psnr_a"]})
    assert (
        "no better than that of the unrestored input (23 against 23)"
        in limitations([equal], None)[0]
    )


@pytest.mark.parametrize(
    ("entry", "name", "explained"),
    [
        (MetricEntry("lower", "dB"), "SI-PSNR (dB)", "ratio, lower is better"),
        (MetricEntry("closest", "", 24), "SI-PSNR", "ratio, closest to 24 is better"),
        (MetricEntry("neither", "px"), "SI-PSNR (px)", "signal-to-noise ratio"),
    ],
)
def test_units_and_where_better_values_lie_are_those_of_the_run(
    evidence: Evidence, entry: MetricEntry, name: str, explained: str
) -> None:
    run = replace(evidence.run, metrics=evidence.run.metrics | {"si_psnr_a": entry})
    told = evaluation(replace(evidence, run=run), trained_on="tubes")
    assert told["metrics"][0] == name
    assert told["metrics_long"][0].endswith(explained)
    said = limitations([replace(evidence, run=run)], None)
    assert any("no better than that of the unrestored" in text for text in said) is (
        entry.direction == "closest"  # 23 lies as far from 24 as 25 does
    )


def test_every_score_of_the_card_is_a_metric_of_the_benchmark() -> None:
    assert {score.metric for score in CARD} <= records.METRICS.keys()
    for score in CARD:
        known = records.METRICS[score.metric]
        assert known.direction != "neither"
        assert len(f"{score.label} ({known.unit})" if known.unit else score.label) <= 16
        if score.metric not in COSTS:
            assert score.against_truth is (set(METRICS[score.metric].needs) <= JUDGED)


def test_the_documentation_tells_scores_and_provenance(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "documentation.md").write_text("# Model\n")
    description = copy.deepcopy(DESCRIPTION)

    add_evidence(tmp_path, description, [evidence], None)

    text = (tmp_path / "documentation.md").read_text()
    assert "| SI-PSNR (dB) | 23 | 20 to 27 | 25 | 3 |" in text
    assert "3 images of 3 specimens, the validation part; intervals" in text
    assert "command simulate" in text
    assert description["config"]["bioimageio"]["bias_risks_limitations"]["limitations"].startswith(
        "Flat. On tubes"
    )


def test_the_verdict_is_that_of_the_package(results: Path, tmp_path: Path) -> None:
    assert read_verdict(results, DESCRIPTION, tmp_path / "out.zip") == "invents nothing; FAULT"


# What is refused --------------------------------------------------------------------------------


def test_evidence_changes_words_alone(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_tracing(*given: Any) -> None:
        given[-1].write_bytes(b"traced in a process of its own elsewhere")

    monkeypatch.setattr(build_module, "save_torchscript", without_tracing)
    plain = build("care", checkpoint=checkpoint, out=tmp_path / "plain.zip")
    results = results_of(tmp_path / "results", plain)
    told = build(
        "care",
        checkpoint=checkpoint,
        out=tmp_path / "told.zip",
        results=results,
        trust_results=results,
    )

    with open_package(plain) as before, open_package(told) as after:
        folders = [Path(str(opened.description.root)) for opened in (before, after)]
        files = [{f.name: f.read_bytes() for f in folder.iterdir()} for folder in folders]
        evaluations = after.own_entries["evaluations"]
    changed = {name for name, content in files[1].items() if files[0][name] != content}
    assert changed == {"rdf.yaml", "documentation.md"}
    assert [found["results"] for found in evaluations] == [[[23.0], [0.7]]]
