"""What a metric is: one function, and what a table must know of it."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.float64]
Score = Callable[[ArrayLike, ArrayLike], float]


class NotApplicable(Exception):  # noqa: N818  (it is an answer, "n/a", not a fault)
    """A metric or control can say nothing here; the message is the reason, one sentence."""


@dataclass(frozen=True)
class Metric:
    """A metric with what tables and figures need to know of it.

    Attributes
    ----------
    name
        The name of the function; the entry in the scores table.
    label
        How it is printed.
    direction
        Whether higher or lower values are better.
    unit
        "dB", or empty when the value has none.
    needs_truth
        Whether it compares with the true image.
    function
        ``function(truth, prediction) -> float``.
    """

    name: str
    label: str
    direction: Literal["higher", "lower"]
    unit: str
    needs_truth: bool
    function: Score

    @property
    def summary(self) -> str:
        """Return the first line of the function's documentation."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def __call__(self, truth: ArrayLike, prediction: ArrayLike) -> float:
        """Score a prediction.

        Parameters
        ----------
        truth, prediction
            Two images of one shape (y, x).

        Returns
        -------
        float
            The value; infinite for the PSNR of a perfect prediction, never NaN.

        Raises
        ------
        NotApplicable
            The metric cannot say anything about this pair.
        """
        return self.function(truth, prediction)


METRICS: dict[str, Metric] = {}


def metric(
    *,
    label: str,
    direction: Literal["higher", "lower"],
    unit: str = "",
    needs_truth: bool = True,
) -> Callable[[Callable[[Image, Image], float]], Score]:
    """Register a function of (truth, prediction) in `METRICS` under its own name.

    The function receives finite float64 arrays of one shape (y, x), whatever it is called with:
    unsigned integers would wrap around when subtracted, and statistics in float32 lose digits.

    Parameters
    ----------
    label, direction, unit, needs_truth
        See `Metric`.

    Returns
    -------
    Callable
        A decorator; the decorated function stays an ordinary function.
    """

    def register(function: Callable[[Image, Image], float]) -> Score:
        @functools.wraps(function)
        def score(truth: ArrayLike, prediction: ArrayLike) -> float:
            return function(*_pair(truth, prediction))

        METRICS[function.__name__] = Metric(
            function.__name__, label, direction, unit, needs_truth, score
        )
        return score

    return register


def _pair(truth: ArrayLike, prediction: ArrayLike) -> tuple[Image, Image]:
    g = np.ascontiguousarray(truth, dtype=np.float64)
    p = np.ascontiguousarray(prediction, dtype=np.float64)
    if g.ndim != 2 or g.shape != p.shape:
        raise ValueError(
            f"Truth {g.shape} and prediction {p.shape} must be two images of one shape (y, x)."
        )
    for name, image in (("truth", g), ("prediction", p)):
        if not np.isfinite(image).all():
            raise NotApplicable(f"The {name} holds NaN or infinite values.")
    return g, p
