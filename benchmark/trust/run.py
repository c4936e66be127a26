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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from benchmark.controls import CONTROLS, INPUT
from benchmark.facts import collect_facts
from benchmark.restore import (
    Method,
    ProcessDiedError,
    RestorationError,
    open_method,
)
from benchmark.run import method_of
from benchmark.trust.beside import put_beside
from benchmark.trust.figures import draw_figures
from benchmark.trust.findings import SCHEMA, read_facts, summarise
from benchmark.trust.microscope import middle_of
from benchmark.trust.phantoms import Made, Phantoms, make, plan_phantoms, plan_shifts
from benchmark.trust.seen import Task, see
from benchmark.trust.verdict import Failed, judge, usual
from imaging.figure_files import write_figures
from packages.cli import STATUS_FAILED_CHECK, UserError, complain, console, progress
from packages.files import replacing, sha256_of_all, write_json

DEFAULT_PHOTONS = (10.0, 30.0, 100.0)
DEFAULT_DRAWS = 50
_CONTROLS = (INPUT, "richardson_lucy", "truth")
_FOLDER = Path(__file__).parent
# What outcomes come from; a change of any of these files makes kept ones stale.
_CODE = (
    "amplitudes",
    "battery",
    "crossings",
    "empty",
    "gaps",
    "plane",
    "resolution",
    "seen",
    "shifts",
)


@dataclass(frozen=True)
class _Failure:
    """Of a package, on so many sets of phantoms."""

    package: str
    on: str
    sets: int
    reason: str

    def __str__(self) -> str:
        return f"{self.package} {self.on}: {self.reason}"


def trust_packages(
    packages: list[Path] | None = None,
    /,
    *,
    out: Path,
    draws: int = DEFAULT_DRAWS,
    photons: Annotated[tuple[float, ...], Parameter(consume_multiple=True, negative=())] = (
        DEFAULT_PHOTONS
    ),
    microscope: Path | None = None,
    seed: int = 0,
    trust: bool = False,
) -> int:
    """Test on phantoms of exactly known truth what packages may be trusted with.

    Which points and tubes are told apart, and which single ones are split; which gaps are bridged
    and which tubes broken; how many tubes meet; what is invented in an empty field; whether ratios
    of brightness are kept; and what other structures, noise and blur cost. Beside the packages
    stand their input, Richardson-Lucy and the truth. What an earlier run into the same folder saw
    is not computed again.

    Parameters
    ----------
    packages
        Zips, or folders with an rdf.yaml; without any, the controls are tested alone.
    out
        Folder for phantoms, table, figures and verdicts.
    draws
        Objects in each condition, about: in each 0.1 µm of distance at each level of light.
    photons
        Levels of light: photons in a pixel of bright structure.
    microscope
        File of a microscope, as `training fit` writes it, of which the middle is taken; default a
        two-photon microscope in vivo.
    seed
        Number from which all randomness follows.
    trust
        Run Python code that packages bring along.

    Returns
    -------
    int
        Exit status: 0, or 1 when a package failed on some phantoms.
    """
    failures = find_out(
        packages or [],
        out,
        draws=draws,
        photons=photons,
        microscope=microscope,
        seed=seed,
        trust=trust,
    )
    for failure in failures:
        complain(failure)
    return STATUS_FAILED_CHECK if failures else 0


def find_out(
    packages: Sequence[Path],
    out: Path,
    *,
    draws: int = DEFAULT_DRAWS,
    photons: Sequence[float] = DEFAULT_PHOTONS,
    microscope: Path | None = None,
    seed: int = 0,
    trust: bool = False,
) -> list[str]:
    """Do what `trust_packages` says.

    Returns
    -------
    list of str
        What failed, a sentence each; it is tried again next time.

    Raises
    ------
    UserError
        Something given cannot be used, or the simulation refused.
    """
    _refuse_arguments(out, draws, photons)
    recorder = middle_of(microscope)
    methods = [Method(name, f"control: {name}") for name in _CONTROLS]
    methods += [method_of(path, trust=trust) for path in packages]
    _refuse_shared_names(methods)
    facts = collect_facts(methods, [], {}) | {"draws": draws, "photons": sorted(photons)}
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "trust.json", {"schema": SCHEMA, **facts, "verdicts": []})
    planned = plan_phantoms(recorder, sorted(photons), draws, seed)
    others = plan_shifts(recorder, usual(photons), seed)
    made = _make([*planned, *others], out / "phantoms")
    tasks = [
        Task(
            method,
            of,
            of.phantoms in others,
            _computed_for(method, of, facts),
            out / "seen" / method.name / f"{of.phantoms.name}.json",
        )
        for method in methods
        for of in made
        if not (method.name == "truth" and of.phantoms in others)  # its scores are perfect
    ]
    failures = _see_all(methods, tasks)
    table = summarise(tasks)
    failed = _add_up(failures, tasks)
    verdicts = [
        judge(table, m.name, photons, failed.get(m.name))
        for m in sorted(methods, key=lambda m: m.path is None)
    ]
    figures = draw_figures(table, [v.package for v in verdicts], _CONTROLS)
    with replacing(out / "trust.csv") as temporary:
        table.to_csv(temporary, index=False)
    write_figures(out / "figures", {name: drawing for name, (_, drawing) in figures.items()})
    titles = {name: title for name, (title, _) in figures.items()}
    said = {"verdicts": [asdict(v) for v in verdicts], "figures": titles}
    said |= {"failed": [asdict(f) for f in failed.values()]}
    write_json(out / "trust.json", {"schema": SCHEMA, **facts, **said})
    for verdict in verdicts:
        console.print(str(verdict), soft_wrap=True, highlight=False)
    console.print(f"Trust tests of {len(packages)} package(s) and their controls are in {out}")
    return [str(failure) for failure in failures]


