"""What a benchmark found is believed of the package that was benchmarked, and of no other."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from bioimageio.spec.model.v0_5 import Evaluation

from packages import build as build_module
from packages.build import build
from packages.cli import UserError
from packages.evaluations import UNPUBLISHED, add_evidence, evaluation, limitations
from packages.evidence import SCHEMAS, Evidence, read_scores, read_verdict
from packages.files import sha256
from packages.package import open_package

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
SCORES = {
    "care": {"si_psnr_a": (20.0, 22.0, 27.0), "own_coverage_90": (0.6, 0.7, 0.8), "new": (1, 2, 3)},
    "input": {"si_psnr_a": (25.0, 25.0, 25.0), "seconds_per_megapixel": (0.1, 0.1, 0.1)},
}


def results_of(folder: Path, package: Path, *, name: str = "care") -> Path:
    """Write a folder as a finished run and finished trust tests of a package do."""
    folder.mkdir()
    images = [
        {"name": f"{i}", "source": f"mouse {i}", "input_sha256": f"{i}", "target_sha256": ""}
        for i in range(3)
    ]
    facts = {
        "schema": SCHEMAS["run.json"],
        "device": "CPU",
        "cpu": "an old one",
        "versions": {"torch": "2"},
        "benchmark_sha256": "b" * 64,
        "packages": [
            {"name": "input", "control": True, "file": "", "sha256": ""},
            {"name": name, "control": False, "file": str(package), "sha256": sha256(package)},
        ],
    }
    run = {
        "datasets": [
            {
                "name": "tubes",
                "part": "validation",
                "provenance": {"command": "simulate"},
                "images": images,
            }
        ],
        "failures": [],
    }
    rows = [
        (name if method == "care" else method, "tubes", f"{i}", metric, float(value))
        for method, metrics in SCORES.items()
        for metric, values in metrics.items()
        for i, value in enumerate(values)
    ]
    table = pd.DataFrame(rows, columns=["package", "dataset", "image", "metric", "value"])
    table.to_parquet(folder / "scores.parquet")
    (folder / "not_applicable.csv").touch()
    (folder / "run.json").write_text(json.dumps(facts | run))
    verdicts = [{"package": name, "sentence": "invents nothing", "faults": ["FAULT"]}]
    trust = facts | {"schema": SCHEMAS["trust.json"], "verdicts": verdicts}
    (folder / "trust.json").write_text(json.dumps(trust))
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
    [found] = read_scores(results, DESCRIPTION, tmp_path / "out.zip")
    return found


def test_scores_are_means_over_images(evidence: Evidence) -> None:
    assert evidence.scores["si_psnr_a"].mean == 23
    assert evidence.scores["si_psnr_a"].images == 3
    assert evidence.scores_of_input["si_psnr_a"].mean == 25


def test_an_evaluation_is_as_the_zoo_defines_it(evidence: Evidence) -> None:
    entry = evaluation(evidence, trained_on="tubes")
    read = Evaluation.model_validate(entry)

    assert read.metrics == ["SI-PSNR (dB)", "Own 90 %"]
    assert read.results == [[23.0], [0.7]]
    assert read.sample_count == 3
    assert read.dataset_role == "test"
    assert yaml.safe_load(yaml.safe_dump(entry)) == entry


def test_what_training_saw_of_other_data_is_unknown(evidence: Evidence) -> None:
    assert evaluation(evidence, trained_on="others")["dataset_role"] == "unknown"


def test_data_without_an_address_are_said_to_have_none(evidence: Evidence) -> None:
    entry = evaluation(evidence, trained_on="tubes")

    assert entry["dataset_source"] == UNPUBLISHED
    assert "no public address (command simulate)" in entry["results_summary"]


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


def test_the_documentation_tells_scores_and_provenance(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "documentation.md").write_text("# Model\n")
    description = copy.deepcopy(DESCRIPTION)

    add_evidence(tmp_path, description, [evidence], None)

    text = (tmp_path / "documentation.md").read_text()
    assert "| SI-PSNR (dB) | 23 | 20 to 27 | 25 | 3 |" in text
    assert "command simulate" in text
    assert description["config"]["bioimageio"]["bias_risks_limitations"]["limitations"].startswith(
        "Flat. On tubes"
    )


def test_the_verdict_is_that_of_the_package(results: Path, tmp_path: Path) -> None:
    assert read_verdict(results, DESCRIPTION, tmp_path / "out.zip") == "invents nothing; FAULT"


# What is refused --------------------------------------------------------------------------------


def edit_run(**entries: Any) -> Callable[[Path], None]:
    def edit(results: Path) -> None:
        for name in ("run.json", "trust.json"):
            content = json.loads((results / name).read_text())
            (results / name).write_text(json.dumps(content | entries))

    return edit


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda results: (results / name).write_text(text)


def remove(name: str) -> Callable[[Path], None]:
    return lambda results: (results / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove("run.json"), "has no run.json: give the folder"),
        (remove("scores.parquet"), "did not finish"),
        (remove("not_applicable.csv"), "did not finish"),
        (write("scores.parquet", "no table"), "cannot be read"),
        (write("run.json", "{"), "cannot be read"),
        (edit_run(schema=7), "schema 7, and this program reads 2"),
        (edit_run(packages="none"), "cannot be read"),
        (edit_run(packages=[]), "none of those benchmarked has the same weights"),
        (edit_run(datasets=[]), "as it failed everywhere"),
    ],
)
def test_results_are_refused(
    results: Path, tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(results)
    with pytest.raises(UserError, match=sentence):
        read_scores(results, DESCRIPTION, tmp_path / "out.zip")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove("trust.json"), "has no trust.json"),
        (edit_run(verdicts=[]), "did not finish"),
        (edit_run(verdicts=[{"package": "b", "sentence": "", "faults": []}]), "no verdict on"),
    ],
)
def test_trust_tests_are_refused(
    results: Path, tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(results)
    with pytest.raises(UserError, match=sentence):
        read_verdict(results, DESCRIPTION, tmp_path / "out.zip")


@pytest.mark.parametrize("entry", ["sha256", "architecture"])
def test_scores_of_other_weights_or_settings_are_refused(
    results: Path, tmp_path: Path, entry: str
) -> None:
    other = copy.deepcopy(DESCRIPTION)
    other["weights"]["pytorch_state_dict"][entry] = "other"

    with pytest.raises(UserError, match="none of those benchmarked has the same weights"):
        read_scores(results, other, tmp_path / "out.zip")


def test_a_package_that_changed_since_is_not_believed(
    results: Path, package: Path, tmp_path: Path
) -> None:
    (package / "more").touch()

    with pytest.raises(UserError, match="has changed since it was benchmarked"):
        read_scores(results, DESCRIPTION, tmp_path / "out.zip")


def test_the_benchmarked_package_is_not_overwritten(results: Path, package: Path) -> None:
    with pytest.raises(UserError, match="choose another file as --out"):
        read_scores(results, DESCRIPTION, package)


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
        evaluations = after.description.config.bioimageio.evaluations
    changed = {name for name, content in files[1].items() if files[0][name] != content}
    assert changed == {"rdf.yaml", "documentation.md"}
    assert [found.results for found in evaluations] == [[[23.0], [0.7]]]
