"""How well the uncertainties of one package hold over a whole dataset, pooled for figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from benchmark.cell_files import CellFiles, Place
from benchmark.known import known_planes
from benchmark.metrics import Known, NotApplicable
from benchmark.metrics.calibration import (
    FLOOR,
    calibration_error,
    gaussian_factor,
    reliability_bins,
    reliability_curve,
    standardise,
)
from benchmark.metrics.conformal import conformal_factor
from benchmark.restore import RestorationError
from benchmark.stated import calibration_of
from imaging.benchmark_run import DatasetEntry, ImageEntry, PackageEntry
from packages import images
from packages.cli import UserError
from packages.datasets import Item

LEVELS = tuple(np.round(np.linspace(0.05, 0.95, 19), 2).tolist())
SHARES = (0.5, 0.9, 0.95)
"""Of pixels that the intervals in tables are meant to hold."""
_ALPHA = _DELTA = 0.1
_PIXELS = 2**14  # of each plane
_SEED = 0

Array = NDArray[np.float64]
Three = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Stage:
    """Stated and found uncertainty before, with or after a calibration.

    Attributes
    ----------
    bins
        Per 30th of the pixels of all images, from the most certain: stated and found root mean
        square error.
    ence
        Mean relative difference of the two.
    curve
        Share of pixels that the Gaussian intervals of each of `LEVELS` hold, mean over images.
    coverage
        The same of the intervals of each of `SHARES`, which need not be Gaussian.
    """

    bins: tuple[tuple[float, float], ...]
    ence: float
    curve: tuple[float, ...]
    coverage: tuple[float, ...]


@dataclass(frozen=True)
class Reliability:
    """Stated and found uncertainty of one package on one dataset.

    Attributes
    ----------
    name
        Of the package.
    own
        Nominal and found coverage of the intervals that the package states itself.
    network
        With the standard deviation before the package's calibration, Gaussian intervals; None where
        the package does not say how it calibrates.
    delivered
        As the package delivers it, with its own intervals, Gaussian ones where it states none.
    refitted
        Fitted anew on one half of the specimens and measured on the other, and the reverse: what
        calibration on images like these would bring; None with one specimen.
    guaranteed
        The factor λ with which mean ± λ·std holds, for new images like these, at least 90 % of the
        pixels with 90 % confidence; or why nothing can be promised.
    width
        The mean width of these intervals; 0 without.
    """

    name: str
    own: tuple[tuple[float, float], ...]
    network: Stage | None
    delivered: Stage
    refitted: Stage | None
    guaranteed: float | str
    width: float


def measure_reliability(
    dataset: DatasetEntry, package: PackageEntry, results: CellFiles
) -> Reliability | None:
    """Read what a package restored and compare its standard deviations with its errors.

    Parameters
    ----------
    dataset, package
        Of the run.
    results
        Where the restored images are.

    Returns
    -------
    Reliability or None
        None where the package states no standard deviation, or truth or images are not there.
    """
    by_source: dict[str, list[Three]] = {}
    unusable = 0
    for image in dataset.images:
        place = Place(package.name, dataset.name, image.name)
        file = results.prediction_file(place)
        item = item_of(image, dataset)
        if item.target is None or not (file.exists() and item.input.exists()):
            continue
        if not item.target.exists():
            continue
        try:
            found = known_planes(images.read(file), item, {}, delivery=package.delivery)
        except (UserError, RestorationError):
            continue  # damaged or changed since the run
        planes = [three for plane in found if (three := _three(plane)) is not None]
        # A package that states nothing anywhere has no reliability; a blank truth is not its fault.
        unusable += sum(isinstance(plane.get("truth"), np.ndarray) for plane in found) - len(planes)
        if planes:
            by_source.setdefault(item.source, []).extend(planes)
    if not by_source:
        return None
    planes = [plane for of_source in by_source.values() for plane in of_source]
    own = {float(level): factor for level, factor in package.interval_factors.items()}
    gaussian = {share: gaussian_factor(share) for share in SHARES}
    guaranteed: float | str
    try:
        if unusable:
            raise NotApplicable(f"{package.name} states no usable deviation on some images.")
        guaranteed = conformal_factor(
            [_ratios(of_source) for of_source in by_source.values()], alpha=_ALPHA, delta=_DELTA
        )
    except NotApplicable as reason:
        guaranteed = str(reason)
    mean_std = float(np.concatenate([std for _, _, std in planes]).mean())
    calibration = calibration_of(package)
    network = None
    if calibration is not None:
        of_network, of_package = calibration
        undone = [(t, m, _mapped(std, of_package, of_network)) for t, m, std in planes]
        network = _stage(undone, [gaussian] * len(undone))
    return Reliability(
        package.name,
        tuple((level, _covered(planes, [factor] * len(planes))) for level, factor in own.items()),
        network,
        _stage(planes, [gaussian | own] * len(planes)),
        _refit(list(by_source.values())),
        guaranteed,
        2 * guaranteed * mean_std if isinstance(guaranteed, float) else 0.0,
    )


def item_of(image: ImageEntry, dataset: DatasetEntry) -> Item:
    """Return an image that was scored as an item of its dataset.

    Parameters
    ----------
    image, dataset
        Of the run.

    Returns
    -------
    Item
        Of input and truth; what else is known of it is left out.
    """
    return Item(
        name=image.name,
        input=Path(image.input),
        target=Path(image.target) if image.target else None,
        native=None,
        source=image.source,
        split=None,
        microscope={},
        pixel_size_um=dataset.pixel_size_um,
        target_pixel_size_um=dataset.target_pixel_size_um,
    )


def _three(plane: Known) -> Three | None:
    """Return truth, mean and std of pixels drawn at random, enough for a figure, if they are known.

    A regular choice would meet a regular grid, that of an image that was interpolated for instance.
    """
    truth, mean, std = (plane.get(name) for name in ("truth", "mean", "std"))
    if not all(isinstance(values, np.ndarray) for values in (truth, mean, std)):
        return None
    truth, mean, std = (
        np.ravel(np.asarray(values, dtype=np.float64)) for values in (truth, mean, std)
    )
    if truth.size > _PIXELS:
        drawn = np.random.default_rng(_SEED).choice(truth.size, _PIXELS, replace=False)
        truth, mean, std = truth[drawn], mean[drawn], std[drawn]
    try:
        standardise(truth, mean, std)
    except NotApplicable:
        return None
    return truth, mean, std


def _stage(planes: Sequence[Three], factors: Sequence[Mapping[float, float]]) -> Stage:
    """Compare pixels of all planes, whose intervals are these factors times the std."""
    truth, mean, std = (np.concatenate(part) for part in zip(*planes, strict=True))
    bins = reliability_bins(truth, mean, std)
    return Stage(
        tuple((stated, found) for stated, found, _ in bins.tolist()),
        calibration_error(bins),
        tuple(np.mean([reliability_curve(*plane, LEVELS) for plane in planes], axis=0).tolist()),
        tuple(_covered(planes, [of[share] for of in factors]) for share in SHARES),
    )


def _refit(by_source: Sequence[Sequence[Three]]) -> Stage | None:
    """Calibrate every other specimen on those between, and these on those."""
    halves = [[plane for of in by_source[start::2] for plane in of] for start in (0, 1)]
    if not all(halves):
        return None
    planes: list[Three] = []
    factors: list[dict[float, float]] = []
    for seen, unseen in (halves, halves[::-1]):
        calibrate = _fit(seen)
        planes += [(truth, mean, calibrate(std)) for truth, mean, std in unseen]
        ratios = _ratios([(truth, mean, calibrate(std)) for truth, mean, std in seen])
        factors += [{share: float(np.quantile(ratios, share)) for share in SHARES}] * len(unseen)
    return _stage(planes, factors)


def _fit(planes: Sequence[Three]) -> Callable[[Array], Array]:
    """Fit a monotone map of standard deviations: isotonic regression of squared errors."""
    truth, mean, std = (np.concatenate(part) for part in zip(*planes, strict=True))
    stated, found, pixels = reliability_bins(truth, mean, std).T
    variance = IsotonicRegression().fit_transform(stated, found**2, sample_weight=pixels)
    calibrated = np.maximum(np.sqrt(variance), FLOOR)
    return lambda std: _mapped(std, stated, calibrated)


def _mapped(std: Array, knots: Array, values: Array) -> Array:
    """Map linearly between knots, and beyond the last one in proportion."""
    return np.interp(std, knots, values) * np.maximum(std / knots[-1], 1)


def _covered(planes: Sequence[Three], factors: Sequence[float]) -> float:
    shares = [
        float(np.mean(np.abs(standardise(*plane)[0]) <= factor))
        for plane, factor in zip(planes, factors, strict=True)
    ]
    return float(np.mean(shares))


def _ratios(planes: Sequence[Three]) -> Array:
    return np.concatenate([np.abs(standardise(*plane)[0]) for plane in planes])
