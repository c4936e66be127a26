"""The sections of the page, and what they tell beside scores: limits, seeds, agreement, trust."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from benchmark.comparison.agreement import Agreement
from benchmark.comparison.reliability import Reliability
from benchmark.comparison.seeds import Spread
from benchmark.comparison.summary import Family, Summary
from benchmark.objects.measure import Measured
from benchmark.page.displacement_told import DisplacementTold
from benchmark.page.judged_told import JudgedTold
from benchmark.page.objects_told import ObjectsTold
from benchmark.page.panels import View, figure_of_panels
from benchmark.page.protocol_told import ProtocolTold
from benchmark.page.text import TextTable, enumerate_words
from benchmark.page.volume_views import VolumeView, figure_of_volume
from benchmark.trust.trust_report import TrustReport
from imaging.benchmark_run import DatasetEntry, PackageEntry

_CURVES = (
    *("Two points", "Two tubes"),
    *("Two points above each other", "Two tubes that cross at different depth"),
)
Agreements = list[tuple[str, list[tuple[str, float]]]]
"""A name, and for each column the text and the value."""


@dataclass(frozen=True)
class SeedsTold:
    """Packages that are seeds of one method: what they are, and a row for each metric."""

    text: str
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page shows of one dataset; what is empty is not shown.

    Attributes
    ----------
    name, anchor
        Of the dataset; the anchor begins the names of its files, too.
    about, changed, finding, caption, reliability_caption, views_caption, volumes_caption
        Sentences.
    limits
        Sentences, each with what it is about before its colon.
    registration, ranks, tests
        Rows of words: each image's registration, everyone's place, the paired tests.
    displacement
        What the displacement that registration left costs.
    protocol
        What it fixes, and what is asked for under it.
    summary
        The tables of scores.
    strips
        SVG elements by metric.
    plane
        An SVG element.
    costs, ring_curves, reliability
        SVG elements by name.
    seeds, agreement, calibrations
        What is told of packages beside their scores.
    measured, objects, judged
        What was measured on annotated objects, and what is told of points, and of lines and masks.
    views, volumes
        The images, and again those of several planes as volumes.
    by_depth
        SVG elements by name.
    """

    name: str
    anchor: str
    about: str
    changed: str
    limits: list[str]
    registration: TextTable
    displacement: DisplacementTold
    protocol: ProtocolTold
    summary: Summary
    finding: str
    plane: str
    ranks: TextTable
    strips: dict[str, str]
    caption: str
    tests: list[tuple[str, ...]]
    ring_curves: dict[str, str]
    seeds: list[SeedsTold]
    agreement: Agreements
    reliability: dict[str, str]
    reliability_caption: str
    calibrations: list[tuple[str, list[tuple[str, ...]]]]
    measured: Measured
    objects: list[ObjectsTold]
    judged: list[JudgedTold]
    views: list[View]
    views_caption: str
    volumes: list[VolumeView]
    volumes_caption: str
    by_depth: dict[str, str]
    costs: dict[str, str]

    @cached_property
    def footnotes(self) -> list[int]:
        """Return the summary's footnotes that its tables refer to, in their order."""
        cells = [cell for of in self.summary.families for row in of.rows for cell in row.cells]
        return sorted({cell.footnote for cell in cells if cell.footnote})

    def strips_of(self, family: Family) -> list[str]:
        """Return the figures of every image's score in one family of metrics."""
        return [self.strips[c.metric] for c in family.columns if c.metric in self.strips]

    @property
    def files(self) -> dict[str, str]:
        """Return all figures by the name of their file."""
        figures = {
            **self.strips,
            **({"plane": self.plane} if self.plane else {}),
            **self.costs,
            **self.ring_curves,
            **self.reliability,
            **{
                f"objects-{of.kind}-{name}": figure
                for of in self.objects
                for name, figure in of.galleries.items()
            },
            **({"maps": self.protocol.maps.figure} if self.protocol.maps else {}),
            **{f"sensitivity-{of.kind}": of.sensitivity for of in self.objects},
            **{f"image-{view.image}": figure_of_panels(view) for view in self.views},
            **{f"volume-{view.image}": figure_of_volume(view) for view in self.volumes},
            **self.by_depth,
        }
        return {f"{self.anchor}-{name}": figure for name, figure in figures.items()}


@dataclass(frozen=True)
class VerdictTold:
    """What the trust tests say of a package or control, and whether it is the one of this page."""

    name: str
    control: bool
    note: str
    sentence: str
    faults: list[str]


@dataclass(frozen=True)
class TrustSection:
    """What the page shows of the trust tests: SVG elements, and rows of all values."""

    verdicts: list[VerdictTold]
    draws: int
    curves: list[str]
    figures: list[str]
    rows: list[tuple[str, ...]]


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


def tell_registration(found: Mapping[str, Mapping[str, float | str]]) -> TextTable:
    """Write what registration did to each image: entries with units in their names."""
    names = list(dict.fromkeys(name for entries in found.values() for name in entries))
    headings = [re.sub(r"_(um|px|deg)$", r", \1", name).replace("_", " ") for name in names]
    rows = [
        (image, *(_text(entries.get(name, "")) for name in names))
        for image, entries in found.items()
    ]
    return TextTable([heading.replace(", um", ", µm") for heading in headings], rows)


def tell_agreement(found: Agreement | None) -> Agreements:
    """Write the agreement of packages as rows of a table; none where nothing was measured."""
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


def tell_seeds(names: Sequence[str], spreads: Sequence[Spread]) -> SeedsTold:
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
    return SeedsTold(text, rows)


def tell_trust(findings: TrustReport, packages: Sequence[PackageEntry]) -> TrustSection:
    """Write what the trust tests found, of packages of a run and of others."""
    figures = list(findings.figures.items())
    return TrustSection(
        tell_verdicts(findings, packages),
        findings.run.draws,
        [figure for title, figure in figures if title in _CURVES],
        [figure for title, figure in figures if title not in _CURVES],
        tell_values(findings.table[findings.table["at_um"].isna()]),
    )


def tell_verdicts(findings: TrustReport, packages: Sequence[PackageEntry]) -> list[VerdictTold]:
    """Write what the trust tests say of each package, and whether it is one of the run's."""
    tested = {method.name: method for method in findings.run.packages}
    here = {package.name: package.sha256 for package in packages}
    told: list[VerdictTold] = []
    for verdict in findings.run.verdicts:
        method, note = tested[verdict.package], ""
        if verdict.package not in here:
            note = "not among the packages above"
        elif method.sha256 != here[verdict.package]:
            note = "another version than the package above"
        told.append(
            VerdictTold(
                verdict.package,
                method.control,
                note,
                f"{verdict.sentence[:1].upper()}{verdict.sentence[1:]}.",
                [f"{fault[:1].upper()}{fault[1:]}" for fault in verdict.faults],
            )
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
