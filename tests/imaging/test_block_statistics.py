from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imaging.block_statistics import Moments, quantiles, survey


def in_blocks(values: np.ndarray, size: int = 7) -> Callable[[], list[np.ndarray]]:
    return lambda: [values[i : i + size] for i in range(0, len(values), size)]


def moments(blocks: Callable[[], list[np.ndarray]]) -> Moments:
    return survey(blocks).moments


def numbers(dtype: type, width: int) -> st.SearchStrategy[np.ndarray]:
    finite = st.floats(-(2.0**99), 2.0**99, width=width)  # pyright: ignore[reportArgumentType]
    return hnp.arrays(
        dtype, st.integers(1, 60), elements=finite | st.sampled_from([0.0, 1.0, -2.0])
    )


@pytest.mark.parametrize("method", ["linear", "inverted_cdf"])
@settings(max_examples=50, deadline=None)
@given(
    values=numbers(np.float32, 32) | numbers(np.float64, 64),
    q=st.floats(0, 1) | st.sampled_from([0.0, 0.02, 0.5, 0.998, 1.0]),
)
def test_quantiles_agree_with_numpy(method: str, values: np.ndarray, q: float) -> None:
    expected = np.quantile(values.astype(np.float64), q, method=method)  # type: ignore[call-overload]
    scale = float(np.abs(values).max()) or 1.0

    found = quantiles(in_blocks(values), survey(in_blocks(values)), [(q, method)])[0]

    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12 * scale)


def test_several_quantiles_come_in_order() -> None:
    values = np.random.default_rng(1).permutation(1001).astype(np.float32)

    wanted = [(0.998, "linear"), (0.02, "linear"), (0.5, "inverted_cdf")]

    known = survey(in_blocks(values))

    assert quantiles(in_blocks(values), known, wanted) == pytest.approx([998, 20, 500])


def passes_of(values: np.ndarray) -> int:
    """Count the times that an image is read for its moments and two percentiles."""
    read: list[None] = []

    def blocks() -> list[np.ndarray]:
        read.append(None)
        return in_blocks(values, 100)()

    quantiles(blocks, survey(blocks), [(0.02, "linear"), (0.998, "linear")])
    return len(read)


def test_an_image_of_a_camera_is_read_once() -> None:
    values = np.random.default_rng(3).integers(0, 65536, 5000, np.uint16)
    assert passes_of(values.astype(np.float32)) == 1


def test_other_numbers_of_32_bits_are_read_twice() -> None:
    assert passes_of(np.random.default_rng(3).normal(size=5000).astype(np.float32)) == 2


def test_whole_numbers_give_the_same_bytes_in_any_order() -> None:
    values = np.random.default_rng(4).integers(0, 4096, 1000).astype(np.float32)
    assert moments(in_blocks(values, 64)) == moments(in_blocks(values[::-1].copy(), 97))


def test_fractions_behind_whole_numbers_agree_with_numpy() -> None:
    values = np.concatenate([np.arange(300), np.linspace(0, 1, 77)]).astype(np.float32)

    known = survey(in_blocks(values, 50))

    assert known.moments.mean == pytest.approx(values.mean(dtype=np.float64), rel=1e-12)
    assert known.moments.std == pytest.approx(values.std(dtype=np.float64), rel=1e-9)
    found = quantiles(in_blocks(values, 50), known, [(0.3, "linear")])
    assert found == pytest.approx([np.quantile(values, 0.3)])


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_agree_with_numpy(offset: float) -> None:
    values = np.random.default_rng(2).normal(offset, 3, 1000)

    found = moments(in_blocks(values))

    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.std == pytest.approx(values.std(), rel=1e-9)
    assert (found.count, found.lowest, found.highest) == (1000, values.min(), values.max())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_noticed(bad: float) -> None:
    values = np.ones(20)
    values[9] = bad

    assert not moments(in_blocks(values)).finite


def test_values_beyond_float32_are_not_finite() -> None:
    assert not moments(lambda: [np.array([0, 1e300])]).finite
