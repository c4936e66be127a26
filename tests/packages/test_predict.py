import errno
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xarray as xr
from torch import nn

from imaging import images
from imaging.cli import UserError
from packages.package import open_package
from packages.predict import predict_file
from packages.resampling import grid, held_if_small
from packages.restoration import Restoration
from packages.runner import Runner
from tests import tiny_networks
from tests import tiny_packages as tiny
from tests.small_images import random_image

SIZE_UM = {"y": 0.1, "x": 0.1}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("blur") / "p.zip", tiny_networks.Blur())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that changes nothing."""
    return tiny.write(tmp_path_factory.mktemp("plain") / "p", nn.Identity(), preprocessing=[])


def save(path: Path, image: xr.DataArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write(path, image)
    return path


@pytest.mark.parametrize("suffix", [".ome.tif", ".tif", ".ome.zarr"])
def test_file_is_restored_at_the_package_pixel_size(
    tmp_path: Path, package: Path, suffix: str
) -> None:
    native = random_image(20, 30, pixel_um=0.4)
    source = save(tmp_path / "native.ome.tif", native)

    predict_file(package, source, tmp_path / f"out{suffix}")

    result = images.read(tmp_path / f"out{suffix}")
    assert result.shape == (80, 120)
    assert result.attrs["pixel_size_um"] == pytest.approx({"y": 0.1, "x": 0.1})
    with open_package(package) as opened:
        expected = Runner(opened)(held_if_small(native, grid(native, opened.pixel_size_um)))
    np.testing.assert_allclose(result, expected[0], atol=1e-6)


def test_given_pixel_size_goes_before_the_file(tmp_path: Path, plain: Path) -> None:
    source = save(tmp_path / "a.ome.tif", random_image(20, 30, pixel_um=0.1))

    predict_file(plain, source, tmp_path / "out.ome.tif", pixel_size=0.2)

    assert images.read(tmp_path / "out.ome.tif").shape == (40, 60)


def test_a_mistake_of_units_is_refused_until_the_pixel_size_is_given(
    tmp_path: Path, plain: Path
) -> None:
    source = save(tmp_path / "a.ome.tif", random_image(8, 8, pixel_um=2.54))
    with pytest.raises(UserError, match=r"a\.ome\.tif.* probably mm written as inches"):
        predict_file(plain, source, tmp_path / "out.ome.tif")

    predict_file(plain, source, tmp_path / "out.ome.tif", pixel_size=2.54)

    assert images.read(tmp_path / "out.ome.tif").shape == (203, 203)


def test_one_of_several_images_in_a_file(tmp_path: Path, plain: Path) -> None:
    pixels = [random_image(20, 30).values, random_image(19, 40).values]
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        for plane in pixels:
            writer.write(plane, metadata=None)

    predict_file(plain, tmp_path / "two.tif#2", tmp_path / "out.tif", pixel_size=0.1)

    np.testing.assert_array_equal(images.read(tmp_path / "out.tif").values, pixels[1])


def test_a_result_names_the_scene_that_it_is_of(tmp_path: Path, plain: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "two.ome.tif", ome=True) as writer:
        for at, name in enumerate(("well A", "well B")):
            writer.write(random_image(20 + at, 30).values, metadata={"Name": name})

    output = tmp_path / "out.ome.tif"
    predict_file(plain, tmp_path / "two.ome.tif", output, pixel_size=0.1, scene="well B")

    assert images.read(output).shape == (21, 30)
    assert '<M K="scenes">well B</M>' in str(tifffile.tiffcomment(output))


def test_what_a_folder_holds_beside_images_is_said(
    tmp_path: Path, plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "in" / "a.tif", random_image(20, 30, pixel_um=0.1))
    (tmp_path / "in" / "b.vsi").touch()

    predict_file(plain, tmp_path / "in", tmp_path / "out")

    assert "1 image (in/b.vsi): of a kind that cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.zarr"])
def test_a_restored_stack_keeps_axes_and_pixel_size(
    tmp_path: Path, plain: Path, suffix: str
) -> None:
    size_um = {"z": 0.5, "y": 0.1, "x": 0.1}
    stack = random_image(3, 20, 30, dims="zyx").assign_attrs(pixel_size_um=size_um)

    predict_file(plain, save(tmp_path / "a.ome.tif", stack), tmp_path / f"out{suffix}")

    result = images.read(tmp_path / f"out{suffix}")
    assert dict(result.sizes) == {"z": 3, "y": 20, "x": 30}
    assert result.attrs["pixel_size_um"] == pytest.approx(size_um)
    assert result.dtype == np.float32


def test_unknown_pixel_size_is_said(
    tmp_path: Path, plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "a.tif", random_image(20, 30))

    predict_file(plain, source, tmp_path / "out.tif")

    assert "pixel size unknown" in " ".join(capsys.readouterr().out.split())


def test_a_series_keeps_its_frames_and_the_time_between_them(tmp_path: Path, plain: Path) -> None:
    series = random_image(3, 2, 20, 30, dims="bzyx").assign_attrs(interval_s=1.5)
    predict_file(plain, save(tmp_path / "in.tif", series), tmp_path / "out.ome.zarr")

    result = images.read(tmp_path / "out.ome.zarr")
    assert (result.dims, result.attrs["interval_s"]) == (("b", "z", "y", "x"), 1.5)


@pytest.mark.parametrize(
    ("own", "remark"),
    [
        ({"y": 0.2, "x": 0.2}, "resampled from 0.2 to 0.1 µm per pixel"),
        ({"y": 0.2, "x": 0.1}, "resampled from 0.2 x 0.1 (y x x) to 0.1 µm per pixel"),
    ],
)
def test_resampling_is_said(
    tmp_path: Path,
    plain: Path,
    own: dict[str, float],
    remark: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = save(tmp_path / "a.ome.tif", random_image(20, 30).assign_attrs(pixel_size_um=own))

    predict_file(plain, source, tmp_path / "out.tif")

    assert f"): {remark}." in capsys.readouterr().out


@pytest.mark.parametrize(("step_um", "said"), [(0.1, False), (0.12, True), (None, False)])
def test_another_step_between_planes_is_said(
    tmp_path: Path, step_um: float | None, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes = tiny.write(
        tmp_path / "p", nn.Identity(), axes=("batch", "channel", "z", "y", "x"), preprocessing=[]
    )
    size_um = {"y": 0.1, "x": 0.1} | ({"z": step_um} if step_um else {})
    stack = random_image(6, 20, 30, dims="zyx").assign_attrs(pixel_size_um=size_um)

    predict_file(volumes, save(tmp_path / "a.ome.tif", stack), tmp_path / "out.tif")

    printed = capsys.readouterr().out
    remark = "(a.ome.tif: 0.12 µm, not 0.1 µm): the planes are another step apart"
    assert (remark in printed) == said
    assert "pixel size unknown" not in printed


def test_the_dataset_says_the_pixel_size_where_the_file_does_not(
    tmp_path: Path, plain: Path
) -> None:
    save(tmp_path / "data" / "input" / "a.tif", random_image(20, 30))
    (tmp_path / "data" / "dataset.toml").write_text("pixel_size_um = 0.2")

    predict_file(plain, tmp_path / "data", tmp_path / "out")

    assert images.read(tmp_path / "out" / "a.tif").shape == (40, 60)


def test_bad_images_of_a_folder_do_not_stop_the_others(
    tmp_path: Path, plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = save(tmp_path / "in" / "b.tif", random_image(20, 30))
    (tmp_path / "in" / "a.tif").touch()
    (tmp_path / "in" / "c.tif").write_bytes(good.read_bytes()[:200])

    status = predict_file(plain, tmp_path / "in", tmp_path / "out")

    made = {path.name for path in (tmp_path / "out").iterdir()}
    said = capsys.readouterr()
    assert status == 1
    assert made == {"b.tif", "predict.toml"}
    assert [line.partition("in/")[2][:5] for line in said.err.splitlines()] == ["a.tif", "c.tif"]
    assert re.search(r"1 image restored with .*, 2 failed: .*out\n\Z", said.out)


def test_a_full_disk_stops_a_folder(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        save(tmp_path / "in" / f"{name}.tif", random_image(20, 30))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Restoration, "collect", full)
    with pytest.raises(OSError, match="No space"):
        predict_file(plain, tmp_path / "in", tmp_path / "out")


def test_folder_gives_a_folder_of_the_same_names(tmp_path: Path, plain: Path) -> None:
    for name in ("a.tif", "b.png"):
        save(tmp_path / "in" / name, random_image(20, 30))

    predict_file(plain, tmp_path / "in", tmp_path / "out")

    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"a.tif", "b.ome.tif", "predict.toml"}


def test_second_run_makes_what_is_missing_or_changed(tmp_path: Path, plain: Path) -> None:
    for name in ("kept", "changed", "missing"):
        save(tmp_path / "in" / f"{name}.tif", random_image(20, 30))
    predict_file(plain, tmp_path / "in", tmp_path / "out")
    out = {name: tmp_path / "out" / f"{name}.tif" for name in ("kept", "changed", "missing")}
    for file in out.values():
        os.utime(file, (0, 0))
    out["missing"].unlink()
    save(tmp_path / "in" / "changed.tif", random_image(21, 30))

    predict_file(plain, tmp_path / "in", tmp_path / "out")

    assert {name for name, file in out.items() if file.stat().st_mtime > 0} == {
        "changed",
        "missing",
    }


def test_interrupted_folder_goes_on_where_it_stopped(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        save(tmp_path / "in" / f"{name}.tif", random_image(20, 30))
    collect = Restoration.collect

    def interrupted(self: Restoration, *given: Any, **options: Any) -> None:
        collect(self, *given, **options)
        if (tmp_path / "out" / "a.tif").exists():
            raise KeyboardInterrupt

    monkeypatch.setattr(Restoration, "collect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_file(plain, tmp_path / "in", tmp_path / "out")
    monkeypatch.undo()
    left = {path.name for path in (tmp_path / "out").iterdir()}
    os.utime(tmp_path / "out" / "a.tif", (0, 0))
    predict_file(plain, tmp_path / "in", tmp_path / "out")

    assert left == {"a.tif", "predict.toml"}
    assert (tmp_path / "out" / "a.tif").stat().st_mtime == 0
    assert (tmp_path / "out" / "b.tif").exists()


def test_failure_names_the_file_and_leaves_nothing(tmp_path: Path, plain: Path) -> None:
    image = random_image(20, 30)
    source = save(tmp_path / "zero.tif", image * 0)

    with pytest.raises(UserError, match=r"zero\.tif.*nothing to restore"):
        predict_file(plain, source, tmp_path / "out" / "out.tif")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("a.tif", "out.png", "OME-TIFF or OME-Zarr"),
        ("a.tif", "out", "OME-TIFF or OME-Zarr"),
        ("a.tif", "a.tif", "is the input itself"),
        ("none.tif", "out.tif", "does not exist"),
        (".", ".", "holds the input"),
        (".", "out.tif", "give a folder"),
    ],
)
def test_impossible_names_are_refused(
    tmp_path: Path, plain: Path, source: str, target: str, sentence: str
) -> None:
    save(tmp_path / "a.tif", random_image(20, 30))

    with pytest.raises(UserError, match=sentence):
        predict_file(plain, tmp_path / source, tmp_path / target)


@pytest.mark.parametrize("pixel_um", [0.0, float("nan"), float("inf")])
def test_an_impossible_pixel_size_is_refused(tmp_path: Path, pixel_um: float) -> None:
    with pytest.raises(UserError, match="is impossible"):
        predict_file(tmp_path / "p.zip", tmp_path, tmp_path / "o", pixel_size=pixel_um)
