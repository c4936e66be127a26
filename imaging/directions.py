"""Directions in which images lie that a model was not trained on.

A distance asks in all directions at once and is blunt in each; along one direction the same
difference stands out. The direction is Fisher's discriminant (Annals of Eugenics 1936).
"""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from imaging.files import FINITE

Array = NDArray[Any]

_SHRINKAGE = 0.02  # of correlations
_USUAL, _RARE = 0.5, 0.995  # the quantiles of positions that become 0 and 1


def _rising(positions: list[float]) -> list[float]:
    if len(positions) != 2 or positions[0] >= positions[1]:
        raise ValueError("they are not two in order")
    return positions


@dataclass(frozen=True, config=FINITE)
class Direction:
    """Where windows of a kind that the model was not trained on lie.

    Attributes
    ----------
    weights
        Of the normal score of each statistic; the sum is a position.
    positions
        Of usual windows the median and a high quantile, which become 0 and 1.
    """

    weights: list[float]
    positions: Annotated[list[float], AfterValidator(_rising)]

    def strangeness(self, scores: Array) -> Array:
        """Return how far windows of these scores, (windows, statistics), lie that way."""
        return _strangeness(scores @ np.array(self.weights), self.positions)


def direction_to(others: Array, usual: Array, fold: NDArray[np.integer]) -> tuple[Direction, Array]:
    """Find the direction of other windows, seen from the usual ones.

    Parameters
    ----------
    others, usual
        (windows, statistics), normal scores.
    fold
        Of each usual window, from 0.

    Returns
    -------
    Direction
        From all usual windows.
    ndarray
        The strangeness of each of these along a direction that it was held out of.
    """
    mean = others.mean(0)
    held_out = np.empty(len(usual))
    for i in np.unique(fold):
        held_out[fold == i] = usual[fold == i] @ _discriminant(mean, usual[fold != i])
    positions: list[float] = rounded(np.quantile(held_out, [_USUAL, _RARE])).tolist()
    weights: list[float] = rounded(_discriminant(mean, usual)).tolist()
    return Direction(weights, positions), _strangeness(held_out, positions)


def whitening_of(scores: Array) -> Array:
    """Return the matrix W for which scores · Wᵀ are uncorrelated: the inverse Cholesky factor."""
    covariance = np.cov(scores.T)
    covariance += _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return np.linalg.inv(np.linalg.cholesky(covariance))


def rounded(values: Array) -> Array:
    """Keep four digits, so that a record stays small."""
    return np.array([float(f"{value:.4g}") for value in np.ravel(values)]).reshape(np.shape(values))


def _discriminant(mean: Array, usual: Array) -> Array:
    whitening = whitening_of(usual)
    direction = whitening @ (mean - usual.mean(0))
    return (direction / np.linalg.norm(direction)) @ whitening


def _strangeness(position: Array, positions: list[float]) -> Array:
    usual, rare = positions
    return (position - usual) / (rare - usual)
