"""Entries of run.json for tests, with everything that a test does not care about filled in."""

from typing import Any

from benchmark.metrics.columns import COSTS, QUALITY
from imaging.benchmark_run import (
    BenchmarkRun,
    DatasetEntry,
    FailedCell,
    ImageEntry,
    MetricEntry,
    PackageEntry,
)

METRICS = {c.metric: MetricEntry(c.direction, c.unit, c.ideal) for c in (*QUALITY, *COSTS)}


def package(name: str, *, control: bool = False, **entries: Any) -> PackageEntry:
    unsaid: dict[str, Any] = {
        "title": name,
        "file": "",
        "sha256": "",
        "weights": "",
        "interval_factors": {},
        "delivery": "planes",
        "pixel_size_um": {},
    }
    return PackageEntry(name=name, control=control, **unsaid | entries)


def image(name: str, **entries: Any) -> ImageEntry:
    kinds = ("input", "target", "repeat")
    unsaid: dict[str, Any] = dict.fromkeys([*kinds, *(f"{kind}_sha256" for kind in kinds)], "")
    told: dict[str, Any] = {"source": name, **unsaid, **entries}
    return ImageEntry(name=name, **told)


def dataset(name: str, *images: ImageEntry, **entries: Any) -> DatasetEntry:
    unsaid: dict[str, Any] = {
        "path": "/data",
        "description": "",
        "licence": "",
        "pixel_size_um": None,
        "target_pixel_size_um": None,
        "registration": "",
        "registered": {},
        "provenance": {},
        "part": "all",
    }
    return DatasetEntry(name=name, images=[*images], **unsaid | entries)


def run(
    packages: list[PackageEntry] | None = None,
    datasets: list[DatasetEntry] | None = None,
    failures: list[FailedCell] | None = None,
    **entries: Any,
) -> BenchmarkRun:
    unsaid: dict[str, Any] = {
        "seed": 0,
        "device": "CPU",
        "cpu": "an old one",
        "system": "Linux",
        "versions": {"torch": "2"},
        "benchmark_sha256": "b" * 64,
        "metrics": METRICS,
    }
    return BenchmarkRun(
        packages=packages or [],
        datasets=datasets or [],
        failures=failures or [],
        **unsaid | entries,
    )
