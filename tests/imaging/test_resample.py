import numpy as np
import pytest
import torch
import torch.nn.functional as F
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.resample import linear

SIDES = st.integers(1, 40)


def random_image(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.integers(0, 40), st.integers(0, 40))
def test_finer_grid_agrees_with_torch(height: int, width: int, more_rows: int, more: int) -> None:
    image = random_image(2, height, width)
    shape = (height + more_rows, width + more)

    expected = F.interpolate(
        torch.from_numpy(image)[None], size=shape, mode="bilinear", align_corners=False
    )[0]

    np.testing.assert_allclose(linear(image, shape), expected.numpy(), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_any_grid_agrees_with_pillow(height: int, width: int, rows: int, columns: int) -> None:
    image = random_image(height, width).astype(np.float32)

    # PyTorch's own antialiasing repeats the first row of images that are one pixel wide.
    expected = Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR)

    np.testing.assert_allclose(linear(image, (rows, columns)), np.asarray(expected), atol=1e-5)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_region_equals_whole_to_the_bit(data: st.DataObject) -> None:
    height, width, rows, columns = (data.draw(SIDES) for _ in range(4))
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    bottom = data.draw(st.integers(top + 1, rows))
    right = data.draw(st.integers(left + 1, columns))
    image = random_image(height, width).astype(np.float32)
    region = (slice(top, bottom), slice(left, right))

    np.testing.assert_array_equal(
        linear(image, (rows, columns), region), linear(image, (rows, columns))[region]
    )


@settings(max_examples=30, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_constant_stays_constant(height: int, width: int, rows: int, columns: int) -> None:
    image = np.full((height, width), 3.0)

    np.testing.assert_allclose(linear(image, (rows, columns)), 3.0, rtol=1e-14)


def test_same_grid_changes_nothing() -> None:
    image = random_image(9, 11).astype(np.float32)

    np.testing.assert_array_equal(linear(image, (9, 11)), image)


def test_fourfold_finer_grid_has_the_weights_of_half_pixel_centres() -> None:
    image = np.array([[0.0, 8.0]])

    np.testing.assert_array_equal(linear(image, (1, 8))[0], [0, 0, 1, 3, 5, 7, 8, 8])


@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [("uint8", "float32"), ("uint16", "float32"), ("float32", "float32"), ("uint32", "float64")],
)
def test_result_type_holds_the_values(given_dtype: str, expected: str) -> None:
    assert linear(np.ones((3, 3), given_dtype), (6, 6)).dtype == expected


def test_reads_only_what_the_region_needs() -> None:
    image = random_image(100, 100)
    image[50:] = np.nan

    part = linear(xr.DataArray(image, dims=("y", "x")), (400, 400), (slice(0, 100), slice(0, 400)))

    assert np.isfinite(part).all()
