from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmark.metrics import METRICS, NotApplicable, normalise
from benchmark.running.controls import CONTROLS, bicubic, richardson_lucy, truth
from benchmark.running.controls import input as unrestored
from imaging.datasets import Item
from imaging.images import write
from imaging.resample import linear

SIDE, FACTOR, PIXEL_UM = 64, 4, 0.08
Control = Callable[[Item], xr.DataArray]
MICROSCOPE: dict[str, float | int | str] = {
    "blur_fwhm_um": 0.42,
    "photons": 60.0,
    "background_photons": 1.0,
    "gain_counts_per_photon": 40.0,
    "offset_counts": 300.0,
    "read_noise_counts": 8.0,
    "excess_noise_factor": 1.3,
}


def save(path: Path, values: NDArray[np.generic], pixel_um: float) -> Path:
    dims = ("z", "y", "x")[-values.ndim :]
    image = xr.DataArray(values, dims=dims)
    image.attrs["pixel_size_um"] = {"y": pixel_um, "x": pixel_um}
    write(path, image)
    return path


def pixels(path: Path | None) -> NDArray[np.generic]:
    assert path is not None
    return np.array(Image.open(path))


@pytest.fixture
def item(tmp_path: Path) -> Item:
    """Bright lines under the microscope that `MICROSCOPE` describes."""
    rng = np.random.default_rng(4)
    smooth = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 4)
    target = np.exp(-20 * (smooth / smooth.std()) ** 2)
    blurred = ndimage.gaussian_filter(target, 0.42 / PIXEL_UM / 2.3548)
    mean = blurred.reshape(SIDE // FACTOR, FACTOR, SIDE // FACTOR, FACTOR).mean(axis=(1, 3))
    photons = rng.poisson(rng.poisson(60 * mean + 1) / 0.3) * 0.3
    counts = (photons * 40 + 300 + rng.normal(0, 8, mean.shape)).round().clip(0)
    native = counts.astype(np.uint16)
    return Item(
        name="0000",
        input=save(tmp_path / "input.tif", linear(native, (SIDE, SIDE)), PIXEL_UM),
        target=save(tmp_path / "target.tif", target.astype(np.float32), PIXEL_UM),
        native=save(tmp_path / "native.tif", native, PIXEL_UM * FACTOR),
        source="0000",
        split=None,
        microscope=MICROSCOPE,
        pixel_size_um=None,
    )


@pytest.mark.parametrize("name", CONTROLS)
def test_delivers_as_packages_do(item: Item, name: str):
    delivered = CONTROLS[name](item)
    assert delivered.dims == ("y", "x")
    assert delivered.shape == (SIDE, SIDE)
    assert delivered.dtype == np.float32
    assert delivered.attrs["pixel_size_um"]["x"] == pytest.approx(PIXEL_UM)
    assert np.percentile(delivered, [2, 99.8]) == pytest.approx([0, 1], abs=1e-6)


@pytest.mark.parametrize("name", CONTROLS)
def test_stacks_are_restored_plane_by_plane(item: Item, tmp_path: Path, name: str):
    planes: dict[str, Path] = {}
    for kind in ("input", "target", "native"):
        plane = pixels(getattr(item, kind))
        stack = np.stack([plane, np.flip(plane), plane])
        pixel_um = PIXEL_UM * FACTOR if kind == "native" else PIXEL_UM
        planes[kind] = save(tmp_path / f"{kind}_stack.tif", stack, pixel_um)
    delivered = CONTROLS[name](replace(item, **planes))
    assert delivered.dims == ("z", "y", "x")
    np.testing.assert_allclose(delivered[0], CONTROLS[name](item), atol=5e-3)
    np.testing.assert_array_equal(delivered[2], delivered[0])
    np.testing.assert_allclose(delivered[1], delivered[0][::-1, ::-1], atol=1e-4)


def test_planes_keep_their_relative_brightness(item: Item, tmp_path: Path):
    plane = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    stack = save(tmp_path / "stack.tif", np.stack([plane, plane / 4]), PIXEL_UM)
    bright, dim = unrestored(replace(item, input=stack, target=None)).values
    assert np.ptp(dim) / np.ptp(bright) == pytest.approx(1 / 4, rel=1e-4)


def test_a_blank_plane_leaves_the_others(item: Item, tmp_path: Path):
    planes = np.stack([np.zeros((SIDE, SIDE)), np.random.default_rng(0).random((SIDE, SIDE))])
    stack = save(tmp_path / "stack.tif", planes.astype(np.float32), PIXEL_UM)
    found = unrestored(replace(item, input=stack)).values
    assert not found[0].any()
    np.testing.assert_allclose(found[1], normalise(planes[1].astype(np.float32)), atol=1e-5)


def test_input_is_linear_interpolation_of_the_native_pixels(item: Item):
    native = pixels(item.native)
    np.testing.assert_allclose(unrestored(item), normalise(linear(native, (SIDE, SIDE))), atol=1e-5)


def test_bicubic_is_that_of_pillow(item: Item):
    native = Image.fromarray(pixels(item.native).astype(np.float32))
    expected = np.array(native.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(bicubic(item), normalise(expected), atol=1e-5)


def test_an_input_with_a_finer_truth_is_interpolated_to_its_grid(item: Item) -> None:
    """It stands for the microscope's own pixels."""
    assert item.native is not None
    coarse = replace(item, input=item.native, native=None)
    np.testing.assert_array_equal(bicubic(coarse), bicubic(item))
    np.testing.assert_array_equal(richardson_lucy(coarse), richardson_lucy(item))


def test_truth_is_perfect(item: Item):
    target = normalise(pixels(item.target))
    assert METRICS["psnr"](target, truth(item)) > 140


def test_deconvolution_beats_interpolation(item: Item):
    target = normalise(pixels(item.target))
    score = METRICS["si_psnr_a"]
    assert score(target, richardson_lucy(item)) > score(target, bicubic(item))


def test_averaged_scans_divide_the_noise_that_deconvolution_expects(item: Item):
    averaged = replace(item, microscope=MICROSCOPE | {"averaged_lines": 4})
    quieter = replace(
        item, microscope=MICROSCOPE | {"excess_noise_factor": 1.3 / 4, "read_noise_counts": 8 / 2}
    )
    np.testing.assert_allclose(richardson_lucy(averaged), richardson_lucy(quieter))
    assert not np.allclose(richardson_lucy(averaged), richardson_lucy(item), atol=0.01)


def test_truth_needs_a_target(item: Item):
    with pytest.raises(NotApplicable, match="no target/"):
        truth(replace(item, target=None))


@pytest.mark.parametrize("control", [bicubic, richardson_lucy])
def test_native_pixels_are_needed(item: Item, control: Control):
    with pytest.raises(NotApplicable, match="no native/"):
        control(replace(item, native=None))


@pytest.mark.parametrize("parameter", [key for key in MICROSCOPE if key != "photons"])
def test_deconvolution_needs_the_microscope(item: Item, parameter: str):
    known = {key: value for key, value in MICROSCOPE.items() if key != parameter}
    with pytest.raises(NotApplicable, match=f"does not say {parameter}.*'0000'"):
        richardson_lucy(replace(item, microscope=known))


def test_deconvolution_needs_a_pixel_size(item: Item, tmp_path: Path):
    bare = tmp_path / "bare.tif"
    write(bare, xr.DataArray(pixels(item.input), dims=("y", "x")))
    with pytest.raises(NotApplicable, match=r"Neither .*bare\.tif nor dataset\.toml"):
        richardson_lucy(replace(item, input=bare))


def test_the_dataset_says_the_pixel_size_where_the_file_does_not(item: Item, tmp_path: Path):
    bare = tmp_path / "bare.tif"
    write(bare, xr.DataArray(pixels(item.input), dims=("y", "x")))
    told = replace(item, input=bare, pixel_size_um=PIXEL_UM)
    np.testing.assert_array_equal(richardson_lucy(told), richardson_lucy(item))


def test_deconvolution_needs_whole_native_pixels(item: Item, tmp_path: Path):
    cropped = pixels(item.input)[:, :-2]
    odd = save(tmp_path / "odd.tif", cropped, PIXEL_UM)
    with pytest.raises(NotApplicable, match="does not divide 62"):
        richardson_lucy(replace(item, input=odd))


def test_native_and_input_must_have_the_same_planes(item: Item, tmp_path: Path):
    native = pixels(item.native)
    stack = save(tmp_path / "stack.tif", np.stack([native, native]), PIXEL_UM * FACTOR)
    with pytest.raises(NotApplicable, match="do not fit"):
        bicubic(replace(item, native=stack))


@pytest.mark.parametrize("name", CONTROLS)
def test_an_image_without_contrast_is_not_applicable(item: Item, tmp_path: Path, name: str):
    flat = {
        "input": save(tmp_path / "i.tif", np.zeros((64, 64), np.float32), PIXEL_UM),
        "target": save(tmp_path / "t.tif", np.zeros((64, 64), np.float32), PIXEL_UM),
        "native": save(tmp_path / "n.tif", np.zeros((16, 16), np.uint16), PIXEL_UM * FACTOR),
    }
    with pytest.raises(NotApplicable, match="same value"):
        CONTROLS[name](replace(item, **flat))
