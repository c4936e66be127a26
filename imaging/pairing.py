"""Whether the two images of a pair show the same, told from coarse views of both.

A truth that was shuffled, mirrored or turned trains and scores without any error. A coarse view
averages noise and forgives blur and a small shift; how well an input agrees with its own truth is
compared with how well it agrees with the truths of other images and with its own, turned.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from imaging.cli import UserError
from imaging.datasets import Item
from imaging.remarks import Remark, Remarks
from imaging.resample import linear, turned
from imaging.valid import find_valid

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
_ALIKE = 0.8  # correlation of truths that show one field; different ones were seen to reach 0.6
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
_SAME_FIELD = (
    "the truth shows the same field as that of an image of another source, so that what is trained "
    "on one and measured on the other flatters, and intervals are too narrow: state one source for "
    "both in dataset.toml."
)
_ITS_OWN_TRUTH = (
    "the truth is the input itself, from which nothing is learnt but to copy: look whether target/ "
    "was filled from input/."
)
_COPIED_REPEAT = (
    "the repeat is a copy of the input, whose noise counts as detail: give a second recording, or "
    "remove the repeat."
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
    source: str
    input: View
    truth: View
    reliable: bool


def inspect_pairs(items: Iterable[Item], prefix: str = "") -> Remarks:
    """Find pairs that do not fit, and images that stand for others.

    Parameters
    ----------
    items
        The images; of a stack the middle plane is looked at, of those without truth the repeat.
    prefix
        What their names begin with, where several datasets are in play.

    Returns
    -------
    Remarks
        Of those of which it can be told.
    """
    found = Remarks()
    pairs: list[_Pair] = []
    seen: dict[str | None, str] = {}
    for item in items:
        image = f"{prefix}{item.name}"
        degraded, truth = _middle_plane(item.read_input), _middle_plane(item.read_target)
        if degraded is None or degraded.min() == degraded.max():
            continue
        same = _hash(degraded)
        if item.of_repeat is not None and same == _hash(_middle_plane(item.of_repeat.read_input)):
            found.add(image, [Remark(_COPIED_REPEAT)])
        if truth is None or item.expansion_factor is not None:
            continue  # fields that are not registered yet need not agree
        if same in seen:
            found.add(image, [Remark(_REPEATED, f"the same as {seen[same]}")])
        if same == _hash(truth):
            found.add(image, [Remark(_ITS_OWN_TRUTH)])
        seen.setdefault(same, item.name)
        pairs += _views(item, degraded, truth)
    for i, pair in enumerate(pairs):
        following = [pairs[(i + k) % len(pairs)] for k in range(1, min(len(pairs), _OTHERS + 1))]
        found.add(f"{prefix}{pair.name}", _judge(pair, _on_grid_of(pair, following)))
        earlier = _on_grid_of(pair, pairs[max(i - _OTHERS, 0) : i])
        found.add(f"{prefix}{pair.name}", _of_one_field(pair, earlier))
    return found


def _on_grid_of(pair: _Pair, others: Iterable[_Pair]) -> list[_Pair]:
    return [other for other in others if other.truth.shape == pair.input.shape]


def _judge(pair: _Pair, others: Sequence[_Pair]) -> list[Remark]:
    candidates = {f"that of {other.name}": other.truth for other in others} | {
        words: view
        for turn, words in _TURNS.items()
        if (view := turned(pair.truth, *turn)).shape == pair.input.shape
    }
    own, *found = _agreements(pair.input, [pair.truth, *candidates.values()]).tolist()
    rivals: dict[str, float] = dict(zip(candidates, found, strict=True))
    if len(rivals) <= _FEWEST:
        return []
    best = max(rivals, key=rivals.__getitem__)
    chance = np.array([rivals[name] for name in rivals if name != best])
    expected, spread = float(chance.mean()), float(chance.std())
    if rivals[best] > max(own + _BETTER, expected + _SURE * spread, _CONVINCING):
        sentence = _TURNED if best in _TURNS.values() else _ANOTHER
        return [Remark(sentence, f"{best} (correlation {rivals[best]:.2f}, as it is {own:.2f})")]
    if pair.reliable and own < min(expected + _CHANCE * spread, _HARDLY):
        return [Remark(_NONE, f"correlation {own:.2f}, with others {expected:.2f} ± {spread:.2f}")]
    return []


def _of_one_field(pair: _Pair, others: Sequence[_Pair]) -> list[Remark]:
    strangers = [other for other in others if other.source != pair.source]
    if not strangers:
        return []
    alike = _agreements(pair.truth, [other.truth for other in strangers])
    for other, value in zip(strangers, alike.tolist(), strict=True):
        if value > _ALIKE:
            return [Remark(_SAME_FIELD, f"as {other.name} (correlation {value:.2f})")]
    return []


def _agreements(one: View, others: Sequence[View]) -> NDArray[np.float64]:
    """Correlate a view with each of others at the best small shift."""
    rows, columns = (length - 2 * _SHIFT for length in one.shape)
    shifts = [(y, x) for y in range(2 * _SHIFT + 1) for x in range(2 * _SHIFT + 1)]
    shifted = [one[y : y + rows, x : x + columns] for y, x in shifts]
    inner = [other[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT] for other in others]
    return (_unit_vectors(shifted) @ _unit_vectors(inner).T).max(0)


def _unit_vectors(views: Sequence[View]) -> NDArray[np.float64]:
    flat = np.stack([view.ravel() for view in views])
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.where(norms > 0, norms, 1)


def _middle_plane(read: Callable[..., xr.DataArray | None]) -> Plane | None:
    """Read the middle plane of a stack; None where there is none to be read, or NaN in it."""
    try:
        image = read(lazy=True)
        if image is None:
            return None
        plane = image.isel({dim: image.sizes[dim] // 2 for dim in image.dims[:-2]}).values
    except (UserError, OSError):
        return None
    return plane if np.isfinite(plane).all() else None


def _hash(plane: Plane | None) -> str | None:
    """Return what pixels have in common that are alike, of whatever type."""
    if plane is None:
        return None
    values = plane.astype(np.float32)
    return hashlib.sha256(f"{values.shape}".encode() + values.tobytes()).hexdigest()


def _views(item: Item, degraded: Plane, truth: Plane) -> list[_Pair]:
    """Make coarse views of both on one grid; none of images that are too small."""
    longer = max(degraded.shape)
    side = min(_SIDE, longer // 2)
    rows, columns = (round(side * length / longer) for length in degraded.shape)
    if min(rows, columns) < _SMALLEST or min(truth.shape) < 2 * _SMALLEST:
        return []
    degraded, truth = (_counting(plane) for plane in (degraded, truth))
    one, other = (linear(plane, (rows, columns)).astype(np.float64) for plane in (degraded, truth))
    reliable = _structured(degraded, one) and _structured(truth, other)
    return [_Pair(item.name, item.source, _structure(one), _structure(other), reliable)]


def _counting(plane: Plane) -> Plane:
    """Put the median where pixels do not count, as a bar would outshine what the field shows."""
    valid = find_valid(plane)
    return plane if valid is None else np.where(valid.pixels, plane, valid.median)


def _structure(view: View) -> View:
    """Take out noise and shading."""
    return ndimage.gaussian_filter(view, _FINEST) - ndimage.gaussian_filter(view, _COARSEST)


def _structured(plane: Plane, view: View) -> bool:
    """Tell whether a view shows more than the plane's noise; fine detail is taken for noise."""
    detail = plane[::2, ::2][: plane.shape[0] // 2, : plane.shape[1] // 2].astype(np.float64)
    detail = detail - plane[1::2, 1::2][: detail.shape[0], : detail.shape[1]]
    noise = float((detail**2).mean() / 2) * view.size / plane.size
    return noise < (1 - _RELIABLE) * float(_structure(view).var())
