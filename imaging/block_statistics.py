"""Mean, standard deviation and exact quantiles of an image that is only read block by block.

Of whole numbers up to 65535, which cameras give, one pass counts how often each occurs, and all
follows from the counts, whatever the order in which blocks came. Quantiles of others are found
digit by digit, as a radix sort would (radix selection): a floating-point number's bits, with the
sign handled, are an integer of the same order. The first pass counts the values by their leading
16 bits, the next counts by the following 16 those that share the leading bits of the wanted one,
and so on: two passes for 32-bit numbers, four for 64-bit ones.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Blocks = Callable[[], Iterable[NDArray[np.floating]]]
_DIGIT_BITS = 16
_VALUES = 2**_DIGIT_BITS
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


@dataclass(frozen=True)
class Survey:
    """What one pass over an image finds.

    Attributes
    ----------
    moments
        Of all values.
    counts
        How often each occurs, where all are whole numbers from 0 to 65535; or None.
    leading
        Otherwise, how often each combination of the leading 16 bits occurs; or None.
    dtype
        Of the values.
    """

    moments: Moments
    counts: NDArray[np.int64] | None = None
    leading: NDArray[np.int64] | None = None
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))


def survey(blocks: Blocks) -> Survey:
    """Look at all values once.

    Parameters
    ----------
    blocks
        Called for each pass; yields arrays of any shape that together are the image.

    Returns
    -------
    Survey
        Its moments are in double precision: exact until the last division of whole numbers;
        blocks of others are merged as in Chan, Golub and LeVeque (1983), which loses no digits on
        images with a large offset.
    """
    counts: NDArray[np.int64] | None = np.zeros(_VALUES, np.int64)
    leading = np.zeros(_VALUES, np.int64)
    merged, dtype = _Merged(), np.dtype(np.float32)
    for block in blocks():
        if not block.size:
            continue
        dtype = block.dtype
        # min and max pass NaN on, unlike Python's own.
        merged.lowest = float(np.minimum(merged.lowest, block.min()))
        merged.highest = float(np.maximum(merged.highest, block.max()))
        if not (_fits(merged.lowest) and _fits(merged.highest)):
            lost = Moments(merged.count, math.nan, math.nan, merged.lowest, merged.highest)
            return Survey(lost)
        if counts is not None:
            whole = _whole_numbers(block, merged.lowest, merged.highest)
            if whole is not None:
                counts += np.bincount(whole, minlength=_VALUES)
                continue
            # What was counted so far is merged like a block, and values go on one by one.
            before = np.arange(_VALUES, dtype=block.dtype)
            np.add.at(leading, _leading_bits(before), counts)
            merged.add(*_of_counts(counts))
            counts = None
        leading += np.bincount(_leading_bits(block.ravel()), minlength=_VALUES)
        mean = float(block.mean(dtype=np.float64))
        merged.add(block.size, mean, float(np.square(block - np.float64(mean)).sum()))
    if counts is not None:
        merged.add(*_of_counts(counts))
        return Survey(merged.moments, counts=counts)
    return Survey(merged.moments, leading=leading, dtype=dtype)


def quantiles(blocks: Blocks, known: Survey, wanted: Sequence[tuple[float, str]]) -> list[float]:
    """Compute exact quantiles.

    Parameters
    ----------
    blocks
        Called for each further pass; yields arrays of one type, float32 or float64, without NaN.
    known
        Their survey.
    wanted
        Pairs of q between 0 and 1 and the method, "linear" or "inverted_cdf" as in
        `numpy.quantile`.

    Returns
    -------
    list of float
        In the order wanted.
    """
    count = known.moments.count
    # A position between two ranks stands for the line between their values.
    positions = [
        q * (count - 1) if method == "linear" else max(math.ceil(q * count) - 1, 0)
        for q, method in wanted
    ]
    ranks = {f(position) for position in positions for f in (math.floor, math.ceil)}
    value = _values_at(blocks, known, ranks)
    return [
        value[math.floor(p)] + (p % 1) * (value[math.ceil(p)] - value[math.floor(p)])
        for p in positions
    ]


class _Merged:
    """The moments of the blocks so far."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        self.lowest, self.highest = math.inf, -math.inf

    def add(self, count: int, mean: float, squares: float) -> None:
        """Merge a block: its size, mean, and sum of squared differences from it."""
        if not count:
            return
        total = self.count + count
        difference = mean - self.mean
        self.squares += squares + difference**2 * self.count * count / total
        self.mean += difference * count / total
        self.count = total

    @property
    def moments(self) -> Moments:
        """Return them."""
        std = math.sqrt(self.squares / self.count)
        return Moments(self.count, self.mean, std, self.lowest, self.highest)


def _whole_numbers(
    block: NDArray[np.floating], lowest: float, highest: float
) -> NDArray[np.uint16] | None:
    """Return a block as whole numbers, if it holds no others."""
    if not 0 <= lowest <= highest < _VALUES:
        return None
    whole = block.ravel().astype(np.uint16)
    return whole if np.array_equal(whole, block.ravel()) else None


def _of_counts(counts: NDArray[np.int64]) -> tuple[int, float, float]:
    """Return size, mean and sum of squared differences of counted whole numbers."""
    there = np.flatnonzero(counts)
    pairs = list(zip(there.tolist(), counts[there].tolist(), strict=True))
    size = sum(n for _, n in pairs)
    if not size:
        return 0, 0.0, 0.0
    total = sum(value * n for value, n in pairs)
    squares = sum(value * value * n for value, n in pairs)
    return size, total / size, (size * squares - total * total) / size


def _values_at(blocks: Blocks, known: Survey, ranks: Iterable[int]) -> dict[int, float]:
    """Return by rank the value that has so many values before it in ascending order."""
    if known.counts is not None:
        cumulative = known.counts.cumsum()
        return {rank: float(np.searchsorted(cumulative, rank, side="right")) for rank in ranks}
    bits = known.dtype.itemsize * 8
    leading = dict.fromkeys(ranks, 0)
    before = dict.fromkeys(leading, 0)
    for done in range(0, bits, _DIGIT_BITS):
        counts = {prefix: np.zeros(_VALUES, np.int64) for prefix in leading.values()}
        if done == 0 and known.leading is not None:
            counts[0] = known.leading
        else:
            _count_digits(blocks, counts, bits, done)
        for rank, prefix in leading.items():
            cumulative = counts[prefix].cumsum()
            digit = int(np.searchsorted(cumulative, rank - before[rank], side="right"))
            before[rank] += int(cumulative[digit - 1]) if digit else 0
            leading[rank] = (prefix << _DIGIT_BITS) | digit
    return {rank: _number(key, known.dtype) for rank, key in leading.items()}


def _count_digits(
    blocks: Blocks, counts: dict[int, NDArray[np.int64]], bits: int, done: int
) -> None:
    """Count, by the digit behind them, the values that begin with each prefix."""
    for block in blocks():
        keys = _ordered_integers(block.ravel())
        for prefix, count in counts.items():
            alike = keys[keys >> (bits - done) == prefix] if done else keys
            digits = (alike >> (bits - done - _DIGIT_BITS)).astype(np.uint16)
            count += np.bincount(digits, minlength=count.size)


def _leading_bits(numbers: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return the leading digit of each number."""
    keys = _ordered_integers(numbers)
    return (keys >> (keys.itemsize * 8 - _DIGIT_BITS)).astype(np.uint16)


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
