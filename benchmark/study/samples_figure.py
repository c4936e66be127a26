"""The figure of a study: scores and time against samples, steps or members."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from imaging import drawing
from imaging.bootstrap import Estimate, estimate_mean

_LABELS = {
    "samples": "samples K",
    "steps": "solver steps S per sample",
    "members": "members",
}
_WIDTH, _HEIGHT, _LEFT, _TOP, _BELOW = 170.0, 150.0, 56.0, 32.0, 42.0
_MEAN = drawing.Key("mean", drawing.Stroke(drawing.ACCENT, 1.4), "circle")
_SAMPLE = drawing.Key("one sample", drawing.Stroke(drawing.CONTRAST, 1.4), "square")
_EXACT = drawing.Key("exact posterior, 1 + 1/K", drawing.Stroke(dashes="7 3"))
_COVERAGES = (
    ("coverage_50", 0.5, drawing.Key("50 %", drawing.Stroke(drawing.ACCENT, 1.4), "circle")),
    ("coverage_90", 0.9, drawing.Key("90 %", drawing.Stroke(drawing.CONTRAST, 1.4), "square")),
    ("coverage_95", 0.95, drawing.Key("95 %", drawing.Stroke(drawing.INK, 1.4), "triangle")),
)


Series = dict[int, Estimate]  # means over images, by number of samples, steps or members


@dataclass(frozen=True)
class _Plot:
    """One panel: series, further lines, and a value that its vertical axis has to show."""

    label: str
    series: Sequence[tuple[drawing.Key, Series]]
    lines: Sequence[tuple[drawing.Stroke, Sequence[drawing.Point]]] = ()
    shows: tuple[float, ...] = ()


def draw_study(table: pd.DataFrame, defaults: Mapping[str, int]) -> str:
    """Draw one row of panels for each argument that was varied.

    Errors are shown relative to those of the largest number, image by image: images differ in
    difficulty by more than settings do. Bars are 95 % confidence intervals over images.

    Parameters
    ----------
    table
        As `benchmark.study.samples` writes it: a column per argument, image, source, metric, value.
    defaults
        The package's own arguments, marked by a band; they stay while another is varied.

    Returns
    -------
    str
        An SVG element.
    """
    rows = {name: _varied(table, defaults, name) for name in defaults}
    rows = {name: row for name, row in rows.items() if row[name].nunique() > 1}
    width = 4 * (_LEFT + _WIDTH) + drawing.RIGHT
    title = f"{table['package'].iloc[0]} on {table['dataset'].iloc[0]}"
    kinds = [_MEAN, _SAMPLE, _EXACT] if "samples" in rows else [_MEAN]
    shares = [key for _, _, key in _COVERAGES]
    parts = [
        drawing.text((4, 13), title, bold=True),
        *drawing.legend(kinds, _LEFT, 20, width)[0],
        *drawing.legend(shares, 2 * (_LEFT + _WIDTH) + _LEFT, 20, width)[0],
    ]
    below = 36.0
    for name, row in rows.items():
        for i, plot in enumerate(_plots(row, name)):
            parts += _draw(plot, name, defaults[name], i * (_LEFT + _WIDTH) + _LEFT, below + _TOP)
        below += _TOP + _HEIGHT + _BELOW
    return drawing.svg(parts, below, f"{title}: scores and time", width)


def _varied(table: pd.DataFrame, defaults: Mapping[str, int], name: str) -> pd.DataFrame:
    """Return the rows in which all other arguments are the package's own."""
    same = np.ones(len(table), dtype=bool)
    for other, value in defaults.items():
        if other != name:
            same &= (table[other] == value).to_numpy()
    return table[same]


def _plots(row: pd.DataFrame, name: str) -> Iterator[_Plot]:
    """Plot errors, CRPS, coverage and time."""
    most = int(row[name].max())
    ends = [int(row[name].min()), most]

    def of(metric: str) -> pd.DataFrame:
        return row[row["metric"] == metric]

    def series(rows: pd.DataFrame) -> Series:
        groups = {int(str(x)): group for x, group in rows.groupby(name)}
        return {x: estimate_mean(found["value"], found["source"]) for x, found in groups.items()}

    def relative(rows: pd.DataFrame) -> Series:
        return series(rows.assign(value=rows["value"] / rows["image"].map(reference).to_numpy()))

    means, singles = of("mse_mean"), of("mse_sample")
    reference = means[means[name] == most].set_index("image")["value"]
    errors, lines = [(_MEAN, relative(means))], []
    if name == "samples":
        single = singles[singles[name] == most].assign(**{name: 1})
        errors.append((_SAMPLE, relative(single)))
        counts = np.geomspace(1, most, 60).tolist()
        exact = [(count, (1 + 1 / count) / (1 + 1 / most)) for count in counts]
        lines.append((_EXACT.stroke, exact))
    yield _Plot(f"MSE relative to {most} {name}", errors, lines)
    yield _Plot("CRPS", [(_MEAN, series(of("crps")))])
    yield _Plot(
        "coverage of 50, 90, 95 %",
        [(key, series(of(metric))) for metric, _, key in _COVERAGES],
        [
            (drawing.Stroke(key.stroke.colour, dashes="2 3"), [(end, share) for end in ends])
            for _, share, key in _COVERAGES
        ],
    )
    yield _Plot(
        "seconds per megapixel", [(_MEAN, series(of("seconds_per_megapixel")))], shows=(0.0,)
    )


def _draw(plot: _Plot, name: str, default: int, left: float, top: float) -> Iterator[str]:
    found = [(x, one) for _, series in plot.series for x, one in series.items()]
    numbers = sorted({x for x, _ in found})
    shown = [v for _, one in found for v in (one.low, one.mean, one.high) if v is not None]
    shown += [*plot.shows, *(y for _, points in plot.lines for _, y in points)]
    bottom = top + _HEIGHT
    panel = drawing.Panel(
        drawing.log_scale(numbers, left, left + _WIDTH, factor=1.2, ticks=numbers),
        drawing.linear_scale(shown, bottom, top),
    )
    at_default = panel.x(default)
    yield drawing.line(
        (at_default, top), (at_default, bottom), drawing.Stroke(drawing.INK, 5, 0.12)
    )
    yield from panel.axes(_LABELS[name], plot.label)
    for stroke, points in plot.lines:
        yield panel.curve(points, stroke)
    for key, series in plot.series:
        yield panel.curve([(x, one.mean) for x, one in series.items()], key.stroke)
        for x, one in series.items():
            if one.low is not None and one.high is not None:
                yield drawing.line(panel.place(x, one.low), panel.place(x, one.high), key.stroke)
            yield drawing.mark(key.shape, panel.place(x, one.mean), key.stroke.colour)
