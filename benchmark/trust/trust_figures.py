"""Figures of the trust tests.

Packages stand out from controls by colour and weight, and every one has a mark of its own, so that
they are told apart in print and without colour vision.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.trust.outcomes import SHIFTS
from imaging import drawing

_PANEL, _HEIGHT, _LEFT, _TOP = 210.0, 150.0, 40.0, 40.0
_ROW, _ROWS_TOP = 13.0, 24.0
_PACKAGE = drawing.Stroke(drawing.ACCENT, 1.8)
_CONTROL = drawing.Stroke(drawing.INK, 1.0, 0.6, "4 3")


@dataclass(frozen=True)
class _Figure:
    """What is drawn of a test: curves over distances, or values by condition."""

    name: str
    title: str
    test: str
    metric: str
    axis: str
    over_distance: bool = False


FIGURES = (
    _Figure("points", "Two points", "points", "resolved", "distance, µm", True),
    _Figure("tubes", "Two tubes", "tubes", "resolved", "distance, µm", True),
    _Figure(
        "axial-points",
        "Two points above each other",
        "axial points",
        "resolved",
        "distance along z, µm",
        True,
    ),
    _Figure(
        "axial-tubes",
        "Two tubes that cross at different depth",
        "axial tubes",
        "resolved",
        "distance along z, µm",
        True,
    ),
    _Figure("splits", "Single tubes that are split", "tubes", "false_splits", "share"),
    _Figure("gaps", "Gaps that are shown", "gaps", "shown_open", "length, µm", True),
    _Figure("breaks", "Whole tubes that are broken", "gaps", "false_breaks", "share"),
    _Figure("crossings", "Meeting tubes counted right", "crossings", "count_accuracy", "share"),
    _Figure(
        "spines",
        "Spines that are brighter than 95 % of empty places",
        "spines",
        "spines_shown_at",
        "distance from the shaft, µm",
        True,
    ),
    _Figure("spine_auc", "Spines told from empty places", "spines", "spine_auc", "AUC"),
    _Figure(
        "empty", "Invented beside structure", "empty", "invented_per_1000_um2", "objects / 1000 µm²"
    ),
    _Figure(
        "light", "Light in empty fields", "empty", "invented_light", "share of tube brightness"
    ),
    _Figure(
        "amplitudes", "Brightness ratios are kept to the power", "amplitudes", "ratio_exponent", ""
    ),
    _Figure("dim", "Dim points that are lost", "amplitudes", "dim_lost", "share"),
    _Figure("shifts", "Gain over the input", SHIFTS, "si_psnr_a_gain", "SI-PSNR, dB"),
)


def draw_figures(
    table: pd.DataFrame, packages: Sequence[str], controls: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Draw a figure of each test.

    Parameters
    ----------
    table
        With the columns of trust.csv.
    packages
        All names, in their order in the legend; some are controls.

    Returns
    -------
    dict
        Title and SVG element by name; without tests that gave no value.
    """
    drawn: dict[str, tuple[str, str]] = {}
    for figure in FIGURES:
        rows = table[(table["test"] == figure.test) & (table["metric"] == figure.metric)]
        rows = rows[rows["value"].notna() & ~rows["value"].isin([math.inf])]
        if len(rows):
            present = set(rows["package"])
            keys = {
                name: _key(
                    name, drawing.SHAPES[i % len(drawing.SHAPES)], is_control=name in controls
                )
                for i, name in enumerate(packages)
                if name in present
            }
            draw = _curves if figure.over_distance else _values
            drawn[figure.name] = (figure.title, draw(figure, rows, keys))
    return drawn


def _key(name: str, shape: str, *, is_control: bool) -> drawing.Key:
    stroke = _CONTROL if is_control else _PACKAGE
    return drawing.Key(name, stroke, shape, bold=not is_control)


def _curves(figure: _Figure, rows: pd.DataFrame, keys: Mapping[str, drawing.Key]) -> str:
    """Draw shares over distance, one panel per condition."""
    conditions = list(dict.fromkeys(rows["condition"]))
    parts: list[str] = []
    for i, condition in enumerate(conditions):
        left = _LEFT + i * (_PANEL + _LEFT)
        panel = drawing.Panel(
            drawing.linear_scale(
                [0.0, float(rows["at_um"].max()) + 0.05], left, left + _PANEL, margin=0
            ),
            drawing.linear_scale([0.0, 1.0], _TOP + _HEIGHT, _TOP, words="{:.0%}".format),
        )
        parts += panel.axes(figure.axis, condition)
        for name, key in keys.items():
            own = rows[(rows["package"] == name) & (rows["condition"] == condition)]
            points = list(zip(own["at_um"].tolist(), own["value"].tolist(), strict=True))
            parts.append(panel.curve(points, key.stroke, name))
            parts += [
                drawing.mark(key.shape, panel.place(*p), key.stroke.colour, name) for p in points
            ]
    width = len(conditions) * (_LEFT + _PANEL) + drawing.RIGHT
    return _finish(figure.title, parts, keys, width, _TOP + _HEIGHT + 44)


def _values(figure: _Figure, rows: pd.DataFrame, keys: Mapping[str, drawing.Key]) -> str:
    """Draw values with their intervals, one row per condition, packages below each other in it."""
    conditions = list(dict.fromkeys(rows["condition"]))
    left, tall = 16 + drawing.LETTER * max(map(len, conditions)), _ROW * len(keys) + 10
    width, bottom = left + 2 * _PANEL, _ROWS_TOP + tall * len(conditions)
    shown = [float(v) for c in ("value", "low", "high") for v in rows[c] if math.isfinite(v)]
    x = drawing.linear_scale([*shown, 0.0], left, width - drawing.RIGHT)
    parts = drawing.x_axis(x, _ROWS_TOP, bottom, figure.axis)
    for i, condition in enumerate(conditions):
        top = _ROWS_TOP + tall * i
        parts.append(drawing.text((left - 10, top + tall / 2 + 4), condition, anchor="end"))
        for j, (name, key) in enumerate(keys.items()):
            own = rows[(rows["package"] == name) & (rows["condition"] == condition)]
            y = top + 5 + _ROW * (j + 0.5)
            for value, low, high in own[["value", "low", "high"]].itertuples(index=False):
                if math.isfinite(low) and math.isfinite(high):
                    parts.append(
                        drawing.line(
                            (x(low), y), (x(high), y), drawing.Stroke(key.stroke.colour, 1.5)
                        )
                    )
                title = f"{name}, {condition}: {value:.3g}"
                parts.append(drawing.mark(key.shape, (x(value), y), key.stroke.colour, title))
    return _finish(figure.title, parts, keys, width, bottom + 44)


def _finish(
    title: str, parts: list[str], keys: Mapping[str, drawing.Key], width: float, below: float
) -> str:
    """Put title and legend around a drawing."""
    named, height = drawing.legend(keys.values(), 4, below, width)
    return drawing.svg(
        [drawing.text((4, 13), title, bold=True), *parts, *named], height + 4, title, width
    )
