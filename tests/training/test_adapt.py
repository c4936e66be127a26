"""A package is adapted in steps that go on where they were, and what came of it is said."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import xarray as xr

from benchmark.__main__ import app
from benchmark.running.cell import Cell, CellKey
from benchmark.running.results_folder import Results
from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.files import sha256
from imaging.remarks import Remarks
from imaging.trained_weights import TrainedWeights
from packages.care.model import UNet
from packages.package import open_package
from simulation.fitting.stacks import read_stacks
from tests import records
from tests import tiny_packages as tiny
from training import adapt as adapt_module
from training.adapt import adapt

NETWORK: dict[str, Any] = {"depth": 1, "filters": 8, "kernel_size": 3, "coarsen": 4}
MICROSCOPE = "pixel_size_um = 0.32\nphotons = [20.0, 30.0]\n"
BEFORE_DB, AFTER_DB = [20.0, 22.0], [21.5, 23.0]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return tiny.write_care(tmp_path / "care", UNet(**NETWORK), NETWORK)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three planes of 200 x 300 pixels, each brighter from the left to the right."""
    ramp = np.arange(300, dtype=np.uint16) + np.zeros((3, 200, 1), np.uint16)
    image = xr.DataArray(ramp, dims=("z", "y", "x"))
    image.attrs["pixel_size_um"] = {"y": 0.32, "x": 0.32}
    images.write(tmp_path / "stack.tif", image)
    return tmp_path / "stack.tif"


@pytest.fixture
def microscope(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(MICROSCOPE)
    return tmp_path / "mine.toml"


class Benchmark:
    """Stands for the commands of the benchmark: writes the scores of a run."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    def __call__(self, heading: str, *words: Any, failing: Sequence[int] = ()) -> None:
        room, *given = map(str, words)
        assert room == "benchmark"
        # Refuses options that the verb does not have.
        app.parse_args(given, exit_on_error=False, print_error=False)
        self.given.append(given)
        if given[0] == "run":
            self.score(Path(given[given.index("--out") + 1]), given[1:3])

    def score(self, folder: Path, packages: Sequence[str]) -> None:
        before, after = (Path(package).stem for package in packages)
        results = Results(folder)
        run = records.run(
            [records.package("input", control=True), *map(records.package, (before, after))],
            [records.dataset("pairs", records.image("0"), records.image("1"))],
        )
        results.begin(run)
        places: list[CellKey] = []
        for name, values in ((before, BEFORE_DB), (after, AFTER_DB)):
            for image, value in enumerate(values):
                places.append(CellKey(name, "pairs", str(image)))
                results.keep(places[-1], Cell({}, {"si_psnr_a": value}, {}))
        results.finish(run, places, [])


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    stand_in = Benchmark()
    monkeypatch.setattr(adapt_module, "command", stand_in)
    monkeypatch.setattr(adapt_module, "_IMAGES", 3)
    monkeypatch.setattr(adapt_module, "_DENDRITES", 3)
    return stand_in


def short(package: Path, stack: Path, out: Path, **options: Any) -> Path:
    return adapt(package, real=[stack], out=out, minutes=0.005, **options)


def test_a_package_is_adapted(
    package: Path,
    stack: Path,
    microscope: Path,
    benchmark: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    new = short(package, stack, out, microscope=microscope)
    with open_package(new) as opened:
        assert opened.name == "Tiny network adapted to stack"
        assert opened.own_entries["adapted_from"]["sha256"] == sha256(package)
    with zipfile.ZipFile(new) as archive:
        text = archive.read("documentation.md").decode()
    assert f"(sha256 `{sha256(package)[:16]}`), which was trained on noise" in text
    learnt = TrainedWeights.read(out / "weights").metadata
    assert learnt.request.settings.network == NETWORK
    assert [other.name for other in learnt.data.also] == ["dendrites"]
    assert learnt.data.pixel_size_um == pytest.approx(0.08)
    assert [words[0] for words in benchmark.given] == ["run", "trust", "report"]
    assert benchmark.given[1][benchmark.given[1].index("--photons") + 1] == "25"
    said = capsys.readouterr().out
    assert "On 2 simulated images" in said
    assert "SI-PSNR is 22.25 dB, before 21.00 dB (+1.25 dB" in said

    # What is made stays as it is.
    made = {file: file.read_bytes() for file in (new, out / "weights" / "weights.pt")}
    monkeypatch.setattr(adapt_module, "build", Mock(side_effect=AssertionError))
    short(package, stack, out, microscope=microscope)
    assert {file: file.read_bytes() for file in made} == made
    with pytest.raises(UserError, match="holds another adaptation"):
        short(package, stack, out, microscope=microscope, seed=1)


def test_views_are_the_brightest_windows(stack: Path, tmp_path: Path) -> None:
    views = tmp_path / "views"
    stacks = read_stacks([stack], Remarks())
    adapt_module._write_views(views, stacks, 0.32, 0.08)  # pyright: ignore[reportPrivateUsage]
    names = [item.name for item in open_dataset(views).items]
    assert names == ["stack-000", "stack-001", "stack-002"]
    view = open_dataset(views).items[0].read_input()
    assert view.shape == (128, 128)  # of 0.32 µm: 512 of 0.08 µm
    assert view.attrs["pixel_size_um"] == pytest.approx({"y": 0.32, "x": 0.32})
    assert int(view.max()) > 280


def test_without_a_microscope_one_is_fitted(
    package: Path,
    stack: Path,
    benchmark: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = Mock(side_effect=UserError("enough"))
    monkeypatch.setattr(adapt_module, "fit_command", fit)
    with pytest.raises(UserError, match="enough"):
        short(package, stack, tmp_path / "out", pixel_size=0.3, modality="confocal")
    assert fit.call_args.args == (stack,)
    assert fit.call_args.kwargs["out"] == tmp_path / "out" / "microscope.toml"
    assert fit.call_args.kwargs["pixel_size"] == 0.3
    assert fit.call_args.kwargs["modality"] == "confocal"


def test_what_cannot_be_adapted_leaves_nothing(
    package: Path, stack: Path, microscope: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match="--minutes 0 is no time"):
        adapt(package, real=[stack], out=out, minutes=0)
    with pytest.raises(UserError, match=r"absent\.tif"):
        short(package, tmp_path / "absent.tif", out)
    bare = xr.DataArray(np.arange(40000, dtype=np.uint16).reshape(200, 200), dims=("y", "x"))
    images.write(tmp_path / "bare.tif", bare.assign_attrs(pixel_size_um={}))
    with pytest.raises(UserError, match=r"training adapt .*care --real .* --pixel-size 0\.1"):
        short(package, tmp_path / "bare.tif", out)
    images.write(tmp_path / "views.tif", bare.assign_attrs(pixel_size_um={}))
    with pytest.raises(UserError, match="is named 'views'"):
        short(package, stack, out, data=[tmp_path / "views.tif"])
    (tmp_path / "bad.toml").write_text("odd = 1")
    with pytest.raises(UserError, match=r"bad\.toml"):
        short(package, stack, out, microscope=tmp_path / "bad.toml")
    assert not out.exists()


def test_a_folder_with_other_things_is_refused(package: Path, stack: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    with pytest.raises(UserError, match="neither an empty folder"):
        short(package, stack, tmp_path / "out")
