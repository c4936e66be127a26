"""The sections of the page on the protocol: what it fixes, levels of light, what is published."""

from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from benchmark.comparison.comparisons import TRUTH
from benchmark.comparison.levels import Levels, measure_levels, tabulate_levels
from benchmark.comparison.published import CAVEAT, SOURCE, Published, find_published
from benchmark.comparison.summary import Summary
from benchmark.metrics.columns import CHOOSING, PERCEPTION, Column, column_of
from benchmark.page.maps import Maps
from imaging.benchmark_run import DatasetEntry
from imaging.bootstrap import Estimate
from imaging.cli import counted

SHOWN = (CHOOSING, *map(column_of, ("ssim_affine", "ms_ssim_affine")), PERCEPTION)
"""What is told for each level of light; all other metrics stand in the file."""
_BESIDE = tuple(map(column_of, ("psnr_minmax", "si_psnr_a", "ms_ssim_minmax", "ms_ssim_affine")))


class ScoreTable(NamedTuple):
    """Means with their intervals: headings, and of each row its name and its cells."""

    headings: list[str]
    rows: list[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True)
class ProtocolTold:
    """What the page shows of a protocol; what is empty is not shown.

    Attributes
    ----------
    entries
        What it fixes, by name.
    levels
        A table for each metric, by its label.
    measured
        The means of all metrics, at each level and over all, for the file.
    published, published_about
        The published table beside what is measured here, and what to know of it.
    maps, maps_about
        Error maps and maps of Fourier ring correlation.
    """

    entries: list[tuple[str, str]]
    levels: dict[str, ScoreTable]
    measured: pd.DataFrame
    published: ScoreTable
    published_about: str
    maps: Maps | None
    maps_about: str


def tell_protocol(
    dataset: DatasetEntry, table: pd.DataFrame, summary: Summary, maps: Maps | None
) -> ProtocolTold:
    """Write what a dataset's protocol fixes, and what is asked for under it.

    Parameters
    ----------
    dataset
        Of the run.
    table, summary
        Its scores, and their means.
    maps
        Of one of its images, where its protocol is stated.

    Returns
    -------
    ProtocolTold
        Empty where neither protocol nor levels of light are stated.
    """
    levels = measure_levels(dataset, table)
    published = find_published(dataset.protocol)
    return ProtocolTold(
        entries=_entries(dataset),
        levels={
            _heading(column): of_levels
            for column in SHOWN
            if (of_levels := _by_level(column, summary, levels)).rows
        },
        measured=tabulate_levels(dataset, summary, levels),
        published=_beside(published, summary) if published else ScoreTable([], []),
        published_about=f"{CAVEAT} Source: {SOURCE}." if published else "",
        maps=maps,
        maps_about=_about_maps(maps, published) if maps else "",
    )


def _entries(dataset: DatasetEntry) -> list[tuple[str, str]]:
    stated = dataset.protocol
    if stated is None:
        return []
    parts = ", ".join(f"{part} {units}" for part, units in stated.split.items())
    sources = len({image.source for image in dataset.images})
    levels = sorted({image.level for image in dataset.images if image.level is not None})
    scored = f"{counted(len(dataset.images), 'image')} of {counted(sources, stated.split_by)}"
    if levels:
        words = ", ".join(str(level) for level in levels)
        scored += f", at {'level' if len(levels) == 1 else 'levels'} of light {words}"
    return [
        ("Protocol", str(stated)),
        ("Split by", f"{stated.split_by}: {parts or 'which is not stated'}"),
        ("Scored", f"{scored}; intervals are over {stated.split_by}s"),
        ("Normalisation", stated.normalisation),
        ("Registration of the truth", dataset.registration or "not stated"),
        ("Pixels of input and truth", _pixels(dataset)),
    ]


def _pixels(dataset: DatasetEntry) -> str:
    sizes = (dataset.pixel_size_um, dataset.target_pixel_size_um or dataset.pixel_size_um)
    return " and ".join(f"{size:g} µm" if size else "not stated" for size in sizes)


def _by_level(column: Column, summary: Summary, levels: Levels) -> ScoreTable:
    rows: list[tuple[str, list[tuple[str, str]]]] = []
    for row in summary.rows:
        found = [estimates.get((row.name, column.metric)) for estimates in levels.values()]
        if row.kind != TRUTH and any(found):
            rows.append((row.name, [as_words(column, estimate) for estimate in found]))
    return ScoreTable(["Package", *(f"level {level}" for level in levels)], rows)


def _beside(published: Published, summary: Summary) -> ScoreTable:
    """Put the published table above what is measured here."""
    columns = [column for column in _BESIDE if column in summary.measured]
    nothing = ("", "")
    rows: list[tuple[str, list[tuple[str, str]]]] = []
    for name, psnr_db in published.psnr_db.items():
        ms_ssim = published.ms_ssim.get(name)
        cells = [(f"{psnr_db:.2f}", ""), (f"{ms_ssim:.3f}" if ms_ssim else "", "")]
        rows.append((f"{name}, published", cells + [nothing] * len(columns)))
    for row in summary.rows:
        found = [summary.estimates.get((row.name, column.metric)) for column in columns]
        if row.kind != TRUTH and any(found):
            measured = [as_words(*of) for of in zip(columns, found, strict=True)]
            rows.append((row.name, [nothing, nothing, *measured]))
    headings = ["Method", "PSNR, dB, as published", "MS-SSIM, as published"]
    return ScoreTable([*headings, *(_heading(column) for column in columns)], rows)


def _about_maps(maps: Maps, published: Published | None) -> str:
    said = (
        "Error maps: where the restoration, blurred and scaled to look like the input, differs "
        f"from it (SQUIRREL); black is equal, white {maps.error:.2g} of the range of the input. "
    )
    if maps.period:
        said += (
            "Maps of Fourier ring correlation: down to which period the restoration agrees with "
            f"the truth around each pixel; white is {maps.period:.2g} {maps.unit} or less, half as "
            "bright twice that, black background or unresolved. FRC: the mean period; unevenness: "
            "the mean over the least, less 1. "
        )
    said += "RSE, RSP and RSSIM are of the whole image, against the input."
    if published:
        said += (
            f" The paper's own figure of the proposed network says RSE {published.rse:.3f}, "
            f"RSP {published.rsp:.3f}, RSSIM {published.rssim:.3f} and, for the rolling FRC, "
            f"{published.rolling_frc:.3f}, of one image that is not named."
        )
    return said


def _heading(column: Column) -> str:
    return f"{column.label}{f', {column.unit}' if column.unit else ''} {column.arrow}".strip()


def as_words(column: Column, estimate: Estimate | None) -> tuple[str, str]:
    """Write a mean and its interval; a dash where there is none."""
    if estimate is None:
        return "–", ""
    mean = column.format(estimate.mean)
    if estimate.low is None or estimate.high is None:
        return mean, ""
    return mean, f"{column.format(estimate.low)} – {column.format(estimate.high)}"
