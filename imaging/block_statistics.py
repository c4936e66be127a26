"""Mean, standard deviation and exact quantiles of an image that is only read block by block.

Quantiles are found digit by digit, as a radix sort would (radix selection): a floating-point
number's bits, with the sign handled, are an integer of the same order. One pass counts the values
by their leading 16 bits, the next counts by the following 16 those that share the leading bits of
the wanted one, and so on: two passes for 32-bit numbers, four for 64-bit ones.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Blocks = Callable[[], Iterable[NDArray[np.floating]]]
_DIGIT_BITS = 16
_LARGEST = float(np.finfo(np.float32).max)
_ROUNDING = 8 * float(np.finfo(np.float32).eps)  # of an interpolation


@dataclass(frozen=True)
class Moments:
    """Of all values: how many, mean, population standard deviation, lowest and highest."""

    count: int
    mean: float
    std: float
    lowest: float
    highest: float

    @property
    def flat(self) -> bool:
        """Whether all values are equal, or differ by no more than rounding in float32."""
        return self.highest - self.lowest <= _ROUNDING * max(abs(self.lowest), abs(self.highest))

    @property
    def finite(self) -> bool:
        """Whether all values are numbers that float32 can hold: no NaN, no infinity."""
        return _fits(self.lowest) and _fits(self.highest)


def _fits(value: float) -> bool:
    return abs(value) <= _LARGEST


def moments(blocks: Blocks) -> Moments:
    """Compute the moments in one pass.

    Parameters
    ----------
    blocks
        Called for each pass; yields arrays of any shape that together are the image.

    Returns
    -------
    Moments
        In double precision. Blocks are merged as in Chan, Golub and LeVeque (1983), which loses
        no digits on images with a large offset.
    """
    count, mean, squares = 0, 0.0, 0.0
    lowest, highest = math.inf, -math.inf
    for block in blocks():
        if not block.size:
            continue
        # min and max pass NaN on, unlike Python's own.
        lowest = float(np.minimum(lowest, block.min()))
        highest = float(np.maximum(highest, block.max()))
        if not (_fits(lowest) and _fits(highest)):
            return Moments(count, math.nan, math.nan, lowest, highest)
        block_mean = float(block.mean(dtype=np.float64))
        difference = block_mean - mean
        total = count + block.size
        squares += float(np.square(block - np.float64(block_mean)).sum())
        squares += difference**2 * count * block.size / total
        mean += difference * block.size / total
        count = total
    return Moments(count, mean, math.sqrt(squares / count), lowest, highest)


def quantiles(blocks: Blocks, count: int, wanted: Sequence[tuple[float, str]]) -> list[float]:
    """Compute exact quantiles.

    Parameters
    ----------
    blocks
        Called for each pass; yields arrays of one type, float32 or float64, without NaN.
    count
        How many values they hold together.
    wanted
        Pairs of q between 0 and 1 and the method, "linear" or "inverted_cdf" as in
        `numpy.quantile`.

    Returns
    -------
    list of float
        In the order wanted.
    """
    # A position between two ranks stands for the line between their values.
    positions = [
        q * (count - 1) if method == "linear" else max(math.ceil(q * count) - 1, 0)
        for q, method in wanted
    ]
    ranks = {f(position) for position in positions for f in (math.floor, math.ceil)}
    value = _values_at(blocks, ranks)
    return [
        value[math.floor(p)] + (p % 1) * (value[math.ceil(p)] - value[math.floor(p)])
        for p in positions
    ]


def _values_at(blocks: Blocks, ranks: Iterable[int]) -> dict[int, float]:
    """Return by rank the value that has so many values before it in ascending order."""
    dtype = next(iter(blocks())).dtype
    bits = dtype.itemsize * 8
    leading = dict.fromkeys(ranks, 0)
    before = dict.fromkeys(leading, 0)
    for known in range(0, bits, _DIGIT_BITS):
        counts = {prefix: np.zeros(2**_DIGIT_BITS, np.int64) for prefix in leading.values()}
        for block in blocks():
            keys = _ordered_integers(block.ravel())
            for prefix, count in counts.items():
                alike = keys[keys >> (bits - known) == prefix] if known else keys
                digits = (alike >> (bits - known - _DIGIT_BITS)).astype(np.uint16)
                count += np.bincount(digits, minlength=count.size)
        for rank, prefix in leading.items():
            cumulative = counts[prefix].cumsum()
            digit = int(np.searchsorted(cumulative, rank - before[rank], side="right"))
            before[rank] += int(cumulative[digit - 1]) if digit else 0
            leading[rank] = (prefix << _DIGIT_BITS) | digit
    return {rank: _number(key, dtype) for rank, key in leading.items()}


def _ordered_integers(numbers: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
    """Map IEEE 754 numbers to unsigned integers of the same order."""
    integer = np.dtype(f"u{numbers.itemsize}").type
    bits = numbers.view(integer)
    sign = integer(1 << (numbers.itemsize * 8 - 1))
    return np.where(bits & sign, ~bits, bits | sign)


def _number(key: int, dtype: np.dtype[np.floating]) -> float:
    """Undo `_ordered_integers` for one number."""
    sign = 1 << (dtype.itemsize * 8 - 1)
    bits = key ^ sign if key & sign else key ^ (2 * sign - 1)
    return float(np.array([bits], f"u{dtype.itemsize}").view(dtype)[0])
