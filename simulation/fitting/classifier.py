"""How well a classifier tells real patches from simulated ones: 0.5 is chance, 1 is always."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from imaging.cli import UserError
from simulation.fitting.noise_correlation import Floats, Images, autocorrelation, noise_of

Indices: TypeAlias = NDArray[np.int64]

MAX_PATCHES = 300  # of either kind
_FOLDS = 5
_GROUPS = 4 * _FOLDS  # what either kind is cut into where it has fewer images
_TREES = 100
_RESAMPLINGS = 1000
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_BAND_PERIODS = 2  # width of a band of the power spectrum, in periods per patch
_CELL_PX = 4  # side of the squares of a photon-transfer curve within a patch
_TINY = 1e-12  # keeps logarithms of an entirely flat patch finite


@dataclass(frozen=True)
class ScoredPatch:
    """A patch, and how real it looked to a classifier not trained on its surroundings.

    Attributes
    ----------
    image, plane, y, x
        Which image of its kind, which plane of it (0 of a single one), and its first pixel.
    score
        0 simulated to 1 real.
    """

    image: int
    plane: int
    y: int
    x: int
    score: float


@dataclass(frozen=True)
class Separability:
    """How well real patches are told from simulated ones.

    Attributes
    ----------
    auc
        Cross-validated area under the ROC curve: the probability that of a real and a simulated
        patch the real one is scored higher.
    interval
        95 %, by bootstrap over images or blocks of them.
    patch_px
        Side of a patch.
    real, simulated
        Every patch with its score, easiest to tell first.
    """

    auc: float
    interval: tuple[float, float]
    patch_px: int
    real: tuple[ScoredPatch, ...]
    simulated: tuple[ScoredPatch, ...]


@dataclass(frozen=True)
class _Patches:
    """Patches of one kind.

    Attributes
    ----------
    pixels
        (patches, y, x).
    places
        (patches, 4): image, plane, y, x.
    groups
        (patches,): equal where patches may resemble one another by their origin; from 0, none
        empty.
    """

    pixels: Floats
    places: Indices
    groups: Indices


def separability(
    real: Images, simulated: Images, *, patch_px: int = 32, seed: int = 0
) -> Separability:
    """Let a small classifier tell real patches from simulated ones.

    A random forest judges what describes intensities, noise, spectrum and their direction
    (`describe`). It was chosen because it needs no tuning and sees differences of spread and of
    shape as well as of the mean. Patches of one image are never on both sides of the
    cross-validation; where a kind has few images each is cut into contiguous blocks instead, and
    then whatever distinguishes just these images counts as a difference, too.

    Parameters
    ----------
    real, simulated
        Images (y, x) or stacks (z, y, x) in counts as the microscope wrote them, on pixels of the
        same size; sizes may differ. Planes of a stack stay on one side, as neighbours are alike.
    patch_px
        Side of a patch. At most `MAX_PATCHES` of either kind are used, drawn at random.
    seed
        Number from which all randomness follows.

    Returns
    -------
    Separability
        Area under the ROC curve with its interval, and the score of every patch.

    Raises
    ------
    UserError
        There are too few patches of a kind to test on some and train on others.
    """
    rng = np.random.default_rng(seed)
    kinds = (
        _cut(real, patch_px, "real", rng),
        _cut(simulated, patch_px, "simulated", rng),
    )
    folds = _deal_folds(kinds, rng)
    features = [describe(kind.pixels) for kind in kinds]
    scores = _score(features, folds, seed)
    wins, pairs = _compare(scores, folds, [kind.groups for kind in kinds])
    return Separability(
        auc=float(wins.sum() / pairs.sum()),
        interval=_interval(wins, pairs, rng),
        patch_px=patch_px,
        real=_scored(kinds[0].places, scores[0], -scores[0]),
        simulated=_scored(kinds[1].places, scores[1], scores[1]),
    )


def describe(patches: Floats) -> Floats:
    """Describe patches by numbers that image formation rules and structure rules less.

    Parameters
    ----------
    patches
        (patches, y, x) counts, at least 16 pixels a side.

    Returns
    -------
    NDArray
        (patches, features): quantiles, mean, standard deviation and skewness of the counts;
        logarithm of the noise's variance and its slope against the mean (photon transfer); its
        autocorrelation along y and x at lags 1 and 2; logarithms of the share of each radial band
        in the power spectrum; and of power along y over power along x in bands twice as wide.
    """
    flat = patches.reshape(len(patches), -1)
    noise = noise_of(patches)
    centred = flat - flat.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1)
    columns = [
        *np.quantile(flat, _QUANTILES, axis=1),
        flat.mean(axis=1),
        spread,
        (centred**3).mean(axis=1) / (spread + _TINY) ** 3,
        np.log(noise.var(axis=(1, 2)) + _TINY),
        _photon_transfer_slope(patches, noise),
        *(autocorrelation(noise, lag, axis) for lag in (1, 2) for axis in (-2, -1)),
        *_spectrum(patches),
    ]
    return np.stack(columns, axis=1)


def _photon_transfer_slope(patches: Floats, noise: Floats) -> Floats:
    """Return the slope of the noise's variance against the mean, over small squares of a patch."""
    side = patches.shape[-1] // _CELL_PX
    cells = (len(patches), side, _CELL_PX, side, _CELL_PX)
    used = side * _CELL_PX
    means = patches[:, :used, :used].reshape(cells).mean(axis=(2, 4)).reshape(len(patches), -1)
    variances = (noise[:, :used, :used] ** 2).reshape(cells).mean(axis=(2, 4))
    variances = variances.reshape(len(patches), -1)
    means -= means.mean(axis=1, keepdims=True)
    return (means * variances).sum(axis=1) / ((means**2).sum(axis=1) + _TINY)


