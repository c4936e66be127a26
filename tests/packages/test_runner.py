from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from imaging.cli import UserError
from imaging.resample import linear
from packages import resampling, samples
from packages.package import open_package
from packages.resampling import grid, held_if_small
from packages.runner import Runner, Scale
from tests import tiny_networks
from tests import tiny_packages as tiny
from tests.small_images import random_image

SIZE_UM = {"y": 0.1, "x": 0.1}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("blur") / "p.zip", tiny_networks.Blur())


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
    size_um = {"z": 0.5, "y": 0.1, "x": 0.1}
    stack = random_image(2, 3, 30, 20, dims="bzyx").assign_attrs(pixel_size_um=size_um)

    with open_package(package) as opened:
        restore = Runner(opened, scale="plane")
        result = restore(stack)
        plane = restore(stack.isel(b=1, z=2))

    assert dict(result.sizes) == {"b": 2, "c": 1, "z": 3, "y": 30, "x": 20}
    assert result.attrs["pixel_size_um"] == size_um
    np.testing.assert_array_equal(result.isel(b=1, z=2), plane)


@pytest.mark.parametrize(
    ("scale", "dims", "measured_on"),
    [
        ("stack", "zyx", np.s_[:]),
        ("stack", "bzyx", np.s_[:]),
        ("first", "zyx", np.s_[:1]),
        ("first", "bzyx", np.s_[:1]),
    ],
)
def test_planes_share_the_scale_asked_for(
    tmp_path: Path, scale: Scale, dims: str, measured_on: slice
) -> None:
    percentiles = [{"id": "scale_range", "kwargs": {"axes": ["y", "x"], **tiny.PERCENTILES}}]
    folder = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=percentiles)
    shape = (3, 2, 30, 20)[-len(dims) :]
    stack = random_image(*shape, dims=dims).astype(float)
    stack.values[1:] *= 0.2

    with open_package(folder) as opened:
        result = Runner(opened, scale=scale)(stack)

    bounds = [tiny.PERCENTILES["min_percentile"], tiny.PERCENTILES["max_percentile"]]
    low, high = np.percentile(stack.values[measured_on], bounds)
    np.testing.assert_allclose(
        result.squeeze("c").values, (stack.values - low) / (high - low), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("scale", ["stack", "plane"])
def test_intensities_can_be_brought_back(tmp_path: Path, scale: Scale) -> None:
    percentiles = [{"id": "scale_range", "kwargs": {"axes": ["y", "x"], **tiny.PERCENTILES}}]
    folder = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=percentiles)
    stack = random_image(3, 30, 20, dims="zyx") * 1e-7

    with open_package(folder) as opened:
        restoration = Runner(opened, scale=scale).prepare(stack, (30, 20))
        result = np.empty(restoration.layout.shape, np.float32)
        restoration.write(result)

    scales = restoration.intensity_scales
    assert len(scales) == {"stack": 1, "plane": 3}[scale]
    offset, factor = np.array(scales).T[..., None, None]
    np.testing.assert_allclose(offset + factor * result[0], stack, rtol=0, atol=1e-9)


def test_a_result_on_a_scale_of_its_own_has_no_way_back(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=[])

    with open_package(folder) as opened:
        assert not Runner(opened).prepare(random_image(30, 20), (30, 20)).intensity_scales


@pytest.mark.parametrize("tile", [None, 24])
def test_statistics_of_the_input_come_back(tmp_path: Path, tile: int | None) -> None:
    """`scale_mean_variance` gives the result mean and deviation of the image it was made of."""
    percentiles = {"axes": ["channel", "y", "x"], **tiny.PERCENTILES}
    back = {"axes": ["channel", "y", "x"], "reference_tensor": "input"}
    folder = tiny.write(
        tmp_path / "p",
        tiny_networks.Blur(),
        preprocessing=[{"id": "scale_range", "kwargs": percentiles}],
        postprocessing=[{"id": "scale_mean_variance", "kwargs": back}],
    )
    image = random_image(70, 45) * 300 + 1000

    with open_package(folder) as opened:
        result = Runner(opened)(image, tile=tile)

    np.testing.assert_allclose(
        [result.mean(), result.std()], [image.mean(), image.std()], rtol=2e-5
    )


def test_statistics_of_a_volumes_result_are_of_all_its_planes(tmp_path: Path) -> None:
    """It is finished plane by plane."""
    folder = tiny.write(
        tmp_path / "p",
        nn.Identity(),
        axes=("batch", "channel", "z", "y", "x"),
        halo=None,
        preprocessing=[],
        postprocessing=[{"id": "zero_mean_unit_variance", "kwargs": {"axes": [*"zyx"]}}],
    )
    image = random_image(20, 24, 16, dims="zyx")

    with open_package(folder) as opened:
        result = Runner(opened)(image, tile=16)

    expected = (image.values - image.values.mean()) / image.values.std()
    np.testing.assert_allclose(result.values[0], expected, rtol=0, atol=1e-5)


