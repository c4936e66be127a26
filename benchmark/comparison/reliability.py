"""How well the uncertainties of one package hold over a whole dataset, pooled for figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.comparison.unchanged import calibration_of
from benchmark.metrics import MetricInputs, NotApplicable
from benchmark.metrics.calibration import refuse_deviations
from benchmark.running.cell import CellFiles, CellKey
from benchmark.running.items import item_of
from benchmark.running.planes import metric_inputs
from benchmark.running.restore import RestorationError
from imaging import images
from imaging.benchmark_run import DatasetEntry, PackageEntry
from imaging.calibration import (
    TooFewImagesError,
    conformal_factor,
    coverage,
    ence,
    fit_isotonic,
    gaussian_factor,
    interval_factor,
    map_std,
    reliability_bins,
    standardise,
)
from imaging.cli import UserError
from packages.posterior import KNOTS

LEVELS = tuple(np.round(np.linspace(0.05, 0.95, 19), 2).tolist())
SHARES = (0.5, 0.9, 0.95)
"""Of pixels that the intervals in tables are meant to hold."""
_ALPHA = _DELTA = 0.1
_PIXELS = 2**14  # of each plane
_SEED = 0

Array = NDArray[np.float64]
Plane = tuple[Array, Array]
"""Errors and the standard deviations stated of them, pixel by pixel."""


@dataclass(frozen=True)
class Stage:
    """Stated and found uncertainty before, with or after a calibration.

    Attributes
    ----------
    bins
        Per 30th of the pixels of all images, from the most certain: stated and found root mean
        square error.
    pooled_ence
        Expected normalised calibration error of the pixels of all images together; the metric
        `ence` is that of one image.
    curve
        Share of pixels that the Gaussian intervals of each of `LEVELS` hold, mean over images.
    coverage
        The same of the intervals of each of `SHARES`, which need not be Gaussian.
    """

    bins: tuple[tuple[float, float], ...]
    pooled_ence: float
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
    by_source: dict[str, list[Plane]] = {}
    unusable = 0
    for image in dataset.images:
        place = CellKey(package.name, dataset.name, image.name)
        file = results.prediction_file(place)
        item = item_of(image, dataset)
        if item.target is None or not (file.exists() and item.input.exists()):
            continue
        if not item.target.exists():
            continue
        try:
            found = metric_inputs(images.read(file), item, {}, delivery=package.delivery)
        except (UserError, RestorationError):
            continue  # damaged or changed since the run
        planes = [drawn for plane in found if (drawn := _drawn(plane)) is not None]
        # A package that states nothing anywhere has no reliability; a blank truth is not its fault.
        unusable += sum(isinstance(plane.get("truth"), np.ndarray) for plane in found) - len(planes)
        if planes:
            by_source.setdefault(item.source, []).extend(planes)
    if not by_source:
        return None
    planes = [plane for of_source in by_source.values() for plane in of_source]
    own = {float(level): factor for level, factor in package.interval_factors.items()}
    gaussian = {share: gaussian_factor(share) for share in SHARES}
    guaranteed = (
        f"{package.name} states no usable deviation on some images."
        if unusable
        else _guarantee(list(by_source.values()))
    )
    mean_std = float(np.concatenate([std for _, std in planes]).mean())
    calibration = calibration_of(package)
    network = None
    if calibration is not None:
        of_network, of_package = calibration
        undone = [(error, map_std(std, of_package, of_network)) for error, std in planes]
        network = _stage(undone, [gaussian] * len(undone))
    z = _standardised(planes)
    return Reliability(
        package.name,
        tuple((level, _covered(z, [factor] * len(z))) for level, factor in own.items()),
        network,
        _stage(planes, [gaussian | own] * len(planes)),
        _refit(list(by_source.values())),
        guaranteed,
        2 * guaranteed * mean_std if isinstance(guaranteed, float) else 0.0,
    )


def _drawn(plane: MetricInputs) -> Plane | None:
    """Return errors and std of pixels drawn at random, enough for a figure, if they are known.

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
        refuse_deviations(std)
    except NotApplicable:
        return None
    return truth - mean, std


def _stage(planes: Sequence[Plane], factors: Sequence[Mapping[float, float]]) -> Stage:
    """Compare pixels of all planes, whose intervals are these factors times the std."""
    pooled = standardise(*_pool(planes))
    z = _standardised(planes)
    return Stage(
        tuple((stated, found) for stated, found, _ in reliability_bins(*pooled).tolist()),
        ence(*pooled),
        tuple(_covered(z, [gaussian_factor(level)] * len(z)) for level in LEVELS),
        tuple(_covered(z, [of[share] for of in factors]) for share in SHARES),
    )


def _refit(by_source: Sequence[Sequence[Plane]]) -> Stage | None:
    """Calibrate every other specimen on those between, and these on those."""
    halves = [[plane for of in by_source[start::2] for plane in of] for start in (0, 1)]
    if not all(halves):
        return None
    planes: list[Plane] = []
    factors: list[dict[float, float]] = []
    for seen, unseen in (halves, halves[::-1]):
        error, std = _pool(seen)
        fitted = fit_isotonic(error, std, KNOTS)
        planes += [(of_plane, map_std(stated, *fitted)) for of_plane, stated in unseen]
        z, _ = standardise(error, map_std(std, *fitted))
        factors += [{share: interval_factor(z, share) for share in SHARES}] * len(unseen)
    return _stage(planes, factors)


def _guarantee(by_source: Sequence[Sequence[Plane]]) -> float | str:
    """Return the factor that holds for new specimens, or why none can be promised."""
    z = [np.concatenate(_standardised(planes)) for planes in by_source]
    try:
        return conformal_factor(z, alpha=_ALPHA, delta=_DELTA)
    except TooFewImagesError as reason:
        return str(reason)


def _covered(z: Sequence[Array], factors: Sequence[float]) -> float:
    """Return the mean over planes of the share of pixels in their intervals."""
    return float(np.mean([coverage(of, factor) for of, factor in zip(z, factors, strict=True)]))


def _standardised(planes: Sequence[Plane]) -> list[Array]:
    return [standardise(error, std)[0] for error, std in planes]


def _pool(planes: Sequence[Plane]) -> Plane:
    error, std = (np.concatenate(part) for part in zip(*planes, strict=True))
    return error, std
