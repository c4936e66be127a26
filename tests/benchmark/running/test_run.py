import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import METRICS, Metric, normalise
from benchmark.page.report import write_report
from benchmark.running import cell as cells_module
from benchmark.running import restore
from benchmark.running.run import run_benchmark
from imaging import images
from imaging.benchmark_run import BenchmarkRun
from imaging.cli import UserError
from imaging.results import Scores, read_scores
from imaging.scores import MEMORY, SECONDS
from tests.benchmark import stand_ins

Run = Callable[..., Scores]


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> stand_ins.StandIns:
    known = stand_ins.StandIns()
    monkeypatch.setattr(restore, "open_package", stand_ins.open_package)
    monkeypatch.setattr(restore, "open_method", known.open_method)
    monkeypatch.setattr(cells_module, "METRICS", dict(stand_ins.FEW_METRICS))
    return known


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return stand_ins.dataset(tmp_path / "data")


@pytest.fixture
def score(tmp_path: Path, data: Path, packages: stand_ins.StandIns) -> Run:
    """Run one stand-in, without controls."""

    def run(does: str = "sharpen", *, controls: bool = False) -> Scores:
        package = stand_ins.package(tmp_path / "net.zip", does)
        return run_benchmark([package], [data], tmp_path / "results", controls=controls)

    return run


def value(scores: Scores, image: str, metric: str) -> float:
    table = scores.table
    return float(table.value[(table.image == image) & (table.metric == metric)].item())


def test_a_value_is_the_metric_of_the_stored_image(score: Run, tmp_path: Path, data: Path) -> None:
    scores = score()
    restored = images.read(tmp_path / "results/predictions/net/data/0001.ome.tif")
    truth = normalise(images.read(data / "target/0001.tif").values)
    assert value(scores, "0001", "ssim") == METRICS["ssim"](truth, restored.values)


def test_time_and_memory_are_rows(score: Run) -> None:
    scores = score()
    assert (value(scores, "0000", SECONDS), value(scores, "0000", MEMORY)) == (0.5, 100.0)


def test_a_metric_that_does_not_apply_is_a_reason(score: Run) -> None:
    absent = score().not_applicable
    assert set(absent.metric) == {"ms_ssim"}  # needs more pixels than 64 x 64
    assert "ms_ssim" not in set(score().table.metric)


def test_the_same_run_again_computes_nothing(score: Run, packages: stand_ins.StandIns) -> None:
    first = score()
    packages.restored.clear()
    second = score()
    assert packages.restored == []
    pd.testing.assert_frame_equal(first.table, second.table)


def test_a_run_with_nothing_to_do_loads_no_package(
    score: Run, packages: stand_ins.StandIns
) -> None:
    score()
    packages.started = 0
    score()
    assert packages.started == 0


