"""One self-contained page of a finished run, and its figures as files."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from benchmark import words
from benchmark.agreement import Agreement, measure_agreement
from benchmark.charts import (
    draw_costs,
    draw_plane,
    draw_reliability,
    draw_ring_curves,
    draw_strips,
)
from benchmark.columns import CHOOSING, COSTS, QUALITY
from benchmark.figure_files import write_figures
from benchmark.intact import split_intact
from benchmark.panels import row_of_panels, side_within
from benchmark.reliability import measure_reliability
from benchmark.scores import SAMPLE_SUFFIX, Results, Scores, read_scores
from benchmark.sections import (
    tell_agreement,
    tell_calibration,
    tell_limits,
    tell_registration,
    tell_seeds,
    tell_values,
    tell_verdicts,
)
from benchmark.seeds import find_seeds, measure_spread
from benchmark.summary import summarise
from benchmark.tables import write_tables
from benchmark.trust.findings import Findings, read_findings
from benchmark.views import choose_images, make_views
from packages.cli import UserError, progress
from packages.files import replacing

PAGE = "report.html"
_IMAGES_BYTES = 6e6
_CURVES = ("Two points", "Two tubes")
_OTHER_ANCHORS = ("trust", "failures", "provenance")


def write_report(path: Path, trust_results: Path | None = None) -> Path:
    """Write the page of a results folder, its figures and its tables.

    Parameters
    ----------
    path
        What `benchmark.run.run_benchmark` wrote.
    trust_results
        What `benchmark.trust.run.trust_packages` wrote, for a section of its own.

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
    facts = scores.facts
    if not {"packages", "datasets", "failures"} <= facts.keys():
        raise UserError(
            f"{path / 'run.json'} is damaged: give the command of `benchmark run` again."
        )
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
    with progress() as bars:
        sections = [
            _section(
                dataset,
                scores,
                Results(path),
                anchors[dataset["name"]],
                chosen[dataset["name"]],
                side,
            )
            for dataset in bars.track(facts["datasets"], description="Sections")
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
        trust=_trust_section(findings, facts["packages"]) if findings else None,
        failures=facts["failures"],
        cells=count * len(facts["packages"]),
        packages=[{**method, "pixel": words.pixel(method["pixel_size_um"])} for method in packages],
        datasets=[words.origin(dataset) for dataset in facts["datasets"]],
        machine=words.machine(facts),
        metrics=[(column.label, column.summary) for column in (*QUALITY, *COSTS)],
    )
    with replacing(path / PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")
    with progress() as bars:
        for section in bars.track(sections, description="Figures and tables as files"):
            write_figures(path / "figures", section["files"])
            write_tables(path / "tables", section["anchor"], section["name"], section["summary"])
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
    intact, changed = split_intact(dataset)
    table = scores.table[scores.table["dataset"] == name]
    absent = scores.not_applicable[scores.not_applicable["dataset"] == name]
    sources = {image["name"]: image["source"] for image in dataset["images"]}
    methods = scores.facts["packages"]
    summary = summarise(methods, table, absent, sources)
    reliabilities = [
        found
        for method in methods
        if not method["control"] and (found := measure_reliability(intact, method, results))
    ]
    agreement = _agreement(intact, methods, results)
    seeds = [
        tell_seeds(names, spreads)
        for names in find_seeds(methods)
        if (spreads := measure_spread(names, summary.contests, table))
    ]
    strips = draw_strips(summary, table, sources)
    plane = draw_plane(summary)
    costs = draw_costs(summary)
    ring_curves = draw_ring_curves(intact, methods, results)
    reliability = draw_reliability(reliabilities)
    views = make_views(intact, scores, results, chosen, side)
    figures = {
        **strips,
        **({"plane": plane} if plane else {}),
        **{f"{CHOOSING.metric}-against-{cost}": figure for cost, figure in costs.items()},
        **ring_curves,
        **reliability,
        **{f"image-{view.image}": row_of_panels(view) for view in views},
    }
    families = summary.families
    cells = [cell for family in families for row in family.rows for cell in row.cells]
    shown = sorted({cell.footnote for cell in cells if cell.footnote})
    return {
        "name": name,
        "anchor": anchor,
        "about": words.about(dataset, len(set(sources.values()))),
        "changed": words.changed(changed),
        "limits": tell_limits(dataset),
        "registration": tell_registration(dataset.get("registered", {})),
        "summary": summary,
        "finding": words.finding(summary, len(set(sources.values()))),
        "plane": plane,
        "plane_caption": words.PLANE_CAPTION,
        "places_caption": words.PLACES_CAPTION,
        "ranks": words.ranks(summary),
        "families": [
            {
                "table": family,
                "strips": [strips[c.metric] for c in family.columns if c.metric in strips],
            }
            for family in families
        ],
        "caption": words.caption(summary, len(set(sources.values()))),
        "numbers": {footnote: number for number, footnote in enumerate(shown, 1)},
        "footnotes": [summary.footnotes[footnote - 1] for footnote in shown],
        "tests": [words.test_row(test) for test in summary.tests],
        "ring_curves": list(ring_curves.values()),
        "seeds": seeds,
        "agreement": tell_agreement(agreement),
        "reliability": list(reliability.values()),
        "calibrations": [tell_calibration(one) for one in reliabilities],
        "reliability_caption": words.reliability_caption(reliabilities),
        "views": views,
        "views_caption": words.views_caption(dataset),
        "costs": list(costs.values()),
        "files": {f"{anchor}-{key}": figure for key, figure in figures.items()},
    }


def _agreement(
    dataset: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], results: Results
) -> Agreement | None:
    """Measure agreement where there is no truth to agree with."""
    if any(image["target"] for image in dataset["images"]):
        return None
    try:
        return measure_agreement(dataset, methods, results)
    except UserError:
        return None  # a restoration was damaged since the run


def _trust_section(findings: Findings, methods: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    figures = list(findings.figures.items())
    whole = findings.table[findings.table["at_um"].isna()]
    return {
        "verdicts": tell_verdicts(findings, methods),
        "draws": findings.run.draws,
        "curves": [figure for title, figure in figures if title in _CURVES],
        "figures": [figure for title, figure in figures if title not in _CURVES],
        "rows": tell_values(whole),
    }
