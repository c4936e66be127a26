"""The figures of a fit: real, fitted and default told apart by colour, weight and dashes."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby

import numpy as np

from imaging import drawing
from simulation.fitting.classifier import Separability
from simulation.fitting.fit_report import PhotonTransfer
from simulation.fitting.noise_correlation import Floats, Images, autocorrelation, noise_of
from simulation.fitting.power_spectrum import mean_power

WARN_AUC = 0.7
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 60.0, drawing.WIDTH - 20, 44.0, 230.0, 274.0
_LAGS = range(1, 7)
_BINS = 64
_STROKES = {
    "real": drawing.Stroke(drawing.INK, 2.6, 0.7),
    "fitted": drawing.Stroke(drawing.ACCENT, 1.6),
    "default": drawing.Stroke(drawing.CONTRAST, 1.6, dashes="7 3"),
}
_ZERO = drawing.Stroke(width=0.6)

Curve = list[drawing.Point]


def photon_transfer(transfer: PhotonTransfer) -> str:
    """Draw the variance of the noise against the mean, with the fitted line, as SVG."""
    mean, variance = transfer.mean_counts, transfer.variance_counts2
    ends = np.array([mean.min(), mean.max()])
    fitted = transfer.slope_counts * ends + transfer.intercept_counts2
    panel = drawing.Panel(
        drawing.linear_scale(ends.tolist(), _LEFT, _RIGHT),
        drawing.linear_scale([*variance.tolist(), *fitted.tolist()], _BOTTOM, _TOP),
    )
    measured = zip(mean.tolist(), variance.tolist(), strict=True)
    slope = f"slope {transfer.slope_counts:.3g} counts"
    keys = [
        drawing.Key("real", drawing.Stroke(drawing.INK, 0), "circle"),
        drawing.Key(slope, _STROKES["fitted"]),
    ]
    parts = [
        *panel.axes("mean (counts)", "variance (counts²)"),
        *(drawing.mark("circle", panel.place(*point)) for point in measured),
        panel.curve(zip(ends.tolist(), fitted.tolist(), strict=True), _STROKES["fitted"]),
        *drawing.legend(keys, _LEFT, 2, drawing.WIDTH)[0],
    ]
    return drawing.svg(parts, _HEIGHT, "Photon transfer: variance against mean")


def spectra(kinds: Mapping[str, Images], pixel_size_um: float) -> str:
    """Draw radial power spectra of images by "real", "fitted" and "default", as SVG."""
    curves = {kind: _joined(*mean_power(of, pixel_size_um)) for kind, of in kinds.items()}
    x_label, y_label = "spatial frequency (cycles/µm)", "power (counts²)"
    return _compared(curves, x_label, y_label, "Radial power spectra")


def histograms(kinds: Mapping[str, Images]) -> str:
    """Draw how often each intensity occurs in the images of each kind, as SVG."""
    values = {k: np.concatenate([image.ravel() for image in images]) for k, images in kinds.items()}
    # The default microscope may have other counts altogether, beside which these would be a line.
    ends = np.array([np.quantile(values[kind], (0.001, 0.999)) for kind in ("real", "fitted")])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    step = max((high - low) / _BINS, 1e-6)
    if all(np.issubdtype(image.dtype, np.integer) for image in kinds["real"]):
        step = np.ceil(step)  # or some bins would hold more whole numbers than others
    edges = np.arange(np.floor(low) - step / 2, high + step, step)
    middles = (edges[:-1] + edges[1:]) / 2
    curves = {
        kind: _joined(middles, np.histogram(of, edges)[0] / of.size) for kind, of in values.items()
    }
    return _compared(curves, "intensity (counts)", "share of pixels", "Histograms of intensity")


def noise_autocorrelation(kinds: Mapping[str, Images]) -> str:
    """Draw how the finest part of images resembles its neighbours along y and x, as SVG."""
    found: dict[int, dict[str, Curve]] = {-1: {}, -2: {}}
    for kind, images in kinds.items():
        noises = [noise_of(image.astype(np.float64)) for image in images]
        for axis, curves in found.items():
            curves[kind] = [
                (lag, float(np.mean([autocorrelation(n, lag, axis).mean() for n in noises])))
                for lag in _LAGS
            ]
    shown = [y for curves in found.values() for curve in curves.values() for _, y in curve]
    y = drawing.linear_scale([0.0, *shown], _BOTTOM, _TOP)
    middle = (_LEFT + _RIGHT) / 2
    panels = {
        -1: drawing.Panel(drawing.linear_scale(_LAGS, _LEFT, middle - 10), y),
        -2: drawing.Panel(
            drawing.linear_scale(_LAGS, middle + 10, _RIGHT), replace(y, words=lambda _: "")
        ),
    }
    parts = [
        *_legend(kinds),
        *panels[-1].axes("lag along x (px)", "autocorrelation"),
        *panels[-2].axes("lag along y (px)", ""),
    ]
    for axis, panel in panels.items():
        parts.append(drawing.line((panel.x.start, y(0)), (panel.x.stop, y(0)), _ZERO))
        parts += [panel.curve(curve, _STROKES[kind]) for kind, curve in found[axis].items()]
    return drawing.svg(parts, _HEIGHT, "Autocorrelation of the noise")


def separabilities(before: Separability, after: Separability) -> str:
    """Draw both areas under the curve with their intervals, default and fitted, as SVG."""
    kinds = {"default": before, "fitted": after}
    lowest = min(0.4, before.interval[0], after.interval[0])
    row, top = 28.0, 10.0
    bottom, width = top + row * len(kinds), 1.5 * drawing.WIDTH
    x = drawing.linear_scale((lowest, 1.0), _LEFT, width - 20, margin=0.02, intervals=8)
    parts = [
        *drawing.x_axis(x, top, bottom, "AUC (0.5 is chance)"),
        drawing.line((x(0.5), top), (x(0.5), bottom), drawing.Stroke(width=0.8)),
        drawing.line(
            (x(WARN_AUC), top), (x(WARN_AUC), bottom), drawing.Stroke(width=0.8, dashes="2 3")
        ),
    ]
    for i, (kind, found) in enumerate(kinds.items()):
        y, colour = top + row * (i + 0.5), _STROKES[kind].colour
        low, high = found.interval
        parts += [
            drawing.text((_LEFT - 8, y + 4), kind, anchor="end"),
            drawing.line((x(low), y), (x(high), y), drawing.Stroke(colour, 2.0)),
            drawing.mark("circle", (x(found.auc), y), colour),
        ]
    title = "AUC of real against simulated, before and after the fit"
    return drawing.svg(parts, bottom + 44, title, width)


def _joined(x: Floats, y: Floats) -> Curve:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _legend(kinds: Iterable[str]) -> list[str]:
    return drawing.legend(
        [drawing.Key(kind, _STROKES[kind]) for kind in kinds], _LEFT, 2, drawing.WIDTH
    )[0]


def _compared(curves: Mapping[str, Curve], x_label: str, y_label: str, title: str) -> str:
    """Draw a curve of each kind, logarithmic upwards, where nothing that is 0 has a place."""
    points = [point for curve in curves.values() for point in curve]
    panel = drawing.Panel(
        drawing.linear_scale([x for x, _ in points], _LEFT, _RIGHT),
        drawing.log_scale([y for _, y in points if y > 0], _BOTTOM, _TOP, factor=1.3),
    )
    parts = [*panel.axes(x_label, y_label), *_legend(curves)]
    for kind, curve in curves.items():
        for is_shown, piece in groupby(curve, lambda point: point[1] > 0):
            if is_shown:
                parts.append(panel.curve(piece, _STROKES[kind]))
    return drawing.svg(parts, _HEIGHT, title)
