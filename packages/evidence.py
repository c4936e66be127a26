"""What a benchmark found about a package that is being built.

Read are the folders of ``python -m benchmark run`` and ``python -m benchmark trust``. A package's
scores cannot name the package that will hold them: scores are believed when the package that was
benchmarked is still there, byte for byte, and restores as the one being built does.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow import ArrowInvalid
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from packages.bootstrap import Estimate, estimate_mean
from packages.cli import UserError
from packages.files import sha256
from packages.rdf import read_rdf

SCHEMAS = {"run.json": 2, "trust.json": 2}
INPUT = "input"  # the control that does nothing
_COLUMNS = ["package", "dataset", "image", "metric", "value"]


@checked_dataclass(frozen=True)
class _Package:
    name: str
    control: bool
    file: str
    sha256: str


@checked_dataclass(frozen=True)
class _Image:
    name: str
    source: str
    input_sha256: str
    target_sha256: str


@checked_dataclass(frozen=True)
class _Dataset:
    name: str
    part: str
    provenance: dict[str, str | int | float]
    images: list[_Image]


@checked_dataclass(frozen=True)
class _Failure:
    package: str
    dataset: str


@checked_dataclass(frozen=True)
class _Verdict:
    package: str
    sentence: str
    faults: list[str]


@checked_dataclass(frozen=True)
class _Facts:
    """What run.json and trust.json say, as far as a model card tells it."""

    packages: list[_Package]
    device: str
    cpu: str
    versions: dict[str, str]
    benchmark_sha256: str
    datasets: list[_Dataset] = field(default_factory=list[_Dataset])
    failures: list[_Failure] = field(default_factory=list[_Failure])
    verdicts: list[_Verdict] = field(default_factory=list[_Verdict])


@dataclass(frozen=True)
class Evidence:
    """What was measured on one dataset.

    Attributes
    ----------
    dataset, part
        Its name; whether its validation part or all of it was used.
    provenance
        What dataset.toml says of how it came to be.
    data_sha256
        Of the names and hashes of its images.
    images, specimens, failed
        How many images were to be restored, of how many specimens, and where that failed.
    scores, scores_of_input
        By metric: of the package, and of its input unrestored.
    package_sha256, benchmark_sha256, versions, device
        What was benchmarked with what.
    """

    dataset: str
    part: str
    provenance: dict[str, str | int | float]
    data_sha256: str
    images: int
    specimens: int
    failed: int
    scores: dict[str, Estimate]
    scores_of_input: dict[str, Estimate]
    package_sha256: str
    benchmark_sha256: str
    versions: dict[str, str]
    device: str


def read_scores(results: Path, description: dict[str, Any], out: Path) -> list[Evidence]:
    """Read what a benchmark found about a package.

    Parameters
    ----------
    results
        Folder written by ``python -m benchmark run``.
    description
        Content of the rdf.yaml of the package being built.
    out
        Where it will be written.

    Returns
    -------
    list of Evidence
        One of each dataset on which something was scored.

    Raises
    ------
    UserError
        No such folder, an unfinished run, another version's, or none of this package.
    """
    facts = _read_facts(results, "run.json", "benchmark run")
    file = results / "scores.parquet"
    # The second is the last table that a run writes.
    if not (file.exists() and (results / "not_applicable.csv").exists()):
        raise UserError(f"The run in {results} did not finish: give the same command again.")
    try:
        table = pd.read_parquet(file, columns=_COLUMNS)
    except (ArrowInvalid, KeyError, ValueError, OSError) as error:
        raise UserError(f"{file} cannot be read: run the benchmark again.") from error
    package = _find(results, facts, description, out)
    found = [_on_dataset(table, facts, package, dataset) for dataset in facts.datasets]
    scored = [evidence for evidence in found if evidence.scores]
    if not scored:
        raise UserError(
            f"{results} holds no score of '{package.name}', as it failed everywhere: "
            "see its run.json for the reasons."
        )
    return scored


def read_verdict(results: Path, description: dict[str, Any], out: Path) -> str:
    """Read the one line that trust tests sum a package up in.

    Parameters
    ----------
    results
        Folder written by ``python -m benchmark trust``.
    description, out
        As for `read_scores`.

    Returns
    -------
    str
        What was found, and what the package does worse than its input.

    Raises
    ------
    UserError
        As for `read_scores`.
    """
    facts = _read_facts(results, "trust.json", "benchmark trust")
    if not facts.verdicts:
        raise UserError(f"The trust tests in {results} did not finish: give that command again.")
    package = _find(results, facts, description, out)
    for verdict in facts.verdicts:
        if verdict.package == package.name:
            return "; ".join([verdict.sentence, *verdict.faults])
    raise UserError(f"{results} has no verdict on '{package.name}': run the trust tests again.")


def _read_facts(results: Path, name: str, command: str) -> _Facts:
    file = results / name
    if not file.exists():
        raise UserError(
            f"{results} has no {name}: give the folder that `python -m {command}` wrote."
        )
    try:
        content: Any = json.loads(file.read_bytes())
        schema = content["schema"]
        if schema != SCHEMAS[name]:
            raise UserError(
                f"{results} holds results in schema {schema}, and this program reads "
                f"{SCHEMAS[name]}: run `python -m {command}` of this version into another folder."
            )
        return TypeAdapter(_Facts).validate_python(content)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise UserError(f"{file} cannot be read: run `python -m {command}` again.") from error


def _find(results: Path, facts: _Facts, description: dict[str, Any], out: Path) -> _Package:
    """Return the benchmarked package that restores as the described one does."""
    changed: list[Path] = []
    for package in facts.packages:
        if package.control:
            continue
        file = Path(package.file)
        if not file.exists() or sha256(file) != package.sha256:
            changed.append(file)
        elif _what_restores(read_rdf(file)) == _what_restores(description):
            if file.resolve() == out.resolve():
                raise UserError(
                    f"{out} is the package whose scores are in {results}, and they are believed as "
                    "long as it is there: choose another file as --out."
                )
            return package
    why = "none of those benchmarked has the same weights and settings"
    if changed:
        why = f"{changed[0]} is gone or has changed since it was benchmarked"
        why += f" ({len(changed)} such packages)" if len(changed) > 1 else ""
    raise UserError(
        f"{results} holds no scores of this package, for {why}: build it without --results, "
        "benchmark it, and build it again with another --out."
    )


def _what_restores(description: dict[str, Any]) -> str:
    """Return what decides a restoration: weights, architecture, axes and processing."""
    state = description.get("weights", {}).get("pytorch_state_dict", {})
    tensors = [
        {key: tensor.get(key) for key in ("axes", "preprocessing", "postprocessing")}
        for tensor in (*description.get("inputs", ()), *description.get("outputs", ()))
    ]
    decides = (state.get("sha256"), state.get("architecture"), tensors)
    return json.dumps(decides, sort_keys=True, default=str)


def _on_dataset(
    table: pd.DataFrame, facts: _Facts, package: _Package, dataset: _Dataset
) -> Evidence:
    images = dataset.images
    listed = "".join(f"{i.name}\0{i.input_sha256}\0{i.target_sha256}\n" for i in images)
    here = table[table["dataset"] == dataset.name]
    own = here[here["package"] == package.name]
    # Means over different images do not compare: the input counts where the package has a score.
    of_input = here[here["package"] == INPUT].merge(own[["image", "metric"]])
    specimens = {image.name: image.source for image in images}
    failed = [f for f in facts.failures if (f.package, f.dataset) == (package.name, dataset.name)]
    return Evidence(
        dataset=dataset.name,
        part=dataset.part,
        provenance=dataset.provenance,
        data_sha256=hashlib.sha256(listed.encode()).hexdigest(),
        images=len(images),
        specimens=len(set(specimens.values())),
        failed=len(failed),
        scores=_estimates(own, specimens),
        scores_of_input=_estimates(of_input, specimens),
        package_sha256=package.sha256,
        benchmark_sha256=facts.benchmark_sha256,
        versions=facts.versions,
        device=facts.cpu if facts.device == "CPU" else facts.device,
    )


def _estimates(table: pd.DataFrame, specimens: dict[str, str]) -> dict[str, Estimate]:
    return {
        str(metric): estimate_mean(rows["value"].to_numpy(), [specimens[i] for i in rows["image"]])
        for metric, rows in table.groupby("metric")
    }
