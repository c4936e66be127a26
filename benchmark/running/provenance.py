"""The record of a run: what is run on what, where, and with which versions."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from benchmark.metrics.columns import COSTS, QUALITY
from benchmark.running.restore import SEED, Method
from imaging.benchmark_run import BenchmarkRun, DatasetEntry, ImageEntry, MetricEntry, PackageEntry
from imaging.datasets import Dataset, Item
from imaging.source_files import source_sha256

_LIBRARIES = ("bioimageio.core", "numpy", "onnxruntime", "scikit-image", "scipy", "torch")


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
        registration=stated.registration or "",
        registered=stated.registered or {},
        provenance=stated.provenance,
        part="validation" if any(item.split for item in dataset.items) else "all",
        images=[_image(item, hashes) for item in dataset.evaluation_items],
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
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
