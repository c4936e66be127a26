"""How well marked objects are told from control points, with intervals over lines.

Objects on one line (the spines of a dendrite) are not independent, so the bootstrap draws whole
lines with all their marks and control points; see `imaging.bootstrap`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmark.objects.brightness import Values
from imaging.bootstrap import CONFIDENCE, times_drawn

FALSE_POSITIVE_RATE = 0.05  # of the input's control points, which sets the threshold


@dataclass(frozen=True)
class Interval:
    """A value, and its 95 % interval over draws of clusters; None with fewer than two of them."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Looks:
    """What one image, or several, show at marks and control points.

    Attributes
    ----------
    marks, controls
        Relative brightness.
    line_of_mark, line_of_control
        The line of each.
    threshold_of_mark, threshold_of_control
        Above which an object is seen, of the image that each is in.
    """

    marks: Values
    controls: Values
    line_of_mark: NDArray[np.intp]
    line_of_control: NDArray[np.intp]
    threshold_of_mark: Values
    threshold_of_control: Values

    @cached_property
    def measures(self) -> Sequence[Values]:
        """Return each measure of `Detection`: of all lines, then of every draw of lines."""
        return _measures(self)


@dataclass(frozen=True)
class Detection:
    """How well objects are told from control points.

    Attributes
    ----------
    detectability
        Area under the receiver operating characteristic: the probability that a mark is brighter
        than a control point. 0.5 is chance.
    contrast
        Mean brightness of marks less that of control points, in that of the line.
    kept
        Share of marks above the threshold.
    false
        Share of control points above it; by definition 5 % in the input.
    """

    detectability: Interval
    contrast: Interval
    kept: Interval
    false: Interval


def detect(looks: Looks) -> Detection:
    """Measure how well marks are told from control points."""
    return Detection(*(interval_of(measure) for measure in looks.measures))


def lead(of: Looks, over: Looks) -> Detection:
    """Measure by how much one is ahead of another at the same sites, line by line."""
    pairs = zip(of.measures, over.measures, strict=True)
    return Detection(*(interval_of(one - other) for one, other in pairs))


def threshold(controls: Values) -> float:
    """Return the brightness that a stated share of the input's control points exceeds."""
    return float(np.quantile(controls, 1 - FALSE_POSITIVE_RATE))


def interval_of(measure: Values) -> Interval:
    """Take the value from the first of many, and the interval from the others, which are draws."""
    value, draws = float(measure[0]), measure[1:]
    if not len(draws):
        return Interval(value, None, None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def _measures(looks: Looks) -> Sequence[Values]:
    """Return each measure of all lines, and of every draw of lines."""
    lines = int(max(looks.line_of_mark.max(), looks.line_of_control.max())) + 1
    all_lines = np.ones((1, lines))
    times = np.concatenate([all_lines, times_drawn(lines)]) if lines > 1 else all_lines
    marks = np.bincount(looks.line_of_mark, minlength=lines).astype(float)
    controls = np.bincount(looks.line_of_control, minlength=lines).astype(float)
    # A draw of lines without marks or without control points says nothing.
    times = times[(times @ marks > 0) & (times @ controls > 0)]
    won = _pairs_won(looks, lines)
    of_marks, of_controls = times @ marks, times @ controls

    def share(values: Values, line: NDArray[np.intp], count: Values) -> Values:
        return (times @ np.bincount(line, values, lines)) / count

    seen = (looks.marks > looks.threshold_of_mark).astype(float)
    false = (looks.controls > looks.threshold_of_control).astype(float)
    return (
        np.einsum("da,ab,db->d", times, won, times, optimize=True) / (of_marks * of_controls),
        share(looks.marks, looks.line_of_mark, of_marks)
        - share(looks.controls, looks.line_of_control, of_controls),
        share(seen, looks.line_of_mark, of_marks),
        share(false, looks.line_of_control, of_controls),
    )


def _pairs_won(looks: Looks, lines: int) -> NDArray[np.float64]:
    """Return how many pairs of a mark of one line and a control of another the mark wins.

    Ties count half, as in the statistic of Mann and Whitney.
    """
    won = np.zeros((lines, lines))
    for other in range(lines):
        controls = looks.controls[looks.line_of_control == other]
        if not len(controls):
            continue
        ranks = rankdata(np.concatenate([looks.marks, controls]))[: len(looks.marks)]
        among_marks = rankdata(looks.marks)
        won[:, other] = np.bincount(looks.line_of_mark, ranks - among_marks, lines)
    return won
