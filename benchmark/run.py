"""Run packages and controls over datasets, cell by cell, and score what they restore."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.table import Table
from rich.text import Text

from benchmark.channels import mean_channel
from benchmark.controls import CONTROLS
from benchmark.facts import collect_facts
from benchmark.metrics import METRICS, Metric, NotApplicable, normalise
from benchmark.restore import (
    Job,
    Method,
    ProcessDiedError,
    RestorationError,
    Restore,
    open_method,
    sentence_of,
)
from benchmark.scores import MEMORY, SECONDS, Cell, Failure, Place, Results, Scores
from packages import images
from packages.cli import UserError, console, progress
from packages.datasets import Dataset, Item, open_dataset
from packages.files import sha256
from packages.package import open_package
from packages.resample import linear


@dataclass(frozen=True)
class _Task:
    """A cell that is to be computed."""

    place: Place
    job: Job
    computed_for: dict[str, str]


def run_benchmark(
    packages: Sequence[Path],
    data: Sequence[Path],
    out: Path,
    *,
    trust: bool = False,
    controls: bool = True,
) -> Scores:
    """Score packages on datasets; cells kept by an earlier run are not computed again.

    Parameters
    ----------
    packages
        Zips or folders; the file name without .zip is the package's name in the table.
    data
        What `packages.datasets.open_dataset` opens; its validation part is used when it is split.
    out
        The results folder.
    trust
        Whether Python code of packages may run.
    controls
        Whether the controls run beside the packages.

    Returns
    -------
    Scores
        What was written to `out`; failed cells are in its facts.

    Raises
    ------
    UserError
        A package or dataset cannot be opened, two have one name, or `out` is not a results folder.
    """
    results = Results(out)
    datasets = [open_dataset(path) for path in data]
    _refuse_shared_names("datasets", [(dataset.name, dataset.path) for dataset in datasets])
    for dataset in datasets:
        if not dataset.evaluation_items:
            raise UserError(
                f"{dataset.path} is split and has no validation images, and only these may be "
                "looked at: mark some in its dataset.toml."
            )
    methods = _methods(packages, trust=trust, controls=controls)
    hashes = {
        file: sha256(file)
        for dataset in datasets
        for i in dataset.evaluation_items
        for file in _files(i)
    }
    facts = collect_facts(methods, datasets, hashes)
    if not methods:
        raise UserError("Nothing to run: give a package, or leave the controls in.")
    results.begin(facts)

    places: list[Place] = []
    failures: list[Failure] = []
    computed = 0
    with progress() as bars:
        cells = len(methods) * sum(len(dataset.evaluation_items) for dataset in datasets)
        bar = bars.add_task("", total=cells)
        for method in methods:
            bars.update(bar, description=method.name)
            tasks = _tasks(method, datasets, hashes, facts, results)
            places += [task.place for task in tasks]
            due = [task for task in tasks if not _is_kept(task, results)]
            _say_what_changed(method, due, results)
            computed += len(due)
            bars.advance(bar, len(tasks) - len(due))
            for failure in _compute(method, due, results):
                bars.advance(bar)
                failures += [failure] if failure else []
    scores = results.finish(facts, places, failures)
    _print_failures(failures)
    console.print(
        f"{len(places) - len(failures)} cells scored ({computed - len(failures)} now, "
        f"{len(places) - computed} kept from before) in {out}",
        soft_wrap=True,
    )
    return scores


def _methods(packages: Sequence[Path], *, trust: bool, controls: bool) -> list[Method]:
    methods = [Method(name, f"control: {name}") for name in CONTROLS] if controls else []
    named = [(name, Path("a control")) for name in CONTROLS]
    for path in packages:
        name = path.resolve().name.removesuffix(".zip")
        named.append((name, path))
        with open_package(path, trust=trust) as package:
            methods.append(
                Method(
                    name=name,
                    title=package.name,
                    path=path,
                    sha256=package.sha256,
                    pixel_size_um=package.pixel_size_um,
                    weights=package.weights[0],
                    trust=trust,
                )
            )
    _refuse_shared_names("packages", named)
    return methods


def _refuse_shared_names(kind: str, named: Sequence[tuple[str, Path]]) -> None:
    """Refuse names that one folder of results could not tell apart on every system."""
    seen: dict[str, Path] = {}
    for name, path in named:
        if not name or name.startswith(".") or set(name) & set('<>:"/\\|?*'):
            raise UserError(
                f"'{name}', the name of {path}, cannot be the name of a folder: rename it."
            )
        if name.casefold() in seen:
            raise UserError(
                f"{seen[name.casefold()]} and {path} are both named '{name}', and {kind} of one "
                "name cannot be told apart: rename one."
            )
        seen[name.casefold()] = path


def _files(item: Item) -> list[Path]:
    return [file for file in (item.input, item.target, item.native) if file is not None]


def _tasks(
    method: Method,
    datasets: Sequence[Dataset],
    hashes: dict[Path, str],
    facts: dict[str, Any],
    results: Results,
) -> list[_Task]:
    """List the cells of a method, small images first so that peaks of memory do not shadow."""
    tasks: list[_Task] = []
    for dataset in datasets:
        for item in dataset.evaluation_items:
            place = Place(method.name, dataset.name, item.name)
            known = [item.microscope, item.pixel_size_um]
            computed_for = {
                "package": f"{method.sha256} {method.weights}".strip(),
                "input": hashes[item.input],
                "target": hashes[item.target] if item.target else "",
                "native": hashes[item.native] if item.native else "",
                "dataset.toml": json.dumps(known, sort_keys=True),
                "benchmark": facts["benchmark_sha256"],
                "versions": json.dumps(facts["versions"]),
                "device": facts["device"],
            }
            job = Job(item, results.prediction_file(place))
            tasks.append(_Task(place, job, computed_for))
    return sorted(tasks, key=lambda task: _pixels(task.job.item.input))


def _pixels(path: Path) -> int:
    try:
        return images.read(path, lazy=True).size
    except UserError:
        return 0  # it will fail where failures are kept


def _is_kept(task: _Task, results: Results) -> bool:
    """Tell whether a cell is up to date; ask its missing metrics again.

    What a metric lacked, a file of weights for instance, may be there now.
    """
    cell = results.find(task.place)
    if cell is None or cell.computed_for != task.computed_for:
        return False
    restored = results.prediction_file(task.place)
    if not restored.exists():
        return cell.values == {} and bool(cell.not_applicable)
    missing = [METRICS[name] for name in cell.not_applicable if name in METRICS]
    values, not_applicable = _score(restored, task.job.item, missing)
    if values:
        reasons = {**cell.not_applicable, **not_applicable}
        left = {metric: reason for metric, reason in reasons.items() if metric not in values}
        results.keep(task.place, Cell(cell.computed_for, {**cell.values, **values}, left))
    return True


def _say_what_changed(method: Method, due: Iterable[_Task], results: Results) -> None:
    changed: dict[tuple[str, ...], int] = {}
    for task in due:
        cell = results.find(task.place)
        if cell is not None:
            before, now = cell.computed_for, task.computed_for
            what = tuple(sorted(name for name in now if now[name] != before.get(name)))
            changed[what] = changed.get(what, 0) + 1
    for what, count in changed.items():
        why = f"changed: {', '.join(what)}" if what else "their restored images are gone"
        console.print(f"{method.name}: {count} cells are computed again ({why}).")


def _compute(method: Method, tasks: Sequence[_Task], results: Results) -> Iterator[Failure | None]:
    """Compute cells one by one; a package that dies is started again for the images left."""
    left = list(tasks)
    while left:
        try:
            with open_method(method) as restore:
                while left:
                    task = left.pop(0)
                    try:
                        _compute_cell(task, restore, results)
                        yield None
                    except ProcessDiedError as error:
                        yield Failure(task.place, str(error))
                        break
                    except RestorationError as error:
                        yield Failure(task.place, str(error))
        except (RestorationError, UserError) as error:  # it cannot even be loaded
            yield from (Failure(task.place, str(error)) for task in left)
            return


def _compute_cell(task: _Task, restore: Restore, results: Results) -> None:
    results.discard(task.place)
    try:
        cost = restore(task.job)
    except NotApplicable as reason:
        names = [*METRICS, SECONDS, MEMORY]
        cell = Cell(task.computed_for, {}, dict.fromkeys(names, str(reason)))
        results.keep(task.place, cell)
        return
    try:
        values, not_applicable = _score(task.job.output, task.job.item, METRICS.values())
    except Exception as error:
        task.job.output.unlink(missing_ok=True)
        raise RestorationError(sentence_of(error)) from error
    values[SECONDS] = cost.seconds_per_megapixel
    if cost.peak_mib_per_megapixel is None:
        not_applicable[MEMORY] = "Controls run in the benchmark's own process."
    else:
        values[MEMORY] = cost.peak_mib_per_megapixel
    results.keep(task.place, Cell(task.computed_for, values, not_applicable))


def _score(
    restored: Path, item: Item, metrics: Iterable[Metric]
) -> tuple[dict[str, float], dict[str, str]]:
    """Return values by metric, and reasons by metric without one.

    The truth is brought to the scale on which packages deliver, plane by plane as they do it;
    stacks score the mean over their planes.
    """
    if item.target is None:
        return {}, {metric.name: "The dataset has no truth." for metric in metrics}
    values: dict[str, float] = {}
    not_applicable: dict[str, str] = {}
    prediction, truth = alike(images.read(restored), images.read(item.target))
    for metric in metrics:
        try:
            scores = [metric(normalise(g), p) for g, p in zip(truth, prediction, strict=True)]
            values[metric.name] = float(np.mean(scores))
        except NotApplicable as reason:
            not_applicable[metric.name] = str(reason)
    return values, not_applicable


def alike(restored: xr.DataArray, truth: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the planes of both images that are to be compared, on the truth's grid.

    A package with a pixel size of its own restores on its own grid: the same field of view is
    interpolated onto the truth's.

    Parameters
    ----------
    restored, truth
        Axes out of b, c, z, y, x.

    Returns
    -------
    tuple of ndarray
        (n, y, x) each; of several restored channels the one that truth is of.

    Raises
    ------
    RestorationError
        Their sizes differ, and not only by their pixel sizes.
    """
    if "c" not in truth.dims:
        restored = mean_channel(restored)
    if restored.sizes != truth.sizes and _same_field(restored, truth):
        on_grid = linear(restored, (truth.sizes["y"], truth.sizes["x"]))
        restored = xr.DataArray(on_grid, dims=restored.dims)
    if restored.sizes != truth.sizes:
        raise RestorationError(
            f"The restored image is {_size(restored)} and the truth {_size(truth)}: they cannot be "
            "compared."
        )
    shape = (-1, *truth.shape[-2:])
    return restored.values.reshape(shape), truth.values.reshape(shape)


def _same_field(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Tell whether two images of known pixel sizes show as much, to within 2 % of a side."""
    sizes: list[dict[str, float]] = [i.attrs.get("pixel_size_um", {}) for i in (one, other)]
    if not all({"y", "x"} <= size.keys() for size in sizes):
        return False
    fields = [
        [image.sizes[d] * size[d] for d in "yx"]
        for image, size in zip((one, other), sizes, strict=True)
    ]
    return bool(np.allclose(fields[0], fields[1], rtol=0.02))


def _size(image: xr.DataArray) -> str:
    return " x ".join(f"{length} {dim}" for dim, length in image.sizes.items())


def _print_failures(failures: Sequence[Failure]) -> None:
    if not failures:
        return
    table = Table("package", "dataset", "image", "reason", title="Failed, tried again next time")
    for failure in sorted(failures, key=lambda failure: failure.place):
        place = failure.place
        table.add_row(place.package, place.dataset, place.image, Text(failure.reason))
    console.print(table)
