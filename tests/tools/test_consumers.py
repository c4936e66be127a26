from pathlib import Path

import numpy as np
import pytest
from torch import nn

from imaging.tiles import AxisGeometry
from tests import tiny_packages as tiny
from tools.consumers.bench import (
    ConsumerError,
    Difference,
    Row,
    allowed,
    compare,
    opened,
    table,
)

RANGE = 4.0
HALO = 3


def image() -> np.ndarray:
    plane = np.zeros((1, 16, 20), np.float32)
    plane[0, 8, 8] = RANGE
    return plane


@pytest.mark.parametrize(
    ("y", "x", "expected"),
    [
        (HALO, HALO, Difference(inside=0.25, border=0)),
        (16 - HALO - 1, 20 - HALO - 1, Difference(inside=0.25, border=0)),
        (HALO - 1, HALO, Difference(inside=0, border=0.25)),
        (HALO, 20 - HALO, Difference(inside=0, border=0.25)),
    ],
)
def test_the_border_is_as_wide_as_the_halo(y: int, x: int, expected: Difference):
    other = image()
    other[0, y, x] += RANGE / 4
    assert compare(other, image(), ["mean"], HALO) == {"mean": expected}


def test_the_halo_is_in_pixels_of_the_result(tmp_path: Path):
    path = tiny.write(
        tmp_path / "p",
        nn.Upsample(scale_factor=2),
        output_pixel_um=0.05,
        halo=8,
        preprocessing=[],
    )
    with opened(path) as (_, case):
        assert case("", np.arange(64**2, dtype=np.float32).reshape(64, 64)).halo == 8


def test_an_image_that_is_all_border_has_no_inside():
    assert compare(image(), image(), ["mean"], halo=8)["mean"] == Difference(None, 0)


def test_without_a_halo_there_is_no_border():
    assert compare(image(), image(), ["mean"], halo=0)["mean"] == Difference(0, None)


def test_each_channel_is_divided_by_its_own_range():
    expected = np.concatenate([image(), image() * 2])
    found = compare(expected + 1, expected, ["mean", "std"], halo=0)
    assert {name: off.inside for name, off in found.items()} == {"mean": 1 / 4, "std": 1 / 8}


def test_another_shape_is_an_error_of_the_consumer():
    with pytest.raises(ConsumerError, match=r"gives \(1, 16, 19\) instead of \(1, 16, 20\)"):
        compare(image()[:, :, :-1], image(), ["mean"], HALO)


def test_nan_is_an_error_of_the_consumer():
    with pytest.raises(ConsumerError, match="no numbers"):
        compare(image() * np.float32(np.nan), image(), ["mean"], HALO)


@pytest.mark.parametrize(("length", "size"), [(700, 688), (688, 688), (112, 112), (100, 112)])
def test_an_image_is_cropped_to_the_next_smaller_size_allowed(length: int, size: int):
    assert allowed(length, AxisGeometry(minimum=112, step=16)) == size


def test_the_table_names_channels_and_errors():
    found = {"mean": Difference(None, 0.125), "std": Difference(1e-6, 0.5)}
    rows = [
        Row("core 0", "care", "8x8", found, 1.4),
        Row("jdll 0", "hdn", "9x9", {}, 2, "a | b\nc"),
    ]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(rows).splitlines()]
    assert lines[2][:1] + lines[2][2:] == [
        "core 0", "care", "8x8", "mean, std", "–, 1e-06", "0.1, 0.5", "1", "",
    ]  # fmt: skip
    assert lines[3][2:] == ["hdn", "9x9", "", "", "", "2", "a / b c"]
