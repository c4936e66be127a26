"""What is measured on planted gaps and bridges is known in closed form."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.objects.brightness import Definition
from benchmark.objects.fields import volume_of
from benchmark.objects.tracing import Followed, Traces, find_traces, interruptions, look
from imaging.extent import Extent

PIXEL = 0.1
LONG, HIGH = 420, 120  # pixels
LENGTH = 40.0  # µm, of a line
X = np.arange(1.0, 41.05, 0.1)
EXTENT = Extent({"x": LONG, "y": HIGH}, {"x": PIXEL, "y": PIXEL}, 1, None)
Line = NDArray[np.float64]


def line(y_um: float, *, slope: float = 0.0) -> Line:
    return np.stack([X, y_um + slope * (X - 21), np.zeros_like(X)], axis=1)


def drawn(*rows_um: float) -> NDArray[np.float64]:
    """Draw straight lines, 0.6 µm wide."""
    plane = np.zeros((HIGH, LONG))
    for row in rows_um:
        plane[round((row - 0.3) / PIXEL) : round((row + 0.3) / PIXEL) + 1] = 1.0
    return plane


def between(plane: NDArray[np.float64], first_um: float, last_um: float) -> NDArray[np.float64]:
    """Return the columns of a plane that lie between two places."""
    return plane[:, round(first_um / PIXEL) : round(last_um / PIXEL)]


def followed(plane: NDArray[np.float64], *lines: Line) -> tuple[Traces, Followed]:
    traces = find_traces(lines, EXTENT)
    return traces, look(traces, volume_of(plane[None], EXTENT), Definition())


def continuity(plane: NDArray[np.float64], of: Line) -> float:
    traces, seen = followed(plane, of)
    return float(seen.seen[0]) / len(traces.along[0])


def test_an_unbroken_line_is_continuous() -> None:
    assert continuity(drawn(6), line(6)) == 1.0


@pytest.mark.parametrize("gap_um", [1.0, 3.0, 8.0])
def test_a_gap_takes_its_length(gap_um: float) -> None:
    """At its ends discs are half covered, so they are as bright as half of the line there."""
    plane = drawn(6)
    between(plane, 15, 15 + gap_um)[:] = 0
    assert continuity(plane, line(6)) == pytest.approx(1 - gap_um / LENGTH, abs=0.2 / LENGTH)


@pytest.mark.parametrize(("depth", "expected"), [(0.45, 1.0), (0.55, 1 - 4 / LENGTH)])
def test_a_gap_is_what_is_darker_than_half(depth: float, expected: float) -> None:
    plane = drawn(6)
    between(plane, 15, 19)[:] *= 1 - depth
    assert continuity(plane, line(6)) == pytest.approx(expected, abs=0.4 / LENGTH)


def test_half_is_of_the_line_where_it_is() -> None:
    """A branch that gets dimmer is not broken, whatever the rest is."""
    plane = drawn(6)
    between(plane, 21, 42)[:] *= 0.2
    between(plane, 34, 36)[:] = 0
    _, seen = followed(plane, line(6))
    assert seen.breaks[0] == 1  # the gap, and not what is dim around it


def test_a_trace_beside_the_line_finds_it() -> None:
    assert continuity(drawn(6), line(6.5)) == 1.0


def test_neither_gain_nor_offset_matters() -> None:
    plane = drawn(6)
    between(plane, 15, 18)[:] = 0
    assert continuity(50 * plane - 7, line(6)) == continuity(plane, line(6))


def test_noise_in_the_place_of_a_line_is_not_seen() -> None:
    noise = np.random.default_rng(0).normal(size=(HIGH, LONG))
    assert continuity(noise, line(6)) < 0.2


def test_breaks_are_counted() -> None:
    plane = drawn(6)
    for start in (8, 16, 24):
        between(plane, start, start + 2)[:] = 0
    _, seen = followed(plane, line(6))
    assert seen.breaks[0] == 3


def test_short_interruptions_and_lost_ends_are_no_breaks() -> None:
    plane = drawn(6)
    between(plane, 16, 16.3)[:] = 0
    between(plane, 34, 42)[:] = 0
    _, seen = followed(plane, line(6))
    assert seen.breaks[0] == 0


@pytest.mark.parametrize(("filling", "expected"), [(0.7, 6 / LENGTH), (0.3, 0.0), (0.0, 0.0)])
def test_bridges_are_where_the_valley_is_filled(filling: float, expected: float) -> None:
    plane = drawn(4, 6.5)
    bridge = between(plane, 13, 19)[round(4.0 / PIXEL) : round(6.5 / PIXEL)]
    bridge[:] = np.maximum(bridge, filling)
    _, seen = followed(plane, line(4), line(6.5))
    assert seen.filled.mean() == pytest.approx(expected, abs=1 / LENGTH)
    assert len(seen.filled) == LENGTH


@pytest.mark.parametrize("apart", [0.8, 4.5])
def test_lines_nearer_or_farther_are_not_compared(apart: float) -> None:
    traces, _ = followed(drawn(4, 4 + apart), line(4), line(4 + apart))
    assert len(traces.pairs.line) == 0


def test_lines_that_cross_are_compared_away_from_the_crossing() -> None:
    traces, _ = followed(drawn(6), line(6), line(6, slope=0.2))
    along = traces.along[0].along_um[traces.pairs.first]
    # Nearer than 1 µm within 5 µm of the crossing at 20 µm, and left out 4 µm farther.
    assert np.abs(along - 20).min() == pytest.approx(9.2, abs=0.3)


def test_lines_in_other_depths_are_not_compared() -> None:
    deeper = line(6.5) + np.array([0, 0, 3.0])
    stack = Extent({"x": LONG, "y": HIGH}, {"x": PIXEL, "y": PIXEL}, 4, 1.0)
    assert len(find_traces([line(4), deeper], stack).pairs.line) == 0


def test_a_line_in_another_depth_is_looked_for_as_deep_as_marks_are() -> None:
    stack = np.stack([np.zeros((HIGH, LONG)), drawn(6)])
    extent = Extent({"x": LONG, "y": HIGH}, {"x": PIXEL, "y": PIXEL}, 2, 1.0)
    traces = find_traces([line(6)], extent)
    seen = look(traces, volume_of(stack, extent), Definition())
    assert seen.seen[0] == len(traces.along[0])


@pytest.mark.parametrize(
    ("seen", "expected"),
    [("1111", []), ("1100000000011", [0.9]), ("10001", []), ("00000000011", []), ("0000", [])],
)
def test_interruptions_are_between_what_is_seen(seen: str, expected: list[float]) -> None:
    found = interruptions(np.array([one == "1" for one in seen]), 0.1)
    assert found.tolist() == pytest.approx(expected)
