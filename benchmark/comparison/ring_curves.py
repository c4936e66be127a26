"""Fourier ring correlation of what one method restored, as a curve for a figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import MetricInputs, NotApplicable
from benchmark.metrics.ring_correlation import first_crossing, ring_correlation
from benchmark.running.cell import CellFiles, CellKey
from benchmark.running.items import item_of
from benchmark.running.planes import metric_inputs
from benchmark.running.restore import RestorationError
from imaging import images
from imaging.benchmark_run import DatasetEntry, ImageEntry, PackageEntry
from imaging.cli import UserError
from imaging.datasets import Item

_IMAGES = 12  # of a dataset, evenly spread: enough for a figure
_POINTS = 60


@dataclass(frozen=True)
class RingCurve:
    """How well the images of one method agree with a reference, by spatial frequency.

    Attributes
    ----------
    name
        Of the method.
    frequency
        (points,), cycles per pixel.
    correlation
        (points,), mean over images.
    """

    name: str
    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]

    def crossing(self, threshold: float) -> float:
        """Return where the curve falls below a threshold: 0 from the start, infinity for never."""
        found = float(first_crossing(self.frequency, self.correlation - threshold))
        if np.isfinite(found):
            return found
        return np.inf if self.correlation[-1] > threshold else 0.0


def measure_ring_curve(
    dataset: DatasetEntry, package: PackageEntry, results: CellFiles, reference: str
) -> RingCurve | None:
    """Correlate what a method restored with the truth, or with what it made of the repeat.

    Parameters
    ----------
    dataset, package
        Of the run; the package may be a control.
    results
        Where the restored images are.
    reference
        "truth" or "repeat".

    Returns
    -------
    RingCurve or None
        Of the middle planes of 12 images, evenly spread; None where there is nothing to compare.
    """
    frequency = np.linspace(0, 0.5, _POINTS)
    found: list[NDArray[np.float64]] = []
    for image in _spread(dataset.images):
        place = CellKey(package.name, dataset.name, image.name)
        known = _known(place, item_of(image, dataset), results)
        one, other = known.get("prediction"), known.get(reference)
        if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
            continue
        try:
            curve = ring_correlation(one, other)
        except NotApplicable:
            continue
        found.append(np.interp(frequency, curve.frequency, curve.correlation))
    if not found:
        return None
    return RingCurve(package.name, frequency, np.mean(found, axis=0))


def _spread(of_dataset: Sequence[ImageEntry]) -> list[ImageEntry]:
    count = len(of_dataset)
    places = np.linspace(0, count - 1, min(count, _IMAGES)).round().astype(int)
    return [of_dataset[i] for i in places]


def _known(place: CellKey, item: Item, results: CellFiles) -> MetricInputs:
    """Return what is known of the middle plane; nothing where a file moved or was damaged."""
    repeat = results.repeat_file(place)
    try:
        restored = images.read(results.prediction_file(place))
        again = images.read(repeat) if repeat.exists() else None
        planes = metric_inputs(restored, item, {}, again)
    except (UserError, RestorationError):
        return {}
    return planes[len(planes) // 2]
