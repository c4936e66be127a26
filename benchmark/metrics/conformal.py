"""Intervals with a guarantee, whatever the errors: risk-controlling prediction sets (RCPS).

Around any prediction μ with any guess of its error σ lies μ ± λσ. The share of an image's pixels
that it misses falls as λ grows. λ is chosen on images with truth so that for new images of the
same kind the expected share is at most α, unless the images chosen on were a bad draw, which
happens with probability δ at most. The image is the unit; pixels are alike in one image and prove
nothing. Source: Bates et al. 2021 (doi:10.1145/3478535), for images Angelopoulos et al. 2022 (arXiv
2202.05265).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from benchmark.metrics.metric import NotApplicable

_STEPS = 60  # of bisection: to the last digits of a float
_ROUNDING = 1e-12  # of a sum of weights


def conformal_factor(
    ratios: Sequence[ArrayLike], *, alpha: float = 0.1, delta: float = 0.1
) -> float:
    """Return the smallest λ with which intervals μ ± λσ hold their promise.

    Parameters
    ----------
    ratios
        |g − μ| / σ of every pixel, one array of any shape for each independent image. For a package
        that states no σ it may be constant: σ = 1 makes λ the half-width of all intervals.
    alpha
        The largest share of pixels to be missed, in the mean over images.
    delta
        The largest probability that this fails.

    Returns
    -------
    float
        λ, without unit; smaller is better, as narrower intervals then keep the same promise.

    Raises
    ------
    NotApplicable
        Too few images to promise this even if all were perfect: 22 for α = δ = 0.1.

    Examples
    --------
    >>> ratios = [np.arange(1, 101) / 100] * 50
    >>> round(conformal_factor(ratios), 2)
    0.98
    """
    count = len(ratios)
    largest = largest_risk(count, alpha, delta)
    if largest is None:
        needed = math.ceil(math.log(delta) / math.log(1 - alpha))
        raise NotApplicable(
            f"To promise {100 * (1 - alpha):g} % of pixels with {100 * (1 - delta):g} % confidence "
            f"takes {needed} images of different sources, not {count}."
        )
    images = [np.ravel(np.asarray(ratio, dtype=np.float64)) for ratio in ratios]
    # Every image weighs the same, whatever its size.
    weights = np.concatenate([np.full(image.size, 1 / (count * image.size)) for image in images])
    pixels = np.concatenate(images)
    ascending = np.argsort(pixels)
    missed = 1 - np.cumsum(weights[ascending])
    held = np.searchsorted(-missed, -largest - _ROUNDING)
    return float(pixels[ascending[min(held, len(pixels) - 1)]])


def largest_risk(count: int, alpha: float, delta: float) -> float | None:
    """Return the largest mean share of missed pixels that still proves a risk of at most α.

    The Hoeffding-Bentkus bound: a risk of α or more would give a mean of R or less over n images
    with probability at most min(exp(−n·h(R, α)), e·P(Binomial(n, α) ≤ ⌈nR⌉)), h the relative
    entropy of two coins.

    Parameters
    ----------
    count
        n, independent images.
    alpha, delta
        As for `conformal_factor`.

    Returns
    -------
    float or None
        R, 0 to α; None where even R = 0 proves too little.

    Examples
    --------
    >>> largest_risk(21, 0.1, 0.1) is None
    True
    >>> round(largest_risk(100, 0.1, 0.1), 3)
    0.042
    """
    if _p_value(0.0, count, alpha) > delta:
        return None
    low, high = 0.0, alpha
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _p_value(middle, count, alpha) <= delta else (low, middle)
    return low


def _p_value(risk: float, count: int, alpha: float) -> float:
    hoeffding = math.exp(-count * _relative_entropy(risk, alpha))
    # Rounding must not push a whole number of images up to the next.
    bentkus = math.e * float(special.bdtr(math.ceil(count * risk - 1e-9), count, alpha))
    return min(hoeffding, bentkus)


def _relative_entropy(a: float, b: float) -> float:
    first = a * math.log(a / b) if a > 0 else 0.0
    return first + (1 - a) * math.log((1 - a) / (1 - b))
