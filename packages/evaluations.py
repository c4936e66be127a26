"""Evidence on the model card: evaluations as the zoo defines them, a table, and limitations."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from packages.bootstrap import Estimate
from packages.cli import counted
from packages.evidence import Evidence

# The zoo asks for an address of the data, and not all data have one. The spec knows this domain.
UNPUBLISHED = "https://example.com/not-published"

_HEAD = "| metric | mean | 95 % interval | input itself | images |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class _Score:
    """A score that a card tells.

    `short` has at most 16 characters, as the format wants. `gains` says in which direction a
    restoration is better than its input, for scores that judge both against the truth; `is_cost`
    that the input has none.
    """

    metric: str
    short: str
    meaning: str
    gains: Literal[1, -1] | None = None
    is_cost: bool = False


SCORES = (
    _Score("si_psnr_a", "SI-PSNR (dB)", "scale-invariant peak signal-to-noise ratio, higher", 1),
    _Score("ssim_affine", "SSIM", "structural similarity after an affine fit, higher", 1),
    _Score("ms_ssim", "MS-SSIM", "structural similarity over five scales, higher", 1),
    _Score(
        "micro_ms3im",
        "MicroMS3IM",
        "structural similarity at the background and brightness of microscopy, higher",
        1,
    ),
    _Score("lpips_alex", "LPIPS", "perceptual distance v0.1 with AlexNet, lower", -1),
    _Score(
        "frc_to_truth",
        "FRC (px)",
        "period down to which it agrees with the truth, by Fourier ring correlation, lower",
        -1,
    ),
    _Score("rsp", "RSP", "resolution-scaled correlation with the input, higher"),
    _Score(
        "data_consistency",
        "Consistency",
        "misfit of the microscope's view of it with its data, over the noise, closest to 1",
    ),
    _Score("crps", "CRPS", "continuous ranked probability score of the stated Gaussian, lower"),
    _Score("ence", "ENCE", "relative difference of stated and found errors, lower"),
    _Score(
        "coverage_90",
        "Gaussian 90 %",
        "share of pixels within 90 % of the stated Gaussian, closest to 0.9",
    ),
    _Score(
        "own_coverage_90",
        "Own 90 %",
        "share of pixels within the package's own intervals of 90 %, closest to 0.9",
    ),
    _Score("seconds_per_megapixel", "Time (s/MP)", "seconds per megapixel, lower", is_cost=True),
    _Score("peak_mib", "Memory (MiB)", "peak memory beyond the loaded model, lower", is_cost=True),
)


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
        entries["evaluations"] = [evaluation(found, trained_on) for found in measured]
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
        scores, hashes and versions beside them.
    """
    told = _told(evidence)
    held_out = evidence.part == "validation" and evidence.dataset == trained_on
    entry: dict[str, Any] = {
        "dataset_id": re.sub(r"[^a-z0-9_.-]+", "-", evidence.dataset.lower()),
        "dataset_source": _source(evidence),
        "dataset_role": "test" if held_out else "unknown",
        "sample_count": evidence.images - evidence.failed,
        "evaluation_factors": ["overall"],
        "evaluation_factors_long": ["all images, each counting the same"],
        "metrics": [score.short for score in told],
        "metrics_long": [f"{score.metric}: {score.meaning} is better" for score in told],
        "results": [[_number(evidence.scores[score.metric].mean)] for score in told],
        "results_summary": _summary(evidence, told),
        "interval_95_percent": [_interval(evidence.scores[score.metric]) for score in told],
        "results_of_input": [_number(_of_input(evidence, score)) for score in told],
        "specimens": evidence.specimens,
        "failed_images": evidence.failed,
        "dataset_sha256": evidence.data_sha256,
        "benchmarked_package_sha256": evidence.package_sha256,
        "benchmark_sha256": evidence.benchmark_sha256,
        "versions": evidence.versions,
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
        where = f"On {evidence.dataset}"
        if evidence.failed:
            said.append(f"{where} it failed on {evidence.failed} of {evidence.images} images.")
        for score in _told(evidence):
            own, of_input = evidence.scores[score.metric].mean, _of_input(evidence, score)
            if score.gains and of_input is not None and score.gains * (own - of_input) <= 0:
                said.append(
                    f"{where} its {score.short} is no better than that of the unrestored input "
                    f"({_written(own)} against {_written(of_input)})."
                )
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
        versions = ", ".join(f"{name} {version}" for name, version in evidence.versions.items())
        made = ", ".join(f"{key} {value}" for key, value in evidence.provenance.items())
        part = ", the validation part" if evidence.part == "validation" else ""
        table = "\n".join([_HEAD, *(_row(evidence, score) for score in _told(evidence))])
        parts += [
            f"### On {evidence.dataset}",
            table,
            f"{counted(evidence.images, 'image')} of "
            f"{counted(evidence.specimens, 'specimen')}{part}; intervals are "
            f"bootstrapped over specimens. Provenance of the data: {made or 'not stated'}; SHA-256 "
            f"of its images `{evidence.data_sha256[:16]}`. Benchmark "
            f"`{evidence.benchmark_sha256[:16]}` on {evidence.device} with {versions}; package "
            f"`{evidence.package_sha256[:16]}`.",
        ]
    met = [score for score in SCORES if any(score in _told(evidence) for evidence in measured)]
    if met:
        parts.append("\n".join(f"- {score.short}: {score.meaning} is better." for score in met))
    sentences = "\n".join(f"- {sentence}" for sentence in said)
    if sentences:
        parts.append(f"### Limits seen\n\n{sentences}")
    return "\n\n".join(parts) + "\n"


def _row(evidence: Evidence, score: _Score) -> str:
    found = evidence.scores[score.metric]
    cells = (
        score.short,
        _written(found.mean),
        _range(found),
        _written(_of_input(evidence, score)),
        str(found.images),
    )
    return f"| {' | '.join(cells)} |"


def _told(evidence: Evidence) -> list[_Score]:
    return [score for score in SCORES if score.metric in evidence.scores]


def _source(evidence: Evidence) -> str:
    """Return the address of the data, where its provenance tells one."""
    for value in evidence.provenance.values():
        if isinstance(value, str) and re.fullmatch(r"https?://\S+", value):
            return value
    return UNPUBLISHED


def _summary(evidence: Evidence, told: Sequence[_Score]) -> str:
    first = told[0] if told else None
    words = f"{evidence.images - evidence.failed} of {evidence.images} images restored."
    if first:
        words += f" {first.short} {_written(evidence.scores[first.metric].mean)}"
        words += _spelt(evidence.scores[first.metric], _written)
        if (of_input := _of_input(evidence, first)) is not None:
            words += f"; {_written(of_input)} of the unrestored input"
        words += "."
    if _source(evidence) == UNPUBLISHED:
        made = ", ".join(f"{key} {value}" for key, value in evidence.provenance.items())
        words += f" The data have no public address ({made or 'provenance not stated'})."
    return words


def _of_input(evidence: Evidence, score: _Score) -> float | None:
    """Return the score of the unrestored input; what it costs to do nothing is of no interest."""
    found = evidence.scores_of_input.get(score.metric)
    return found.mean if found and not score.is_cost else None


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
