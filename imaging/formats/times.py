"""The seconds between time points, from what files say of each of them."""

from collections.abc import Sequence
from itertools import pairwise

from imaging.formats.units import seconds

# Steps that differ by less from their mean are one interval, kept as well as microscopes do.
_JITTER = 0.1


def interval_of(moments_s: Sequence[float]) -> float | None:
    """Return the mean step of moments that follow each other evenly.

    Parameters
    ----------
    moments_s
        Of the time points, in seconds, in order.

    Returns
    -------
    float or None
        Seconds; None of fewer than two moments, of such as do not ascend, and of uneven steps,
        which no single number describes.

    Examples
    --------
    >>> interval_of([3.0, 5.0, 7.1]), interval_of([0.0, 1.0, 61.0])
    (2.05, None)
    """
    if len(moments_s) < 2:
        return None
    steps = [after - before for before, after in pairwise(moments_s)]
    mean = seconds((moments_s[-1] - moments_s[0]) / len(steps), "s")
    if mean is None or any(abs(step - mean) > _JITTER * mean for step in steps):
        return None
    return mean
