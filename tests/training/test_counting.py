"""Nothing is learnt from where input or target have no data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.normalise import normalise
from tests import flawed_images as flawed
from tests.flawed_images import MIXED, SIDE
from training.data import Pair, load_pairs

Plane = NDArray[np.uint16]


def _pairs(path: Path, input: Plane, target: Plane) -> list[Pair]:
    for folder, values in (("input", input), ("target", target)):
        dims = ("z", "y", "x")[-values.ndim :]
        images.write(path / folder / "cell.tif", xr.DataArray(values, dims=dims))
    return load_pairs(open_dataset(path).items)


def _framed(plane: Plane, rows: int = 0, columns: int = 0) -> Plane:
    framed = plane.copy()
    framed[:rows] = 0
    framed[:, :columns] = 0
    return framed


def test_a_pair_is_the_part_that_has_data_in_both(tmp_path: Path) -> None:
    input, target = flawed.recorded(), flawed.recorded(1)

    (pair,) = _pairs(tmp_path, _framed(input, rows=20), _framed(target, columns=30))

    part = np.s_[20 + MIXED :, 30 + MIXED :]
    np.testing.assert_array_equal(pair.input, input[part])
    np.testing.assert_array_equal(pair.target, normalise(target[part]))
    lows_and_highs = [*pair.lows, *pair.highs]
    np.testing.assert_allclose(lows_and_highs, np.percentile(input[part], [1, 3, 99.5, 99.9]))


def test_hot_pixels_do_not_count_and_are_mended(tmp_path: Path) -> None:
    input = flawed.with_hot_pixels()

    (pair,) = _pairs(tmp_path, input, flawed.recorded(1))

    assert pair.input.shape == (SIDE, SIDE)
    others = input[input < 4095]
    assert pair.input.max() == others.max()
    np.testing.assert_allclose(pair.highs, np.percentile(others, [99.5, 99.9]), rtol=0.01)


def test_planes_of_a_stack_are_cut_alike(tmp_path: Path) -> None:
    stack = np.stack([flawed.recorded(seed) for seed in range(3)])
    truth = stack.copy()
    truth[1] = _framed(truth[1], rows=20)

    pairs = _pairs(tmp_path, stack, truth)

    assert [pair.input.shape for pair in pairs] == [(SIDE - 20 - MIXED, SIDE)] * 3


def test_a_pair_without_a_field_in_common_is_refused(tmp_path: Path) -> None:
    left, right = flawed.recorded(), flawed.recorded(1)
    left[:, SIDE // 2 :] = 0
    right[:, : SIDE // 2] = 0

    with pytest.raises(UserError, match="no data in common"):
        _pairs(tmp_path, left, right)


def test_a_pair_without_a_frame_is_whole(tmp_path: Path) -> None:
    (pair,) = _pairs(tmp_path, flawed.recorded(), flawed.recorded(1))

    np.testing.assert_array_equal(pair.input, flawed.recorded())


def test_a_region_keeps_its_place(tmp_path: Path) -> None:
    input = _framed(flawed.recorded(), columns=30)
    for folder in ("input", "target"):
        images.write(tmp_path / folder / "cell.tif", xr.DataArray(input, dims=("y", "x")))
    (item,) = open_dataset(tmp_path).items

    (pair,) = load_pairs((replace(item, region={"x": slice(20, 90)}),))

    np.testing.assert_array_equal(pair.input, input[:, 30 + MIXED : 90])


def test_a_blank_plane_changes_no_scale(tmp_path: Path) -> None:
    stack = np.stack([flawed.recorded(), np.zeros_like(flawed.recorded())])

    (pair,) = _pairs(tmp_path, stack, stack)

    lows_and_highs = [*pair.lows, *pair.highs]
    np.testing.assert_allclose(lows_and_highs, np.percentile(stack[0], [1, 3, 99.5, 99.9]))
    np.testing.assert_allclose(pair.target, normalise(stack[0]), atol=1e-6)


def test_a_finer_target_is_cut_as_its_input(tmp_path: Path) -> None:
    target = flawed.recorded()
    input = target[::2, ::2]

    (pair,) = _pairs(tmp_path, _framed(input, rows=SIDE // 4), target)

    first = SIDE // 4 + MIXED
    np.testing.assert_array_equal(pair.input, input[first:])
    np.testing.assert_array_equal(pair.target, normalise(target[2 * first :]))
