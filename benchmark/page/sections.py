"""What stands beside the scores: what they cannot tell, seeds, agreement and trust tests."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.comparison.agreement import Agreement
from benchmark.comparison.reliability import Reliability
from benchmark.comparison.seeds import Spread
from benchmark.page.text import enumerate_words
from benchmark.trust.trust_report import TrustReport
from imaging.benchmark_run import DatasetEntry, PackageEntry


def tell_limits(dataset: DatasetEntry) -> list[str]:
    """Say what the images of a dataset cannot tell, by what they come without.

    Returns
    -------
    list of str
        Sentences, each with what it is about before its colon; none where the truth is stated to
        be exact.
    """
    images = dataset.images
    if any(image.target for image in images):
        if dataset.registration == "exact":
            return []
        done = (
            "the truth was brought to the input afterwards, and what is left of the displacement"
            if dataset.registration == "registered"
            else "the truth fits the input approximately, and their displacement"
            if dataset.registration == "approximate"
            else "nothing says that the truth fits the input exactly, and a displacement"
        )
        return [f"Small differences: {done} costs every restoration some score, the sharpest most."]
    said = [
        "Added detail: without truth nothing here tells restored detail from invented detail. A "
        "score of agreement with the input is perfect for whoever adds nothing.",
        "Hallucination: whether structure was invented where there is none. Phantoms show it, as "
        "the trust tests do.",
        "Absolute intensities: restored images are in relative units, and no truth says what they "
        "should be.",
        "Calibration: whether a stated standard deviation is as large as the error, as no error is "
        "known.",
    ]
    if any(image.repeat for image in images):
        said.append(
            "Truth of what repeats: two restorations of one field agree on what a package always "
            "adds just as on what is there."
        )
    else:
        said.append(
            "Resolution: without a second recording of the same field there is no Fourier ring "
            "correlation, and sharpness is not resolution."
        )
    if not any(image.native for image in images):
        said.append(
            "Consistency with the photons counted: without the microscope's own pixels in native/, "
            "nothing says whether a restoration could have given these counts."
        )
    return said


def tell_registration(
    found: Mapping[str, Mapping[str, float | str]],
) -> tuple[list[str], list[list[str]]]:
    """Write what registration did to each image.

    Parameters
    ----------
    found
        By image, entries with units in their names; see `benchmark.registration.register`.

    Returns
    -------
    tuple
        Headings and rows.
    """
    names = list(dict.fromkeys(name for entries in found.values() for name in entries))
    headings = [re.sub(r"_(um|px|deg)$", r", \1", name).replace("_", " ") for name in names]
    rows = [
        [image, *(_text(entries.get(name, "")) for name in names)]
        for image, entries in found.items()
    ]
    return [heading.replace(", um", ", µm") for heading in headings], rows


def tell_agreement(found: Agreement | None) -> list[tuple[str, list[tuple[str, float]]]]:
    """Write the agreement of packages as rows of a table.

    Returns
    -------
    list of tuple
        A name, and for each column the text and the value; none where nothing was measured.
    """
    if found is None:
        return []
    rows: list[list[float]] = found.values.tolist()
    return [
        (name, [(f"{value:.2f}".replace("-", "−"), value) for value in row])
        for name, row in zip(found.names, rows, strict=True)
    ]


def tell_calibration(found: Reliability) -> tuple[str, list[tuple[str, ...]]]:
    """Write stated and found uncertainty before, with and after calibration.

    Returns
    -------
    tuple
        The package's name; and of each stage its name, the coverage of 50, 90 and 95 % intervals
        and ENCE of all pixels pooled.
    """
    stages = (
        ("network alone, Gaussian intervals", found.network),
        ("as delivered, own intervals where it states them", found.delivered),
        ("fitted anew here, quantiles of its errors", found.refitted),
    )
    return found.name, [
        (words, *(f"{100 * share:.1f} %" for share in stage.coverage), f"{stage.pooled_ence:.3f}")
        for words, stage in stages
        if stage
    ]


def tell_seeds(names: Sequence[str], spreads: Sequence[Spread]) -> dict[str, Any]:
    """Summarise the packages that are seeds of one method."""
    rows: list[tuple[str, ...]] = []
    for spread in spreads:
        number, found = spread.column.format, spread.estimate
        interval = "–"
        if found.low is not None and found.high is not None:
            interval = f"{number(found.low)} – {number(found.high)}"
        unit = f" {spread.column.unit}" if spread.column.unit else ""
        rows.append(
            (
                spread.column.label + unit.replace(" ", ", "),
                number(found.mean),
                np.format_float_positional(spread.between_seeds, 2, unique=False, fractional=False),
                interval,
            )
        )
    text = (
        f"{enumerate_words(names)} are {len(names)} seeds of one method: same network, settings, "
        "length of training and data, other random numbers. A lead over another method that is no "
        "larger than the deviation between seeds may be luck of training, however sure it is on "
        "these images."
    )
    return {"text": text, "rows": rows}


def tell_verdicts(findings: TrustReport, packages: Sequence[PackageEntry]) -> list[dict[str, Any]]:
    """Write what the trust tests say of each package, and whether it is the one of this page.

    Parameters
    ----------
    findings
        Of the trust tests.
    packages
        Of the run.
    """
    tested = {method.name: method for method in findings.run.packages}
    here = {package.name: package.sha256 for package in packages}
    told: list[dict[str, Any]] = []
    for verdict in findings.verdicts:
        method, note = tested[verdict.package], ""
        if verdict.package not in here:
            note = "not among the packages above"
        elif method.sha256 != here[verdict.package]:
            note = "another version than the package above"
        told.append(
            {
                "name": verdict.package,
                "control": method.control,
                "note": note,
                "sentence": f"{verdict.sentence[:1].upper()}{verdict.sentence[1:]}.",
                "faults": [f"{fault[:1].upper()}{fault[1:]}" for fault in verdict.faults],
            }
        )
    return told


def tell_values(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """Write the values of the trust tests.

    Parameters
    ----------
    table
        Rows of `benchmark.trust.trust_report.COLUMNS`.

    Returns
    -------
    list of tuple
        Package, test, condition, metric, value, interval and how many objects.
    """
    rows: list[tuple[str, ...]] = []
    for row in table.to_dict("records"):
        low, high = float(row["low"]), float(row["high"])
        interval = f"{low:.3g} – {high:.3g}" if low <= high else "–"
        value = "never" if math.isinf(row["value"]) else f"{row['value']:.3g}"
        words = (str(row[name]) for name in ("package", "test", "condition", "metric"))
        rows.append((*words, value, interval, str(row["n"])))
    return rows


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}".replace("-", "−")
