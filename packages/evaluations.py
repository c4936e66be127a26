"""Evidence on the model card: evaluations as the zoo defines them, a table, and limitations."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaging.benchmark_run import MetricEntry
from imaging.bootstrap import Estimate
from imaging.cli import counted
from imaging.provenance import address, written
from imaging.scores import COSTS, MEMORY, SECONDS
from packages.evidence import Evidence

_HEAD = "| metric | mean | 95 % interval | input itself | images |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Score:
    """A score that a card tells; its unit, and where better values lie, the run says.

    Attributes
    ----------
    metric, label
        Its name in the table of scores, and on the card: at most 16 characters with the unit, as
        the format wants.
    meaning
        What it measures.
    against_truth
        Whether it judges the unrestored input just as the restoration, so that a restoration
        should be better.
    """

    metric: str
    label: str
    meaning: str
    against_truth: bool = False


SCORES = (
    Score("si_psnr_a", "SI-PSNR", "scale-invariant peak signal-to-noise ratio", True),
    Score("ssim_affine", "SSIM", "structural similarity after an affine fit", True),
    Score("ms_ssim", "MS-SSIM", "structural similarity over five scales", True),
    Score(
        "micro_ms3im",
        "MicroMS3IM",
        "structural similarity at the background and brightness of microscopy",
        True,
    ),
    Score("lpips_alex", "LPIPS", "perceptual distance v0.1 with AlexNet", True),
    Score(
        "frc_to_truth",
        "FRC",
        "period down to which it agrees with the truth, by Fourier ring correlation",
        True,
    ),
    Score("rsp", "RSP", "resolution-scaled correlation with the input"),
    Score(
        "data_consistency",
        "Consistency",
        "misfit of the microscope's view of it with its data, over the noise",
    ),
    Score("crps", "CRPS", "continuous ranked probability score of the stated Gaussian"),
    Score("ence", "ENCE", "relative difference of stated and found errors"),
    Score("coverage_90", "Gaussian 90 %", "share of pixels within 90 % of the stated Gaussian"),
    Score(
        "own_coverage_90",
        "Own 90 %",
        "share of pixels within the package's own intervals of 90 %",
    ),
    Score(SECONDS, "Time", "seconds per megapixel"),
    Score(MEMORY, "Memory", "peak memory beyond the loaded model"),
)


@dataclass(frozen=True)
class _Told:
    """A score that a package has, with what the run says of the metric.

    The score of the unrestored input is None where it has none, and for costs: what it costs to do
    nothing is of no interest.
    """

    score: Score
    metric: MetricEntry
    found: Estimate
    of_input: float | None

    @property
    def short(self) -> str:
        unit = f" ({self.metric.unit})" if self.metric.unit else ""
        return self.score.label + unit

    @property
    def explained(self) -> str:
        direction = self.metric.direction
        if direction == "neither":
            return self.score.meaning
        where = f"closest to {self.metric.ideal:g}" if direction == "closest" else direction
        return f"{self.score.meaning}, {where} is better"

    @property
    def gains_nothing(self) -> bool:
        """Whether the unrestored input is as good."""
        comparable = self.score.against_truth and self.metric.direction != "neither"
        if not comparable or self.of_input is None:
            return False
        return not self.metric.better(self.found.mean, self.of_input)


def add_evidence(
    folder: Path, description: dict[str, Any], measured: Sequence[Evidence], verdict: str | None
) -> None:
    """Tell in the description and the documentation of a package what was measured of it.

    Parameters
    ----------
    folder
        With the package's documentation.md, which is added to.
    description
        Content of its rdf.yaml, which is changed.
    measured
        By a benchmark, one of each dataset.
    verdict
        Of the trust tests.
    """
    said = limitations(measured, verdict)
    entries = description["config"]["bioimageio"]
    if measured:
        trained_on = entries["training"]["dataset"]
        told = [evaluation(found, trained_on) for found in measured]
        # The zoo takes evaluations on data that have an address; the others are beside them.
        ours = description["config"].get("restoration_zoo", {})
        for place, of_place in (
            (entries, [one for one in told if "dataset_source" in one]),
            (ours, [one for one in told if "dataset_source" not in one]),
        ):
            if of_place:
                place["evaluations"] = of_place
        if ours:
            description["config"]["restoration_zoo"] = ours
    if said:
        known = entries["bias_risks_limitations"]
        known["limitations"] = " ".join([known["limitations"].rstrip(), *said])
    file = folder / "documentation.md"
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}\n{measured_section(measured, said)}", encoding="utf-8")


def evaluation(evidence: Evidence, trained_on: str) -> dict[str, Any]:
    """Return what was measured on a dataset as an entry of `config.bioimageio.evaluations`.

    Parameters
    ----------
    evidence
        What was measured.
    trained_on
        Name of the training data. Its validation part served for nothing in training, so it is
        the zoo's "test"; what the training saw of other data is not known here.

    Returns
    -------
    dict
        The fields of bioimageio.spec 0.5 (`model.v0_5.Evaluation`), and the intervals, the input's
        scores, hashes and versions beside them; `dataset_source`, which the spec demands, only of
        data that have an address.
    """
    told = _told(evidence)
    dataset = evidence.dataset
    held_out = dataset.part == "validation" and dataset.name == trained_on
    entry: dict[str, Any] = {
        "dataset_id": re.sub(r"[^a-z0-9_.-]+", "-", dataset.name.lower()),
        **_source(evidence),
        "dataset_role": "test" if held_out else "unknown",
        "sample_count": evidence.images - evidence.failed,
        "evaluation_factors": ["overall"],
        "evaluation_factors_long": ["all images, each counting the same"],
        "metrics": [one.short for one in told],
        "metrics_long": [f"{one.score.metric}: {one.explained}" for one in told],
        "results": [[_number(one.found.mean)] for one in told],
        "results_summary": _summary(evidence, told),
        "interval_95_percent": [_interval(one.found) for one in told],
        "results_of_input": [_number(one.of_input) for one in told],
        "specimens": evidence.specimens,
        "failed_images": evidence.failed,
        "dataset_sha256": evidence.data_sha256,
        "benchmarked_package_sha256": evidence.package.sha256,
        "benchmark_sha256": evidence.run.benchmark_sha256,
        "versions": evidence.run.versions,
        "device": evidence.device,
    }
    return entry


def limitations(measured: Sequence[Evidence], verdict: str | None) -> list[str]:
    """Say what the measurements show of its limits.

    Parameters
    ----------
    measured
        What was measured, by dataset.
    verdict
        Of the trust tests.

    Returns
    -------
    list of str
        Sentences.
    """
    said: list[str] = []
    for evidence in measured:
        where = f"On {evidence.dataset.name}"
        if evidence.failed:
            said.append(f"{where} it failed on {evidence.failed} of {evidence.images} images.")
        said += [
            f"{where} its {one.short} is no better than that of the unrestored input "
            f"({_written(one.found.mean)} against {_written(one.of_input)})."
            for one in _told(evidence)
            if one.gains_nothing
        ]
        covered = evidence.scores.get("own_coverage_90") or evidence.scores.get("coverage_90")
        if covered:
            said.append(
                f"{where} its intervals of 90 % hold {_percent(covered.mean)} of the pixels"
                f"{_spelt(covered, _percent)}."
            )
    if verdict:
        said.append(f"Trust tests on phantoms: {verdict}.")
    return said


def measured_section(measured: Sequence[Evidence], said: Iterable[str]) -> str:
    """Write the part of the documentation that tells what was measured.

    Parameters
    ----------
    measured
        What was measured, by dataset.
    said
        What `limitations` said of it.

    Returns
    -------
    str
        Markdown.
    """
    parts = ["## Measured"]
    for evidence in measured:
        versions = ", ".join(f"{name} {version}" for name, version in evidence.run.versions.items())
        made = written(evidence.dataset.name, evidence.dataset.provenance)
        part = ", the validation part" if evidence.dataset.part == "validation" else ""
        table = "\n".join([_HEAD, *(_row(one) for one in _told(evidence))])
        parts += [
            f"### On {evidence.dataset.name}",
            table,
            f"{counted(evidence.images, 'image')} of "
            f"{counted(evidence.specimens, 'specimen')}{part}; intervals are "
            f"bootstrapped over specimens.{f' Provenance of the data: {made}.' if made else ''} "
            f"SHA-256 of its images `{evidence.data_sha256[:16]}`. Benchmark "
            f"`{evidence.run.benchmark_sha256[:16]}` on {evidence.device} with {versions}; package "
            f"`{evidence.package.sha256[:16]}`.",
        ]
    met = {one.score: one for evidence in measured for one in _told(evidence)}
    if met:
        ordered = (met[score] for score in SCORES if score in met)
        parts.append("\n".join(f"- {one.short}: {one.explained}." for one in ordered))
    sentences = "\n".join(f"- {sentence}" for sentence in said)
    if sentences:
        parts.append(f"### Limits seen\n\n{sentences}")
    return "\n\n".join(parts) + "\n"


def _row(one: _Told) -> str:
    cells = (
        one.short,
        _written(one.found.mean),
        _range(one.found),
        _written(one.of_input),
        str(one.found.images),
    )
    return f"| {' | '.join(cells)} |"


def _told(evidence: Evidence) -> list[_Told]:
    told: list[_Told] = []
    for score in SCORES:
        if score.metric in evidence.scores:
            of_input = evidence.scores_of_input.get(score.metric)
            told.append(
                _Told(
                    score,
                    evidence.run.metrics[score.metric],
                    evidence.scores[score.metric],
                    of_input.mean if of_input and score.metric not in COSTS else None,
                )
            )
    return told


def _source(evidence: Evidence) -> dict[str, str]:
    """Return where the data can be had or, without an address, how they were made."""
    dataset = evidence.dataset
    if found := address(dataset.provenance):
        return {"dataset_source": found}
    made = written(dataset.name, dataset.provenance)
    return {"dataset_made_by": made} if made else {}


def _summary(evidence: Evidence, told: Sequence[_Told]) -> str:
    words = f"{evidence.images - evidence.failed} of {evidence.images} images restored."
    if told:
        first = told[0]
        words += f" {first.short} {_written(first.found.mean)}{_spelt(first.found, _written)}"
        if first.of_input is not None:
            words += f"; {_written(first.of_input)} of the unrestored input"
        words += "."
    return words


def _number(value: float | None) -> float | str | None:
    """Return what YAML and JSON both can hold, with four digits, more than intervals justify."""
    if value is None:
        return None
    return float(f"{value:.4g}") if math.isfinite(value) else "infinite"


def _written(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if math.isfinite(value) else "infinite"


def _interval(found: Estimate) -> list[float | str | None]:
    return [] if found.low is None else [_number(found.low), _number(found.high)]


def _range(found: Estimate) -> str:
    return "" if found.low is None else f"{_written(found.low)} to {_written(found.high)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _spelt(found: Estimate, write: Callable[[float], str]) -> str:
    """Write an interval behind its mean."""
    if found.low is None or found.high is None:
        return ""
    return f" (95 % interval {write(found.low)} to {write(found.high)})"
