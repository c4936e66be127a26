"""What images a model was trained on, in numbers: whether another image is one of them.

Windows of the training images are measured (`imaging.window_statistics`). What an image's
distance from them means is read from windows that the distance was not fitted on: the threshold is
a conformal one, which a given share of new images of the same kind exceeds, whatever their
distribution (Vovk et al. 2005; by folds, Barber et al. 2021, doi:10.1214/20-AOS1965).

Where images are at hand that the model was not trained on, the direction in which they lie is
looked along, too (`imaging.directions`), under the same threshold.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass
from scipy.special import ndtri

from imaging.directions import Direction, direction_to, rounded, whitening_of
from imaging.files import FINITE
from imaging.window_statistics import GROUPS, contrast_of, statistics_of

SIDES_PX = (256, 128)
"""Of the windows that are measured: an image is judged by the largest that fit into it."""
FALSE_ALARMS = 0.025
"""Share of windows of images as trained on that are found strange."""
LIKE = "like "
"""Begins the name of a strangeness that is of a kind which the model was not trained on."""

_PROBABILITIES = np.array([0.003, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 0.997])
_SCORES = ndtri(_PROBABILITIES)
_LEAST_RANGE = 0.05  # of a statistic, most of which are logarithms: less is no difference
_FOLDS = 10
_USUAL = 0.5  # the quantile of distances that becomes 0
# The one that becomes 1: groups in which other kinds of images differ least get most alarms.
_RARE = {
    "saturation": 0.997,
    "noise": 0.99,
    "spectrum": 0.997,
    "direction": 0.98,
    "structure": 0.98,
}
_MOST_WINDOWS = 4  # of an image, those with most structure
_FEWEST_WINDOWS = 100  # fewer tell too little of what is usual
_MOST_CANDIDATES = 64

Array = NDArray[np.float64]
Windows = Iterable[NDArray[np.floating]]
Kinds = Mapping[str, Sequence[NDArray[np.floating]]]
"""Images that a model was not trained on, by what they are called."""


def _ascending(knots: dict[str, list[float]]) -> dict[str, list[float]]:
    for name, values in knots.items():
        if len(values) != len(_PROBABILITIES) or sorted(values) != values:
            raise ValueError(f"the quantiles of '{name}' are not {len(_PROBABILITIES)} in order")
    return knots


def _groups(values: dict[str, list[float]]) -> dict[str, list[float]]:
    if tuple(values) != GROUPS:
        raise ValueError(f"they are not of {', '.join(GROUPS)}")
    return values


@dataclass(frozen=True, config=FINITE)
class KnownWindows:
    """What is usual in windows of one size.

    Attributes
    ----------
    side_px
        Of the windows, in pixels of the model.
    windows
        How many were measured.
    quantiles
        Of each statistic, at fixed probabilities; they make it a normal score.
    whitening
        By group of statistics the lower triangle, row by row, of the matrix that makes their scores
        uncorrelated, each of variance 1.
    distances
        By group the median distance and a high quantile of it, which become 0 and 1.
    threshold
        What is above it is strange.
    directions
        By what they are called, those of kinds that the model was not trained on.
    """

    side_px: Annotated[int, Field(gt=0)]
    windows: Annotated[int, Field(gt=0)]
    quantiles: Annotated[dict[str, list[float]], AfterValidator(_ascending)]
    whitening: Annotated[dict[str, list[float]], AfterValidator(_groups)]
    distances: Annotated[dict[str, list[float]], AfterValidator(_groups)]
    threshold: float
    directions: dict[str, Direction] = field(default_factory=dict[str, Direction])

    def __post_init__(self) -> None:
        for name, direction in self.directions.items():
            if len(direction.weights) != len(self.quantiles):
                raise ValueError(f"the direction of '{name}' does not fit the statistics")
        for group, triangle in self.whitening.items():
            count = len(_members(self.quantiles, group))
            if not count or len(triangle) != count * (count + 1) // 2:
                raise ValueError(f"the whitening of '{group}' does not fit {count} statistics")
            if len(self.distances[group]) != 2 or min(self.distances[group]) <= 0:
                raise ValueError(f"the distances of '{group}' are not two positive numbers")

    def scores(self, windows: Windows) -> Array:
        """Measure windows; return (windows, statistics), normal scores."""
        knots = np.array(list(self.quantiles.values()))
        return _normal_scores(_measured(windows, self.quantiles), knots)

    def strangeness(self, scores: Array) -> dict[str, Array]:
        """Return how strange windows are: the usual 0, the rarest of 100 or so about 1.

        By group of statistics, and by direction, whose names begin with `LIKE`.
        """
        found: dict[str, Array] = {}
        for group, triangle in self.whitening.items():
            members = _members(self.quantiles, group)
            matrix = np.zeros((len(members), len(members)))
            matrix[np.tril_indices(len(members))] = triangle
            distance = _distance(scores[:, members], matrix)
            found[group] = _strangeness(distance, *self.distances[group])
        along = {LIKE + name: of.strangeness(scores) for name, of in self.directions.items()}
        return found | along


@dataclass(frozen=True, config=FINITE)
class KnownImages:
    """What images a model was trained on.

    Attributes
    ----------
    data
        Name of their dataset.
    images
        How many were measured.
    of_windows
        By size of window, large ones first.
    """

    data: str
    images: Annotated[int, Field(gt=0)]
    of_windows: Annotated[list[KnownWindows], Field(min_length=1)]

    def for_size(self, shape: Sequence[int]) -> KnownWindows | None:
        """Return what windows of an image of a size are to be compared with; None if too small."""
        return next((of for of in self.of_windows if of.side_px <= min(shape)), None)


@dataclass(frozen=True)
class Judgement:
    """How an image compares with those a model knows.

    Attributes
    ----------
    strangeness
        By group of statistics and by direction, in units of the threshold: strange above 1.
    deviations
        Of each statistic, its normal score.
    """

    strangeness: dict[str, float]
    deviations: dict[str, float]

    @property
    def worst(self) -> float:
        """Return the largest strangeness."""
        return max(self.strangeness.values())

    @property
    def is_strange(self) -> bool:
        """Tell whether the image is unlike those that the model knows."""
        return self.worst > 1


def know(
    images: Sequence[NDArray[np.floating]], data: str, others: Kinds | None = None
) -> KnownImages | None:
    """Measure the images that a model is trained on.

    Parameters
    ----------
    images
        (y, x) each, at the model's pixel size; those of one source follow each other.
    data
        Name of their dataset.
    others
        Kinds that the model is not trained on, to be told with more power. Of those too small for
        a size of windows that size has no direction.

    Returns
    -------
    KnownImages or None
        None where they are too few, or too small, to tell what is usual.
    """
    found: list[KnownWindows] = []
    for side in SIDES_PX:
        windows = _all_windows(images, side)
        of_others = {name: _all_windows(of, side) for name, of in (others or {}).items()}
        if len(windows) >= _FEWEST_WINDOWS:
            strange = {name: of for name, of in of_others.items() if of}
            found.append(_know_windows(windows, side, strange))
    return KnownImages(data, len(images), found) if found else None


def _all_windows(
    images: Iterable[NDArray[np.floating]], side_px: int
) -> list[NDArray[np.floating]]:
    large = [image for image in images if min(image.shape) >= side_px]
    return [window for image in large for window in chosen_windows([image], side_px)]


def chosen_windows(
    planes: Iterable[NDArray[np.floating]], side_px: int
) -> list[NDArray[np.floating]]:
    """Choose windows with structure: of those that lie beside each other the better half.

    Parameters
    ----------
    planes
        (y, x) each.
    side_px
        Of a window.

    Returns
    -------
    list of ndarray
        At most 4, the one with most contrast first; none that is constant.
    """
    candidates = [
        plane[i : i + side_px, j : j + side_px]
        for plane in planes
        for i in range(0, plane.shape[0] - side_px + 1, side_px)
        for j in range(0, plane.shape[1] - side_px + 1, side_px)
    ]
    return best_windows(candidates)


def best_windows(candidates: Sequence[NDArray[np.floating]]) -> list[NDArray[np.floating]]:
    """Choose windows with structure out of several, as `chosen_windows` does."""
    varying = [window for window in candidates if window.min() < window.max()]
    wanted = min(-(-len(candidates) // 2), _MOST_WINDOWS)
    return sorted(varying, key=contrast_of, reverse=True)[:wanted]


def judge(known: KnownWindows, windows: Windows) -> Judgement:
    """Compare the windows of one image with those that a model knows.

    Parameters
    ----------
    known
        What is usual.
    windows
        Of its side; one at least.

    Returns
    -------
    Judgement
        The median over the windows.
    """
    scores = known.scores(windows)
    of_groups = {
        group: float(np.median(values)) / known.threshold
        for group, values in known.strangeness(scores).items()
    }
    deviations = dict(zip(known.quantiles, np.median(scores, axis=0).tolist(), strict=True))
    return Judgement(of_groups, deviations)


def _know_windows(
    windows: Sequence[NDArray[np.floating]], side_px: int, others: Kinds
) -> KnownWindows:
    names = list(statistics_of(windows[0]))
    values = _measured(windows, names)
    knots = rounded(np.quantile(values, _PROBABILITIES, axis=0).T)
    scores = _normal_scores(values, knots)
    fold = np.arange(len(values)) * _FOLDS // len(values)  # neighbours may show one specimen
    whitening: dict[str, list[float]] = {}
    distances: dict[str, list[float]] = {}
    strangeness: list[Array] = []
    for group in GROUPS:
        members = _members(names, group)
        of_group = scores[:, members]
        held_out = np.concatenate(
            [
                _distance(of_group[fold == i], whitening_of(of_group[fold != i]))
                for i in range(_FOLDS)
            ]
        )
        usual = rounded(np.quantile(held_out, [_USUAL, _RARE[group]]))
        strangeness.append(_strangeness(held_out, *usual))
        matrix = rounded(whitening_of(of_group))
        whitening[group] = matrix[np.tril_indices(len(members))].tolist()
        distances[group] = usual.tolist()
    directions: dict[str, Direction] = {}
    for name, of_kind in others.items():
        of_others = _normal_scores(_measured(of_kind, names), knots)
        directions[name], along = direction_to(of_others, scores, fold)
        strangeness.append(along)
    worst = np.sort(np.max(strangeness, axis=0))
    rank = int(np.ceil((1 - FALSE_ALARMS) * (len(worst) + 1)))  # of a new one among them
    return KnownWindows(
        side_px=side_px,
        windows=len(windows),
        quantiles={name: of.tolist() for name, of in zip(names, knots, strict=True)},
        whitening=whitening,
        distances=distances,
        threshold=float(rounded(worst[min(rank, len(worst)) - 1])),
        directions=directions,
    )


def _measured(windows: Windows, names: Iterable[str]) -> Array:
    measured = [statistics_of(window) for window in windows]
    return np.array([[of[name] for name in names] for of in measured])


def _members(names: Iterable[str], group: str) -> list[int]:
    return [i for i, name in enumerate(names) if name.startswith(f"{group}.")]


def _normal_scores(values: Array, knots: Array) -> Array:
    """Map quantiles to a normal distribution's; beyond the outer ones go on in proportion."""
    found = np.empty_like(values)
    for i, of in enumerate(knots):
        rising = of + np.arange(len(of)) * 1e-9  # equal ones may not be interpolated between
        middle = len(of) // 2
        below = (_SCORES[middle] - _SCORES[0]) / max(rising[middle] - rising[0], _LEAST_RANGE)
        above = (_SCORES[-1] - _SCORES[middle]) / max(rising[-1] - rising[middle], _LEAST_RANGE)
        inside = np.interp(values[:, i], rising, _SCORES)
        low = np.minimum(values[:, i] - rising[0], 0) * below
        high = np.maximum(values[:, i] - rising[-1], 0) * above
        found[:, i] = inside + low + high
    return found


def _distance(scores: Array, whitening: Array) -> Array:
    """Return the root mean square of whitened scores: Mahalanobis' distance."""
    return np.sqrt(np.square(scores @ whitening.T).mean(axis=1))


def _strangeness(distance: Array, usual: float, rare: float) -> Array:
    return np.log(np.maximum(distance, 1e-9) / usual) / np.log(rare / usual)


__all__ = [
    "FALSE_ALARMS",
    "LIKE",
    "SIDES_PX",
    "Judgement",
    "Kinds",
    "KnownImages",
    "KnownWindows",
    "best_windows",
    "chosen_windows",
    "judge",
    "know",
]
