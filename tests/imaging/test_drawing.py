import math
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imaging.page
from imaging.drawing import (
    ACCENT,
    BOLD_LETTER,
    CONTRAST,
    LETTER,
    LINE,
    PAPER,
    Key,
    Panel,
    Stroke,
    legend,
    linear_scale,
    log_scale,
    svg,
    text,
)

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 3)), min_size=1, max_size=5)


@given(VALUES)
def test_a_linear_scale_holds_all_values_and_has_round_ticks(values: list[float]) -> None:
    scale = linear_scale(values, 300, 20)
    assert all(20 <= scale(value) <= 300 for value in values)
    assert all(20 <= scale(tick) <= 300 for tick in scale.ticks)
    assert 2 <= len(scale.ticks) <= 7
    step = scale.ticks[1] - scale.ticks[0]
    assert f"{step:e}"[0] in "1259"  # 9.99… is 10


@given(st.floats(-6, 6), st.floats(0, 8))
def test_equal_steps_of_a_logarithmic_scale_are_equal_factors(low: float, decades: float) -> None:
    scale = log_scale([10**low, 10 ** (low + decades)], 0, 300)
    assert all(0 <= scale(tick) <= 300 for tick in scale.ticks)
    assert scale.ticks
    margin = math.log10(1.6)
    assert scale(10**low) == pytest.approx(300 * margin / (2 * margin + decades))


def test_without_a_margin_the_ends_are_the_values() -> None:
    scale = linear_scale([0, 2], 10, 30, margin=0)
    assert [scale(value) for value in (0, 1, 2)] == [10, 20, 30]
    assert {0, 2} <= set(scale.ticks)


def test_a_panel_draws_in_the_units_of_its_axes() -> None:
    panel = Panel(linear_scale([0, 1], 0, 100, margin=0), linear_scale([0, 1], 50, 0, margin=0))
    drawn = ElementTree.fromstring(panel.curve([(0, 0), (1, 1)], Stroke(ACCENT, 2), "a < b"))
    assert drawn.get("points") == "0.0,50.0 100.0,0.0"
    assert drawn.findtext("title") == "a < b"
    written = svg(panel.axes("x < y", "share", "both"), 60, "title")
    texts = {element.text for element in ElementTree.fromstring(written).iter(f"{SVG}text")}
    assert {"x < y", "share", "both", "0.2"} <= texts


@given(st.lists(st.tuples(st.text("abc", min_size=1, max_size=30), st.booleans()), min_size=1))
def test_entries_of_a_legend_lie_beside_each_other(found: list[tuple[str, bool]]) -> None:
    keys = [Key(label, Stroke(), "circle", bold=bold) for label, bold in found]
    parts, below = legend(keys, 4, 10, 400)
    drawn = ElementTree.fromstring(svg(parts, below, ""))
    ends = [
        (float(t.get("x", "")), float(t.get("y", "")), (t.text, t.get("font-weight") is not None))
        for t in drawn.iter(f"{SVG}text")
    ]
    assert [words for *_, words in ends] == found
    for (x, y, (words, bold)), (next_x, next_y, _) in pairwise(ends):
        if y == next_y:
            assert next_x > x + len(words or "") * (BOLD_LETTER if bold else LETTER)
        else:
            assert next_y >= y + LINE
    assert max(y for _, y, _ in ends) < below


def test_a_page_has_colours_of_its_own_for_those_of_figures() -> None:
    style = (Path(imaging.page.__file__).parent / "style.css").read_text(encoding="utf-8")
    for colour in (ACCENT, CONTRAST, PAPER):
        for part in ("stroke", "fill"):
            assert re.search(rf'svg \[{part}="{colour}"\] {{ {part}: var\(--\w+\); }}', style)


def test_words_are_text_and_not_markup() -> None:
    assert text((0, 0), "<b> & c") == '<text x="0" y="0">&lt;b&gt; &amp; c</text>'