def _spectrum(patches: Floats) -> list[Floats]:
    """Return the log share of radial bands, and log power along y over x in pairs of bands."""
    side = patches.shape[-1]
    window = np.hanning(side)
    centred = patches - patches.mean(axis=(1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(centred * window[:, None] * window)) ** 2 + _TINY
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency)
    bands = side // 2 // _BAND_PERIODS
    band = np.minimum(radius * side / _BAND_PERIODS, bands - 1).astype(int)  # corners join the last
    band[0, 0] = -1  # the mean is told of already
    along_y = np.abs(frequency[:, None]) > np.abs(frequency)

    total = power[:, band >= 0].sum(axis=1)
    shares = [np.log(power[:, band == k].sum(axis=1) / total) for k in range(bands)]
    ratios = [
        np.log(
            power[:, (band // 2 == k) & along_y].mean(axis=1)
            / power[:, (band // 2 == k) & along_y.T].mean(axis=1)
        )
        for k in range((bands + 1) // 2)
    ]
    return [*shares, *ratios]


def _cut(images: Images, patch_px: int, kind: str, rng: np.random.Generator) -> _Patches:
    """Cut squares side by side; draw some of them where there are many."""
    stacks = [image.reshape(-1, *image.shape[-2:]) for image in images]
    # as many blocks along each side as make enough groups
    blocks = 1 if len(stacks) >= _GROUPS else int(np.ceil(np.sqrt(_GROUPS / max(len(stacks), 1))))
    places: list[tuple[int, int, int, int]] = []
    origins: list[tuple[int, int, int]] = []
    for index, stack in enumerate(stacks):
        planes, rows, columns = stack.shape[0], *(side // patch_px for side in stack.shape[1:])
        for plane, row, column in np.ndindex(planes, rows, columns):
            places.append((index, plane, row * patch_px, column * patch_px))
            origins.append((index, row * blocks // rows, column * blocks // columns))
    if len(set(origins)) < 2:
        raise UserError(
            f"The {kind} images hold fewer than two separate patches of {patch_px} x {patch_px} "
            "pixels to compare: give larger or more images."
        )
    chosen = rng.permutation(len(places))[:MAX_PATCHES]
    _, groups = np.unique(np.array(origins)[chosen], axis=0, return_inverse=True)
    table = np.array(places)[chosen]
    pixels = np.stack([stacks[i][z, y : y + patch_px, x : x + patch_px] for i, z, y, x in table])
    return _Patches(pixels.astype(np.float64), table, groups.reshape(-1))


def _deal_folds(kinds: Sequence[_Patches], rng: np.random.Generator) -> list[Indices]:
    """Return the fold of each patch; each kind's groups are dealt out evenly."""
    counts = [int(kind.groups.max()) + 1 for kind in kinds]
    folds = min(_FOLDS, *counts)
    return [
        (rng.permutation(count) % folds)[kind.groups]
        for kind, count in zip(kinds, counts, strict=True)
    ]


def _score(features: Sequence[Floats], folds: Sequence[Indices], seed: int) -> list[Floats]:
    """Return how real each patch looks to a forest trained on the other folds."""
    scores = [np.zeros(len(fold)) for fold in folds]
    for held_out in np.unique(folds[0]):
        training = [rows[fold != held_out] for rows, fold in zip(features, folds, strict=True)]
        labels = np.repeat([1, 0], [len(rows) for rows in training])
        forest = RandomForestClassifier(
            _TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed
        )
        forest.fit(np.concatenate(training), labels)
        for rows, fold, score in zip(features, folds, scores, strict=True):
            score[fold == held_out] = np.asarray(forest.predict_proba(rows[fold == held_out]))[:, 1]
    return scores


def _compare(
    scores: Sequence[Floats], folds: Sequence[Indices], groups: Sequence[Indices]
) -> tuple[Floats, Floats]:
    """Count how often the real patch of a pair scores higher, ties half.

    Only patches of one fold were scored by one forest and can be compared. Returns won pairs and
    all pairs, (real groups, simulated groups) each.
    """
    real, simulated = scores
    comparable = folds[0][:, None] == folds[1]
    won = (np.sign(real[:, None] - simulated) + 1) / 2 * comparable
    of_real, of_simulated = (np.eye(int(g.max()) + 1)[g] for g in groups)
    return of_real.T @ won @ of_simulated, of_real.T @ comparable @ of_simulated


def _interval(wins: Floats, pairs: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % interval of the AUC over redrawn groups of both kinds."""
    drawn = [rng.multinomial(n, np.full(n, 1 / n), _RESAMPLINGS) for n in wins.shape]
    won, compared = (np.einsum("br,rs,bs->b", drawn[0], table, drawn[1]) for table in (wins, pairs))
    possible = compared > 0  # a draw may hold no two groups of one fold
    low, high = np.quantile(won[possible] / compared[possible], (0.025, 0.975))
    return float(low), float(high)


def _scored(places: Indices, scores: Floats, order: Floats) -> tuple[ScoredPatch, ...]:
    return tuple(
        ScoredPatch(*(int(number) for number in places[i]), score=float(scores[i]))
        for i in np.argsort(order, kind="stable")
    )
