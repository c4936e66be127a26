"""Figures of the trust tests as SVG, coloured by the page around them.

Packages stand out from controls by colour and weight, and every one has a mark of its own, so that
they are told apart in print and without colour vision.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd
from matplotlib.ticker import MaxNLocator

from benchmark.trust.seen import SHIFTS

_ACCENT = "var(--accent, #0b6e99)"
_PANEL, _HEIGHT, _LEFT, _GAP = 210.0, 150.0, 40.0, 26.0
_TOP, _LEGEND_ROW, _LETTER = 34.0, 17.0, 6.4
_MARKS = ("circle", "square", "triangle", "diamond", "plus", "cross")


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
    _Figure("splits", "Single tubes that are split", "tubes", "false_splits", "share"),
    _Figure("gaps", "Gaps that are shown", "gaps", "shown_open", "length, µm", True),
    _Figure("breaks", "Whole tubes that are broken", "gaps", "false_breaks", "share"),
    _Figure("crossings", "Meeting tubes counted right", "crossings", "count_accuracy", "share"),
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
        All names, in their order in the legend.
    controls
        Which of them are controls.

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
            names = [name for name in packages if name in set(rows["package"])]
            marks = {name: _MARKS[i % len(_MARKS)] for i, name in enumerate(packages)}
            draw = _curves if figure.over_distance else _values
            drawn[figure.name] = (figure.title, draw(figure, rows, names, controls, marks))
    return drawn


def _curves(
    figure: _Figure,
    rows: pd.DataFrame,
    names: Sequence[str],
    controls: Sequence[str],
    marks: dict[str, str],
) -> str:
    """Draw shares over distance, one panel per condition."""
    conditions = list(dict.fromkeys(rows["condition"]))
    x_ticks, to_x = _scale([0.0, float(rows["at_um"].max()) + 0.05], 0, _PANEL)
    y_ticks, to_y = _scale([0.0, 1.0], _HEIGHT, 0)
    parts: list[str] = []
    for i, condition in enumerate(conditions):
        parts.append(f'<g transform="translate({_LEFT + i * (_PANEL + _GAP):g},{_TOP:g})">')
        parts += _frame(condition, figure.axis, x_ticks, to_x, y_ticks, to_y, label_y=i == 0)
        for name in names:
            own = rows[(rows["package"] == name) & (rows["condition"] == condition)]
            places = [
                (to_x(x), to_y(y))
                for x, y in zip(own["at_um"].tolist(), own["value"].tolist(), strict=True)
            ]
            parts += _line(name, places, is_control=name in controls)
            parts += [_mark(marks[name], x, y, _colour(name, controls), name) for x, y in places]
        parts.append("</g>")
    width = _LEFT + len(conditions) * (_PANEL + _GAP)
    return _svg(figure.title, parts, names, controls, marks, width, _TOP + _HEIGHT + 44)


def _values(
    figure: _Figure,
    rows: pd.DataFrame,
    names: Sequence[str],
    controls: Sequence[str],
    marks: dict[str, str],
) -> str:
    """Draw values with their intervals, one row per condition, packages below each other in it."""
    conditions = list(dict.fromkeys(rows["condition"]))
    left = 16 + _LETTER * max(map(len, conditions))
    width, step = left + 2 * _PANEL, 13.0
    tall = step * len(names) + 10
    bottom = _TOP + tall * len(conditions)
    shown = [float(v) for c in ("value", "low", "high") for v in rows[c] if math.isfinite(v)]
    ticks, to_x = _scale([*shown, 0.0], left, width - 14)
    parts = [
        f'<line x1="{to_x(t):.1f}" x2="{to_x(t):.1f}" y1="{_TOP:g}" y2="{bottom:g}" '
        f'stroke="currentColor" stroke-opacity="0.14"/><text x="{to_x(t):.1f}" '
        f'y="{bottom + 15:g}" text-anchor="middle">{t:g}</text>'
        for t in ticks
    ]
    parts.append(
        f'<text x="{(left + width) / 2:.1f}" y="{bottom + 32:g}" text-anchor="middle">'
        f"{escape(figure.axis)}</text>"
    )
    for i, condition in enumerate(conditions):
        middle = _TOP + tall * (i + 0.5)
        parts.append(
            f'<text x="{left - 10:.1f}" y="{middle + 4:.1f}" text-anchor="end">'
            f"{escape(condition)}</text>"
        )
        for j, name in enumerate(names):
            own = rows[(rows["package"] == name) & (rows["condition"] == condition)]
            y = _TOP + tall * i + 5 + step * (j + 0.5)
            for value, low, high in own[["value", "low", "high"]].itertuples(index=False):
                colour = _colour(name, controls)
                if math.isfinite(low) and math.isfinite(high):
                    parts.append(
                        f'<line x1="{to_x(low):.1f}" x2="{to_x(high):.1f}" y1="{y:.1f}" '
                        f'y2="{y:.1f}" style="stroke:{colour}" stroke-width="1.5"/>'
                    )
                title = f"{name}, {condition}: {value:.3g}"
                parts.append(_mark(marks[name], to_x(value), y, colour, title))
    return _svg(figure.title, parts, names, controls, marks, width, bottom + 44)


def _frame(
    title: str,
    axis: str,
    x_ticks: Sequence[float],
    to_x: Callable[[float], float],
    y_ticks: Sequence[float],
    to_y: Callable[[float], float],
    *,
    label_y: bool,
) -> list[str]:
    parts = [
        f'<text x="0" y="-8">{escape(title)}</text>',
        f'<text x="{_PANEL / 2:g}" y="{_HEIGHT + 34:g}" text-anchor="middle">{escape(axis)}</text>',
    ]
    for tick in x_ticks:
        parts.append(
            f'<text x="{to_x(tick):.1f}" y="{_HEIGHT + 16:g}" text-anchor="middle">{tick:g}</text>'
        )
    for tick in y_ticks:
        parts.append(
            f'<line x1="0" x2="{_PANEL:g}" y1="{to_y(tick):.1f}" y2="{to_y(tick):.1f}" '
            'stroke="currentColor" stroke-opacity="0.14"/>'
        )
        if label_y:
            parts.append(
                f'<text x="-7" y="{to_y(tick) + 4:.1f}" text-anchor="end">{tick:.0%}</text>'
            )
    return parts


def _line(name: str, places: Sequence[tuple[float, float]], *, is_control: bool) -> list[str]:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    colour = "currentColor" if is_control else _ACCENT
    dash = ' stroke-dasharray="4 3" stroke-opacity="0.6"' if is_control else ' stroke-width="1.8"'
    return [
        f'<polyline points="{points}" fill="none" style="stroke:{colour}"{dash}>'
        f"<title>{escape(name)}</title></polyline>"
    ]


def _mark(mark: str, x: float, y: float, colour: str, title: str) -> str:
    style = f'style="fill:{colour};stroke:{colour}" stroke-width="1.4"'
    shapes = {
        "circle": "m-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0",
        "square": "m-2.7,-2.7h5.4v5.4h-5.4z",
        "triangle": "m0,-3.4l3.2,5.8h-6.4z",
        "diamond": "m0,-3.8l3.2,3.8l-3.2,3.8l-3.2,-3.8z",
        "plus": "m-3.2,0h6.4m-3.2,-3.2v6.4",
        "cross": "m-2.6,-2.6l5.2,5.2m0,-5.2l-5.2,5.2",
    }
    path = f"M{x:.1f},{y:.1f}{shapes[mark]}"
    return f'<path d="{path}" {style}><title>{escape(title)}</title></path>'


def _colour(name: str, controls: Sequence[str]) -> str:
    return "currentColor" if name in controls else _ACCENT


def _scale(
    values: Sequence[float], start: float, stop: float
) -> tuple[list[float], Callable[[float], float]]:
    """Return ticks, and the map from values to positions from start to stop."""
    low, high = min(values), max(values)
    high = high if high > low else low + 1
    ticks = [float(tick) for tick in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)]

    def position(value: float) -> float:
        return start + (value - low) / (high - low) * (stop - start)

    return [tick for tick in ticks if low - 1e-9 <= tick <= high + 1e-9], position


def _svg(
    title: str,
    parts: Sequence[str],
    names: Sequence[str],
    controls: Sequence[str],
    marks: dict[str, str],
    width: float,
    height: float,
) -> str:
    """Put title and legend around a drawing."""
    legend: list[str] = []
    for i, name in enumerate(names):
        y = height + _LEGEND_ROW * i + 4
        weight = "" if name in controls else ' font-weight="600"'
        legend.append(_mark(marks[name], _LEFT + 6, y - 4, _colour(name, controls), name))
        legend.append(f'<text x="{_LEFT + 18:g}" y="{y:g}"{weight}>{escape(name)}</text>')
    whole = height + _LEGEND_ROW * len(names) + 6
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {whole:g}" role="img" '
        'font-family="system-ui, sans-serif" font-size="11" fill="currentColor">'
        f"<title>{escape(title)}</title>"
        f'<text x="4" y="13" font-weight="600">{escape(title)}</text>'
        f"{''.join([*parts, *legend])}</svg>"
    )
