import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.files import sha256, write_toml
from imaging.trained_weights import TrainedWeights
from packages.build import build
from packages.check import check
from packages.predict import predict_file
from simulation.microscope import Microscope, to_toml
from training import run_folder
from training.losses import LOSSES
from training.recipes.care import RECIPE
from training.run import run

TINY = replace(
    RECIPE,
    presets={
        "small": lambda factor: replace(
            RECIPE.presets["small"](factor),
            network={"depth": 1, "filters": 8, "kernel_size": 3, "factor": factor},
            patch_px=32,
            batch_size=2,
            steps=6,
        )
    },
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for i in range(4):
        truth = rng.random((48, 64), dtype=np.float32)
        for side, values in (("input", truth * 100), ("target", truth)):
            (folder / side).mkdir(exist_ok=True)
            image = xr.DataArray(
                values, dims=("y", "x"), attrs={"pixel_size_um": {"y": 0.1, "x": 0.1}}
            )
            images.write(folder / side / f"{i}.tif", image)
    return folder


def start(data: Path | None, out: Path, **changes: Any) -> Path:
    asked: dict[str, Any] = {
        "preset": "small",
        "steps": None,
        "minutes": None,
        "seed": 0,
        "resume": False,
    }
    return run(TINY, data=data, out=out, **(asked | changes))


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; `copied` gives one to change."""
    return start(data, tmp_path_factory.mktemp("runs") / "finished").parent


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "copied")


def weights(file: Path) -> dict[str, torch.Tensor]:
    return TrainedWeights.read(file).weights


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[k], other[k]) for k in one)


def test_a_run_leaves_what_it_promises(finished: Path) -> None:
    assert {p.name for p in finished.iterdir()} == {
        "run.json",
        "log.jsonl",
        "progress.png",
        "last.pt",
        "best.pt",
        "weights.pt",
    }


def test_its_weights_can_be_packaged(data: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        start(data, Path("run"))
    assert build("care", checkpoint=tmp_path / "run", out=tmp_path / "a.zip").exists()


def test_the_same_seed_gives_the_same_weights(data: Path, finished: Path, tmp_path: Path) -> None:
    one = weights(finished / "weights.pt")
    assert same(one, weights(start(data, tmp_path / "two")))
    assert not same(one, weights(start(data, tmp_path / "other", seed=1)))


def test_an_interrupted_run_goes_on_to_the_same_weights(
    data: Path, finished: Path, tmp_path: Path
) -> None:
    save = run_folder.write_tensors

    def interrupt_after_two(path: Path, content: dict[str, Any]) -> None:
        save(path, content)
        if path.name == "last.pt" and content["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "write_tensors", interrupt_after_two)
        with pytest.raises(KeyboardInterrupt):
            start(data, tmp_path / "cut")
    assert torch.load(tmp_path / "cut" / "last.pt", weights_only=True)["step"] < 6

    resumed = start(data, tmp_path / "cut")
    assert same(weights(finished / "weights.pt"), weights(resumed))
    steps = [
        json.loads(line)["step"] for line in (tmp_path / "cut/log.jsonl").read_text().splitlines()
    ]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_is_left_as_it_is(data: Path, copied: Path) -> None:
    before = (copied / "weights.pt").read_bytes()
    assert start(data, copied).read_bytes() == before


def test_another_request_in_the_same_folder_is_refused(data: Path, copied: Path) -> None:
    with pytest.raises(UserError, match=r"differs in seed.*another --out"):
        start(data, copied, seed=1)


def test_resume_may_change_the_length(data: Path, copied: Path) -> None:
    with pytest.raises(UserError, match="--resume"):
        start(data, copied, steps=8)
    start(data, copied, steps=8, resume=True)
    assert torch.load(copied / "last.pt", weights_only=True)["step"] == 8


def test_a_file_that_is_no_record_of_a_training_is_named(data: Path, copied: Path) -> None:
    (copied / "run.json").write_text('{"schema": 1, "request": {}, "versions": {}}')
    with pytest.raises(UserError, match=r"run\.json: entry 'request\.recipe' is missing"):
        start(data, copied)


def test_nothing_to_resume_is_said(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no training to resume"):
        start(data, tmp_path / "new", resume=True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "huge"}, "no preset 'huge'"),
        ({"steps": 3, "minutes": 1.0}, "not both"),
        ({"steps": 0}, "at least one step"),
        ({"minutes": -1.0}, "more than 0 minutes"),
        ({"loss": "l2"}, "no loss 'l2'"),
    ],
)
def test_impossible_requests_are_refused(
    data: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        start(data, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_named(data: Path, copied: Path) -> None:
    (copied / "last.pt").write_bytes(b"PK damaged")
    with pytest.raises(UserError, match=r"last\.pt is not a readable checkpoint"):
        start(data, copied)


def test_targets_may_be_degraded_anew(data: Path, finished: Path, tmp_path: Path) -> None:
    write_toml(tmp_path / "microscope.toml", to_toml(Microscope(pixel_size_um=0.2)))
    fresh = start(data, tmp_path / "fresh", microscope=tmp_path / "microscope.toml")
    metadata = TrainedWeights.read(fresh).metadata
    assert metadata.request.microscope == sha256(tmp_path / "microscope.toml")
    assert not same(weights(fresh), weights(finished / "weights.pt"))
    with pytest.raises(UserError, match="differs in microscope"):
        start(data, tmp_path / "fresh", microscope=Path("default"))


def test_fresh_degradations_go_on_as_if_never_interrupted(data: Path, tmp_path: Path) -> None:
    whole = start(data, tmp_path / "whole", microscope=Path("default"))
    save = run_folder.write_tensors

    def interrupt_after_two(path: Path, content: dict[str, Any]) -> None:
        save(path, content)
        if path.name == "last.pt" and content["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "write_tensors", interrupt_after_two)
        with pytest.raises(KeyboardInterrupt):
            start(data, tmp_path / "cut", microscope=Path("default"))
    resumed = start(data, tmp_path / "cut", microscope=Path("default"))
    assert same(weights(whole), weights(resumed))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("pixel_size_um = 0.25", "no whole number"),
        ("photons = [-1, 5]", "entry 'photons"),
    ],
)
def test_an_unusable_microscope_leaves_no_run(
    entry: str, message: str, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "microscope.toml").write_text(entry)
    with pytest.raises(UserError, match=message):
        start(data, tmp_path / "run", microscope=tmp_path / "microscope.toml")
    assert not (tmp_path / "run").exists()


def test_a_microscope_needs_to_know_the_pixels(data: Path, tmp_path: Path) -> None:
    for side in ("input", "target"):
        for file in sorted((data / side).iterdir()):
            image = images.read(file).assign_attrs(pixel_size_um={})
            images.write(tmp_path / "data" / side / file.name, image)
    with pytest.raises(UserError, match="does not say how large its pixels are"):
        start(tmp_path / "data", tmp_path / "run", microscope=Path("default"))


def test_the_metadata_tell_how_the_weights_were_made(finished: Path) -> None:
    metadata = TrainedWeights.read(finished).metadata
    assert metadata.data.pixel_size_um == pytest.approx(0.1)
    assert metadata.request.settings.network["filters"] == 8
    assert metadata.inference.seconds_per_megapixel > 0
    assert 1 <= metadata.reached.steps <= 6


def test_unusable_data_leave_no_run(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "input" / "1.tif").write_bytes(b"")
    with pytest.raises(UserError, match=r"1\.tif is empty"):
        start(tmp_path / "data", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_killed_before_its_weights_makes_them_when_resumed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_weights: TrainedWeights, _path: Path) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(TrainedWeights, "write", die)
        with pytest.raises(SystemExit):
            start(data, tmp_path, steps=2)
    assert not (tmp_path / "last.pt").exists()
    assert start(data, tmp_path, steps=2).exists()


@pytest.mark.parametrize(
    "asked", [{"steps": 0}, {"minutes": 0.0}, {"minutes": float("nan")}, {"seed": -1}]
)
def test_impossible_arguments_are_refused_before_anything_is_simulated(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"at least one step|is negative"):
        start(None, tmp_path / "run", **asked)
    assert not (tmp_path / "run").exists()


def test_a_length_already_passed_is_refused(data: Path, tmp_path: Path) -> None:
    save = run_folder.write_tensors

    def interrupt_at_once(path: Path, content: dict[str, Any]) -> None:
        save(path, content)
        if path.name == "last.pt":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "write_tensors", interrupt_at_once)
        with pytest.raises(KeyboardInterrupt):
            start(data, tmp_path, steps=200)
    (tmp_path / "log.jsonl").unlink()
    with pytest.raises(UserError, match="ask for a longer training"):
        start(data, tmp_path, steps=1, resume=True)


def test_further_datasets_are_trained_on_and_told(data: Path, tmp_path: Path) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    for file in (other / "target").iterdir():
        image = images.read(file)
        images.write(file, image.copy(data=image.values[::-1]))
    file = start(data, tmp_path / "both", also=[other])
    metadata = TrainedWeights.read(file).metadata
    assert metadata.request.also == {"other": sha256(other)}
    (told,) = metadata.data.also
    assert (told.name, told.training_images) == ("other", metadata.data.training_images)
    assert not same(weights(file), weights(start(data, tmp_path / "alone")))


def test_finer_targets_are_trained_on_and_packaged(tmp_path: Path) -> None:
    """Its restored images have twice as many pixels, half as wide."""
    rng = np.random.default_rng(0)
    for i in range(4):
        truth = rng.random((64, 96), dtype=np.float32)
        for side, values, size_um in (("input", truth[::2, ::2], 0.1), ("target", truth, 0.05)):
            (tmp_path / "data" / side).mkdir(exist_ok=True, parents=True)
            attributes = {"pixel_size_um": {"y": size_um, "x": size_um}}
            image = xr.DataArray(values, dims=("y", "x"), attrs=attributes)
            images.write(tmp_path / "data" / side / f"{i}.tif", image)
    start(tmp_path / "data", tmp_path / "run")
    zipped = build("care", checkpoint=tmp_path / "run", out=tmp_path / "finer.zip")
    assert check([zipped]) == 0
    restored = tmp_path / "restored.ome.tif"
    predict_file(zipped, tmp_path / "data" / "input" / "0.tif", restored)
    read = images.read(restored)
    assert read.sizes == {"y": 64, "x": 96}
    assert read.attrs["pixel_size_um"] == pytest.approx({"y": 0.05, "x": 0.05})


def test_another_loss_is_trained_on_and_told(data: Path, finished: Path, tmp_path: Path) -> None:
    file = start(data, tmp_path / "other", loss="mse-ssim")
    metadata = TrainedWeights.read(file).metadata
    assert metadata.request.pixel_loss == "mse-ssim"
    assert metadata.loss == LOSSES["mse-ssim"].title
    assert not same(weights(file), weights(finished / "weights.pt"))


def test_the_loss_of_the_recipe_may_be_asked_for(data: Path, copied: Path) -> None:
    before = (copied / "weights.pt").read_bytes()
    assert start(data, copied, loss="mae").read_bytes() == before
    with pytest.raises(UserError, match="differs in pixel_loss"):
        start(data, copied, loss="mse-ssim")
