"""A measured number and how well it is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z90 = 1.645
"""Standard deviations to either side of a mean that hold 90 % of a Gaussian."""
_LEAST = 0.01  # a range of rates is logarithmic and does not end at 0


@dataclass(frozen=True)
class Measurement:
    """A measured number and the range that is believed to hold it (90 %)."""

    best: float
    low: float
    high: float

    @classmethod
    def relative(cls, best: float, sd: float) -> "Measurement":
        """From a standard deviation of the logarithm."""
        factor = float(np.exp(Z90 * sd))
        return cls(best, best / factor, best * factor)

    @classmethod
    def absolute(cls, best: float, sd: float) -> "Measurement":
        """From a standard deviation; not below 0."""
        return cls(best, max(best - Z90 * sd, 0.0), best + Z90 * sd)

    @classmethod
    def of_fields(cls, values: Floats, error: float, sd: float) -> "Measurement":
        """From several fields, each measured with an error: the range holds 90 % of fields.

        The errors and `sd`, what they miss, are standard deviations of the logarithm.
        """
        best = float(np.median(np.maximum(values, _LEAST)))
        return cls.relative(best, float(np.hypot(spread(values, error), sd)))

    def times(self, factor: float) -> "Measurement":
        """Return the same in another unit."""
        return Measurement(self.best * factor, self.low * factor, self.high * factor)

    def at_most(self, most: float) -> "Measurement":
        """Return the part of the range that is possible."""
        return Measurement(min(self.best, most), min(self.low, most), min(self.high, most))


def spread(values: Floats, error: float) -> float:
    """Return how much fields differ: a robust standard deviation of the logarithm of their rates.

    Of rates (fields,) those below 0.01 count as that. `error`, the standard deviation of the
    logarithm that measuring one has, is taken out.
    """
    low, high = np.quantile(np.log(np.maximum(values, _LEAST)), [0.16, 0.84])
    return float(np.sqrt(max(((high - low) / 2) ** 2 - error**2, 0)))
