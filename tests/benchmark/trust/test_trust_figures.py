import math
import xml.etree.ElementTree as ET

import pandas as pd

from benchmark.trust.trust_figures import draw_figures
from benchmark.trust.trust_report import COLUMNS

NAMES = ["a <net>", "input"]


def _table() -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for name in NAMES:
        for condition in ("10 photons", "30 photons"):
            where = (name, "tubes", condition)
            rows += [(*where, "resolved", at, at, 0.0, 1.0, 9) for at in (0.15, 0.25, 0.75)]
            rows.append((*where, "false_splits", None, 0.1, 0.0, None, 9))
            rows.append((name, "amplitudes", condition, "ratio_exponent", None, math.inf, 1, 1, 9))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_every_figure_is_a_drawing_that_names_every_package() -> None:
    figures = draw_figures(_table(), NAMES, ["input"])
    assert set(figures) == {"tubes", "splits"}
    for title, drawing in figures.values():
        texts = {element.text for element in ET.fromstring(drawing).iter()}
        assert {title, *NAMES, "10 photons", "30 photons"} <= texts


def test_what_has_no_finite_value_is_not_drawn() -> None:
    assert "amplitudes" not in draw_figures(_table(), NAMES, ["input"])


def test_marks_tell_packages_apart_without_colour() -> None:
    _, drawing = draw_figures(_table(), NAMES, ["input"])["splits"]
    shapes: dict[str, set[str]] = {}
    for path in ET.fromstring(drawing).iter("{http://www.w3.org/2000/svg}path"):
        title = next(iter(path)).text or ""
        shapes.setdefault(title.partition(",")[0], set()).add(path.get("d", "").partition("m")[2])
    assert [len(shape) for shape in shapes.values()] == [1, 1]
    assert len(set.union(*shapes.values())) == 2
