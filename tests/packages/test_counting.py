"""Statistics of an image are those of the pixels that count."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from imaging import valid
from imaging.resample import linear
from packages.package import open_package
from packages.runner import Runner
from tests import flawed_images as flawed
from tests import tiny_packages as tiny
from tests.flawed_images import MIXED


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a package that normalises and does nothing else."""
    return tiny.write(tmp_path_factory.mktemp("p") / "p.zip", nn.Identity(), halo=0)


def _restore(
    package: Path, values: NDArray[np.uint16], dims: str = "yx", *, finer: int = 1
) -> NDArray[np.float32]:
    image = xr.DataArray(values, dims=tuple(dims))
    grid = (finer * image.sizes["y"], finer * image.sizes["x"])
    with open_package(package) as opened:
        return Runner(opened)(image, tile=64, grid=grid).values


def _between(
    values: NDArray[np.number] | np.number, counting: NDArray[np.number]
) -> NDArray[np.floating]:
    low, high = np.percentile(counting, [2, 99.8])
    return (values - low) / (high - low)


def test_a_frame_leaves_the_field_as_it_is_without(nothing: Path) -> None:
    field = flawed.recorded()

    result = _restore(nothing, flawed.framed(top=30, right=20))[0, 30:, :-20]

    expected = _between(field, field[MIXED:, :-MIXED])
    counting = np.s_[MIXED:, :-MIXED]  # the rest is interpolated elsewhere
    np.testing.assert_allclose(result[counting], expected[counting], atol=1e-5)


def test_a_frame_becomes_background(nothing: Path) -> None:
    frame = _restore(nothing, flawed.framed(top=30, right=0))[0, :30]

    counting = flawed.recorded()[MIXED:]
    np.testing.assert_allclose(frame, _between(np.median(counting), counting), atol=1e-5)


def test_a_frame_on_a_finer_grid(nothing: Path) -> None:
    framed = flawed.framed(top=30, right=0)

    result = _restore(nothing, framed, finer=2)[0]

    # The last row that does not count is 31; fine rows 0 to 64 have a part of it.
    field = linear(framed, (2 * framed.shape[0], 2 * framed.shape[1]))[65:]
    np.testing.assert_allclose(result[65:], _between(field, field), atol=1e-4)


@pytest.mark.parametrize("plane", [flawed.with_bar(), flawed.with_hot_pixels()])
def test_artefacts_leave_the_rest_as_it_is_without(
    nothing: Path, plane: NDArray[np.uint16]
) -> None:
    counting = plane < plane.max()

    result = _restore(nothing, plane)[0]

    expected = _between(plane, plane[counting])
    np.testing.assert_allclose(result[counting], expected[counting], atol=1e-5)
    blanked = _between(np.median(plane[counting]), plane[counting])
    np.testing.assert_allclose(result[~counting], blanked, atol=1e-5)


def test_planes_of_a_stack_are_told_apart(nothing: Path) -> None:
    stack = np.stack([flawed.recorded(), flawed.with_bar()])

    result = _restore(nothing, stack, "zyx")[0]

    expected = _between(stack, stack[stack < stack.max()])
    np.testing.assert_allclose(result[0], expected[0], atol=1e-5)


def test_planes_of_a_volume_are_told_apart(tmp_path: Path) -> None:
    axes = ("batch", "channel", "z", "y", "x")
    package = tiny.write(tmp_path / "p", nn.Identity(), axes=axes, halo=0)
    volume = np.stack([flawed.recorded(seed) for seed in range(16)])
    volume[5] = flawed.with_bar()

    result = _restore(package, volume, "zyx")[0]

    expected = _between(volume, volume[volume < volume.max()])
    np.testing.assert_allclose(result[4], expected[4], atol=1e-5)


def test_channels_are_told_apart(tmp_path: Path) -> None:
    kwargs = {"axes": ["y", "x"], "min_percentile": 2, "max_percentile": 99.8}
    package = tiny.write(
        tmp_path / "p",
        nn.Identity(),
        halo=0,
        input_channels=("one", "other"),
        channels=("one", "other"),
        preprocessing=[{"id": "scale_range", "kwargs": kwargs}],
    )
    channels = np.stack([flawed.recorded(), 2 * flawed.recorded(1)])
    channels[0, :30] = 0

    result = _restore(package, channels, "cyx")

    np.testing.assert_allclose(
        result[0, 30 + MIXED :],
        _between(channels[0, 30 + MIXED :], channels[0, 30 + MIXED :]),
        atol=1e-5,
    )
    np.testing.assert_allclose(result[1], _between(channels[1], channels[1]), atol=1e-5)


def test_a_blank_plane_leaves_the_others_as_they_are_without(nothing: Path) -> None:
    stack = np.stack([flawed.recorded(), np.zeros_like(flawed.recorded())])

    result = _restore(nothing, stack, "zyx")[0]

    np.testing.assert_allclose(result[0], _between(stack[0], stack[0]), atol=1e-5)
    assert np.ptp(result[1]) == 0


def test_a_blank_plane_of_a_volume_does_not_count(tmp_path: Path) -> None:
    axes = ("batch", "channel", "z", "y", "x")
    package = tiny.write(tmp_path / "p", nn.Identity(), axes=axes, halo=0)
    volume = np.stack([flawed.recorded(seed) for seed in range(16)])
    volume[5] = 0

    result = _restore(package, volume, "zyx")[0]

    expected = _between(volume, np.delete(volume, 5, axis=0))
    np.testing.assert_allclose(result[4], expected[4], atol=1e-5)


def test_a_frame_of_a_large_plane_is_found_to_a_few_pixels(
    nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    framed = flawed.framed(top=30, right=0)
    monkeypatch.setattr(valid, "SEARCHED_PX", framed.size // 4)

    result = _restore(nothing, framed)[0]

    counting = flawed.recorded()[2 * MIXED :]
    np.testing.assert_allclose(result[40:], _between(framed[40:], counting), atol=0.02)
