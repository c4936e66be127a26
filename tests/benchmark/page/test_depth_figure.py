import numpy as np
import pandas as pd
import pytest

from benchmark.page.depth_figure import draw_by_depth
from imaging.scores import PLANE_COLUMNS
from tests import records

PACKAGES = [
    *(records.package(name, control=True) for name in ("input", "bicubic", "truth")),
    records.package("net"),
]
SOURCES = {"a": "one", "b": "other"}


def planes(step_um: float | None = 0.5, names: tuple[str, ...] = ("net",)) -> pd.DataFrame:
    rows = [
        (name, "data", image, "ssim", z, None if step_um is None else z * step_um, value + 0.1 * z)
        for name in names
        for image, value in (("a", 0.2), ("b", 0.4))
        for z in range(3)
    ]
    table = pd.DataFrame(rows, columns=list(PLANE_COLUMNS))
    return table.astype({"depth_um": float, "value": float})


def drawn(table: pd.DataFrame) -> str:
    (figure,) = draw_by_depth(table, PACKAGES, SOURCES).values()
    return figure


def test_a_figure_for_each_metric_that_was_kept() -> None:
    table = pd.concat([planes(), planes().assign(metric="si_psnr_a")])
    assert list(draw_by_depth(table, PACKAGES, SOURCES)) == ["depth-si_psnr_a", "depth-ssim"]


def test_without_volumes_there_is_no_figure() -> None:
    assert draw_by_depth(planes().iloc[:0], PACKAGES, SOURCES) == {}


@pytest.mark.parametrize(("step_um", "label"), [(0.5, "Depth (µm)"), (None, "Plane, from 0")])
def test_depth_is_in_micrometres_where_it_is_known(step_um: float | None, label: str) -> None:
    assert f">{label}<" in drawn(planes(step_um))


def test_a_curve_is_the_mean_over_volumes_at_each_depth() -> None:
    alone = planes()
    alone = alone[alone["image"] == "a"].assign(value=lambda rows: rows["value"] + 0.1)
    curve = '<polyline points="'
    both, mean = (drawn(table).split(curve)[1].split('"')[0] for table in (planes(), alone))
    ends = [np.array([point.split(",") for point in c.split()], float) for c in (both, mean)]
    np.testing.assert_allclose(ends[0][:, 0], ends[1][:, 0])  # the scale of values is another


def test_bands_are_those_of_packages_and_of_the_input() -> None:
    assert drawn(planes(names=("net", "input", "bicubic"))).count("<polygon") == 2


def test_the_truth_is_left_out() -> None:
    assert "truth" not in drawn(planes(names=("net", "truth")))


def test_infinite_values_are_left_out() -> None:
    table = planes()
    table.loc[table["plane"] == 1, "value"] = np.inf
    assert "inf" not in drawn(table)
