"""The figures of a fit as SVG, in colours that the page sets for light, dark and print."""

import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from training.simulation.fitting.classifier import Separability
from training.simulation.fitting.findings import PhotonTransfer
from training.simulation.fitting.spectrum import mean_power
from training.simulation.fitting.statistics import Images, autocorrelation, noise_of

WARN_AUC = 0.7
_SIZE_IN = (4.6, 3.1)
_LAGS = range(1, 7)
_BINS = 64

# Stand-ins that matplotlib can write; the page's variables take their places.
_INK, _REAL, _FITTED, _DEFAULT = "#010101", "#010102", "#010103", "#010104"
_VARIABLES = {_INK: "ink", _REAL: "real", _FITTED: "fitted", _DEFAULT: "default"}
# Told apart without colour, too.
_LOOKS: dict[str, dict[str, Any]] = {
    "real": {"color": _REAL, "linestyle": "-", "linewidth": 2.2},
    "fitted": {
        "color": _FITTED,
        "linestyle": "-",
        "linewidth": 1.4,
        "marker": "o",
        "markersize": 3,
    },
    "default": {"color": _DEFAULT, "linestyle": "--", "linewidth": 1.4},
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@mpl.rc_context(_STYLE)
def photon_transfer(transfer: PhotonTransfer) -> str:
    """Draw the variance of the noise against the mean, with the fitted line.

    Parameters
    ----------
    transfer
        Points and line.

    Returns
    -------
    str
        An SVG element.
    """
    figure, axes = _blank()
    axes.plot(
        transfer.mean_counts,
        transfer.variance_counts2,
        linestyle="none",
        marker="o",
        markersize=4,
        color=_REAL,
        label="real",
    )
    ends = np.array([transfer.mean_counts.min(), transfer.mean_counts.max()])
    line = transfer.slope_counts * ends + transfer.intercept_counts2
    axes.plot(ends, line, color=_FITTED, label=f"slope {transfer.slope_counts:.3g} counts")
    axes.set(xlabel="mean (counts)", ylabel="variance (counts²)")
    axes.legend()
    return _svg(figure, "Photon transfer: variance against mean")


@mpl.rc_context(_STYLE)
def spectra(kinds: Mapping[str, Images], pixel_size_um: float) -> str:
    """Draw radial power spectra.

    Parameters
    ----------
    kinds
        Images by "real", "fitted" and "default".
    pixel_size_um
        Side of a pixel.

    Returns
    -------
    str
        An SVG element.
    """
    figure, axes = _blank()
    for kind, images in kinds.items():
        axes.plot(*mean_power(images, pixel_size_um), label=kind, **_LOOKS[kind])
    axes.set(xlabel="spatial frequency (cycles/µm)", ylabel="power (counts²)", yscale="log")
    axes.legend()
    return _svg(figure, "Radial power spectra")


@mpl.rc_context(_STYLE)
def histograms(kinds: Mapping[str, Images]) -> str:
    """Draw how often each intensity occurs.

    Parameters
    ----------
    kinds
        Images by "real", "fitted" and "default".

    Returns
    -------
    str
        An SVG element.
    """
    values = {k: np.concatenate([image.ravel() for image in images]) for k, images in kinds.items()}
    # The default microscope may have other counts altogether, beside which these would be a line.
    ends = np.array([np.quantile(values[kind], (0.001, 0.999)) for kind in ("real", "fitted")])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    step = max((high - low) / _BINS, 1e-6)
    if all(np.issubdtype(image.dtype, np.integer) for image in kinds["real"]):
        step = np.ceil(step)  # or some bins would hold more whole numbers than others
    edges = np.arange(np.floor(low) - step / 2, high + step, step)
    middles = (edges[:-1] + edges[1:]) / 2
    figure, axes = _blank()
    for kind, all_of_kind in values.items():
        counted = np.histogram(all_of_kind, edges)[0] / all_of_kind.size
        look = {key: value for key, value in _LOOKS[kind].items() if "marker" not in key}
        axes.plot(middles, np.where(counted > 0, counted, np.nan), label=kind, **look)
    axes.set(xlabel="intensity (counts)", ylabel="share of pixels", yscale="log")
    axes.legend()
    return _svg(figure, "Histograms of intensity")


@mpl.rc_context(_STYLE)
def noise_autocorrelation(kinds: Mapping[str, Images]) -> str:
    """Draw how the finest part of the images resembles its neighbours along y and x.

    Parameters
    ----------
    kinds
        Images by "real", "fitted" and "default".

    Returns
    -------
    str
        An SVG element.
    """
    figure = _figure()
    panels = figure.subplots(1, 2, sharey=True)
    for kind, images in kinds.items():
        noises = [noise_of(image.astype(np.float64)) for image in images]
        for axes, axis in zip(panels, (-1, -2), strict=True):
            along = [
                np.mean([autocorrelation(noise, lag, axis).mean() for noise in noises])
                for lag in _LAGS
            ]
            axes.plot(_LAGS, along, label=kind, **_LOOKS[kind])
    panels[0].set(xlabel="lag along x (px)", ylabel="autocorrelation")
    panels[1].set(xlabel="lag along y (px)")
    panels[1].legend()
    for axes in panels:
        axes.axhline(0, color=_INK, linewidth=0.6)
    return _svg(figure, "Autocorrelation of the noise")


@mpl.rc_context(_STYLE)
def separabilities(before: Separability, after: Separability) -> str:
    """Draw both areas under the curve with their intervals.

    Parameters
    ----------
    before, after
        Of the default and of the fitted microscope.

    Returns
    -------
    str
        An SVG element.
    """
    figure = _figure((6.4, 1.5))
    axes = figure.subplots()
    kinds = {"default": before, "fitted": after}
    for place, (kind, found) in enumerate(kinds.items()):
        colour = _LOOKS[kind]["color"]
        axes.plot(found.interval, (place, place), color=colour, linewidth=2)
        axes.plot(found.auc, place, marker="o", markersize=7, color=colour)
    axes.axvline(0.5, color=_INK, linewidth=0.8)
    axes.axvline(WARN_AUC, color=_INK, linewidth=0.8, linestyle=":")
    lowest = min(0.4, before.interval[0], after.interval[0])
    axes.set(xlim=(lowest - 0.01, 1.01), ylim=(1.6, -0.6), xlabel="AUC (0.5 is chance)")
    axes.set_yticks(range(len(kinds)), list(kinds))
    axes.spines.left.set_visible(False)
    axes.tick_params(axis="y", length=0)
    return _svg(figure, "AUC of real against simulated, before and after the fit")


def _figure(size_in: tuple[float, float] = _SIZE_IN) -> Figure:
    figure = Figure(figsize=size_in, layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def _blank() -> tuple[Figure, Axes]:
    figure = _figure()
    return figure, figure.subplots()


def _svg(figure: Figure, label: str) -> str:
    """Write a figure as an element of a page: colours by variable, no clashing names."""
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": label}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="([^"]*)"', lambda m: m[0] if f"#{m[1]}" in text else "", text)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, f"var(--{variable})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
