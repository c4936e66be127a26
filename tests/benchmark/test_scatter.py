import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.drawing import LETTER, LINE, mark, place_labels
from benchmark.scatter import Point, scatter_plot
from packages.bootstrap import Estimate

AREA = (50.0, 20.0, 620.0, 380.0)
PLACES = st.tuples(st.floats(60, 500), st.floats(30, 370))


def estimate(mean: float, spread: float = 0.1) -> Estimate:
    return Estimate(mean, mean - spread, mean + spread, 10, 10)


@given(st.lists(st.tuples(PLACES, st.floats(20, 160)), min_size=1, max_size=14))
def test_labels_cover_neither_each_other_nor_a_point(
    found: list[tuple[tuple[float, float], float]],
) -> None:
    points, widths = [place for place, _ in found], [width for _, width in found]
    labels = place_labels(points, widths, AREA)
    boxes = [
        (x, y + 3 - LINE, x + width, y + 3) for (x, y), width in zip(labels, widths, strict=True)
    ]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert min(left - AREA[0], AREA[2] - right, top - AREA[1], AREA[3] - bottom) >= 0
        for other in boxes[:i]:
            gaps = (left - other[2], other[0] - right, top - other[3], other[1] - bottom)
            assert max(gaps) >= 0
        assert not any(left < x < right and top < y < bottom for x, y in points)


def test_a_lonely_point_has_its_name_at_its_right() -> None:
    ((x, y),) = place_labels([(100.0, 100.0)], [50.0], AREA)
    assert 104 < x < 115
    assert abs(y - 103) < 3


def test_kinds_differ_in_shape() -> None:
    assert mark("control", 0, 0).startswith("<rect")
    disc, ring = mark("package", 0, 0), mark("sample", 0, 0)
    assert disc.startswith("<circle")
    assert "--accent" in disc.partition("fill:")[2].partition(";")[0]
    assert "--paper" in ring.partition("fill:")[2].partition(";")[0]


def test_the_plane_names_every_point_and_draws_its_intervals() -> None:
    points = [
        Point("a & b", "package", estimate(30), estimate(0.3)),
        Point("a & b (sample)", "sample", estimate(28), Estimate(0.2, None, None, 1, 1)),
    ]
    root = ElementTree.fromstring(scatter_plot(points, "SI-PSNR", "LPIPS"))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
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
    marks = [float(e.get("x", "")) for e in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert math.isclose(marks[1] - marks[0], marks[2] - marks[1], abs_tol=0.2)


def _is_number(text: str | None) -> bool:
    return re.fullmatch(r"[\d.e+-]+", text or "") is not None


@given(st.floats(-3, 7), st.floats(0.01, 5))
def test_numbers_of_a_logarithmic_axis_have_room(low: float, decades: float) -> None:
    points = [
        Point("a", "control", Estimate(10.0**place, None, None, 1, 1), estimate(30))
        for place in (low, low + decades)
    ]
    root = ElementTree.fromstring(scatter_plot(points, "s", "dB", logarithmic=True))
    texts = [t for t in root.iter("{http://www.w3.org/2000/svg}text") if _is_number(t.text)]
    below = max(float(t.get("y", "")) for t in texts)
    texts = [t for t in texts if float(t.get("y", "")) == below]
    ends = sorted((float(t.get("x", "")), len(t.text or "") * LETTER) for t in texts)
    assert ends
    assert all(b - a > (one + other) / 2 for (a, one), (b, other) in pairwise(ends))