def test_a_changed_package_is_computed_again_and_said(
    score: Run, packages: stand_ins.StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    before = score("sharpen")
    packages.restored.clear()
    after = score("blur")
    assert len(packages.restored) == 3
    assert value(before, "0000", "ssim") != value(after, "0000", "ssim")
    assert "changed: package" in capsys.readouterr().out


def test_a_changed_image_is_computed_again_alone(
    score: Run, packages: stand_ins.StandIns, data: Path
) -> None:
    score()
    packages.restored.clear()
    target = images.read(data / "target/0002.tif")
    stand_ins.save(data / "target/0002.tif", target.values[::-1].copy())
    score()
    assert packages.restored == [("net", "0002")]


def test_a_lost_restored_image_is_computed_again(
    score: Run, packages: stand_ins.StandIns, tmp_path: Path
) -> None:
    score()
    packages.restored.clear()
    (tmp_path / "results/predictions/net/data/0001.ome.tif").unlink()
    score()
    assert packages.restored == [("net", "0001")]


def test_a_failed_cell_is_reported_and_has_no_rows(
    score: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = score("fail on one")
    assert set(scores.table.image) == {"0000", "0002"}
    assert [failure.reason for failure in scores.run.failures] == ["It broke on this one."]
    assert "It broke on this one." in capsys.readouterr().out


def test_a_failed_cell_is_tried_again(score: Run, packages: stand_ins.StandIns) -> None:
    score("fail on one")
    packages.restored.clear()
    score("fail on one")
    assert packages.restored == [("net", "0001")]


def test_a_package_that_dies_is_started_again_for_the_others(
    score: Run, packages: stand_ins.StandIns
) -> None:
    scores = score("die on one")
    assert set(scores.table.image) == {"0000", "0002"}
    assert packages.started == 2


def test_a_package_that_cannot_be_loaded_fails_everywhere(score: Run) -> None:
    failures = score("not load").run.failures
    assert {failure.reason for failure in failures} == {"Its weights cannot be loaded."}
    assert len(failures) == 3


def test_another_size_than_the_truth_is_a_failure(score: Run, tmp_path: Path) -> None:
    scores = score("crop")
    assert "32 y x 64 x, the truth 64 y x 64 x" in scores.run.failures[0].reason
    assert not list((tmp_path / "results/predictions").rglob("*.tif"))


def test_after_an_interrupt_only_the_rest_is_computed(
    score: Run, packages: stand_ins.StandIns
) -> None:
    packages.interrupt_on = "0002"
    with pytest.raises(KeyboardInterrupt):
        score()
    packages.interrupt_on = None
    packages.restored.clear()
    scores = score()
    assert packages.restored == [("net", "0002")]
    assert set(scores.table.image) == {"0000", "0001", "0002"}


def test_without_truth_there_are_images_and_costs_but_no_scores(
    packages: stand_ins.StandIns, tmp_path: Path
) -> None:
    data = stand_ins.dataset(tmp_path / "real", 1, truth=False)
    package = stand_ins.package(tmp_path / "net.zip")
    scores = run_benchmark([package], [data], tmp_path / "results", controls=False)
    assert set(scores.table.metric) == {SECONDS, MEMORY}
    assert set(scores.not_applicable.reason) == {"The dataset has no truth."}
    assert (tmp_path / "results/predictions/net/real/0000.ome.tif").exists()


def test_a_single_sample_has_a_row_of_its_own(score: Run, tmp_path: Path, data: Path) -> None:
    scores = score("be uncertain")
    assert set(scores.table.package) == {"net", "net (sample)"}
    restored = images.read(tmp_path / "results/predictions/net/data/0001.ome.tif")
    truth = normalise(images.read(data / "target/0001.tif").values)
    of_sample = scores.table[scores.table.package == "net (sample)"]
    ssim = of_sample[(of_sample.image == "0001") & (of_sample.metric == "ssim")].value.item()
    assert ssim == METRICS["ssim"](truth, restored.values[2])


def test_a_sample_states_no_cost_of_its_own(score: Run) -> None:
    absent = score("be uncertain").not_applicable
    reasons = absent[(absent.package == "net (sample)") & (absent.metric == SECONDS)].reason
    assert all("see the row of the mean" in reason for reason in reasons)
    assert len(reasons) == 3


def test_samples_are_kept_with_their_restorations(
    score: Run, packages: stand_ins.StandIns, tmp_path: Path
) -> None:
    first = score("be uncertain")
    packages.restored.clear()
    pd.testing.assert_frame_equal(first.table, score("be uncertain").table)
    assert packages.restored == []
    (tmp_path / "results/cells/net (sample)/data/0001.json").unlink()
    pd.testing.assert_frame_equal(first.table, score("be uncertain").table)
    assert packages.restored == [("net", "0001")]


def test_a_package_that_no_longer_samples_leaves_no_sample(score: Run) -> None:
    score("be uncertain")
    assert set(score("sharpen").table.package) == {"net"}


def test_a_metric_gets_what_the_package_says_of_its_intervals(
    score: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def factor(std: np.ndarray, interval_factors: dict[str, float]) -> float:
        return interval_factors["0.9"] * std[0, 0]

    needs = ("std", "interval_factors")
    metric = Metric("factor", "Factor", "lower", "", needs, factor)
    monkeypatch.setitem(cells_module.METRICS, "factor", metric)
    scores = score("be uncertain")
    assert value(scores, "0000", "factor") == pytest.approx(0.15)
    absent = scores.not_applicable
    assert "net (sample)" in set(absent[absent.metric == "factor"].package)


def test_controls_stand_beside_packages(score: Run) -> None:
    scores = score(controls=True)
    assert set(scores.table.package) == {"net", "input", "truth"}
    reasons = scores.not_applicable
    assert "native" in reasons[reasons.package == "bicubic"].reason.iloc[0]


def test_the_truth_scores_best(score: Run) -> None:
    table = score(controls=True).table
    best = table[table.metric == "ssim"].groupby("package").value.mean().idxmax()
    assert best == "truth"


def test_only_the_validation_part_is_looked_at(
    packages: stand_ins.StandIns, tmp_path: Path, data: Path
) -> None:
    toml = (data / "dataset.toml").read_text()
    parts = iter(["train", "calibration", "validation"])
    lines = [f'{x}\nsplit = "{next(parts)}"' if "source" in x else x for x in toml.splitlines()]
    (data / "dataset.toml").write_text("\n".join(lines))
    package = stand_ins.package(tmp_path / "net.zip")
    scores = run_benchmark([package], [data], tmp_path / "results", controls=False)
    assert set(scores.table.image) == {"0002"}


def test_a_split_without_validation_images_is_refused(
    packages: stand_ins.StandIns, tmp_path: Path, data: Path
) -> None:
    toml = (data / "dataset.toml").read_text()
    (data / "dataset.toml").write_text(toml.replace("source", 'split = "train"\nsource'))
    with pytest.raises(UserError, match="no validation images"):
        run_benchmark([stand_ins.package(tmp_path / "net.zip")], [data], tmp_path / "results")


@pytest.mark.parametrize("names", [("a/net.zip", "b/net.zip"), ("a/net.zip", "b/NET.zip")])
def test_packages_of_one_name_are_refused(
    packages: stand_ins.StandIns, tmp_path: Path, data: Path, names: tuple[str, str]
) -> None:
    paths = [stand_ins.package(tmp_path / name) for name in names]
    with pytest.raises(UserError, match="cannot be told apart"):
        run_benchmark(paths, [data], tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_package_named_as_a_control_is_refused(
    packages: stand_ins.StandIns, tmp_path: Path, data: Path
) -> None:
    with pytest.raises(UserError, match="both named 'truth'"):
        run_benchmark([stand_ins.package(tmp_path / "truth.zip")], [data], tmp_path / "results")


def test_datasets_of_one_name_are_refused(packages: stand_ins.StandIns, tmp_path: Path) -> None:
    data = [stand_ins.dataset(tmp_path / x, 1, name="cells") for x in "ab"]
    with pytest.raises(UserError, match="both named 'cells'"):
        run_benchmark([], data, tmp_path / "results")


def test_marks_beyond_their_image_are_refused_before_anything_runs(tmp_path: Path) -> None:
    data = stand_ins.dataset(tmp_path / "data", 1)
    (data / "dataset.toml").write_text("pixel_size_um = 0.1\n")
    (data / "annotations").mkdir()
    marks = "object,shape,kind,x_um,y_um\ns,point,spine,900,1\n"
    (data / "annotations" / "0000.csv").write_text(marks)
    with pytest.raises(UserError, match=r"0000\.csv, row 2: mark 's' at x = 900 µm lies outside"):
        run_benchmark([], [data], tmp_path / "out")
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_name_that_is_no_folder_name_is_refused(
    packages: stand_ins.StandIns, tmp_path: Path
) -> None:
    data = stand_ins.dataset(tmp_path / "data", 1, name="../cells")
    with pytest.raises(UserError, match="cannot be the name of a folder"):
        run_benchmark([], [data], tmp_path / "results")


def test_a_package_named_as_a_sample_is_refused(
    packages: stand_ins.StandIns, tmp_path: Path, data: Path
) -> None:
    with pytest.raises(UserError, match="as the row of a package's sample"):
        run_benchmark([stand_ins.package(tmp_path / "a (sample)")], [data], tmp_path / "results")


def test_nothing_to_run_is_refused(packages: stand_ins.StandIns, tmp_path: Path) -> None:
    data = stand_ins.dataset(tmp_path / "data", 1)
    with pytest.raises(UserError, match="Nothing to run"):
        run_benchmark([], [data], tmp_path / "results", controls=False)


def test_the_record_names_what_was_run_on_what(score: Run, tmp_path: Path) -> None:
    written = score(controls=True).run
    run = BenchmarkRun.read(tmp_path / "results/run.json")
    assert run == written
    assert [package.name for package in run.packages if not package.control] == ["net"]
    assert len(run.datasets[0].images[0].input_sha256) == 64
    assert run.versions.keys() >= {"torch", "numpy"}


def test_the_record_says_where_better_values_of_every_metric_lie(score: Run) -> None:
    scores = score("be uncertain", controls=True)
    assert scores.run.metrics.keys() >= set(scores.table.metric)
    assert scores.run.metrics.keys() == {*METRICS, SECONDS, MEMORY}
    for name, metric in METRICS.items():
        told = scores.run.metrics[name]
        assert (told.direction, told.unit) == (metric.direction, metric.unit)
        assert told.ideal == metric.ideal


def test_a_run_goes_on_in_a_folder_of_before_metrics_were_written_down(
    score: Run, packages: stand_ins.StandIns, tmp_path: Path
) -> None:
    first = score()
    file = tmp_path / "results/run.json"
    content = json.loads(file.read_text())
    del content["metrics"]
    file.write_text(json.dumps(content))
    packages.restored.clear()
    pd.testing.assert_frame_equal(score().table, first.table)
    assert packages.restored == []
    assert "metrics" in json.loads(file.read_text())


@pytest.mark.parametrize(
    ("entry", "content", "said"),
    [
        ("cpu", None, r"run\.json: entry 'cpu' is missing; run `python -m benchmark run` again"),
        ("seed", "many", r"run\.json: entry 'seed' is 'many' where a whole number belongs; run"),
        ("divice", "CPU", r"run\.json: there is no entry 'divice'; run `python -m benchmark run`"),
    ],
)
def test_a_damaged_record_is_refused_in_a_sentence(
    score: Run, tmp_path: Path, entry: str, content: object, said: str
) -> None:
    score()
    file = tmp_path / "results/run.json"
    whole = json.loads(file.read_text()) | {entry: content}
    file.write_text(json.dumps({key: value for key, value in whole.items() if value is not None}))
    with pytest.raises(UserError, match=said):
        score()
    with pytest.raises(UserError, match=said):
        write_report(tmp_path / "results")


def test_killed_and_run_again_gives_the_scores_of_an_undisturbed_run(tmp_path: Path) -> None:
    data = stand_ins.dataset(tmp_path / "data", 6, side=176)
    results = tmp_path / "results"
    command = [sys.executable, "-m", "benchmark", "run", "--data", str(data), "--out", str(results)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and len(list(results.rglob("00*.json"))) < 5:
        time.sleep(0.01)
    process.kill()
    process.wait()

    run_benchmark([], [data], results)
    run_benchmark([], [data], tmp_path / "undisturbed")
    resumed, undisturbed = (
        read_scores(path).table.query("metric not in @costs", local_dict={"costs": [SECONDS]})
        for path in (results, tmp_path / "undisturbed")
    )
    pd.testing.assert_frame_equal(
        resumed.reset_index(drop=True), undisturbed.reset_index(drop=True), check_exact=True
    )
