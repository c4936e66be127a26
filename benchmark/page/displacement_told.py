"""The section of the page on what the displacement that registration left costs in scores."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.comparison.comparisons import TRUTH
from benchmark.comparison.displacement_cost import (
    LARGEST_GAIN_DB,
    SCORES,
    WithoutDisplacement,
)
from benchmark.metrics.columns import column_of
from benchmark.page.text import TextTable
from imaging.benchmark_run import DatasetEntry
from imaging.cli import counted

_PERFECT = "perfect restoration"


@dataclass(frozen=True)
class DisplacementTold:
    """What the page shows: sentences, and a table that is empty where nothing is known."""

    finding: str
    table: TextTable


def tell_displacement(
    found: Sequence[WithoutDisplacement], dataset: DatasetEntry
) -> DisplacementTold:
    """Write scores as they are beside those without what registration left."""
    columns = [column_of(metric) for metric in SCORES]
    headings = ["Package"]
    for column in columns:
        unit = f", {column.unit}" if column.unit else ""
        headings += [f"{column.label}{unit}, as scored", "without displacement"]
    rows: list[tuple[str, ...]] = []
    for one in found:
        row = [_PERFECT if one.name == TRUTH else one.name]
        for column in columns:
            number = column.format
            freed, low, high = one.freed[column.metric]
            interval = f"({number(low)} – {number(high)})"
            if one.name == TRUTH:
                row += [f"{number(freed)} {interval}", "–"]
            else:
                row += [number(one.scored[column.metric]), f"{number(freed)} {interval}"]
        rows.append(tuple(row))
    finding = _finding(found, dataset) if found else ""
    return DisplacementTold(finding, TextTable(headings, rows))


def _finding(found: Sequence[WithoutDisplacement], dataset: DatasetEntry) -> str:
    errors = [
        float(entries["error_um"])
        for image in dataset.images
        if "error_um" in (entries := dataset.registered.get(image.name, {}))
    ]
    beside = ""
    if errors:
        beside = f" by about {sum(errors) / len(errors):.2g} µm (root mean square)"
    sentence = (
        f"Registration has left the truth beside the input{beside}, as copies of "
        f"{counted(found[0].images, 'image')} show whose truth is known."
    )
    ceiling = next((one for one in found if one.name == TRUTH), None)
    if ceiling is None:
        return sentence
    reached = " and ".join(
        f"{column.label} of {column.format(ceiling.scored[column.metric])} {column.unit}".strip()
        for column in map(column_of, SCORES)
    )
    return (
        f"{sentence} For this alone a perfect restoration would score about {reached}: what "
        "separates it from infinity and 1 is distortion and registration, not restoration."
    )


CAPTION = (
    "Without displacement: what a restoration would score against a truth that lies exactly on the "
    "input, from what one more displacement of the same size costs it, with 95 % intervals over "
    f"images and displacements; at most {LARGEST_GAIN_DB:g} dB above the score. Sharp restorations "
    "lose more by a displacement than blurred ones, so compare packages in these columns. Labels "
    "lost in expansion, and bends within less than 64 pixels, are not taken out."
)
