"""The verb that tests what may be trusted: phantoms, packages, one table, figures and verdicts.

::

    OUT/
      trust.json             what was tested, how, what failed, and the verdicts
      trust.csv              package, test, condition, metric, at_um, value, low, high, n
      figures/NAME.svg, .png one of each test
      phantoms/NAME/         the datasets, with their geometry and their microscopes
      seen/PACKAGE/NAME.json what was made of every object
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmark.running.controls import CONTROLS, INPUT
from benchmark.running.restore import Method, NotLoadedError, control, each, method_of
from benchmark.running.run import describe_run, refuse_shared_names
from benchmark.trust import outcomes
from benchmark.trust.exposure import middle_of
from benchmark.trust.outcomes import PhantomTask, measure
from benchmark.trust.phantom_datasets import (
    PhantomDataset,
    PhantomPlan,
    make,
    plan_phantoms,
    plan_shifts,
    plan_volumes,
)
from benchmark.trust.trust_figures import draw_figures
from benchmark.trust.trust_report import summarise
from benchmark.trust.tubes_below import join_tubes
from benchmark.trust.verdict import judge, usual
from imaging.cli import STATUS_FAILED_CHECK, UserError, complain, console, progress
from imaging.csv_files import write_csv
from imaging.figure_files import write_figures
from imaging.source_files import source_sha256
from imaging.trust_run import FailedTests, TrustRun

DEFAULT_PHOTONS = (10.0, 30.0, 100.0)
DEFAULT_DRAWS = 50
_CONTROLS = (INPUT, "richardson_lucy", "truth")
_Failure = tuple[PhantomTask, Exception]


def trust_packages(
    packages: list[Path] | None = None,
    /,
    *,
    out: Path,
    draws: int = DEFAULT_DRAWS,
    photons: tuple[float, ...] = DEFAULT_PHOTONS,
    microscope: Path | None = None,
    seed: int = 0,
    trust: bool = False,
) -> int:
    """Test on phantoms of exactly known truth what packages may be trusted with.

    Parameters are those of `python -m benchmark trust`, described in its help.

    Returns
    -------
    int
        Exit status: 0, or 1 when a package failed on some phantoms; that is tried again next time.

    Raises
    ------
    UserError
        Something given cannot be used, or the simulation refused.
    """
    _refuse_arguments(out, draws, photons)
    instrument = middle_of(microscope)
    methods = _methods(packages or [], trust=trust)
    levels = sorted(photons)
    planned: list[PhantomPlan] = []
    shifts: list[PhantomPlan] = []
    of_packages = [method.restores_volumes for method in methods if method.path is not None]
    if not all(of_packages) or not of_packages:
        planned += plan_phantoms(instrument, levels, draws, seed)
        shifts += plan_shifts(instrument, usual(photons), seed)
    if any(of_packages):
        planned += plan_volumes(instrument, levels, draws, seed)
    described = describe_run(methods, [], {})
    told: dict[str, Any] = asdict(described) | {"metrics": {}}  # tests have values of their own
    run = TrustRun(**told, draws=draws, photons=sorted(photons), verdicts=[])
    run.write(out / TrustRun.FILE)
    made = _make([*planned, *shifts], out / "phantoms")
    trust_sha256 = source_sha256(outcomes.__name__)
    tasks = [
        PhantomTask(
            method,
            phantoms,
            phantoms.plan in shifts,
            _computed_for(method, phantoms, trust_sha256, run),
            out / "seen" / method.name / f"{phantoms.plan.name}.json",
        )
        for method in methods
        for phantoms in made
        if not (method.name == "truth" and phantoms.plan in shifts)  # its scores are perfect
        if phantoms.plan.depth_px or not method.restores_volumes
    ]
    failures = _measure_all(methods, tasks)
    table = summarise(tasks)
    failed = _add_up(failures, tasks)
    verdicts = [
        judge(table, m.name, photons, failed.get(m.name))
        for m in sorted(methods, key=lambda m: m.path is None)
    ]
    figures = draw_figures(table, [v.package for v in verdicts], _CONTROLS)
    write_csv(out / "trust.csv", table)
    write_figures(out / "figures", {name: drawing for name, (_, drawing) in figures.items()})
    titles = {name: title for name, (title, _) in figures.items()}
    run = replace(run, verdicts=verdicts, figures=titles, failed=list(failed.values()))
    run.write(out / TrustRun.FILE)
    for verdict in verdicts:
        console.print(str(verdict), soft_wrap=True, highlight=False)
    tested = len(methods) - len(_CONTROLS)
    console.print(f"Trust tests of {tested} package(s) and their controls are in {out}")
    for failure in dict.fromkeys(_sentence(task, error) for task, error in failures):
        complain(failure)
    return STATUS_FAILED_CHECK if failures else 0


def _methods(packages: Sequence[Path], *, trust: bool) -> list[Method]:
    of_packages = [method_of(path, trust=trust) for path in packages]
    named = [(name, Path("a control")) for name in CONTROLS]
    named += [(method.name, path) for method, path in zip(of_packages, packages, strict=True)]
    refuse_shared_names("packages", named)
    return [*map(control, _CONTROLS), *of_packages]


def _make(planned: Sequence[PhantomPlan], folder: Path) -> list[PhantomDataset]:
    """Make all datasets; empty fields come with tubes below them."""
    with progress() as bars:
        made = {
            phantoms.plan.name: phantoms
            for phantoms in bars.track(make(planned, folder), len(planned), description="Phantoms")
        }
    return [
        join_tubes(phantoms, made[name.replace("empty", "gaps")], folder)
        if phantoms.plan.structure == "empty"
        else phantoms
        for name, phantoms in made.items()
    ]


def _measure_all(methods: Sequence[Method], tasks: Sequence[PhantomTask]) -> list[_Failure]:
    failures: list[_Failure] = []
    with progress() as bars:
        bar = bars.add_task("", total=sum(len(task.phantoms.dataset.items) for task in tasks))
        for method in methods:
            bars.update(bar, description=f"Running {method.name}")
            due: list[PhantomTask] = []
            for task in (task for task in tasks if task.method == method):
                if task.kept() is None:
                    due.append(task)
                else:
                    bars.advance(bar, len(task.phantoms.dataset.items))
            done = each(method, due, lambda task, by: measure(task, by, lambda: bars.advance(bar)))
            failures += [(task, error) for task, error in done if error is not None]
    return failures


def _sentence(task: PhantomTask, error: Exception) -> str:
    if isinstance(error, NotLoadedError):
        return f"{task.method.name} cannot be run: {error}"
    return f"{task.method.name} failed on {task.phantoms.plan.name}: {error}"


def _add_up(failures: Sequence[_Failure], tasks: Sequence[PhantomTask]) -> dict[str, FailedTests]:
    """Count by package what failed; the reason is that of the first failure."""
    failed: dict[str, FailedTests] = {}
    for name in dict.fromkeys(task.method.name for task, _ in failures):
        reasons = [str(error) for task, error in failures if task.method.name == name]
        planned = sum(task.method.name == name for task in tasks)
        failed[name] = FailedTests(name, len(reasons), planned, reasons[0])
    return failed


def _computed_for(
    method: Method, phantoms: PhantomDataset, trust_sha256: str, run: TrustRun
) -> dict[str, str]:
    return {
        "package": f"{method.sha256} {method.weights}".strip(),
        "phantoms": phantoms.sha256,
        "trust": trust_sha256,
        "benchmark": run.benchmark_sha256,
        "versions": json.dumps(run.versions),
        "device": run.device,
    }


def _refuse_arguments(out: Path, draws: int, photons: Sequence[float]) -> None:
    if draws < 1:
        raise UserError(f"--draws {draws} is too few: give at least 1.")
    if not photons or min(photons) <= 0 or len(set(photons)) < len(photons):
        given = " ".join(f"{level:g}" for level in photons)
        raise UserError(f"--photons {given} cannot be used: give different numbers above 0.")
    if (out / TrustRun.FILE).exists():
        TrustRun.read(out / TrustRun.FILE)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} is neither an empty folder nor one of trust tests: choose another one."
        )
