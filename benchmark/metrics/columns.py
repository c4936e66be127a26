"""Metrics and costs as tables and figures need them."""

from dataclasses import dataclass

import pandas as pd

from benchmark.metrics import METRICS, Metric
from imaging.scores import COSTS as COST_METRICS
from imaging.scores import MEMORY, SECONDS, Direction

COST = "cost"
_PERFECT_DB = 100  # beyond lies the rounding of float32
# From what is measured against the truth to what a package says of itself.
_FAMILIES = (
    "fidelity",
    "tolerant",
    "structure",
    "features",
    "literature",
    "perception",
    "resolution",
    "volumes",
    "consistency",
    "calibration",
    "uncertainty",
    "believed",
)


@dataclass(frozen=True)
class Column:
    """A metric as a table needs it."""

    metric: str
    label: str
    direction: Direction
    unit: str
    summary: str
    family: str
    ideal: float = 0.0
    needs: tuple[str, ...] = ()

    @property
    def arrow(self) -> str:
        """Return where better values lie."""
        arrows = {"higher": "↑", "lower": "↓", "closest": f"→ {self.ideal:g}", "neither": ""}
        return arrows[self.direction]

    @property
    def axis(self) -> str:
        """Return the label of an axis."""
        unit = f" ({self.unit})" if self.unit else ""
        if self.direction == "closest":
            return f"{self.label}{unit}, {self.ideal:g} is best"
        if self.direction == "neither":
            return f"{self.label}{unit}"
        return f"{self.label}{unit}, {self.direction} is better {self.arrow}"

    def losses(self, values: "pd.Series[float]") -> "pd.Series[float]":
        """Return what is lower for what is better: packages are ranked and compared by this."""
        if self.direction == "closest":
            return (values - self.ideal).abs()
        return -values if self.direction == "higher" else values

    def format(self, value: float) -> str:
        """Write a value with the digits that mean something."""
        if self.unit == "dB" and value > _PERFECT_DB:
            return f"> {_PERFECT_DB}"
        if self.metric in COST_METRICS:
            return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
        digits = 2 if self.unit in ("dB", "px") else 3
        rounded = round(value, digits) + 0.0  # no −0.00
        return f"{rounded:.{digits}f}".replace("-", "−")


COSTS = (
    Column(
        SECONDS, "Time", "lower", "s/MP", "Seconds per megapixel, without loading the model.", COST
    ),
    Column(
        MEMORY,
        "Peak memory",
        "lower",
        "MiB",
        "Memory beyond the loaded model.",
        COST,
    ),
)


def _place(metric: Metric) -> int:
    return _FAMILIES.index(metric.family) if metric.family in _FAMILIES else len(_FAMILIES)


QUALITY = tuple(
    Column(
        m.name,
        m.label.replace(" %", "\u00a0%"),
        m.direction,
        m.unit,
        m.summary,
        m.family,
        m.ideal,
        m.needs,
    )
    for m in sorted(METRICS.values(), key=_place)
)


def column_of(metric: str) -> Column:
    """Return the column of a metric of quality."""
    return next(column for column in QUALITY if column.metric == metric)


# What chooses the worst image, and stands against cost and perception.
CHOOSING = column_of("si_psnr_a")
PERCEPTION = column_of("lpips_alex")
