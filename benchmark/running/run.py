"""Run packages and controls over datasets, cell by cell, and score what they restore."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch
from rich.table import Table
from rich.text import Text

from benchmark.metrics.columns import COSTS, QUALITY
from benchmark.running.cell import CellKey, CellTask, compute_cell, is_kept
from benchmark.running.controls import CONTROLS
from benchmark.running.familiar import compare_with_known, remark_on, with_verdicts
from benchmark.running.restore import SEED, Job, Method, control, each, method_of
from benchmark.running.results_folder import Results
from benchmark.running.workers import each_with
from imaging import images
from imaging.benchmark_run import (
    BenchmarkRun,
    DatasetEntry,
    FailedCell,
    ImageEntry,
    MetricEntry,
    PackageEntry,
)
from imaging.cli import UserError, console, progress
from imaging.cluster import open_cluster
from imaging.datasets import Dataset, Item, open_dataset
from imaging.files import sha256
from imaging.inspection import check_annotations, inspect_items
from imaging.remarks import Remarks
from imaging.results import Scores
from imaging.scores import SAMPLE_SUFFIX
from imaging.source_files import source_sha256

__all__ = ["run_benchmark"]

_LIBRARIES = ("bioimageio.core", "numpy", "onnxruntime", "scikit-image", "scipy", "torch")


def run_benchmark(
    packages: Sequence[Path],
    data: Sequence[Path],
    out: Path,
    *,
    trust: bool = False,
    controls: bool = True,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Scores:
    """Score packages on datasets; cells kept by an earlier run are not computed again.

    Parameters
    ----------
    packages
        Zips or folders; the file name without .zip is the package's name in the table.
    data
        What `imaging.datasets.open_dataset` opens; its validation part is used when it is split.
    out
        The results folder.
    trust
        Whether Python code of packages may run.
    controls
        Whether the controls run beside the packages.
    workers, scheduler
        Who computes the cells, see `imaging.cluster.open_cluster`; this process without either.

    Returns
    -------
    Scores
        What was written to `out`; failed cells are in its record.

    Raises
    ------
    UserError
        A package or dataset cannot be opened, two have one name, annotations do not fit their
        image, or `out` is not a results folder.
    """
    if workers is not None or scheduler is not None:  # workers may stand in another folder
        packages, data = ([path.absolute() for path in paths] for paths in (packages, data))
        out = out.absolute()
    results = Results(out)
    datasets = [open_dataset(path) for path in data]
    refuse_shared_names("datasets", [(dataset.name, dataset.path) for dataset in datasets])
    for dataset in datasets:
        if not dataset.evaluation_items:
            raise UserError(
                f"{dataset.path} is split and has no validation images, and only these may be "
                "looked at: mark some in its dataset.toml."
            )
        check_annotations(dataset.evaluation_items)
    methods = _methods(packages, trust=trust, controls=controls)
    hashes = {
        file: sha256(file)
        for dataset in datasets
        for i in dataset.evaluation_items
        for file in _files(i)
    }
    run = describe_run(methods, datasets, hashes)
    if not methods:
        raise UserError("Nothing to run: give a package, or leave the controls in.")
    remarks = Remarks()
    for dataset in datasets:
        remarks.update(inspect_items(dataset.evaluation_items, f"{dataset.name}/"))
        remarks.update(dataset.remarks)
    verdicts = compare_with_known(methods, datasets)
    remarks.update(remark_on(verdicts))
    remarks.say()
    run = with_verdicts(replace(run, remarks=remarks.entries), verdicts)
    results.begin(run)

    places: list[CellKey] = []
    failures: list[FailedCell] = []
    computed = 0
    lacking: set[str] = set()
    with open_cluster(workers, scheduler) as cluster, progress() as bars:
        cells = len(methods) * sum(len(dataset.evaluation_items) for dataset in datasets)
        bar = bars.add_task("", total=cells)
        for method in methods:
            bars.update(bar, description=f"Running {method.name}")
            tasks = _tasks(method, datasets, hashes, run, results)
            places += [task.place for task in tasks]
            due = [task for task in tasks if not is_kept(task, results, lacking)]
            _say_what_changed(method, due, results)
            computed += len(due)
            bars.advance(bar, len(tasks) - len(due))
            computing = (
                each(method, due, lambda task, by: compute_cell(task, by, results))
                if cluster is None
                else each_with(cluster, due, results)
            )
            for task, error in computing:
                bars.advance(bar)
                if error is not None:
                    place = task.place
                    failed = FailedCell(place.package, place.dataset, place.image, str(error))
                    failures.append(failed)
    scores = results.finish(run, places, failures)
    _print_failures(scores.run.failures)
    console.print(
        f"{len(places) - len(failures)} cells done ({computed - len(failures)} now, "
        f"{len(places) - computed} kept from before) in {out}",
        soft_wrap=True,
    )
    return scores


def describe_run(
    methods: Sequence[Method], datasets: Sequence[Dataset], hashes: dict[Path, str]
) -> BenchmarkRun:
    """Describe what a run is made of and made on.

    Parameters
    ----------
    methods, datasets
        What is run on what.
    hashes
        SHA-256 of every image file.

    Returns
    -------
    BenchmarkRun
        Without failures.
    """
    return BenchmarkRun(
        seed=SEED,
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        cpu=f"{_cpu()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions={name: version(name) for name in _LIBRARIES},
        benchmark_sha256=source_sha256("benchmark.running.cell"),
        packages=[_package(method) for method in methods],
        datasets=[_dataset(dataset, hashes) for dataset in datasets],
        metrics={
            column.metric: MetricEntry(column.direction, column.unit, column.ideal)
            for column in (*QUALITY, *COSTS)
        },
    )


def _methods(packages: Sequence[Path], *, trust: bool, controls: bool) -> list[Method]:
    methods = [control(name) for name in CONTROLS] if controls else []
    named = [(name, Path("a control")) for name in CONTROLS]
    for path in packages:
        method = method_of(path, trust=trust)
        methods.append(method)
        named.append((method.name, path))
    refuse_shared_names("packages", named)
    return methods


def refuse_shared_names(kind: str, named: Sequence[tuple[str, Path]]) -> None:
    """Refuse names that one folder of results could not tell apart on every system.

    Parameters
    ----------
    kind
        What has these names, in the plural.
    named
        Each name, and whose it is.

    Raises
    ------
    UserError
        Two are alike, or one cannot be the name of a folder.
    """
    seen: dict[str, Path] = {}
    for name, path in named:
        if not name or name.startswith(".") or set(name) & set('<>:"/\\|?*'):
            raise UserError(
                f"'{name}', the name of {path}, cannot be the name of a folder: rename it."
            )
        if name.endswith(SAMPLE_SUFFIX):
            raise UserError(
                f"{path} is named '{name}', as the row of a package's sample is: rename it."
            )
        if name.casefold() in seen:
            raise UserError(
                f"{seen[name.casefold()]} and {path} are both named '{name}', and {kind} of one "
                "name cannot be told apart: rename one."
            )
        seen[name.casefold()] = path


def _files(item: Item) -> list[Path]:
    files = (
        *(item.input, item.target, item.native, item.repeat),
        *(item.displaced, item.annotations, item.mask),
    )
    return [file for file in files if file is not None]


def _tasks(
    method: Method,
    datasets: Sequence[Dataset],
    hashes: dict[Path, str],
    run: BenchmarkRun,
    results: Results,
) -> list[CellTask]:
    """List the cells of a method, small images first so that peaks of memory do not shadow."""
    tasks: list[CellTask] = []
    for dataset in datasets:
        for item in dataset.evaluation_items:
            place = CellKey(method.name, dataset.name, item.name)
            sizes_um = [item.pixel_size_um, item.target_pixel_size_um, item.tolerance_um]
            known = [item.microscope, *sizes_um, item.expansion_factor, item.z_step_um]
            computed_for = {
                "package": f"{method.sha256} {method.weights}".strip(),
                "input": hashes[item.input],
                "target": hashes[item.target] if item.target else "",
                "native": hashes[item.native] if item.native else "",
                "repeat": hashes[item.repeat] if item.repeat else "",
                "dataset.toml": json.dumps(known, sort_keys=True),
                "benchmark": run.benchmark_sha256,
                "versions": json.dumps(run.versions),
                "device": run.device,
            }
            job = Job(item, results.prediction_file(place))
            again = item.of_repeat if method.restores_repeats else None
            repeat = Job(again, results.repeat_file(place)) if again else None
            tasks.append(CellTask(place, job, repeat, computed_for, method))
    return sorted(tasks, key=lambda task: _pixels(task.job.item.input))


def _pixels(path: Path) -> int:
    try:
        return images.read(path, lazy=True).size
    except UserError:
        return 0  # it will fail where failures are kept


def _say_what_changed(method: Method, due: Iterable[CellTask], results: Results) -> None:
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


def _print_failures(failures: Sequence[FailedCell]) -> None:
    if not failures:
        return
    images_of: dict[tuple[str, str, str], list[str]] = {}
    for cell in failures:
        key = (cell.package, cell.dataset, cell.reason)
        images_of.setdefault(key, []).append(cell.image)
    table = Table("package", "dataset", "image", "reason", title="Failed, tried again next time")
    for (package, dataset, reason), failed in images_of.items():
        others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        table.add_row(package, dataset, failed[0] + others, Text(reason))
    console.print(table)


def _package(method: Method) -> PackageEntry:
    return PackageEntry(
        name=method.name,
        title=method.title,
        control=method.path is None,
        file=str(method.path or ""),
        sha256=method.sha256,
        weights=method.weights,
        interval_factors=method.interval_factors,
        delivery=method.delivery,
        doubt=method.doubt,
        knows_images=method.known_images is not None,
        pixel_size_um=method.pixel_size_um,
    )


def _dataset(dataset: Dataset, hashes: dict[Path, str]) -> DatasetEntry:
    stated = dataset.facts
    return DatasetEntry(
        name=dataset.name,
        path=str(dataset.path.resolve()),
        description=stated.description or "",
        licence=stated.licence or "",
        pixel_size_um=stated.pixel_size_um,
        target_pixel_size_um=stated.target_pixel_size_um,
        expansion_factor=stated.expansion_factor,
        registration=stated.registration or "",
        registered=stated.registered or {},
        provenance=stated.provenance,
        part="validation" if any(item.split for item in dataset.items) else "all",
        images=[_image(item, hashes) for item in dataset.evaluation_items],
        protocol=stated.protocol,
        z_step_um=stated.z_step_um,
    )


def _image(item: Item, hashes: dict[Path, str]) -> ImageEntry:
    return ImageEntry(
        name=item.name,
        source=item.source,
        input=str(item.input.resolve()),
        input_sha256=hashes[item.input],
        target=str(item.target.resolve()) if item.target else "",
        target_sha256=hashes[item.target] if item.target else "",
        repeat=str(item.repeat.resolve()) if item.repeat else "",
        repeat_sha256=hashes[item.repeat] if item.repeat else "",
        native=str(item.native.resolve()) if item.native else "",
        displaced=str(item.displaced.resolve()) if item.displaced else "",
        displaced_sha256=hashes[item.displaced] if item.displaced else "",
        annotations=str(item.annotations.resolve()) if item.annotations else "",
        annotations_sha256=hashes[item.annotations] if item.annotations else "",
        mask=str(item.mask.resolve()) if item.mask else "",
        mask_sha256=hashes[item.mask] if item.mask else "",
        level=item.level,
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
