"""Metrics: one function each, found in `METRICS` by its name.

A new one is a function of what it needs, (truth, prediction) for instance, under ``@metric(...)``
in the file of its family; `benchmark.metrics.metric` says what all of them share.
"""

from benchmark.metrics import (
    believed,
    calibration,
    consistency,
    features,
    fidelity,
    literature,
    perception,
    resolution,
    structure,
    tolerant,
    uncertainty,
    volumes,
)
from benchmark.metrics.intensity import normalise
from benchmark.metrics.metric import (
    METRICS,
    Metric,
    MetricInputs,
    MissingFile,
    NotApplicable,
    metric,
)

__all__ = [
    "METRICS",
    "Metric",
    "MetricInputs",
    "MissingFile",
    "NotApplicable",
    "believed",
    "calibration",
    "consistency",
    "features",
    "fidelity",
    "literature",
    "metric",
    "normalise",
    "perception",
    "resolution",
    "structure",
    "tolerant",
    "uncertainty",
    "volumes",
]
