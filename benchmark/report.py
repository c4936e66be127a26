"""One self-contained page of a finished run, and its figures as files."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from benchmark import words
from benchmark.columns import COSTS, QUALITY, Column
from benchmark.figures import Line, Point, cost_plot, reliability_plot, strip_plot
from benchmark.figures import Row as StripRow
from benchmark.panels import View, make_view, row_of_panels, side_within
from benchmark.reliability import LEVELS, Reliability, measure_reliability
from benchmark.scores import PLACE, SAMPLE_SUFFIX, Place, Results, Scores, read_scores
from benchmark.statistics import estimate_mean
from benchmark.summary import TRUTH, Family, Summary, summarise
from packages.cli import UserError
from packages.files import replacing

PAGE = "report.html"
# What chooses the worst image and stands against cost.
CHOOSING = next(column for column in QUALITY if column.metric == "si_psnr_a")
_IMAGES_BYTES = 6e6
_INPUT = "input"  # this control is what every view begins with anyway


def write_report(path: Path) -> Path:
    """Write the page of a results folder and its figures.

    Parameters
    ----------
    path
        What `benchmark.run.run_benchmark` wrote.

    Returns
    -------
    Path
        The page: one HTML file that needs nothing else.

    Raises
    ------
    UserError
        There are no results, the run did not finish, or it scored nothing.
    """
    scores = read_scores(path)
    if scores.table.empty:
        raise UserError(f"{path} holds no scores: every cell failed or was not applicable.")
    facts = scores.facts
    chosen = {
        dataset["name"]: _choose(dataset, facts, scores.table) for dataset in facts["datasets"]
    }
    # An image and its error for everyone and the input; a standard deviation for who samples.
    names = set(scores.table["package"]) | {method["name"] for method in facts["packages"]}
    samples = sum(str(name).endswith(SAMPLE_SUFFIX) for name in names)
    views = sum(len(images) for images in chosen.values())
    side = side_within((2 * (len(names) + 1) + samples) * views, _IMAGES_BYTES)
    sections = [
        _section(dataset, scores, Results(path), chosen[dataset["name"]], side)
        for dataset in facts["datasets"]
    ]
    packages = [method for method in facts["packages"] if not method["control"]]
    controls = [method["name"] for method in facts["packages"] if method["control"]]
    count = sum(len(dataset["images"]) for dataset in facts["datasets"])
    contestants = words.enumerate_words([method["name"] for method in packages]) or "Controls"
    places = words.enumerate_words([dataset["name"] for dataset in facts["datasets"]])
    page = _template().render(
        title=f"{contestants} on {places}",
        lead=words.lead(packages, controls, len(sections), count),
        sections=sections,
        failures=facts["failures"],
        cells=count * len(facts["packages"]),
        packages=[{**method, "pixel": words.pixel(method["pixel_size_um"])} for method in packages],
        datasets=[words.origin(dataset) for dataset in facts["datasets"]],
        machine=words.machine(facts),
        metrics=[(column.label, column.summary) for column in (*QUALITY, *COSTS)],
    )
    with replacing(path / PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")
    for section in sections:
        for name, figure in section["files"].items():
            with replacing(path / "figures" / f"{name}.svg") as temporary:
                temporary.write_text(figure, encoding="utf-8")
    return path / PAGE


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(["j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _section(
    dataset: Mapping[str, Any],
    scores: Scores,
    results: Results,
    chosen: Mapping[str, str],
    side: int,
) -> dict[str, Any]:
    name = dataset["name"]
    table = scores.table[scores.table["dataset"] == name]
    absent = scores.not_applicable[scores.not_applicable["dataset"] == name]
    sources = {image["name"]: image["source"] for image in dataset["images"]}
    summary = summarise(scores.facts["packages"], table, absent, sources)
    anchor = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "dataset"
    files = _figures(anchor, summary, table, sources)
    reliabilities = [
        found
        for method in scores.facts["packages"]
        if not method["control"] and (found := measure_reliability(dataset, method, results))
    ]
    reliability = _reliability_figures(anchor, reliabilities)
    views = _views(dataset, scores, results, chosen, side)
    rows = {f"{anchor}-image-{view.image}": row_of_panels(view) for view in views}
    shown = {
        cell.footnote for family in summary.families for row in family.rows for cell in row.cells
    }
    return {
        "name": name,
        "anchor": anchor,
        "about": words.about(dataset, len(set(sources.values()))),
        "finding": words.finding(summary),
        "families": [
            {"table": family, "strips": _strips(anchor, family, files)}
            for family in summary.families
        ],
        "caption": words.caption(summary, len(set(sources.values()))),
        "footnotes": [(i, text) for i, text in enumerate(summary.footnotes, 1) if i in shown],
        "tests": [words.test_row(test) for test in summary.tests],
        "reliability": list(reliability.values()),
        "reliability_caption": words.reliability_caption(reliabilities),
        "views": views,
        "views_caption": words.views_caption(dataset),
        "costs": [figure for key, figure in files.items() if "-against-" in key],
        "files": files | reliability | rows,
    }


def _strips(anchor: str, family: Family, files: Mapping[str, str]) -> list[str]:
    keys = [f"{anchor}-{column.metric}" for column in family.columns]
    return [files[key] for key in keys if key in files]


def _reliability_figures(anchor: str, found: Sequence[Reliability]) -> dict[str, str]:
    if not found:
        return {}
    coverage = [
        Line(one.name, tuple(zip(LEVELS, one.curve, strict=True)), one.own) for one in found
    ]
    errors = [Line(one.name, one.bins) for one in found]
    return {
        f"{anchor}-coverage": reliability_plot(
            coverage, "Stated coverage of Gaussian intervals", "Found coverage"
        ),
        f"{anchor}-errors": reliability_plot(
            errors, "Stated root mean square error", "Found, in 30ths of the pixels"
        ),
    }


def _choose(
    dataset: Mapping[str, Any], facts: Mapping[str, Any], table: pd.DataFrame
) -> dict[str, str]:
    """Choose the images to show by rule, not by eye; return the rule by image."""
    names = sorted(image["name"] for image in dataset["images"])
    chosen = {names[0]: "first in the order of names"} if names else {}
    package = next((m["name"] for m in facts["packages"] if not m["control"]), None)
    here = table[
        (table["dataset"] == dataset["name"])
        & (table["package"] == package)
        & (table["metric"] == CHOOSING.metric)
    ]
    if not here.empty:
        worst = str(here.sort_values(["value", "image"])["image"].iloc[0])
        why = f"lowest {CHOOSING.label} of {package}"
        chosen[worst] = f"{chosen[worst]}, and {why}" if worst in chosen else why
    return chosen


def _views(
    dataset: Mapping[str, Any],
    scores: Scores,
    results: Results,
    chosen: Mapping[str, str],
    side: int,
) -> list[View]:
    values = scores.table.set_index([*PLACE, "metric"])["value"]
    reasons = scores.not_applicable.set_index(list(PLACE))
    methods = [m for m in scores.facts["packages"] if m["name"] != TRUTH]
    views: list[View] = []
    for image in dataset["images"]:
        if image["name"] not in chosen:
            continue
        if not all(Path(file).exists() for file in (image["input"], image["target"]) if file):
            continue  # moved since the run; the scores stand without them
        restored: list[tuple[str, bool, Path]] = []
        notes: dict[str, str] = {}
        for method in methods:
            place = Place(method["name"], dataset["name"], image["name"])
            where = (place.package, place.dataset, place.image)
            file = results.prediction_file(place)
            if method["name"] != _INPUT and (file.exists() or where not in reasons.index):
                restored.append((method["name"], not method["control"], file))
            if not file.exists():
                notes[method["name"]] = "failed"
            for row in (place, place.of_sample):
                key = (row.package, row.dataset, row.image, CHOOSING.metric)
                if key in values.index:
                    value = float(values[key])
                    notes[row.package] = f"{CHOOSING.format(value)} {CHOOSING.unit}"
        why = chosen[image["name"]]
        views.append(make_view(image, why, restored, notes, side, dataset["pixel_size_um"]))
    return views


def _figures(
    anchor: str, summary: Summary, table: pd.DataFrame, sources: Mapping[str, str]
) -> dict[str, str]:
    """Draw the figures of a dataset; return them by file name."""
    figures: dict[str, str] = {}
    scores = {
        (str(package), str(metric)): dict(zip(rows["image"], rows["value"], strict=True))
        for (package, metric), rows in table.groupby(["package", "metric"])
    }
    rows = {
        column.metric: _strip_rows(summary, column, scores, sources) for column in summary.columns
    }
    for column in summary.columns:
        if column not in COSTS and any(row.values for row in rows[column.metric]):
            figures[f"{anchor}-{column.metric}"] = strip_plot(rows[column.metric], column.axis)
    for cost in COSTS:
        spent = {row.name: row.estimate.mean for row in rows.get(cost.metric, []) if row.values}
        points = [
            Point(row.name, row.is_package, spent[row.name], row.estimate)
            for row in rows.get(CHOOSING.metric, [])
            if row.values and spent.get(row.name, 0) > 0
        ]
        if points:
            figures[f"{anchor}-{CHOOSING.metric}-against-{cost.metric}"] = cost_plot(
                points, f"{cost.label} ({cost.unit})", f"{CHOOSING.label} ({CHOOSING.unit})"
            )
    return figures


def _strip_rows(
    summary: Summary,
    column: Column,
    scores: Mapping[tuple[str, str], Mapping[str, float]],
    sources: Mapping[str, str],
) -> list[StripRow]:
    rows: list[StripRow] = []
    for row in summary.rows:
        here = scores.get((row.name, column.metric), {})
        values = {image: value for image, value in here.items() if math.isfinite(value)}
        if row.kind != TRUTH and values:
            estimate = estimate_mean(list(values.values()), [sources[image] for image in values])
            rows.append(StripRow(row.name, row.kind == "package", values, estimate))
    return rows
