import errno
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from imaging import images
from imaging.cli import UserError
from imaging.resample import linear
from packages import runner
from packages.package import open_package
from packages.predict import predict_file
from packages.runner import Runner, resample
from tests import tiny_networks
from tests import tiny_packages as tiny

SIZE_UM = {"y": 0.1, "x": 0.1}


def random_image(*shape: int, dims: str = "yx", pixel_um: float | None = None) -> xr.DataArray:
    values = np.random.default_rng(5).integers(0, 4000, shape).astype(np.uint16)
    sizes = {} if pixel_um is None else {"y": pixel_um, "x": pixel_um}
    return xr.DataArray(values, dims=list(dims), attrs={"pixel_size_um": sizes})


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("blur") / "p.zip", tiny_networks.Blur())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that changes nothing."""
    return tiny.write(tmp_path_factory.mktemp("plain") / "p", nn.Identity(), preprocessing=[])


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 33), (1, 40), (517, 389)])
def test_tiled_equals_whole(package: Path, shape: tuple[int, int]) -> None:
    with open_package(package) as opened:
        restore = Runner(opened)
        image = random_image(*shape)
        whole, tiled = restore(image, tile=4096), restore(image, tile=48)

    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-6)


def test_whole_is_the_network_on_the_normalised_image(package: Path) -> None:
    image = random_image(32, 48)
    low, high = np.percentile(image, [2, 99.8])
    normalised = torch.from_numpy((image.values - low) / (high - low + 1e-6)).float()
    with torch.no_grad():
        expected = tiny_networks.Blur().eval()(normalised[None, None])[0]

    with open_package(package) as opened:
        result = Runner(opened)(image)

    np.testing.assert_allclose(result, expected.numpy(), atol=1e-5)


def test_result_says_what_it_is(package: Path) -> None:
    with open_package(package) as opened:
        result = Runner(opened)(random_image(20, 30, pixel_um=0.1))

    assert result.dims == ("c", "y", "x")
    assert result.dtype == np.float32
    assert list(result["c"].values) == ["mean"]
    assert result.attrs["pixel_size_um"] == {"y": 0.1, "x": 0.1}


def test_channels_are_named(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", tiny_networks.Blur(outputs=2), channels=("mean", "std"))

    with open_package(folder) as opened:
        result = Runner(opened)(random_image(20, 30))

    assert list(result["c"].values) == ["mean", "std"]


def test_finer_output_tiled_equals_whole(tmp_path: Path) -> None:
    network = nn.Sequential(tiny_networks.Blur(), nn.Upsample(scale_factor=2, mode="nearest"))
    folder = tiny.write(tmp_path / "p", network, output_pixel_um=0.05, halo=8)
    image = random_image(70, 45, pixel_um=0.1)

    with open_package(folder) as opened:
        restore = Runner(opened)
        whole, tiled = restore(image, tile=512), restore(image, tile=32)

    assert whole.shape == (1, 140, 90)
    assert whole.attrs["pixel_size_um"] == pytest.approx({"y": 0.05, "x": 0.05})
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-6)


def test_axes_in_another_order_give_the_same(tmp_path: Path, package: Path) -> None:
    other = tiny.write(
        tmp_path / "p", tiny_networks.ChannelLast(), axes=("batch", "x", "y", "channel")
    )
    image = random_image(50, 41)

    with open_package(package) as opened, open_package(other) as swapped:
        np.testing.assert_allclose(
            Runner(swapped)(image, tile=32), Runner(opened)(image), atol=1e-6
        )


def test_convolutions_without_padding_give_the_whole_image(tmp_path: Path) -> None:
    network = nn.Conv2d(1, 1, 5)
    folder = tiny.write(tmp_path / "p", network, halo=None, offset=-4, preprocessing=[])
    image = random_image(50, 41)
    mirrored = np.pad(image.values.astype(np.float32), 2, mode="reflect")
    with torch.no_grad():
        expected = network(torch.from_numpy(mirrored)[None, None])[0]

    with open_package(folder) as opened:
        result = Runner(opened)(image, tile=24)

    np.testing.assert_allclose(result, expected.numpy(), rtol=1e-4)


def test_fixed_size_tiled_equals_network_on_all(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", tiny_networks.Blur(), size=32, output_size=32, halo=None)
    image = random_image(70, 45)

    with open_package(folder) as opened:
        runner_ = Runner(opened)
        result = runner_(image)

    free = tiny.write(tmp_path / "free", tiny_networks.Blur())
    with open_package(free) as opened:
        expected = Runner(opened)(image)

    np.testing.assert_allclose(result[:, :40, :32], expected[:, :40, :32], atol=1e-6)


def test_volume_tiled_equals_whole(tmp_path: Path) -> None:
    folder = tiny.write(
        tmp_path / "p", tiny_networks.Blur(ndim=3), axes=("batch", "channel", "z", "y", "x")
    )
    image = random_image(21, 40, 33, dims="zyx")

    with open_package(folder) as opened:
        restore = Runner(opened)
        whole, tiled = restore(image, tile=64), restore(image, tile=20)

    assert whole.dims == ("c", "z", "y", "x")
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-6)


def test_planes_are_restored_one_by_one(package: Path) -> None:
    stack = random_image(2, 3, 30, 20, dims="bzyx")

    with open_package(package) as opened:
        restore = Runner(opened)
        result = restore(stack)
        plane = restore(stack.isel(b=1, z=2))

    assert result.dims == ("b", "c", "z", "y", "x")
    np.testing.assert_array_equal(result.isel(b=1, z=2), plane)


def test_large_images_are_never_held(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = random_image(60, 50)
    with open_package(package) as opened:
        restore = Runner(opened)
        expected = restore(image, tile=32)
        monkeypatch.setattr(runner, "_IN_MEMORY_PIXELS", 0)
        monkeypatch.setattr(runner, "_BLOCK_PIXELS", 500)

        np.testing.assert_allclose(restore(image, tile=32), expected, rtol=0, atol=1e-6)


def test_progress_ends_at_the_total(package: Path) -> None:
    reports: list[tuple[int, int]] = []

    with open_package(package) as opened:
        Runner(opened)(random_image(100, 20), 32, lambda done, total: reports.append((done, total)))

    assert [done for done, _ in reports] == list(range(1, len(reports) + 1))
    assert reports[-1][0] == reports[-1][1] > 1


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (xr.DataArray(np.zeros((9, 9)), dims=("y", "x")), "nothing to restore"),
        (xr.DataArray(np.full((9, 9), np.nan), dims=("y", "x")), "NaN"),
        (random_image(2, 9, 9, dims="cyx"), "2 channels"),
        (random_image(2, 9, 9, dims="tyx"), "axes out of"),
    ],
)
def test_image_is_refused(package: Path, image: xr.DataArray, sentence: str) -> None:
    with open_package(package) as opened, pytest.raises(UserError, match=sentence):
        Runner(opened)(image)


@pytest.mark.parametrize("level", [3.0, 1000.0, 30000.0])
def test_a_constant_image_is_refused_on_another_grid_too(package: Path, level: float) -> None:
    image = xr.DataArray(np.full((37, 41), level, np.float32), dims=("y", "x"))

    with open_package(package) as opened, pytest.raises(UserError, match="nothing to restore"):
        Runner(opened)(resample(image.assign_attrs(pixel_size_um={"y": 0.13, "x": 0.13}), SIZE_UM))


def test_rounding_is_no_structure(package: Path) -> None:
    frames = np.full((2, 37, 41), 1000, np.float32)
    frames[0] += np.random.default_rng(0).normal(0, 100, (37, 41))
    image = xr.DataArray(frames, dims=("b", "y", "x"))
    rounded = resample(image.assign_attrs(pixel_size_um={"y": 0.13, "x": 0.13}), SIZE_UM)
    constant = rounded.copy()
    constant[1] = 1000

    with open_package(package) as opened:
        restore = Runner(opened)
        np.testing.assert_array_equal(restore(rounded), restore(constant))


def test_plane_is_no_volume(tmp_path: Path) -> None:
    folder = tiny.write(
        tmp_path / "p", tiny_networks.Blur(ndim=3), axes=("batch", "channel", "z", "y", "x")
    )

    with open_package(folder) as opened, pytest.raises(UserError, match="no z axis"):
        Runner(opened)(random_image(20, 20))


def test_integer_extremes_stay_finite(package: Path) -> None:
    values = np.array([[0, 2**32 - 1], [2**31, 1]], np.uint32)

    with open_package(package) as opened:
        result = Runner(opened)(xr.DataArray(values, dims=("y", "x")))

    assert np.isfinite(result).all()


def test_resampling_is_that_of_training() -> None:
    image = random_image(12, 10, pixel_um=0.32)

    finer = resample(image, {"y": 0.08, "x": 0.08})

    np.testing.assert_array_equal(finer, linear(image.values, (48, 40)))
    assert finer.attrs["pixel_size_um"] == pytest.approx({"y": 0.08, "x": 0.08})


@pytest.mark.parametrize("pixel_um", [None, 0.0801])
def test_same_or_unknown_pixel_size_changes_nothing(pixel_um: float | None) -> None:
    image = random_image(12, 10, pixel_um=pixel_um)

    assert resample(image, {"y": 0.08, "x": 0.08}) is image


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
        expected = Runner(opened)(resample(native, opened.pixel_size_um))
    np.testing.assert_allclose(result, expected[0], atol=1e-6)


def test_given_pixel_size_goes_before_the_file(tmp_path: Path, plain: Path) -> None:
    source = save(tmp_path / "a.ome.tif", random_image(20, 30, pixel_um=0.1))

    predict_file(plain, source, tmp_path / "out.ome.tif", pixel_size=0.2)

    assert images.read(tmp_path / "out.ome.tif").shape == (40, 60)


def test_unknown_pixel_size_is_said(
    tmp_path: Path, plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "a.tif", random_image(20, 30))

    predict_file(plain, source, tmp_path / "out.tif")

    assert "pixel size unknown" in " ".join(capsys.readouterr().out.split())


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

    assert f"1 image: {remark}." in capsys.readouterr().out


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

    monkeypatch.setattr(Runner, "restore", full)
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
    restore = Runner.restore

    def interrupted(self: Runner, image: xr.DataArray, *given: Any, **options: Any) -> None:
        restore(self, image, *given, **options)
        if (tmp_path / "out" / "a.tif").exists():
            raise KeyboardInterrupt

    monkeypatch.setattr(Runner, "restore", interrupted)
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

    assert not list((tmp_path / "out").iterdir())


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


@pytest.mark.parametrize("pixel_um", [1e-9, 1e9])
def test_an_absurd_pixel_size_is_refused(pixel_um: float) -> None:
    with pytest.raises(UserError, match="too far from the package's"):
        resample(random_image(8, 8, pixel_um=pixel_um), {"y": 0.08, "x": 0.08})


@pytest.mark.parametrize("pixel_um", [0.0, float("nan"), float("inf")])
def test_an_impossible_pixel_size_is_refused(tmp_path: Path, pixel_um: float) -> None:
    with pytest.raises(UserError, match="is impossible"):
        predict_file(tmp_path / "p.zip", tmp_path, tmp_path / "o", pixel_size=pixel_um)
