import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmark.comparison.comparisons import MetricComparison
from benchmark.comparison.seeds import find_seeds, measure_spread
from benchmark.metrics.columns import column_of
from imaging.benchmark_run import PackageEntry
from tests import records

TRAINING = {
    "planned_steps": 4000,
    "training_steps": 3960,
    "dataset": "membranes",
    "training_duration": 0.5,
}


def entry(path: Path, seed: int | None, depth: int = 2, **training: object) -> PackageEntry:
    """Write a package and return its entry in run.json."""
    stated = {**TRAINING, **training, **({} if seed is None else {"seed": seed})}
    architecture = {"callable": "UNet", "kwargs": {"depth": depth}}
    description = {
        "config": {"bioimageio": {"training": stated}},
        "weights": {"pytorch_state_dict": {"architecture": architecture}},
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", yaml.safe_dump(description))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return records.package(path.stem, file=str(path), sha256=digest)


def test_packages_that_differ_in_seed_only_are_one_method(tmp_path: Path) -> None:
    methods = [
        entry(tmp_path / "a.zip", 0),
        entry(tmp_path / "b.zip", 1, training_duration=0.7, training_steps=4000),
        entry(tmp_path / "longer.zip", 2, planned_steps=8000),
        entry(tmp_path / "deeper.zip", 3, depth=3),
        entry(tmp_path / "silent.zip", None),
        entry(tmp_path / "same.zip", 0),
    ]
    assert find_seeds(methods) == [("a", "b")]


def test_packages_of_which_nothing_is_known_are_left_out(tmp_path: Path) -> None:
    whole = entry(tmp_path / "a.zip", 0)
    moved = replace(entry(tmp_path / "b.zip", 1), file=str(tmp_path / "gone.zip"))
    assert find_seeds([whole, moved]) == []


def test_the_spread_is_between_means_of_seeds_and_the_interval_between_images() -> None:
    of_images = np.random.default_rng(0).normal(30, 2, 20)
    scores = {("a", "si_psnr_a"): of_images - 0.3, ("b", "si_psnr_a"): of_images + 0.3}
    scores = {
        key: pd.Series(values, index=[f"{i:02}" for i in range(20)])
        for key, values in scores.items()
    }
    table = pd.DataFrame(
        [
            (package, image, metric, value)
            for (package, metric), values in scores.items()
            for image, value in values.items()
        ],
        columns=["package", "image", "metric", "value"],
    )
    column = column_of("si_psnr_a")
    contest = MetricComparison.of(
        column, scores, {str(i): str(i) for i in scores["a", "si_psnr_a"].index}
    )
    assert contest is not None
    (found,) = measure_spread(["a", "b"], {"si_psnr_a": contest}, table)
    assert found.between_seeds == pytest.approx(0.3 * np.sqrt(2))
    assert found.estimate.mean == pytest.approx(of_images.mean())
    assert measure_spread(["a", "c"], {"si_psnr_a": contest}, table) == []
