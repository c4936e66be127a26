"""Isotropic restoration from a stack's own planes: from end to end, and what is refused."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from imaging import images
from imaging.cli import UserError
from imaging.trained_weights import TrainedWeights
from packages.build import build
from packages.predict import predict_file
from training import isotropic as command
from training.isotropic import isotropic

SIZE_UM = {"z": 0.4, "y": 0.2, "x": 0.2}


def stack(*shape: int) -> NDArray[np.float32]:
    white = np.random.default_rng(0).standard_normal(shape or (12, 40, 48))
    sigmas = (0, 1.0, 1.5, 1.5)[-white.ndim :]
    return (100 + 50 * ndimage.gaussian_filter(white, sigmas)).astype(np.float32)


def write(
    file: Path,
    values: NDArray[Any],
    dims: str = "zyx",
    size_um: Mapping[str, float] = SIZE_UM,
) -> Path:
    attributes = {"pixel_size_um": {d: s for d, s in size_um.items() if d in dims}}
    images.write(file, xr.DataArray(values, dims=tuple(dims), attrs=attributes))
    return file


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]  # pytest calls it
    """Train a network that learns in no time."""

    usual_of = command.RECIPE.presets["small"]

    def small(factor: int) -> Any:
        usual = usual_of(factor)
        network: dict[str, Any] = {"factor_z": factor, "depth": 1, "filters": 2}
        return replace(usual, network=network, patch_px=32, batch_size=2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "RECIPE", replace(command.RECIPE, presets={"small": small}))
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "cells.tif", stack())


@pytest.fixture(scope="module")
def run(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return isotropic(data=file, out=tmp_path_factory.mktemp("runs") / "run", steps=1).parent


def test_a_run_is_like_others_but_promises_nothing(run: Path) -> None:
    trained = TrainedWeights.read(run, model="isotropic")
    assert (trained.metadata.data.pixel_size_um, trained.metadata.data.z_step_um) == (0.2, 0.4)
    assert trained.metadata.request.settings.network["factor_z"] == 2
    assert trained.metadata.trust_mask is None
    assert {"run.json", "log.jsonl", "last.pt", "best.pt", "progress.png"} <= {
        each.name for each in run.iterdir()
    }


def test_a_package_adds_planes(run: Path, file: Path, tmp_path: Path) -> None:
    package = build("isotropic", checkpoint=run, out=tmp_path / "isotropic.zip")
    predict_file(package, file, tmp_path / "restored.ome.tif")
    restored = images.read(tmp_path / "restored.ome.tif")
    assert dict(restored.sizes) == {"z": 24, "y": 40, "x": 48}
    assert restored.attrs["pixel_size_um"] == pytest.approx({"z": 0.2, "y": 0.2, "x": 0.2})


def test_it_goes_on_to_a_longer_training(run: Path, file: Path, tmp_path: Path) -> None:
    own = shutil.copytree(run, tmp_path / "run")
    weights = isotropic(data=file, out=own, steps=2, resume=True)
    assert TrainedWeights.read(weights).metadata.request.steps == 2
    with pytest.raises(UserError, match="differs in seed"):
        isotropic(data=file, out=own, steps=2, seed=1)


def test_what_was_told_counts(tmp_path: Path) -> None:
    """A blur of √(1.0² − 0.6²) = 0.8 µm lies between the widths of the PSF."""
    file = write(tmp_path / "bare.tif", stack(), size_um={})
    weights = isotropic(
        data=file, out=tmp_path / "run", steps=1, pixel_size=0.1, z_step=0.3, psf_fwhm=(0.6, 1.0)
    )
    metadata = TrainedWeights.read(weights).metadata
    assert (metadata.data.pixel_size_um, metadata.data.z_step_um) == (0.1, 0.3)
    assert metadata.request.axial_sigma_um == pytest.approx(0.8 / 2.3548, abs=1e-4)


REFUSED: dict[str, tuple[str, tuple[int, ...], dict[str, float], dict[str, Any], str]] = {
    "plane": ("yx", (40, 40), SIZE_UM, {}, r"has 1 plane\(s\) along z"),
    "few": ("zyx", (7, 40, 40), SIZE_UM, {}, r"has 7 plane\(s\) along z: .* at least 8"),
    "channels": (
        "czyx",
        (2, 8, 40, 40),
        SIZE_UM,
        {},
        "has 2 channels: save the one .*--channels together",
    ),
    "times": ("bzyx", (2, 8, 40, 40), SIZE_UM, {}, "2 time points or positions"),
    "step": ("zyx", (8, 40, 40), {"y": 0.2, "x": 0.2}, {}, "how far apart .* give --z-step"),
    "pixels": ("zyx", (8, 40, 40), {"z": 0.4}, {}, "how large its pixels are: give --pixel-size"),
    "fine": ("zyx", (8, 40, 40), SIZE_UM, {"z_step": 0.1}, "there are no planes to add"),
    "far": ("zyx", (8, 40, 40), SIZE_UM | {"z": 4.0}, {}, "which is invention"),
    "small": ("zyx", (8, 40, 11), SIZE_UM | {"z": 1.2}, {}, "planes of 11 pixels only"),
    "other": ("zyx", (8, 40, 40), SIZE_UM, {"pixel_size": 0.3}, "states 0.2 µm .*-size says 0.3"),
    "length": ("zyx", (8, 40, 40), SIZE_UM, {"z_step": -1.0}, "--z-step -1 is no length"),
    "psf": ("zyx", (8, 40, 40), SIZE_UM, {"psf_fwhm": (1.0, 0.5)}, "1 0.5 is no PSF"),
    "both": (
        "zyx",
        (8, 40, 40),
        SIZE_UM,
        {"psf_fwhm": (0.5, 1.0), "microscope": Path("m.toml")},
        "not both",
    ),
    "one channel": ("zyx", (8, 40, 40), SIZE_UM, {"channels": "together"}, "has one channel"),
    "resume": ("zyx", (8, 40, 40), SIZE_UM, {"resume": True}, "no training to resume"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_learnt_from_is_refused(case: str, tmp_path: Path) -> None:
    dims, shape, size_um, options, sentence = REFUSED[case]
    file = write(tmp_path / "a.tif", stack(*shape), dims, size_um)
    if "z_step" in options and "z" in size_um:
        file = write(file, stack(*shape), dims, {"y": 0.2, "x": 0.2})
    with pytest.raises(UserError, match=sentence):
        isotropic(data=file, out=tmp_path / "run", steps=1, **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("told", [{}, {"psf_fwhm": (0.5, 1.0)}])
def test_a_stack_of_one_value_is_refused(told: dict[str, Any], tmp_path: Path) -> None:
    file = write(tmp_path / "flat.tif", np.full((8, 40, 40), 7, np.uint16))
    with pytest.raises(UserError, match=r"flat\.tif is constant"):
        isotropic(data=file, out=tmp_path / "run", steps=1, **told)


def test_a_stack_with_nan_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    hole = stack(8, 40, 40)
    hole[2, 3, 4] = np.nan
    tifffile.imwrite(file, hole, imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(UserError, match=r"a\.tif: NaN or infinite"):
        isotropic(data=file, out=tmp_path / "run", steps=1, pixel_size=0.2, z_step=0.4)


def test_blur_that_stacks_do_not_tell_must_be_told(tmp_path: Path) -> None:
    planes = ndimage.gaussian_filter(np.random.default_rng(0).random((8, 40, 40)), (0, 3, 3))
    file = write(tmp_path / "a.tif", planes.astype(np.float32))
    with pytest.raises(UserError, match=r"cannot be measured on it.*--psf-fwhm"):
        isotropic(data=file, out=tmp_path / "run", steps=1)


@pytest.fixture(scope="module")
def channels() -> xr.DataArray:
    """Two registered channels of one structure."""
    one = stack(12, 40, 48)
    noise = np.random.default_rng(1).normal(0, 3, one.shape).astype(np.float32)
    dims, attributes = ("c", "z", "y", "x"), {"pixel_size_um": SIZE_UM}
    return xr.DataArray(
        np.stack([one, 300 + 2 * one + noise]), {"c": ["DAPI", "GFP"]}, dims, attrs=attributes
    )


@pytest.fixture(scope="module")
def of_channels(channels: xr.DataArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("channels")
    images.write(folder / "both.tif", channels)
    weights = isotropic(
        data=folder / "both.tif",
        out=folder / "run",
        steps=1,
        psf_fwhm=(0.3, 0.9),
        channels="together",
    )
    return build("isotropic", checkpoint=weights.parent, out=folder / "isotropic.zip")


def test_a_package_restores_registered_channels(
    of_channels: Path, channels: xr.DataArray, tmp_path: Path
) -> None:
    images.write(tmp_path / "a.tif", channels.assign_coords(c=["DAPI 405", "GFP"]))
    predict_file(of_channels, tmp_path / "a.tif", tmp_path / "restored.ome.tif")
    restored = images.read(tmp_path / "restored.ome.tif")
    assert dict(restored.sizes) == {"c": 2, "z": 24, "y": 40, "x": 48}
    assert list(restored.coords["c"].values) == ["DAPI 405", "GFP"]
    # Each in its own relative units: the two show one structure.
    assert float(np.corrcoef(restored.values.reshape(2, -1))[0, 1]) > 0.9


def test_channels_in_another_order_are_refused(
    of_channels: Path, channels: xr.DataArray, tmp_path: Path
) -> None:
    images.write(tmp_path / "a.tif", channels.isel(c=[1, 0]))
    with pytest.raises(UserError, match=r"GFP, DAPI and the package was trained on DAPI, GFP"):
        predict_file(of_channels, tmp_path / "a.tif", tmp_path / "restored.ome.tif")


def test_another_number_of_channels_is_refused(
    of_channels: Path, channels: xr.DataArray, tmp_path: Path
) -> None:
    images.write(tmp_path / "a.tif", channels.isel(c=0, drop=True))
    with pytest.raises(UserError, match=r"has 1 channel and the package takes 2"):
        predict_file(of_channels, tmp_path / "a.tif", tmp_path / "restored.ome.tif")
