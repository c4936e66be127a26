"""Structures and microscopes that a package may not know: what they cost.

Scores of different structures do not compare, so what counts is the gain over the input: the mean
over images of the package's score less the input's. The loss is the gain on usual images less that
gain.
"""

from collections.abc import Mapping
from contextlib import suppress

import pandas as pd
import xarray as xr

from benchmark.metrics import METRICS, NotApplicable
from benchmark.running.planes import metric_inputs
from benchmark.running.restore import Method
from benchmark.trust.phantom_datasets import REFERENCE
from benchmark.trust.plane import Outcome
from benchmark.trust.values import TrustValue, mean
from imaging.datasets import Item

GAINS = ("si_psnr_a", "ssim")
_MEASURED = (*GAINS, "coverage_90")


def score(restored: xr.DataArray, item: Item, method: Method) -> Outcome:
    """Score an image that a method restored of an item with a target, by metric.

    Without coverage where the package states no standard deviation.
    """
    (known,) = metric_inputs(restored, item, method.interval_factors, delivery=method.delivery)
    outcome: Outcome = {}
    for name in (name for name in _MEASURED if name in METRICS):
        with suppress(NotApplicable):
            outcome[name] = METRICS[name].of(known)
    return outcome


def summarise(
    outcomes: Mapping[str, pd.DataFrame], of_input: Mapping[str, pd.DataFrame]
) -> dict[str, list[TrustValue]]:
    """Average over images and compare with the usual ones.

    Of outcomes of `score` by condition, with the column image, and of those of the input: by
    condition each metric, its ``..._gain`` over the input, and its ``..._loss``.
    """
    found: dict[str, list[TrustValue]] = {}
    usual: dict[str, float] = {}
    for condition in sorted(outcomes, key=lambda name: name != REFERENCE):
        scores = outcomes[condition].set_index("image")
        values = [mean(name, scores[name], scores.index) for name in _MEASURED if name in scores]
        for name in (name for name in GAINS if name in scores and condition in of_input):
            of_images = scores[name] - of_input[condition].set_index("image")[name]
            gain = mean(f"{name}_gain", of_images, scores.index)
            values.append(gain)
            if condition == REFERENCE and gain.value is not None:
                usual[name] = gain.value
            elif name in usual and gain.value is not None:
                values.append(TrustValue(f"{name}_loss", usual[name] - gain.value, gain.n))
        found[condition] = values
    return found
