"""One self-contained page of a finished run, and its figures as files."""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from benchmark.figures import Point, cost_plot, strip_plot
from benchmark.figures import Row as StripRow
from benchmark.panels import View, make_view, row_of_panels, side_within
from benchmark.scores import PLACE, Place, Results, Scores, read_scores
from benchmark.statistics import estimate_mean
from benchmark.summary import COSTS, QUALITY, TRUTH, Column, Summary, summarise
from packages.cli import UserError
from packages.files import replacing

PAGE = "report.html"
CHOOSING = QUALITY[0]  # SI-PSNR: what chooses the worst image and stands against cost
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
    pictures = 2 * (len(facts["packages"]) + 1) * sum(len(images) for images in chosen.values())
    side = side_within(pictures, _IMAGES_BYTES)
    sections = [
        _section(dataset, scores, Results(path), chosen[dataset["name"]], side)
        for dataset in facts["datasets"]
    ]
    packages = [method for method in facts["packages"] if not method["control"]]
    controls = [method["name"] for method in facts["packages"] if method["control"]]
    count = sum(len(dataset["images"]) for dataset in facts["datasets"])
    names = _list([method["name"] for method in packages]) or "Controls"
    page = _template().render(
        title=f"{names} on {_list([dataset['name'] for dataset in facts['datasets']])}",
        lead=_lead(packages, controls, len(sections), count),
        sections=sections,
        failures=facts["failures"],
        cells=count * len(facts["packages"]),
        packages=[{**method, "pixel": _pixel(method["pixel_size_um"])} for method in packages],
        datasets=[_origin(dataset) for dataset in facts["datasets"]],
        machine=_machine(facts),
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
    views = _views(dataset, scores, results, chosen, side)
    rows = {f"{anchor}-image-{view.image}": row_of_panels(view) for view in views}
    return {
        "name": name,
        "anchor": anchor,
        "about": _about(dataset, len(set(sources.values()))),
        "finding": _finding(summary),
        "columns": summary.columns,
        "rows": summary.rows,
        "caption": _caption(summary, len(set(sources.values()))),
        "footnotes": summary.footnotes,
        "views": views,
        "views_caption": _views_caption(dataset),
        "strips": [figure for key, figure in files.items() if "-against-" not in key],
        "costs": [figure for key, figure in files.items() if "-against-" in key],
        "files": files | rows,
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
            if (*where, CHOOSING.metric) in values.index:
                value = float(values[(*where, CHOOSING.metric)])
                notes[method["name"]] = f"{CHOOSING.format(value)} {CHOOSING.unit}"
            elif not file.exists():
                notes[method["name"]] = "failed"
        why = chosen[image["name"]]
        views.append(make_view(image, why, restored, notes, side, dataset["pixel_size_um"]))
    return views


def _figures(
    anchor: str, summary: Summary, table: pd.DataFrame, sources: Mapping[str, str]
) -> dict[str, str]:
    """Draw the figures of a dataset; return them by file name."""
    figures: dict[str, str] = {}
    rows = {
        column.metric: _strip_rows(summary, column, table, sources) for column in summary.columns
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
    summary: Summary, column: Column, table: pd.DataFrame, sources: Mapping[str, str]
) -> list[StripRow]:
    rows: list[StripRow] = []
    for row in summary.rows:
        here = table[(table["package"] == row.name) & (table["metric"] == column.metric)]
        values = {
            str(image): float(value)
            for image, value in zip(here["image"], here["value"], strict=True)
            if math.isfinite(value)
        }
        if row.kind != TRUTH and values:
            estimate = estimate_mean(list(values.values()), [sources[image] for image in values])
            rows.append(StripRow(row.name, row.kind == "package", values, estimate))
    return rows


def _lead(packages: Sequence[Any], controls: Sequence[str], datasets: int, images: int) -> str:
    what = f"{_count(len(packages), 'package')}"
    if controls:
        what += f" beside {_count(len(controls), 'control')} ({_list(controls)})"
    return f"{what}, on {_count(images, 'image')} of {_count(datasets, 'dataset')}."


def _about(dataset: Mapping[str, Any], sources: int) -> str:
    images = len(dataset["images"])
    part = "of the validation part " if dataset["part"] == "validation" else ""
    text = f"{_count(images, 'image')} {part}from {_count(sources, 'source')}"
    if dataset["pixel_size_um"]:
        text += f", {dataset['pixel_size_um']:g} µm per pixel"
    if any(image["target"] for image in dataset["images"]):
        text += f", with truth ({dataset['registration'] or 'registration not stated'})."
    else:
        text += ", without truth: restorations can be looked at and timed, not scored."
    return f"{dataset['description']} {text}".strip()


def _finding(summary: Summary) -> str:
    if not summary.measured:
        return ""
    led: dict[str, list[str]] = {}
    for column in summary.measured:
        if column.metric in summary.best:
            led.setdefault(summary.best[column.metric], []).append(column.label)
    if not led:
        return "No package or control leads beyond chance in any metric."
    count = len(summary.measured)
    return " ".join(
        f"{name} leads beyond chance in {len(labels)} of {count} metrics: {_list(labels)}."
        for name, labels in led.items()
    )


def _caption(summary: Summary, sources: int) -> str:
    text = "Means over images"
    if sources > 1:
        text += (
            f" with 95 % bootstrap intervals over {sources} sources (images of one source are "
            "drawn together)"
        )
        text += ", which are too narrow for so few" if sources < 10 else ""
    else:
        text += "; a single source leaves no interval"
    text += ". ↑ higher is better, ↓ lower is better."
    if summary.best:
        text += (
            " Underlined: better than the next best, the interval of their paired difference "
            "excludes 0."
        )
    return text + " Hover over a heading for its definition."


def _views_caption(dataset: Mapping[str, Any]) -> str:
    reference = "truth" if any(image["target"] for image in dataset["images"]) else "input"
    text = (
        f"Crops lie where the {reference} is brightest on average. Restored images are fitted to "
        f"the {reference} (gain and offset) and share its display range, percentiles 1 to 99.9."
    )
    if reference == "input":
        text += (
            " No metric here can certify detail that a restoration added: compare with the input."
        )
    return text


def _origin(dataset: Mapping[str, Any]) -> dict[str, str]:
    hashes = "".join(image["input_sha256"] + image["target_sha256"] for image in dataset["images"])
    made = ", ".join(f"{key} {value}" for key, value in dataset["provenance"].items())
    return {
        "name": dataset["name"],
        "images": _count(len(dataset["images"]), "image"),
        "provenance": made or "not stated",
        "licence": dataset["licence"] or "not stated",
        "sha256": hashlib.sha256(hashes.encode()).hexdigest(),
    }


def _machine(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return [
        ("Device", facts["device"]),
        ("CPU", facts["cpu"]),
        ("System", facts["system"]),
        ("Versions", versions),
        ("Seed", str(facts["seed"])),
        ("Benchmark code", facts["benchmark_sha256"][:12]),
    ]


def _pixel(size_um: Mapping[str, float]) -> str:
    if not size_um:
        return "not stated"
    return " x ".join(f"{size:g}" for size in size_um.values()) + " µm"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _list(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
