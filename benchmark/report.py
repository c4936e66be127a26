"""One self-contained page of a finished run, and its figures as files."""

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from benchmark import words
from benchmark.charts import draw_costs, draw_plane, draw_reliability, draw_strips
from benchmark.columns import CHOOSING, COSTS, QUALITY
from benchmark.panels import row_of_panels, side_within
from benchmark.reliability import measure_reliability
from benchmark.scores import SAMPLE_SUFFIX, Results, Scores, read_scores
from benchmark.summary import summarise
from benchmark.views import choose_images, make_views
from packages.cli import UserError
from packages.files import replacing

PAGE = "report.html"
_IMAGES_BYTES = 6e6
_OTHER_ANCHORS = ("trust", "failures", "provenance")


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
        dataset["name"]: choose_images(dataset, facts, scores.table)
        for dataset in facts["datasets"]
    }
    anchors = _anchors(dataset["name"] for dataset in facts["datasets"])
    # An image and its error for everyone and the input; a standard deviation for who samples.
    names = set(scores.table["package"]) | {method["name"] for method in facts["packages"]}
    samples = sum(str(name).endswith(SAMPLE_SUFFIX) for name in names)
    views = sum(len(images) for images in chosen.values())
    side = side_within((2 * (len(names) + 1) + samples) * views, _IMAGES_BYTES)
    sections = [
        _section(
            dataset,
            scores,
            Results(path),
            anchors[dataset["name"]],
            chosen[dataset["name"]],
            side,
        )
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
    dataset: Mapping[str, Any],
    scores: Scores,
    results: Results,
    anchor: str,
    chosen: Mapping[str, str],
    side: int,
) -> dict[str, Any]:
    name = dataset["name"]
    table = scores.table[scores.table["dataset"] == name]
    absent = scores.not_applicable[scores.not_applicable["dataset"] == name]
    sources = {image["name"]: image["source"] for image in dataset["images"]}
    summary = summarise(scores.facts["packages"], table, absent, sources)
    reliabilities = [
        found
        for method in scores.facts["packages"]
        if not method["control"] and (found := measure_reliability(dataset, method, results))
    ]
    strips = draw_strips(summary, table, sources)
    plane = draw_plane(summary)
    costs = draw_costs(summary)
    reliability = draw_reliability(reliabilities)
    views = make_views(dataset, scores, results, chosen, side)
    figures = {
        **strips,
        **({"plane": plane} if plane else {}),
        **{f"{CHOOSING.metric}-against-{cost}": figure for cost, figure in costs.items()},
        **reliability,
        **{f"image-{view.image}": row_of_panels(view) for view in views},
    }
    shown = {
        cell.footnote for family in summary.families for row in family.rows for cell in row.cells
    }
    return {
        "name": name,
        "anchor": anchor,
        "about": words.about(dataset, len(set(sources.values()))),
        "finding": words.finding(summary),
        "plane": plane,
        "plane_caption": words.plane_caption(summary),
        "ranks": words.ranks(summary),
        "families": [
            {
                "table": family,
                "strips": [strips[c.metric] for c in family.columns if c.metric in strips],
            }
            for family in summary.families
        ],
        "caption": words.caption(summary, len(set(sources.values()))),
        "footnotes": [(i, text) for i, text in enumerate(summary.footnotes, 1) if i in shown],
        "tests": [words.test_row(test) for test in summary.tests],
        "reliability": list(reliability.values()),
        "reliability_caption": words.reliability_caption(reliabilities),
        "views": views,
        "views_caption": words.views_caption(dataset),
        "costs": list(costs.values()),
        "files": {f"{anchor}-{key}": figure for key, figure in figures.items()},
    }
