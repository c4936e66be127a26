"""The facts of a run: what was run on what, where, and with which versions."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmark.restore import SEED, Method
from packages.datasets import Dataset
from packages.files import sha256_of_all

_ROOT = Path(__file__).parent.parent
# What the numbers come from; a change of any of these files makes kept cells stale.
_CODE = (
    "benchmark/metrics/*.py",
    "benchmark/cells.py",
    "benchmark/channels.py",
    "benchmark/controls.py",
    "benchmark/deconvolution.py",
    "benchmark/delivery.py",
    "benchmark/grids.py",
    "benchmark/known.py",
    "benchmark/restore.py",
    "imaging/calibration.py",
    "packages/datasets.py",
    "packages/formats/*.py",
    "packages/geometry.py",
    "packages/images.py",
    "packages/measure.py",
    "packages/normalise.py",
    "packages/package.py",
    "packages/network.py",
    "packages/resample.py",
    "packages/runner.py",
    "packages/statistics.py",
    "packages/tiles.py",
)
_LIBRARIES = ("bioimageio.core", "numpy", "onnxruntime", "scikit-image", "scipy", "torch")


def collect_facts(
    methods: Sequence[Method], datasets: Sequence[Dataset], hashes: dict[Path, str]
) -> dict[str, Any]:
    """Collect what a run was made of and made on.

    Parameters
    ----------
    methods, datasets
        What is run on what.
    hashes
        SHA-256 of every image file.

    Returns
    -------
    dict
        Plain values, for JSON; see run.json of a results folder.
    """
    return {
        "seed": SEED,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "cpu": f"{_cpu()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in _LIBRARIES},
        "benchmark_sha256": _code_sha256(),
        "packages": [
            {
                "name": method.name,
                "title": method.title,
                "control": method.path is None,
                "file": str(method.path or ""),
                "sha256": method.sha256,
                "weights": method.weights,
                "interval_factors": method.interval_factors,
                "delivery": method.delivery,
                "pixel_size_um": method.pixel_size_um,
            }
            for method in methods
        ],
        "datasets": [
            {
                "name": dataset.name,
                "path": str(dataset.path.resolve()),
                "description": dataset.facts.description or "",
                "licence": dataset.facts.licence or "",
                "pixel_size_um": dataset.facts.pixel_size_um,
                "target_pixel_size_um": dataset.facts.target_pixel_size_um,
                "registration": dataset.facts.registration or "",
                "registered": dataset.facts.registered or {},
                "provenance": dataset.facts.provenance,
                "part": "validation" if any(i.split for i in dataset.items) else "all",
                "images": [
                    {
                        "name": item.name,
                        "source": item.source,
                        "input": str(item.input.resolve()),
                        "input_sha256": hashes[item.input],
                        "target": str(item.target.resolve()) if item.target else "",
                        "target_sha256": hashes[item.target] if item.target else "",
                        "repeat": str(item.repeat.resolve()) if item.repeat else "",
                        "repeat_sha256": hashes[item.repeat] if item.repeat else "",
                    }
                    for item in dataset.evaluation_items
                ],
            }
            for dataset in datasets
        ],
    }


def _code_sha256() -> str:
    files = (file for pattern in _CODE for file in sorted(_ROOT.glob(pattern)))
    return sha256_of_all(files, _ROOT)


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
