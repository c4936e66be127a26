"""What the displacement that registration left costs in scores, and scores without it.

Truths that were registered lie a little beside their input, and by how much copies of the pairs
have told (displaced/ of a dataset). A restoration is scored against the truth, which is off by the
unknown error, and against truths that are off by one more such error. What the second error costs,
the first has cost, too: simulation extrapolation (Cook and Stefanski 1994,
doi:10.1080/01621459.1994.10476871), linear in the variance of the error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.comparison.comparisons import TRUTH
from benchmark.metrics import METRICS, NotApplicable, normalise
from benchmark.running.cell import CellFiles, CellKey
from benchmark.running.items import item_of
from benchmark.running.planes import metric_inputs
from benchmark.running.restore import RestorationError
from benchmark.running.scored_part import scored_part
from imaging import images
from imaging.benchmark_run import DatasetEntry, ImageEntry, PackageEntry
from imaging.bootstrap import CONFIDENCE, RESAMPLES, SEED, times_drawn
from imaging.cli import UserError

SCORES = ("si_psnr_a", "ssim_affine")
LARGEST_GAIN_DB = 10.0
"""Of SI-PSNR without displacement over that with it: beyond, hardly any error is the package's."""
_Values = NDArray[np.float64]


@dataclass(frozen=True)
class WithoutDisplacement:
    """Mean scores of one package over images, as they are and without what registration left.

    Attributes
    ----------
    name
        Of the package; the truth stands for a perfect restoration under an error like that left.
    scored
        By metric of `SCORES`.
    freed
        By metric: without the displacement, and its 95 % interval over images and errors.
    images
        How many entered.
    """

    name: str
    scored: dict[str, float]
    freed: dict[str, tuple[float, float, float]]
    images: int


def measure_displacement(
    dataset: DatasetEntry, packages: Sequence[PackageEntry], results: CellFiles
) -> list[WithoutDisplacement]:
    """Score restorations against truths that are displaced once more.

    Parameters
    ----------
    dataset, packages
        Of the run; images without displaced truths are left out.
    results
        Where the restored images are.

    Returns
    -------
    list of WithoutDisplacement
        Of the truth first; of each package and control that restored all these images. Empty where
        there are none.
    """
    judged = [image for image in dataset.images if image.displaced and image.target]
    found: list[WithoutDisplacement] = []
    for package in sorted(packages, key=lambda package: package.name != TRUTH):
        try:
            scores = [_scores(image, dataset, package, results) for image in judged]
        except (UserError, RestorationError, NotApplicable):
            continue  # not restored everywhere, or damaged since the run
        if scores:
            sources = [image.source for image in judged]
            found.append(_summarised(package.name, scores, sources))
    return found


def without_displacement(
    scored: float, displaced: NDArray[np.float64], metric: str
) -> NDArray[np.float64]:
    """Extrapolate a score to no displacement.

    Parameters
    ----------
    scored
        Against the registered truth, off by one error.
    displaced
        (n,), against truths off by one more error each.
    metric
        Of `SCORES`.

    Returns
    -------
    ndarray
        (n,), one for each error.

    Examples
    --------
    >>> without_displacement(0.8, np.array([0.7]), "ssim_affine").round(3).tolist()
    [0.9]
    """
    if metric != "si_psnr_a":
        return 2 * scored - displaced
    # Errors of a restoration and of registration add up as squares.
    left = 2 * _squares(np.array(scored)) - _squares(displaced)
    least = _squares(np.array(scored + LARGEST_GAIN_DB))
    return -10 * np.log10(np.maximum(left, least))


def _squares(decibel: _Values) -> _Values:
    return 10 ** (-decibel / 10)


def _scores(
    image: ImageEntry, dataset: DatasetEntry, package: PackageEntry, results: CellFiles
) -> dict[str, tuple[float, _Values]]:
    """Return by metric the score against the truth, and against each displaced one."""
    restored = images.read(results.prediction_file(CellKey(package.name, dataset.name, image.name)))
    item = item_of(image, dataset)
    (known,) = metric_inputs(restored, item, {}, delivery=package.delivery)
    stack = images.read(Path(image.displaced)).values.astype(np.float64)
    both = [of for of in (item.read_input(), item.read_target()) if of is not None]
    part = scored_part(both, (stack.shape[1], stack.shape[2])) or np.s_[:, :]
    truth, prediction = known["truth"], known["prediction"]
    beside = [normalise(plane[part]) for plane in stack]
    return {
        metric: (
            METRICS[metric](truth, prediction) if package.name != TRUTH else math.inf,
            np.array([METRICS[metric](other, prediction) for other in beside]),
        )
        for metric in SCORES
    }


def _summarised(
    name: str, scores: Sequence[dict[str, tuple[float, _Values]]], sources: Sequence[str]
) -> WithoutDisplacement:
    scored: dict[str, float] = {}
    freed: dict[str, tuple[float, float, float]] = {}
    for metric in SCORES:
        per_image = [of_image[metric] for of_image in scores]
        if name == TRUTH:
            draws = [beside for _, beside in per_image]
            scored[metric] = float(np.mean([beside.mean() for beside in draws]))
        else:
            draws = [without_displacement(score, beside, metric) for score, beside in per_image]
            scored[metric] = float(np.mean([score for score, _ in per_image]))
        freed[metric] = _interval(draws, sources)
    return WithoutDisplacement(name, scored, freed, len(scores))


def _interval(draws: Sequence[_Values], sources: Sequence[str]) -> tuple[float, float, float]:
    """Return a mean over images with its interval.

    Each resample draws sources, and in each image an error of registration: a new one beside the
    few that were drawn, hence Student's t and one more than their mean's variance.
    """
    means = np.array([of_image.mean() for of_image in draws])
    count = min(len(of_image) for of_image in draws)
    spreads = np.array([of_image.std(ddof=1) for of_image in draws]) * math.sqrt(1 + 1 / count)
    _, cluster = np.unique(np.asarray(sources), return_inverse=True)
    times = times_drawn(int(cluster.max()) + 1)[:, cluster]
    noise = np.random.default_rng(SEED).standard_t(count - 1, (RESAMPLES, len(draws)))
    resampled = (times * (means + spreads * noise)).sum(axis=1) / times.sum(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(means.mean()), float(low), float(high)