def test_a_plane_cut_from_a_stack_has_the_pixels_of_a_plane(package: Path) -> None:
    size_um = {"z": 0.5, "y": 0.1, "x": 0.1}
    stack = random_image(3, 30, 20, dims="zyx").assign_attrs(pixel_size_um=size_um)

    with open_package(package) as opened:
        plane = Runner(opened)(stack.isel(z=2))

    assert plane.attrs["pixel_size_um"] == {"y": 0.1, "x": 0.1}


def test_large_images_are_never_held(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = random_image(60, 50)
    with open_package(package) as opened:
        restore = Runner(opened)
        expected = restore(image, tile=32)
        monkeypatch.setattr(resampling, "_IN_MEMORY_PIXELS", 0)
        monkeypatch.setattr(samples, "_BLOCK_PIXELS", 500)

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


def test_too_few_channels_are_refused(tmp_path: Path) -> None:
    network = nn.Conv2d(3, 1, 1)
    folder = tiny.write(tmp_path / "p", network, input_channels=("a", "b", "c"))
    with (
        open_package(folder) as opened,
        pytest.raises(UserError, match=r"has 1 channel and the package takes 3: give an image of"),
    ):
        Runner(opened)(random_image(20, 20))


@pytest.mark.parametrize("level", [3.0, 1000.0, 30000.0])
def test_a_constant_image_is_refused_on_another_grid_too(package: Path, level: float) -> None:
    image = xr.DataArray(np.full((37, 41), level, np.float32), dims=("y", "x"))

    with open_package(package) as opened, pytest.raises(UserError, match="nothing to restore"):
        Runner(opened)(image, grid=(48, 53))


def test_rounding_is_no_structure(package: Path) -> None:
    frames = np.full((2, 37, 41), 1000, np.float32)
    frames[0] += np.random.default_rng(0).normal(0, 100, (37, 41))
    image = xr.DataArray(frames, dims=("b", "y", "x"))
    rounded = held_if_small(image, (48, 53))
    constant = rounded.copy()
    constant[1] = 1000

    with open_package(package) as opened:
        restore = Runner(opened, scale="plane")
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

    finer = held_if_small(image, grid(image, {"y": 0.08, "x": 0.08}))

    np.testing.assert_array_equal(finer, linear(image.values, (48, 40)))
    assert finer.attrs["pixel_size_um"] == pytest.approx({"y": 0.08, "x": 0.08})


@pytest.mark.parametrize("pixel_um", [None, 0.0801])
def test_same_or_unknown_pixel_size_changes_nothing(pixel_um: float | None) -> None:
    image = random_image(12, 10, pixel_um=pixel_um)

    assert grid(image, {"y": 0.08, "x": 0.08}) == image.shape


@pytest.mark.parametrize(
    ("stated_um", "words"),
    [
        (80, r"80 µm per pixel, 1000 times the package's 0\.08 µm, probably nm written as µm"),
        (130, "probably nm written as µm"),  # of a neighbouring pixel size
        (8e-5, "0.001 times the package's .* probably mm written as µm, or µm as nm"),
        (800, "probably Å written as µm, or µm as cm"),
        (2032, "probably µm written as inches"),
        (2.032, "25.4 times .* probably mm written as inches"),
        (0.08 / 25.4, "probably inches written as mm"),
        (80e3, "probably µm written as m"),
        (1e9, "too far to resample: give --pixel-size"),
        (1e-9, "too far to resample: give --pixel-size"),
    ],
)
def test_a_pixel_size_of_no_microscope_is_refused(stated_um: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        grid(random_image(8, 8, pixel_um=stated_um), {"y": 0.08, "x": 0.08})


@pytest.mark.parametrize("stated_um", [0.8, 2.0, 5.0])
def test_coarse_images_are_resampled(stated_um: float) -> None:
    rows, _ = grid(random_image(8, 8, pixel_um=stated_um), {"y": 0.08, "x": 0.08})
    assert rows == round(8 * stated_um / 0.08)


def test_a_pixel_size_that_the_user_gives_is_no_mistake_of_units() -> None:
    coarse = random_image(10, 10, pixel_um=2.032)
    assert grid(coarse, {"y": 0.08, "x": 0.08}, insisted=True) == (254, 254)


def test_an_image_is_not_resampled_along_one_axis_alone() -> None:
    image = random_image(12, 10).assign_attrs(pixel_size_um={"x": 0.32})
    assert grid(image, {"y": 0.08, "x": 0.08}) == (12, 10)
