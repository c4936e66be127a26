"""How well the uncertainties of one package hold over a whole dataset, pooled for a figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.known import known_planes
from benchmark.metrics import Known, NotApplicable
from benchmark.metrics.calibration import reliability_bins, reliability_curve, standardise
from benchmark.metrics.conformal import conformal_factor
from benchmark.scores import Place, Results
from packages import images
from packages.cli import UserError
from packages.datasets import Item

LEVELS = tuple(np.round(np.linspace(0.05, 0.95, 19), 2).tolist())
_ALPHA = _DELTA = 0.1
_PIXELS = 2**16  # of each plane


@dataclass(frozen=True)
class Reliability:
    """Stated and found uncertainty of one package on one dataset.

    Attributes
    ----------
    name
        Of the package.
    curve
        Share of pixels that the Gaussian intervals of each of `LEVELS` hold, mean over images.
    own
        Nominal and found coverage of the intervals that the package states itself.
    bins
        Per 30th of the pixels of all images, from the most certain: stated and found root mean
        square error.
    guaranteed
        The factor λ with which mean ± λ·std holds, for new images like these, at least 90 % of the
        pixels with 90 % confidence; or why nothing can be promised.
    width
        The mean width of these intervals; 0 without.
    """

    name: str
    curve: tuple[float, ...]
    own: tuple[tuple[float, float], ...]
    bins: tuple[tuple[float, float], ...]
    guaranteed: float | str
    width: float


def measure_reliability(
    dataset: Mapping[str, Any], method: Mapping[str, Any], results: Results
) -> Reliability | None:
    """Read what a package restored and compare its standard deviations with its errors.

    Parameters
    ----------
    dataset, method
        Entries of "datasets" and "packages" in run.json.
    results
        Where the restored images are.

    Returns
    -------
    Reliability or None
        None where the package states no standard deviation, or truth or images are not there.
    """
    by_source: dict[str, list[Known]] = {}
    for facts in dataset["images"]:
        place = Place(method["name"], dataset["name"], facts["name"])
        file = results.prediction_file(place)
        item = item_of(facts, dataset["pixel_size_um"])
        if item.target is None or not (file.exists() and item.input.exists()):
            continue
        if not item.target.exists():
            continue
        try:
            planes = [p for p in known_planes(images.read(file), item, {}) if _is_complete(p)]
        except UserError:
            continue  # damaged since the run
        if planes:
            by_source.setdefault(item.source, []).extend(planes)
    if not by_source:
        return None
    planes = [plane for of_source in by_source.values() for plane in of_source]
    three = [_three(plane) for plane in planes]
    curves = [reliability_curve(truth, mean, std, LEVELS) for truth, mean, std in three]
    truth, mean, std = (np.concatenate(part) for part in zip(*three, strict=True))
    guaranteed: float | str
    try:
        guaranteed = conformal_factor(
            [_ratios(of_source) for of_source in by_source.values()], alpha=_ALPHA, delta=_DELTA
        )
    except NotApplicable as reason:
        guaranteed = str(reason)
    return Reliability(
        method["name"],
        tuple(np.mean(curves, axis=0).tolist()),
        tuple(
            (float(level), _own_coverage(three, factor))
            for level, factor in method["interval_factors"].items()
        ),
        tuple((stated, found) for stated, found, _ in reliability_bins(truth, mean, std).tolist()),
        guaranteed,
        2 * guaranteed * float(std.mean()) if isinstance(guaranteed, float) else 0.0,
    )


def item_of(facts: Mapping[str, Any], pixel_size_um: float | None) -> Item:
    """Return an image of a dataset as run.json has it.

    Parameters
    ----------
    facts
        The image's entry there.
    pixel_size_um
        What the dataset says of it, µm.

    Returns
    -------
    Item
        Of input and truth; what else is known of it is left out.
    """
    return Item(
        name=facts["name"],
        input=Path(facts["input"]),
        target=Path(facts["target"]) if facts["target"] else None,
        native=None,
        source=facts["source"],
        split=None,
        microscope={},
        pixel_size_um=pixel_size_um,
    )


def _is_complete(plane: Known) -> bool:
    if any(not isinstance(plane.get(name), np.ndarray) for name in ("truth", "mean", "std")):
        return False
    try:
        standardise(*_three(plane))
    except NotApplicable:
        return False
    return True


def _three(plane: Known) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, mean and std of evenly spread pixels: enough for a figure."""
    step = math.ceil(np.size(plane["truth"]) / _PIXELS)
    truth, mean, std = (np.ravel(plane[name])[::step] for name in ("truth", "mean", "std"))
    return truth, mean, std


def _own_coverage(three: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], f: float) -> float:
    shares = [float(np.mean(np.abs(standardise(*of_plane)[0]) <= f)) for of_plane in three]
    return float(np.mean(shares))


def _ratios(planes: Sequence[Known]) -> np.ndarray:
    return np.concatenate([np.abs(standardise(*_three(plane))[0]).ravel() for plane in planes])
