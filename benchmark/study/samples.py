"""What samples, solver steps and members buy: one package, restored again with more or fewer.

A package that draws samples was built with a number of them. Here it is built again from its own
architecture and state dict with other numbers, and scored beside what it costs. One argument is
varied at a time, the others stay as the package has them.
"""

import inspect
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from bioimageio.spec.model import v0_5
from pydantic import TypeAdapter, ValidationError
from torch import nn

from benchmark.metrics import METRICS, MetricInputs, NotApplicable
from benchmark.metrics.calibration import coverage_50, coverage_90, coverage_95
from benchmark.metrics.uncertainty import crps
from benchmark.running.delivery import interval_factors
from benchmark.running.planes import metric_inputs
from benchmark.running.restore import (
    Job,
    Method,
    RestorationError,
    Restore,
    in_this_process,
    sentence_of,
)
from benchmark.running.run import describe_run
from benchmark.study.samples_figure import draw_study
from imaging import images
from imaging.benchmark_run import BenchmarkRun
from imaging.cli import UserError, console, progress
from imaging.csv_files import write_csv
from imaging.datasets import Dataset, Item, open_dataset
from imaging.figure_files import write_figures
from imaging.files import read_stamp, sha256, write_json
from imaging.scores import SECONDS
from packages.export import load_network
from packages.package import Package, open_package

ARGUMENTS = ("samples", "steps", "members")
SAMPLES = (2, 4, 8, 16, 32)
STEPS = (1, 2, 3, 4, 6, 8)
_METRICS = [METRICS[f.__name__] for f in (crps, coverage_50, coverage_90, coverage_95)]

Arguments = dict[str, int]
Values = dict[str, dict[str, float]]  # by image and metric


@dataclass(frozen=True)
class _Subject:
    """What is studied.

    Attributes
    ----------
    package
        Open, its state dict and architecture may run.
    dataset
        Images with a truth.
    build
        Builds its network with other values of `ARGUMENTS`, and loads its weights.
    defaults
        Those of `ARGUMENTS` that the network takes, as the package has them.
    run
        What values depend on beside package and arguments.
    trust
        Whether Python code of the package may run.
    """

    package: Package
    dataset: Dataset
    build: Callable[[Arguments], nn.Module]
    defaults: Arguments
    run: BenchmarkRun
    trust: bool


def samples(
    package: Path,
    data: Path,
    /,
    *,
    out: Path,
    samples: tuple[int, ...] = SAMPLES,
    steps: tuple[int, ...] = STEPS,
    trust: bool = False,
) -> None:
    """Score a package against the number of samples K, of solver steps S, or of members.

    Parameters are those of `python -m benchmark study samples`, described in its help.

    Raises
    ------
    UserError
        Nothing of the package can be varied, a value is impossible, or there is no truth.
    """
    with open_package(package, trust=trust) as opened:
        subject = _subject(opened, open_dataset(data), trust=trust)
        cells = _cells(subject, {"samples": samples, "steps": steps})
        values: list[tuple[Arguments, Values]] = []
        computed = 0
        with progress() as bars:
            bar = bars.add_task("", total=len(cells) * len(subject.dataset.items))
            for arguments in cells:
                bars.update(bar, description=f"Running with {_name(arguments)}")
                file = out / "cells" / f"{_name(arguments)}.json"
                found = _kept(file, subject)
                if found is None:
                    found = _compute(subject, arguments, lambda: bars.advance(bar))
                    write_json(file, {"computed_for": _computed_for(subject), "values": found})
                    computed += 1
                else:
                    bars.advance(bar, len(subject.dataset.items))
                values.append((arguments, found))
        table = _table(subject, values)
        write_csv(out / "samples.csv", table)
        write_figures(out, {"samples": draw_study(table, subject.defaults)})
    console.print(
        f"{len(cells)} settings scored on {len(subject.dataset.items)} images ({computed} now, "
        f"{len(cells) - computed} kept from before): {out / 'samples.csv'}, .svg and .png",
        soft_wrap=True,
        highlight=False,
    )


def _subject(package: Package, dataset: Dataset, *, trust: bool) -> _Subject:
    state = package.description.weights.pytorch_state_dict
    if state is None or not isinstance(state.architecture, v0_5.ArchitectureFromFileDescr):
        raise UserError(
            f"{package.path} has no state dict with an architecture file, so it cannot be built "
            "with other numbers: give a package that has both."
        )
    if "pytorch_state_dict" not in package.weights:
        raise UserError(
            f"{package.path} brings its network as Python code: "
            "run it with --trust if you trust its authors."
        )
    items = tuple(item for item in dataset.evaluation_items if item.target is not None)
    if not items:
        raise UserError(f"{dataset.path} has no images with a truth to score on: add target/.")
    build = _builder(package, state.source, state.architecture)
    try:
        network = build({})
    except Exception as error:
        # Whatever the package's code raises.
        raise UserError(
            f"{package.path} cannot be built from its state dict ({sentence_of(error)}): "
            "build the package again."
        ) from error
    # The callable may be a function that chooses among networks: the network knows best.
    taken, given = inspect.signature(type(network)).parameters, state.architecture.kwargs
    defaults: Arguments = {
        name: int(str(given.get(name, taken[name].default))) for name in ARGUMENTS if name in taken
    }
    if not defaults:
        raise UserError(
            f"{package.path} takes neither samples nor steps nor members: there is nothing to vary."
        )
    files = [
        file
        for item in items
        for file in (item.input, item.target, item.repeat)
        if file is not None
    ]
    hashes = {file: sha256(file) for file in files}
    evaluated = Dataset(dataset.name, dataset.path, dataset.facts, items)
    run = describe_run([], [evaluated], hashes)
    return _Subject(package, evaluated, build, defaults, run, trust)


