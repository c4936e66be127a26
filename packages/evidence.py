"""What a benchmark found about a package that is being built.

Read are the folders of ``python -m benchmark run`` and ``python -m benchmark trust``. A package's
scores cannot name the package that will hold them: scores are believed when the package that was
benchmarked is still there, byte for byte, and restores as the one being built does.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from imaging.benchmark_run import BenchmarkRun, DatasetEntry, PackageEntry
from imaging.bootstrap import Estimate, estimate_mean
from imaging.cli import UserError
from imaging.results import Scores, read_scores
from imaging.scores import INPUT
from imaging.trust_run import TrustRun
from packages.rdf import read_unchanged_rdf


@dataclass(frozen=True)
class Evidence:
    """What was measured of a package on one dataset.

    Attributes
    ----------
    run, package, dataset
        Who was measured on what, and with what.
    scores, scores_of_input
        By metric: of the package, and of its input unrestored.
    """

    run: BenchmarkRun
    package: PackageEntry
    dataset: DatasetEntry
    scores: dict[str, Estimate]
    scores_of_input: dict[str, Estimate]

    @property
    def data_sha256(self) -> str:
        """Return the hash of the names and hashes of the images."""
        lines = (f"{i.name}\0{i.input_sha256}\0{i.target_sha256}\n" for i in self.dataset.images)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def images(self) -> int:
        """Return how many images were to be restored."""
        return len(self.dataset.images)

    @property
    def specimens(self) -> int:
        """Return of how many specimens they are."""
        return len({image.source for image in self.dataset.images})

    @property
    def failed(self) -> int:
        """Return on how many of them the package failed."""
        place = (self.package.name, self.dataset.name)
        return sum((cell.package, cell.dataset) == place for cell in self.run.failures)

    @property
    def device(self) -> str:
        """Return the GPU, or the processor where there was none."""
        return self.run.cpu if self.run.device == "CPU" else self.run.device


def read_evidence(results: Path, description: dict[str, Any], out: Path) -> list[Evidence]:
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
    scores = read_scores(results)
    package = _find(results, scores.run, description, out)
    unknown = sorted(set(scores.table["metric"]) - scores.run.metrics.keys())
    if unknown:
        raise UserError(
            f"{results / BenchmarkRun.FILE}: entry 'metrics' does not say where better values of "
            f"'{unknown[0]}' lie, as runs of this version do: give the same command of "
            "`benchmark run` again."
        )
    found = [_on_dataset(scores, package, dataset) for dataset in scores.run.datasets]
    scored = [evidence for evidence in found if evidence.scores]
    if not scored:
        raise UserError(
            f"{results} holds no score of '{package.name}', as it failed everywhere: "
            f"see its {BenchmarkRun.FILE} for the reasons."
        )
    return scored


def read_verdict(results: Path, description: dict[str, Any], out: Path) -> str:
    """Read the one line that trust tests sum a package up in.

    Parameters
    ----------
    results
        Folder written by ``python -m benchmark trust``.
    description, out
        As for `read_evidence`.

    Returns
    -------
    str
        What was found, and what the package does worse than its input.

    Raises
    ------
    UserError
        As for `read_evidence`.
    """
    run = TrustRun.read(results / TrustRun.FILE)
    if not run.verdicts:
        raise UserError(f"The trust tests in {results} did not finish: give that command again.")
    package = _find(results, run, description, out)
    for verdict in run.verdicts:
        if verdict.package == package.name:
            return "; ".join([verdict.sentence, *verdict.faults])
    raise UserError(f"{results} has no verdict on '{package.name}': run the trust tests again.")


def _find(results: Path, run: BenchmarkRun, description: dict[str, Any], out: Path) -> PackageEntry:
    """Return the benchmarked package that restores as the described one does."""
    changed: list[Path] = []
    for package in run.packages:
        if package.control:
            continue
        file = Path(package.file)
        stated = read_unchanged_rdf(file, package.sha256)
        if stated is None:
            changed.append(file)
        elif _what_restores(stated) == _what_restores(description):
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


def _on_dataset(scores: Scores, package: PackageEntry, dataset: DatasetEntry) -> Evidence:
    here = scores.table[scores.table["dataset"] == dataset.name]
    own = here[here["package"] == package.name]
    # Means over different images do not compare: the input counts where the package has a score.
    of_input = here[here["package"] == INPUT].merge(own[["image", "metric"]])
    specimens = {image.name: image.source for image in dataset.images}
    return Evidence(
        scores.run,
        package,
        dataset,
        _estimates(own, specimens),
        _estimates(of_input, specimens),
    )


def _estimates(table: pd.DataFrame, specimens: dict[str, str]) -> dict[str, Estimate]:
    return {
        str(metric): estimate_mean(rows["value"].to_numpy(), [specimens[i] for i in rows["image"]])
        for metric, rows in table.groupby("metric")
    }
