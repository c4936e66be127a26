"""A repeat is restored beside its image, kept with it, and given to the metrics that compare."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from benchmark.metrics import METRICS
from benchmark.running import cell as cells_module
from benchmark.running import restore
from benchmark.running.run import run_benchmark
from imaging import images
from imaging.results import Scores
from tests.benchmark import stand_ins

Run = Callable[..., Scores]
REPEATED = "0001"  # the other images have no repeat


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> stand_ins.StandIns:
    known = stand_ins.StandIns()
    monkeypatch.setattr(restore, "open_package", stand_ins.open_package)
    monkeypatch.setattr(restore, "open_method", known.open_method)
    monkeypatch.setattr(cells_module, "METRICS", {name: METRICS[name] for name in ("ssim", "frc")})
    return known


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = stand_ins.dataset(tmp_path / "data")
    record_again(folder, seed=7)
    return folder


def record_again(folder: Path, seed: int) -> None:
    target = images.read(folder / "target" / f"{REPEATED}.tif").values
    noise = np.random.default_rng(seed).normal(0, 5, target.shape)
    again = ndimage.gaussian_filter(target, 3) + noise
    stand_ins.save(folder / "repeat" / f"{REPEATED}.tif", again.astype(np.float32))


@pytest.fixture
def score(tmp_path: Path, data: Path, packages: stand_ins.StandIns) -> Run:
    def run(does: str = "sharpen", *, controls: bool = False) -> Scores:
        package = stand_ins.package(tmp_path / "net.zip", does)
        return run_benchmark([package], [data], tmp_path / "results", controls=controls)

    return run


def frc_of(scores: Scores, package: str) -> dict[str, float]:
    rows = scores.table[(scores.table.metric == "frc") & (scores.table.package == package)]
    return dict(zip(rows.image, rows.value, strict=True))


def test_frc_compares_both_restorations(score: Run, tmp_path: Path) -> None:
    found = frc_of(score(), "net")
    results = tmp_path / "results"
    one, two = (
        images.read(results / kind / "net" / "data" / f"{REPEATED}.ome.tif").values
        for kind in ("predictions", "repeats")
    )
    assert found == {REPEATED: METRICS["frc"](one, two, stand_ins.PIXEL_UM)}


def test_an_image_without_repeat_says_so(score: Run) -> None:
    absent = score().not_applicable
    reasons = absent[(absent.metric == "frc") & (absent.image == "0000")].reason
    assert reasons.tolist() == [
        "The dataset has no repeat/, no second recording of the same field."
    ]


def test_of_the_controls_only_the_input_has_repeats(score: Run, tmp_path: Path) -> None:
    scores = score(controls=True)
    assert frc_of(scores, "input").keys() == {REPEATED}
    assert frc_of(scores, "truth") == {}
    kept = (tmp_path / "results" / "repeats").iterdir()
    assert {folder.name for folder in kept} == {"input", "net"}


def test_a_sample_is_not_compared_with_the_mean_of_the_repeat(score: Run) -> None:
    absent = score("be uncertain").not_applicable
    of_sample = absent[(absent.package == "net (sample)") & (absent.metric == "frc")]
    assert "compared with the mean" in of_sample.set_index("image").reason[REPEATED]


def test_the_same_run_again_computes_nothing(score: Run, packages: stand_ins.StandIns) -> None:
    first = score(controls=True)
    packages.restored.clear()
    second = score(controls=True)
    assert packages.restored == []
    pd.testing.assert_frame_equal(first.table, second.table)


def test_a_changed_repeat_is_restored_again_with_its_image(
    score: Run, packages: stand_ins.StandIns, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score()
    packages.restored.clear()
    record_again(data, seed=8)
    score()
    assert packages.restored == [("net", REPEATED)] * 2
    assert "changed: repeat" in capsys.readouterr().out


def test_a_lost_restoration_of_the_repeat_is_computed_again(
    score: Run, packages: stand_ins.StandIns, tmp_path: Path
) -> None:
    first = score()
    packages.restored.clear()
    (tmp_path / "results" / "repeats" / "net" / "data" / f"{REPEATED}.ome.tif").unlink()
    pd.testing.assert_frame_equal(first.table, score().table)
    assert packages.restored == [("net", REPEATED)] * 2


def test_a_removed_repeat_leaves_nothing(score: Run, tmp_path: Path, data: Path) -> None:
    score()
    (data / "repeat" / f"{REPEATED}.tif").unlink()
    assert frc_of(score(), "net") == {}
    assert not list((tmp_path / "results" / "repeats").rglob("*.tif"))


@pytest.mark.parametrize("does", ["fail on one", "die on one"])
def test_a_failure_leaves_no_image(score: Run, tmp_path: Path, does: str) -> None:
    score()
    assert frc_of(score(does), "net") == {}
    assert not list((tmp_path / "results").rglob(f"{REPEATED}.ome.tif"))


def test_a_repeat_of_another_size_has_no_frc(score: Run, data: Path) -> None:
    half = images.read(data / "input" / f"{REPEATED}.tif").values[:32]
    stand_ins.save(data / "repeat" / f"{REPEATED}.tif", half.copy())
    absent = score().not_applicable
    reason = absent[absent.metric == "frc"].set_index("image").reason[REPEATED]
    assert reason == "The repeat is not of the same size as the image it repeats."


def test_a_constant_repeat_is_a_failure_of_the_input(score: Run, data: Path) -> None:
    flat = np.ones((stand_ins.SIDE, stand_ins.SIDE), np.float32)
    stand_ins.save(data / "repeat" / f"{REPEATED}.tif", flat)
    failures = score(controls=True).run.failures
    assert [failure.package for failure in failures] == ["input"]
    assert "same value at its percentiles" in failures[0].reason
