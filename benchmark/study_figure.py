"""The figure of a study: scores and time against samples, steps or members."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from packages.bootstrap import estimate_mean
from packages.files import replacing

_LABELS = {
    "samples": "samples K",
    "steps": "solver steps S per sample",
    "members": "members",
}
_COVERAGES = {"coverage_50": 0.5, "coverage_90": 0.9, "coverage_95": 0.95}
_WIDTH_IN, _HEIGHT_IN = 3.1, 2.7


def draw(table: pd.DataFrame, defaults: Mapping[str, int], path: Path) -> None:
    """Draw one row of panels for each argument that was varied.

    Errors are shown relative to those of the largest number, image by image: images differ in
    difficulty by more than settings do. Bars are 95 % confidence intervals over images.

    Parameters
    ----------
    table
        As `benchmark.study` writes it: a column per argument, image, source, metric, value.
    defaults
        The package's own arguments; they stay while another is varied.
    path
        Without suffix; .svg and .png are written.
    """
    rows = {name: _varied(table, defaults, name) for name in defaults}
    rows = {name: row for name, row in rows.items() if row[name].nunique() > 1}
    figure = Figure((4 * _WIDTH_IN, _HEIGHT_IN * max(len(rows), 1)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{table['package'].iloc[0]} on {table['dataset'].iloc[0]}", fontsize=10)
    panels = figure.subplots(max(len(rows), 1), 4, squeeze=False)
    for (name, row), (error, proper, covered, cost) in zip(rows.items(), panels, strict=False):
        _relative_mse(error, row, name)
        _curve(proper, row, name, "crps")
        proper.set_ylabel("CRPS")
        for i, (metric, nominal) in enumerate(_COVERAGES.items()):
            _curve(covered, row, name, metric, color=f"C{i}")
            covered.axhline(nominal, color=f"C{i}", lw=0.8, ls=":")
        covered.set_ylabel("coverage of 50, 90, 95 %")
        _curve(cost, row, name, "seconds_per_megapixel")
        cost.set_ylabel("seconds per megapixel")
        cost.set_ylim(bottom=0)
        for panel in (error, proper, covered, cost):
            values = sorted(row[name].unique())
            if panel is error and name == "samples":
                values.insert(0, 1)  # one sample
            panel.set_xscale("log", base=2)
            panel.set_xticks(values, [str(value) for value in values])
            panel.minorticks_off()
            panel.set_xlabel(_LABELS[name])
            panel.axvline(defaults[name], color="0.85", lw=4, zorder=0)
    # The same numbers give the same bytes.
    svg, png = path.with_suffix(".svg"), path.with_suffix(".png")
    with mpl.rc_context({"svg.hashsalt": "study"}), replacing(svg) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    with replacing(png) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def _varied(table: pd.DataFrame, defaults: Mapping[str, int], name: str) -> pd.DataFrame:
    """Return the rows in which all other arguments are the package's own."""
    same = np.ones(len(table), dtype=bool)
    for other, value in defaults.items():
        if other != name:
            same &= (table[other] == value).to_numpy()
    return table[same]


def _relative_mse(panel: Axes, row: pd.DataFrame, name: str) -> None:
    most = int(row[name].max())
    means = row[row["metric"] == "mse_mean"]
    reference = means[means[name] == most].set_index("image")["value"]
    relative = means.assign(value=means["value"] / means["image"].map(reference).to_numpy())
    _points(panel, relative, name, label="mean")
    if name == "samples":
        single = row[(row["metric"] == "mse_sample") & (row[name] == most)]
        single = single.assign(value=single["value"] / single["image"].map(reference).to_numpy())
        _points(panel, single.assign(**{name: 1}), name, color="C1", label="one sample")
        K = np.geomspace(1, most, 60)
        exact = (1 + 1 / K) / (1 + 1 / most)
        panel.plot(K, exact, color="0.4", lw=1, ls="--", label="exact posterior, 1 + 1/K")
        panel.legend(fontsize=7, frameon=False)
    panel.set_ylabel(f"MSE relative to {most} {name}")


def _curve(panel: Axes, row: pd.DataFrame, name: str, metric: str, *, color: str = "C0") -> None:
    _points(panel, row[row["metric"] == metric], name, color=color)


def _points(
    panel: Axes, rows: pd.DataFrame, name: str, *, color: str = "C0", label: str | None = None
) -> None:
    """Draw means over images with their intervals."""
    found = {
        int(str(x)): estimate_mean(group["value"], group["source"])
        for x, group in rows.groupby(name)
    }
    mean = np.array([e.mean for e in found.values()])
    low = np.array([e.mean if e.low is None else e.low for e in found.values()])
    high = np.array([e.mean if e.high is None else e.high for e in found.values()])
    panel.errorbar(
        list(found),
        mean,
        [mean - low, high - mean],
        fmt="o-",
        ms=4,
        lw=1.2,
        capsize=2,
        color=color,
        label=label,
    )
