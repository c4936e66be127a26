import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.page.plots import Point, scatter_plot
from imaging.bootstrap import Estimate
from imaging.drawing import ACCENT, INK, LETTER, PAPER, SHAPES, mark

SVG = "{http://www.w3.org/2000/svg}"
KINDS = ("package", "sample", "control")


def estimate(mean: float, spread: float = 0.1) -> Estimate:
    return Estimate(mean, mean - spread, mean + spread, 10, 10)


def test_kinds_differ_in_shape() -> None:
    assert len({mark(shape, (0, 0)) for shape in SHAPES}) == len(SHAPES)
    points = [Point(kind, kind, estimate(30), estimate(1)) for kind in KINDS]
    drawn = ElementTree.fromstring(scatter_plot(points, "", "")).iter(f"{SVG}path")
    looks = [(e.get("d", "").partition("m")[2], e.get("fill"), e.get("stroke")) for e in drawn]
    disc, ring, square = looks
    assert disc[0] == ring[0] != square[0]
    assert [fill for _, fill, _ in looks] == [ACCENT, PAPER, INK]
    assert [stroke for _, _, stroke in looks] == [ACCENT, ACCENT, INK]


def test_the_plane_names_every_point_and_draws_its_intervals() -> None:
    points = [
        Point("a & b", "package", estimate(30), estimate(0.3)),
        Point("a & b (sample)", "sample", estimate(28), Estimate(0.2, None, None, 1, 1)),
    ]
    root = ElementTree.fromstring(scatter_plot(points, "SI-PSNR", "LPIPS"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"a & b", "a & b (sample)", "SI-PSNR", "LPIPS"} <= set(texts)
    thin = [e for e in root.iter() if e.get("stroke-opacity") == "0.45"]
    assert len(thin) == 3  # two of the one, one of the other


@pytest.mark.parametrize("cost", [1e-3, 1.0, 2e4])
def test_equal_steps_of_a_logarithmic_axis_are_equal_factors(cost: float) -> None:
    points = [
        Point(str(i), "control", Estimate(cost * 10**i, None, None, 1, 1), estimate(30 + i))
        for i in range(3)
    ]
    root = ElementTree.fromstring(scatter_plot(points, "s", "dB", logarithmic=True))
    marks = [float(e.get("d", "")[1:].partition(",")[0]) for e in root.iter(f"{SVG}path")]
    assert math.isclose(marks[1] - marks[0], marks[2] - marks[1], abs_tol=0.2)


def _is_number(text: str | None) -> bool:
    return re.fullmatch(r"[\d.·⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", text or "") is not None


@given(st.floats(-3, 7), st.floats(0.01, 5))
def test_numbers_of_a_logarithmic_axis_have_room(low: float, decades: float) -> None:
    points = [
        Point("a", "control", Estimate(10.0**place, None, None, 1, 1), estimate(30))
        for place in (low, low + decades)
    ]
    root = ElementTree.fromstring(scatter_plot(points, "s", "dB", logarithmic=True))
    texts = [t for t in root.iter(f"{SVG}text") if _is_number(t.text)]
    below = max(float(t.get("y", "")) for t in texts)
    texts = [t for t in texts if float(t.get("y", "")) == below]
    ends = sorted((float(t.get("x", "")), len(t.text or "") * LETTER) for t in texts)
    assert ends
    assert all(b - a > (one + other) / 2 for (a, one), (b, other) in pairwise(ends))
