"""A threshold that keeps the share of false structures low on images of the same kind.

Conformal risk control (Angelopoulos et al. 2022, arXiv 2208.02814). The structures of an image
that score higher than a threshold are believed. Its loss is the share of false ones among them; as
that need not fall with a rising threshold, the largest share at any threshold from there on counts.
With n images whose truth is known, the lowest threshold at which the sum of the losses, and one
more image that is wholly false, is at most α (n + 1) keeps the expected loss of the next image at
α or below, whatever the scores mean, if it is exchangeable with those n.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Judged", "false_share", "fewest_images", "lowest_threshold"]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Judged:
    """The structures of one image, and which of them are real.

    Attributes
    ----------
    scores
        The higher the more they are believed, shape (n,).
    real
        Of bool, shape (n,).
    """

    scores: NDArray[np.float64]
    real: NDArray[np.bool_]


def fewest_images(alpha: float) -> int:
    """Return how many images it takes to promise a share of at most α, if all are perfect.

    Examples
    --------
    >>> fewest_images(0.1)
    9
    """
    return math.ceil(1 / alpha - _ROUNDING) - 1


def lowest_threshold(images: Sequence[Judged], alpha: float, lowest: float) -> float | None:
    """Return the lowest threshold that promises a share of false structures of at most α.

    Parameters
    ----------
    images
        Independent of each other, and of what the scores come from.
    alpha
        The largest expected share of false structures among those believed, per image.
    lowest
        Threshold below which none is wanted.

    Returns
    -------
    float or None
        Scores above it are believed; None where the images are too few.

    Examples
    --------
    >>> right = Judged(np.array([3.0, 2.0]), np.array([True, True]))
    >>> wrong = Judged(np.array([2.5, 1.0]), np.array([True, False]))
    >>> lowest_threshold([right] * 8 + [wrong], 0.1, 0.0)
    1.0
    """
    allowed = alpha * (len(images) + 1) - 1 + _ROUNDING
    if allowed < 0:
        return None
    steps = [_steps(image) for image in images]
    scores = np.concatenate([scores for scores, _ in steps])
    losses = np.concatenate([losses for _, losses in steps])
    falling = np.argsort(-scores, kind="stable")
    broken = np.flatnonzero(np.cumsum(losses[falling]) > allowed)
    return max(lowest, float(scores[falling[broken[0]]])) if len(broken) else lowest


def false_share(image: Judged, threshold: float) -> float:
    """Return the share of false structures among those that score higher; 0 where none does."""
    believed = image.scores > threshold
    return float(np.mean(~image.real[believed])) if believed.any() else 0.0


def _steps(image: Judged) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores in falling order, and by how much the loss rises below each of them."""
    falling = np.argsort(-image.scores, kind="stable")
    false = np.cumsum(~image.real[falling])
    largest = np.maximum.accumulate(false / np.arange(1, len(false) + 1))
    return image.scores[falling], np.diff(largest, prepend=0.0)
