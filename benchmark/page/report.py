"""One self-contained page of a finished run, and its figures as files."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmark.comparison.agreement import Agreement, measure_agreement
from benchmark.comparison.displacement_cost import measure_displacement
from benchmark.comparison.reliability import measure_reliability
from benchmark.comparison.seeds import find_seeds, measure_spread
from benchmark.comparison.summary import summarise
from benchmark.comparison.unchanged import split_intact
from benchmark.metrics.columns import COSTS, QUALITY
from benchmark.objects.measure import measure_objects
from benchmark.objects.values import summary_table
from benchmark.page import text
from benchmark.page.charts import (
    draw_costs,
    draw_plane,
    draw_reliability,
    draw_ring_curves,
    draw_strips,
)
from benchmark.page.depth_figure import draw_by_depth
from benchmark.page.displacement_told import CAPTION, tell_displacement
from benchmark.page.judged_told import tell_judged
from benchmark.page.known import unknown_images
from benchmark.page.maps import draw_maps
from benchmark.page.objects_told import HEADINGS, tell_objects
from benchmark.page.panels import side_within
from benchmark.page.protocol_told import tell_protocol
from benchmark.page.sections import (
    Section,
    tell_agreement,
    tell_calibration,
    tell_limits,
    tell_registration,
    tell_seeds,
    tell_trust,
)
from benchmark.page.tables import write_levels, write_objects, write_tables
from benchmark.page.views import choose_images, make_views
from benchmark.page.volume_views import PLANES
from benchmark.running.results_folder import OBJECTS, Results
from benchmark.trust.trust_report import read_findings
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.cli import UserError, progress
from imaging.csv_files import write_csv
from imaging.figure_files import write_figures
from imaging.page import write_page
from imaging.results import Scores, read_scores
from imaging.scores import SAMPLE_SUFFIX

__all__ = ["write_report"]

PAGE = "report.html"
_TEMPLATE = Path(__file__).parent / "templates" / "page.html.j2"
_IMAGES_BYTES, _VOLUMES_BYTES = 6e6, 4e6
_OTHER_ANCHORS = ("trust", "failures", "provenance")


def write_report(path: Path, trust_results: Path | None = None) -> Path:
    """Write the page of a results folder, its figures and its tables.

    Parameters
    ----------
    path
        What `benchmark.running.run.run_benchmark` wrote.
    trust_results
        What `benchmark.trust.trust.trust_packages` wrote, for a section of its own.

    Returns
    -------
    Path
        The page: one HTML file that needs nothing else.

    Raises
    ------
    UserError
        There are no results, the run did not finish, or it scored nothing; or the same of the
        trust tests.
    """
    scores = read_scores(path)
    findings = read_findings(trust_results) if trust_results else None
    if scores.table.empty:
        raise UserError(
            f"{path} holds no scores: every cell failed (run.json says why) or was not applicable "
            "(not_applicable.csv says why)."
        )
    run, results = scores.run, Results(path)
    chosen = {
        dataset.name: choose_images(dataset, run.packages, scores.table) for dataset in run.datasets
    }
    anchors = _anchors(dataset.name for dataset in run.datasets)
    seeds = find_seeds(run.packages)
    # An image and its error for everyone and the input; a standard deviation for who samples.
    names = set(scores.table["package"]) | {package.name for package in run.packages}
    samples = sum(str(name).endswith(SAMPLE_SUFFIX) for name in names)
    views = sum(len(images) for images in chosen.values())
    side = side_within((2 * (len(names) + 1) + samples) * views, _IMAGES_BYTES)
    # Of a volume planes, and two sections that are hardly larger than a plane together.
    side_of_volumes = side_within((PLANES + 1) * (len(names) + 1) * views, _VOLUMES_BYTES)
    with progress() as bars:
        sections = [
            _section(
                dataset,
                scores,
                results,
                anchors[dataset.name],
                chosen[dataset.name],
                seeds,
                (side, side_of_volumes),
            )
            for dataset in bars.track(run.datasets, description="Drawing sections")
        ]
    packages = [package for package in run.packages if not package.control]
    controls = [package.name for package in run.packages if package.control]
    count = sum(len(dataset.images) for dataset in run.datasets)
    contestants = text.enumerate_words([package.name for package in packages]) or "Controls"
    places = text.enumerate_words([dataset.name for dataset in run.datasets])
    page = write_page(
        path / PAGE,
        _TEMPLATE,
        title=f"{contestants} on {places}",
        lead=text.lead(packages, controls, len(sections), count),
        sections=sections,
        plane_caption=text.PLANE_CAPTION,
        object_headings=HEADINGS,
        displacement_caption=CAPTION,
        places_caption=text.PLACES_CAPTION,
        trust=tell_trust(findings, run.packages) if findings else None,
        remarks=run.remarks,
        unknown=unknown_images(run),
        images=count,
        failures=run.failures,
        cells=count * len(run.packages),
        packages=[(package, text.pixel(package.pixel_size_um)) for package in packages],
        datasets=[text.origin(dataset) for dataset in run.datasets],
        machine=text.machine(run),
        metrics=[(column.label, column.summary) for column in (*QUALITY, *COSTS)],
    )
    with progress() as bars:
        for section in bars.track(sections, description="Writing figures and tables as files"):
            write_figures(path / "figures", section.files)
            write_tables(path / "tables", section.anchor, section.name, section.summary)
            write_levels(path / "tables", section.anchor, section.protocol.measured)
            write_objects(path / "tables", section.anchor, section.measured)
    summaries = [summary_table(section.name, section.measured) for section in sections]
    if any(len(summary) for summary in summaries):
        write_csv(path / OBJECTS, pd.concat(summaries, ignore_index=True))
    return page


def _anchors(names: Iterable[str]) -> dict[str, str]:
    """Choose an anchor for each dataset, which also begins the names of its files."""
    anchors: dict[str, str] = {}
    for name in names:
        word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "dataset"
        taken = {*anchors.values(), *_OTHER_ANCHORS}
        numbered = (f"{word}-{number}" for number in itertools.count(2))
        anchors[name] = next(w for w in itertools.chain([word], numbered) if w not in taken)
    return anchors


def _section(
    dataset: DatasetEntry,
    scores: Scores,
    results: Results,
    anchor: str,
    chosen: Mapping[str, str],
    seeds: Sequence[tuple[str, ...]],
    sides: tuple[int, int],
) -> Section:
    name, packages = dataset.name, scores.run.packages
    intact, changed = split_intact(dataset)
    table = scores.table[scores.table["dataset"] == name]
    absent = scores.not_applicable[scores.not_applicable["dataset"] == name]
    sources = {image.name: image.source for image in dataset.images}
    summary = summarise(packages, table, absent, sources)
    reliabilities = [
        found
        for package in packages
        if not package.control and (found := measure_reliability(intact, package, results))
    ]
    agreement = _agreement(intact, packages, results)
    measured = measure_objects(intact, packages, results)
    told_seeds = [
        tell_seeds(names, spreads)
        for names in seeds
        if (spreads := measure_spread(names, summary.contests, table))
    ]
    # The worst image, where there is one, was chosen last.
    maps = draw_maps(intact, [*chosen][-1], packages, results, table) if dataset.protocol else None
    sources_count = len(set(sources.values()))
    views = make_views(intact, scores, results, chosen, *sides)
    planes = scores.planes[scores.planes["dataset"] == name]
    return Section(
        name=name,
        anchor=anchor,
        about=text.about(dataset, sources_count),
        changed=text.changed(changed),
        limits=tell_limits(dataset),
        registration=tell_registration(dataset.registered),
        displacement=tell_displacement(measure_displacement(intact, packages, results), dataset),
        protocol=tell_protocol(dataset, table, summary, maps),
        summary=summary,
        finding=text.finding(summary, sources_count),
        plane=draw_plane(summary),
        ranks=text.ranks(summary),
        strips=draw_strips(summary, table, sources),
        caption=text.caption(summary, sources_count),
        tests=[text.test_row(test) for test in summary.tests],
        ring_curves=draw_ring_curves(intact, packages, results),
        seeds=told_seeds,
        agreement=tell_agreement(agreement),
        reliability=draw_reliability(reliabilities),
        reliability_caption=text.reliability_caption(reliabilities),
        calibrations=[tell_calibration(one) for one in reliabilities],
        measured=measured,
        objects=tell_objects(measured.points, intact, results),
        judged=tell_judged(measured.judged),
        views=views.planes,
        views_caption=text.views_caption(dataset),
        volumes=views.volumes,
        volumes_caption=text.volumes_caption(dataset),
        by_depth=draw_by_depth(planes, packages, sources),
        costs=draw_costs(summary),
    )


def _agreement(
    dataset: DatasetEntry, packages: Sequence[PackageEntry], results: Results
) -> Agreement | None:
    """Measure agreement where there is no truth to agree with."""
    if any(image.target for image in dataset.images):
        return None
    try:
        return measure_agreement(dataset, packages, results)
    except UserError:
        return None  # a restoration was damaged since the run