def _builder(
    package: Package, weights: object, architecture: v0_5.ArchitectureFromFileDescr
) -> Callable[[Arguments], nn.Module]:
    folder = Path(str(package.description.root))
    state = torch.load(folder / str(weights), map_location="cpu", weights_only=True)

    def build(arguments: Arguments) -> nn.Module:
        return load_network(
            folder / str(architecture.source),
            str(architecture.callable),
            {**architecture.kwargs, **arguments},
            state,
        )

    return build


def _cells(subject: _Subject, wanted: Mapping[str, Sequence[int]]) -> list[Arguments]:
    """Return the arguments to restore with: one differs from the defaults, or none."""
    cells = [subject.defaults]
    for name, default in subject.defaults.items():
        values = range(2, default + 1) if name == "members" else wanted[name]
        others = sorted({*values} - {default})
        cells += [{**subject.defaults, name: value} for value in others]
    for arguments in cells:
        if arguments.get("members") != subject.defaults.get("members"):
            continue  # fewer members do not take all weights
        try:
            subject.build(arguments)
        except ValueError as error:
            raise UserError(f"{subject.package.path} with {_name(arguments)}: {error}.") from error
    return cells


def _name(arguments: Arguments) -> str:
    return ", ".join(f"{name} {value}" for name, value in arguments.items())


def _computed_for(subject: _Subject) -> str:
    own = sha256(Path(__file__))  # the record holds a hash of all other code that scores
    return json.dumps([subject.package.sha256, asdict(subject.run), own], sort_keys=True)


def _kept(file: Path, subject: _Subject) -> Values | None:
    cell = read_stamp(file)
    if not isinstance(cell, dict) or cell.get("computed_for") != _computed_for(subject):
        return None
    try:
        return TypeAdapter(Values).validate_python(cell.get("values"))
    except ValidationError:
        return None


def _compute(subject: _Subject, arguments: Arguments, done: Callable[[], object]) -> Values:
    """Restore and score every image with some arguments."""
    package = subject.package
    with tempfile.TemporaryDirectory() as folder:
        varied = Path(folder) / "package"
        build_varied(package, arguments, varied)
        method = Method(
            name=package.path.stem,
            title=package.name,
            path=varied,
            pixel_size_um=package.pixel_size_um,
            trust=subject.trust,
        )
        try:
            values: Values = {}
            with in_this_process(method) as restore:
                for item in subject.dataset.items:
                    values[item.name] = _score(subject, item, restore, Path(folder))
                    done()
        except (RestorationError, UserError, NotApplicable) as error:
            reason = str(error).replace(str(varied), "the package")
            raise UserError(f"{package.path} with {_name(arguments)}: {reason}") from error
    return values


def _score(subject: _Subject, item: Item, restore: Restore, folder: Path) -> dict[str, float]:
    file = folder / "restored.ome.tif"
    cost = restore(Job(item, file))
    planes = metric_inputs(images.read(file), item, interval_factors(subject.package))
    values = {SECONDS: cost.seconds_per_megapixel}
    for metric in _METRICS:
        values[metric.name] = float(np.mean([metric.of(known) for known in planes]))
    for name in ("mean", "sample"):
        if isinstance(planes[0].get(name), np.ndarray):
            values[f"mse_{name}"] = float(np.mean([_mse(known, name) for known in planes]))
    return values


def _mse(known: MetricInputs, name: str) -> float:
    return float(np.mean((known["truth"].astype(np.float64) - known[name]) ** 2))


def build_varied(package: Package, arguments: Arguments, folder: Path) -> None:
    """Write a package again, for other arguments of its architecture.

    Parameters
    ----------
    package
        Open, with a state dict.
    arguments
        What replaces or joins its ``kwargs``. Of fewer ``members`` the first ones stay.
    folder
        Where its unpacked files go.
    """
    shutil.copytree(Path(str(package.description.root)), folder)
    file = next(
        folder / name for name in ("rdf.yaml", "bioimageio.yaml") if (folder / name).exists()
    )
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    entry = content["weights"]["pytorch_state_dict"]
    entry["architecture"].setdefault("kwargs", {}).update(arguments)
    if "members" in arguments:
        weights = folder / entry["source"]
        state = torch.load(weights, map_location="cpu", weights_only=True)
        left = {key: tensor for key, tensor in state.items() if _stays(key, arguments["members"])}
        torch.save(left, weights)
        entry["sha256"] = sha256(weights)
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")


def _stays(key: str, members: int) -> bool:
    """Tell whether a weight is needed in an ensemble of fewer members."""
    module, _, rest = key.partition(".")
    return module != "members" or int(rest.partition(".")[0]) < members


def _table(subject: _Subject, cells: Sequence[tuple[Arguments, Values]]) -> pd.DataFrame:
    """Return one row per setting, image and metric."""
    sources = {item.name: item.source for item in subject.dataset.items}
    rows = [
        {
            "package": subject.package.path.resolve().name.removesuffix(".zip"),
            "dataset": subject.dataset.name,
            **arguments,
            "image": image,
            "source": sources[image],
            "metric": metric,
            "value": value,
        }
        for arguments, values in cells
        for image, by_metric in values.items()
        for metric, value in by_metric.items()
    ]
    return pd.DataFrame(rows)
