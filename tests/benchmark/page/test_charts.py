from xml.etree import ElementTree

import pytest

from benchmark.comparison.reliability import LEVELS, Reliability, Stage
from benchmark.page.charts import coverage_plot, error_plot
from imaging.drawing import ACCENT, PAPER

SVG = "{http://www.w3.org/2000/svg}"

RIGHT = Stage(((0.01, 0.01), (0.1, 0.1)), 0.0, LEVELS, (0.5, 0.9, 0.95))
SURE = Stage(((0.01, 0.02), (0.1, 0.3)), 1.5, tuple(v / 2 for v in LEVELS), (0.2, 0.5, 0.6))


def package(name: str, network: Stage | None = None, refitted: Stage | None = None) -> Reliability:
    return Reliability(name, ((0.9, 0.88),), network, RIGHT, refitted, "few", 0.0)


def test_a_line_is_drawn_for_each_stage_that_is_known() -> None:
    assert error_plot([package("a")]).count("<polyline") == 1
    assert error_plot([package("a", SURE, RIGHT)]).count("<polyline") == 3


def test_only_what_is_drawn_is_explained() -> None:
    assert "network alone" not in coverage_plot([package("a")])
    assert "network alone" in coverage_plot([package("a"), package("b", SURE)])


def test_the_error_of_calibration_is_written_before_and_after() -> None:
    assert "ENCE 1.500 → 0.000" in error_plot([package("a", SURE)])


def test_own_intervals_are_rings() -> None:
    drawn = coverage_plot([package("a"), package("b")])
    assert drawn.count(f'fill="{PAPER}" stroke="{ACCENT}"') == 2


@pytest.mark.parametrize("count", [1, 3, 4, 12])
def test_every_panel_lies_within_the_figure(count: int) -> None:
    drawing = coverage_plot([package(f"<net {i}>", SURE, RIGHT) for i in range(count)])
    figure = ElementTree.fromstring(drawing)
    _, _, width, height = map(float, figure.attrib["viewBox"].split())
    axes = [line for line in figure.iter(f"{SVG}line") if line.get("stroke-opacity") == "0.5"]
    assert len(axes) == count
    for element in figure.iter():
        assert all(0 <= float(element.get(x, 0)) <= width for x in ("x", "x1", "x2"))
        assert all(0 <= float(element.get(y, 0)) <= height for y in ("y", "y1", "y2"))


def test_errors_of_zero_and_equal_errors_are_drawn() -> None:
    perfect = Stage(((0.1, 0.0), (0.1, 0.1)), 0.5, LEVELS, (1.0, 1.0, 1.0))
    same = Stage(((0.1, 0.1),), 0.0, LEVELS, (1.0, 1.0, 1.0))
    for stage in (perfect, same):
        one = Reliability("a", (), None, stage, None, "few", 0.0)
        assert "nan" not in error_plot([one])
