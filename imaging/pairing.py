"""Whether the two images of a pair show the same, told from coarse views of both.

A truth that was shuffled, mirrored or turned trains and scores without any error. A coarse view
averages noise and forgives blur and a small shift; how well an input agrees with its own truth is
compared with how well it agrees with the truths of other images and with its own, turned.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.cli import UserError
from imaging.datasets import Item
from imaging.remarks import Remark, Remarks
from imaging.resample import linear, turned

Plane = NDArray[Any]
View = NDArray[np.float64]

_SIDE = 64  # pixels of the longer side of a coarse view, half of the image's own at most
_SMALLEST = 16  # of these, below which nothing can be told
_SHIFT = 2  # coarse pixels by which the two may be shifted
_FINEST, _COARSEST = 1.0, 8.0  # coarse pixels: detail is noise, and shading is no structure
_OTHERS = 16  # truths of other images that an input is compared with
_FEWEST = 4  # agreements by chance, below which chance is not known
_SURE = 5.0  # standard deviations of chance by which another truth must stand out
_BETTER = 0.2  # correlation by which it must agree better than the own truth,
_CONVINCING = 0.5  # and that it must reach
_CHANCE = 2.0  # standard deviations within which agreement is chance,
_HARDLY = 0.3  # and correlation below which it is none
_RELIABLE = 0.5  # share of a view's variance that is not noise, to expect agreement

_TURNED = (
    "input and truth fit better when the truth is mirrored or turned as stated, so that what is "
    "learnt or scored is wrong: save both in one orientation."
)
_ANOTHER = (
    "the input fits the truth of another image better than its own, so that what is learnt or "
    "scored is wrong: give the files of input/ and target/ that belong together one name."
)
_NONE = (
    "the input agrees no better with its truth than with others, turned or of other images, though "
    "both show structure, so that what is learnt or scored may be wrong: look whether both show "
    "the same field."
)
_REPEATED = (
    "the same input stands in the dataset more than once, so that it counts more than others, and "
    "may be judged by what it was trained on: keep one of them."
)
_ITS_OWN_TRUTH = (
    "the truth is the input itself, from which nothing is learnt but to copy: look whether target/ "
    "was filled from input/."
)
_TURNS = {
    (0, True): "mirrored left to right",
    (2, True): "mirrored top to bottom",
    (2, False): "turned by 180°",
    (1, False): "turned by 90° counter-clockwise",
    (3, False): "turned by 90° clockwise",
    (1, True): "mirrored along one diagonal",
    (3, True): "mirrored along the other diagonal",
}


@dataclass(frozen=True)
class _Pair:
    """Coarse views of input and truth, and whether noise leaves both structure to agree in."""

    name: str
    input: View
    truth: View
    reliable: bool


def inspect_pairs(items: Iterable[Item], prefix: str = "") -> Remarks:
    """Find pairs that do not fit, and images that stand for others.

    Parameters
    ----------
    items
        The images; of a stack the middle plane is looked at.
    prefix
        What their names begin with, where several datasets are in play.

    Returns
    -------
    Remarks
        Of those of which it can be told.
    """
    found = Remarks()
    pairs: list[_Pair] = []
    seen: dict[str, str] = {}
    for item in items:
        planes = _middle_planes(item)
        if planes is None:
            continue
        image = f"{prefix}{item.name}"
        same = _hash(planes[0])
        if planes[0].min() < planes[0].max():
            if same in seen:
                found.add(image, [Remark(_REPEATED, f"the same as {seen[same]}")])
            if same == _hash(planes[1]):
                found.add(image, [Remark(_ITS_OWN_TRUTH)])
        seen.setdefault(same, item.name)
        pairs += _views(item.name, *planes)
    for i, pair in enumerate(pairs):
        others = [pairs[(i + k) % len(pairs)] for k in range(1, min(len(pairs), _OTHERS + 1))]
        others = [other for other in others if other.truth.shape == pair.input.shape]
        remark = _judge(pair, others)
        if remark is not None:
            found.add(f"{prefix}{pair.name}", [remark])
    return found


def _judge(pair: _Pair, others: Sequence[_Pair]) -> Remark | None:
    own = _agreement(pair.input, pair.truth)
    rivals = {f"that of {o.name}": _agreement(pair.input, o.truth) for o in others} | {
        words: _agreement(pair.input, turned(pair.truth, *turn))
        for turn, words in _TURNS.items()
        if turned(pair.truth, *turn).shape == pair.input.shape
    }
    if len(rivals) <= _FEWEST:
        return None
    best = max(rivals, key=rivals.__getitem__)
    chance = np.array([rivals[name] for name in rivals if name != best])
    expected, spread = float(chance.mean()), float(chance.std())
    if rivals[best] > max(own + _BETTER, expected + _SURE * spread, _CONVINCING):
        sentence = _TURNED if best in _TURNS.values() else _ANOTHER
        return Remark(sentence, f"{best} (correlation {rivals[best]:.2f}, as it is {own:.2f})")
    if pair.reliable and own < min(expected + _CHANCE * spread, _HARDLY):
        return Remark(_NONE, f"correlation {own:.2f}, with others {expected:.2f} ± {spread:.2f}")
    return None


def _agreement(one: View, other: View) -> float:
    """Correlate two views at the best small shift."""
    rows, columns = one.shape
    best = -1.0
    for y in range(-_SHIFT, _SHIFT + 1):
        for x in range(-_SHIFT, _SHIFT + 1):
            here = one[max(y, 0) : rows + min(y, 0), max(x, 0) : columns + min(x, 0)]
            there = other[max(-y, 0) : rows + min(-y, 0), max(-x, 0) : columns + min(-x, 0)]
            norm = np.sqrt((here**2).sum() * (there**2).sum())
            if norm > 0:
                best = max(best, float((here * there).sum() / norm))
    return best


def _middle_planes(item: Item) -> tuple[Plane, Plane] | None:
    """Read the middle plane of input and truth, where both are readable stacks of one kind."""
    try:
        degraded, truth = item.read_input(lazy=True), item.read_target(lazy=True)
        if truth is None or truth.ndim != degraded.ndim:
            return None
        one, other = (
            image.isel({dim: image.sizes[dim] // 2 for dim in image.dims[:-2]}).values
            for image in (degraded, truth)
        )
    except (UserError, OSError):
        return None
    return (one, other) if np.isfinite(one).all() and np.isfinite(other).all() else None


def _hash(plane: Plane) -> str:
    return hashlib.sha256(f"{plane.dtype} {plane.shape}".encode() + plane.tobytes()).hexdigest()


def _views(name: str, degraded: Plane, truth: Plane) -> list[_Pair]:
    """Make coarse views of both on one grid; none of images that are too small."""
    longer = max(degraded.shape)
    side = min(_SIDE, longer // 2)
    rows, columns = (round(side * length / longer) for length in degraded.shape)
    if min(rows, columns) < _SMALLEST or min(truth.shape) < 2 * _SMALLEST:
        return []
    one, other = (linear(plane, (rows, columns)).astype(np.float64) for plane in (degraded, truth))
    reliable = _structured(degraded, one) and _structured(truth, other)
    return [_Pair(name, _structure(one), _structure(other), reliable)]


def _structure(view: View) -> View:
    """Take out noise and shading."""
    return ndimage.gaussian_filter(view, _FINEST) - ndimage.gaussian_filter(view, _COARSEST)


def _structured(plane: Plane, view: View) -> bool:
    """Tell whether a view shows more than the plane's noise; fine detail is taken for noise."""
    detail = plane[::2, ::2][: plane.shape[0] // 2, : plane.shape[1] // 2].astype(np.float64)
    detail = detail - plane[1::2, 1::2][: detail.shape[0], : detail.shape[1]]
    noise = float((detail**2).mean() / 2) * view.size / plane.size
    return noise < (1 - _RELIABLE) * float(_structure(view).var())