def _make(planned: Sequence[Phantoms], folder: Path) -> list[Made]:
    """Make all datasets; empty fields come with tubes beside them."""
    with progress() as bars:
        made = {
            of.phantoms.name: of
            for of in bars.track(make(planned, folder), len(planned), description="Phantoms")
        }
    return [
        put_beside(of, made[name.replace("empty", "gaps")], folder)
        if of.phantoms.structure == "empty"
        else of
        for name, of in made.items()
    ]


def _see_all(methods: Sequence[Method], tasks: Sequence[Task]) -> list[_Failure]:
    failures: list[_Failure] = []
    with progress() as bars:
        bar = bars.add_task("", total=sum(len(task.made.dataset.items) for task in tasks))
        for method in methods:
            bars.update(bar, description=method.name)
            due: list[Task] = []
            for task in (task for task in tasks if task.method == method):
                if task.kept() is None:
                    due.append(task)
                else:
                    bars.advance(bar, len(task.made.dataset.items))
            failures += _see(method, due, lambda: bars.advance(bar))
    return failures


def _see(method: Method, tasks: Sequence[Task], done: Callable[[], None]) -> Iterator[_Failure]:
    """See datasets one by one; a package that dies is started again for those left."""
    left = list(tasks)
    while left:
        try:
            with open_method(method) as restore:
                while left:
                    task = left.pop(0)
                    try:
                        see(task, restore, done)
                    except (RestorationError, UserError) as error:
                        name = task.made.phantoms.name
                        yield _Failure(method.name, f"failed on {name}", 1, str(error))
                        if isinstance(error, ProcessDiedError):
                            break
        except (RestorationError, UserError) as error:  # it cannot even be loaded
            yield _Failure(method.name, "cannot be run", len(left), str(error))
            return


def _add_up(failures: Sequence[_Failure], tasks: Sequence[Task]) -> dict[str, Failed]:
    """Count by package what failed; the reason is that of the first failure."""
    failed: dict[str, Failed] = {}
    for name in dict.fromkeys(failure.package for failure in failures):
        own = [failure for failure in failures if failure.package == name]
        planned = sum(task.method.name == name for task in tasks)
        failed[name] = Failed(name, sum(f.sets for f in own), planned, own[0].reason)
    return failed


def _computed_for(method: Method, made: Made, facts: dict[str, Any]) -> dict[str, str]:
    return {
        "package": f"{method.sha256} {method.weights}".strip(),
        "phantoms": made.sha256,
        "trust": sha256_of_all([_FOLDER / f"{name}.py" for name in _CODE], _FOLDER),
        "benchmark": facts["benchmark_sha256"],
        "versions": json.dumps(facts["versions"]),
        "device": facts["device"],
    }


def _refuse_arguments(out: Path, draws: int, photons: Sequence[float]) -> None:
    if draws < 1:
        raise UserError(f"--draws {draws} is too few: give at least 1.")
    if not photons or min(photons) <= 0 or len(set(photons)) < len(photons):
        given = " ".join(f"{level:g}" for level in photons)
        raise UserError(f"--photons {given} cannot be used: give different numbers above 0.")
    if (out / "trust.json").exists():
        read_facts(out)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} is neither an empty folder nor one of trust tests: choose another one."
        )


def _refuse_shared_names(methods: Sequence[Method]) -> None:
    seen: set[str] = set()
    for method in methods:
        if method.name.casefold() in seen | {name for name in CONTROLS if method.path}:
            raise UserError(
                f"{method.path} has the name of another package or of a control: rename it."
            )
        seen.add(method.name.casefold())
