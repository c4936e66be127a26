"""Evidence that is damaged, unfinished, or of another package is refused in a sentence."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from imaging.cli import UserError
from packages.evidence import read_evidence, read_verdict

from .test_evidence import DESCRIPTION, package, results

__all__ = ["package", "results"]  # the fixtures, for this file


def edit_run(name: str = "run.json", **entries: Any) -> Callable[[Path], None]:
    def edit(results: Path) -> None:
        content = json.loads((results / name).read_text())
        (results / name).write_text(json.dumps(content | entries))

    return edit


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda results: (results / name).write_text(text)


def remove(name: str) -> Callable[[Path], None]:
    return lambda results: (results / name).unlink()


def test_a_package_that_failed_everywhere_has_nothing_to_tell(
    results: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(results / "scores.parquet")
    table[table["package"] != "care"].to_parquet(results / "scores.parquet")
    with pytest.raises(UserError, match="as it failed everywhere"):
        read_evidence(results, DESCRIPTION, tmp_path / "out.zip")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove("run.json"), "has no run.json: give the folder"),
        (remove("scores.parquet"), "are missing or damaged"),
        (remove("not_applicable.csv"), "did not finish"),
        (write("scores.parquet", "no table"), "are missing or damaged"),
        (write("run.json", "{"), "cannot be read"),
        (edit_run(schema=7), "schema 7, and this program reads 2"),
        (
            edit_run(packages="none"),
            r"run\.json: entry 'packages' is 'none' where a list belongs; run `python -m",
        ),
        (edit_run(devise="CPU"), r"run\.json: there is no entry 'devise'; run"),
        (edit_run(packages=[]), "none of those benchmarked has the same weights"),
        (edit_run(datasets=[]), "knows no such image"),
        (edit_run(metrics={}), "entry 'metrics' does not say where better values of 'new' lie"),
    ],
)
def test_results_are_refused(
    results: Path, tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(results)
    with pytest.raises(UserError, match=sentence):
        read_evidence(results, DESCRIPTION, tmp_path / "out.zip")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove("trust.json"), "has no trust.json"),
        (edit_run("trust.json", verdicts=[]), "did not finish"),
        (
            edit_run("trust.json", verdicts=[{"package": "b", "sentence": "", "faults": []}]),
            "no verdict on",
        ),
        (
            edit_run("trust.json", verdicts=[{"package": "care"}]),
            r"trust\.json: entry 'verdicts\.0\.sentence'",
        ),
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
        read_evidence(results, other, tmp_path / "out.zip")


def test_a_package_that_changed_since_is_not_believed(
    results: Path, package: Path, tmp_path: Path
) -> None:
    (package / "more").touch()

    with pytest.raises(UserError, match="has changed since it was benchmarked"):
        read_evidence(results, DESCRIPTION, tmp_path / "out.zip")


def test_the_benchmarked_package_is_not_overwritten(results: Path, package: Path) -> None:
    with pytest.raises(UserError, match="choose another file as --out"):
        read_evidence(results, DESCRIPTION, package)
