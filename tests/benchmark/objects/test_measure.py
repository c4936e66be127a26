"""Planted spines beside a planted shaft: what is measured is known, and liars are caught."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.objects.measure import COLUMNS, Objects, measure_objects
from benchmark.running.cell import CellFiles, CellKey
from imaging import images
from imaging.annotations import Annotations, Line, Point, write_annotations
from imaging.benchmark_run import DatasetEntry
from tests import records

PIXEL = 0.1
SHAFTS = (60, 160)  # rows
SPINES = np.arange(20, 380, 24)  # columns
AWAY = 12  # pixels from the shaft
Planes = NDArray[np.float64]


def truth() -> Planes:
    plane = np.zeros((220, 400))
    for number, row in enumerate(SHAFTS):
        plane[row - 3 : row + 4] = 1.0
        for i, column in enumerate(SPINES):
            brightness = 0.05 + 0.3 * ((i * 7 + number * 3) % 11) / 10
            plane[row + AWAY - 2 : row + AWAY + 3, column - 2 : column + 3] = brightness
    return plane[None]


def recorded() -> Planes:
    rng = np.random.default_rng(1)
    blurred = ndimage.gaussian_filter(truth(), (0, 2, 2))
    return 100 + 50 * blurred + rng.normal(0, 15, blurred.shape)


def image_of(planes: Planes) -> xr.DataArray:
    return xr.DataArray(
        planes[0].astype(np.float32),
        dims=("y", "x"),
        attrs={"pixel_size_um": {"y": PIXEL, "x": PIXEL}},
    )


def annotations() -> Annotations:
    columns = np.arange(5.0, 395.0)
    zeros = np.zeros(len(columns), dtype=np.int64)
    lines = [
        Line(f"shaft {row}", "shaft", columns * PIXEL, np.full(len(columns), row * PIXEL), zeros)
        for row in SHAFTS
    ]
    points = [
        Point(f"{row} {column}", "spine", column * PIXEL, (row + AWAY) * PIXEL, 0, f"shaft {row}")
        for row in SHAFTS
        for column in SPINES.tolist()
    ]
    return Annotations(tuple(points), tuple(lines))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Planes], Objects]:
    """Measure what a package made of the recording."""
    folder = tmp_path_factory.mktemp("marks")
    images.write(folder / "field.ome.tif", image_of(recorded()))
    write_annotations(folder / "field.csv", annotations())
    entry = records.image(
        "field", input=str(folder / "field.ome.tif"), annotations=str(folder / "field.csv")
    )
    dataset: DatasetEntry = records.dataset("day", entry)
    results = CellFiles(folder / "results")

    def measure(restored: Planes) -> Objects:
        file = results.prediction_file(CellKey("net", "day", "field"))
        file.parent.mkdir(parents=True, exist_ok=True)
        images.write(file, image_of(restored))
        found, reasons = measure_objects(dataset, [records.package("net")], results)
        assert reasons == []
        return found[0]

    return measure


def test_what_is_counted(measured: Callable[[Planes], Objects]) -> None:
    found = measured(recorded())
    assert (found.kind, found.images, found.marks, found.lines) == ("spine", 1, 30, 2)
    assert found.controls == (~found.table["object"].isna() & found.table["control"]).sum() / 2


def test_the_input_again_leads_by_nothing(measured: Callable[[Planes], Objects]) -> None:
    lead = measured(3 * recorded() - 7).found[1].lead
    assert lead is not None
    assert lead.detectability.value == pytest.approx(0, abs=1e-6)
    assert lead.kept.value == 0


def test_the_truth_is_told_perfectly(measured: Callable[[Planes], Objects]) -> None:
    ours = measured(truth()).found[1].detection
    assert ours.detectability.value == 1.0
    assert ours.false.value == 0.0


def test_better_images_lead(measured: Callable[[Planes], Objects]) -> None:
    lead = measured(ndimage.gaussian_filter(truth(), (0, 1, 1))).found[1].lead
    assert lead is not None
    assert lead.detectability.low is not None
    assert lead.detectability.low > 0.05


def test_noise_sharpened_into_spots_is_caught(measured: Callable[[Planes], Objects]) -> None:
    image = recorded()
    smooth = ndimage.gaussian_filter(image, (0, 1.5, 1.5))
    peaks = (smooth == ndimage.maximum_filter(smooth, (1, 7, 7))) & (smooth > np.median(smooth))
    spots = 100 * ndimage.gaussian_filter(peaks.astype(float), (0, 1.5, 1.5)) * 14
    caught = measured(image + spots).found[1]
    assert caught.lead is not None
    assert caught.lead.detectability.high is not None
    assert caught.lead.detectability.high < 0
    assert caught.detection.false.value > 0.5


def test_erasing_what_is_dim_is_caught(measured: Callable[[Planes], Objects]) -> None:
    smooth = ndimage.gaussian_filter(recorded(), (0, 2, 2))
    erased = np.where(smooth > 120, smooth, 100.0)
    caught = measured(erased).found[1]
    assert caught.lead is not None
    assert caught.lead.detectability.value < -0.1
    assert caught.detection.kept.value == 0.0


def test_spots_painted_along_every_shaft_are_caught(
    measured: Callable[[Planes], Objects],
) -> None:
    painted = truth()
    for row in SHAFTS:
        for side in (-AWAY, AWAY):
            for column in range(6, 394, 8):
                spot = np.s_[0, row + side - 2 : row + side + 3, column - 2 : column + 3]
                painted[spot] = 0.5
    caught = measured(ndimage.gaussian_filter(painted, (0, 1, 1))).found[1]
    assert caught.lead is not None
    assert caught.lead.detectability.low is not None
    assert caught.lead.detectability.low < 0
    assert caught.detection.false.value > 0.5


def test_every_place_stands_in_the_table(measured: Callable[[Planes], Objects]) -> None:
    table = measured(recorded()).table
    assert tuple(table.columns) == COLUMNS
    assert set(table["package"]) == {"input", "net"}
    restored = table[table["package"] == "net"]
    np.testing.assert_allclose(restored["brightness"], restored["in_input"], atol=1e-5)


def test_a_package_that_restored_nothing_is_left_out(tmp_path: Path) -> None:
    images.write(tmp_path / "field.ome.tif", image_of(recorded()))
    write_annotations(tmp_path / "field.csv", annotations())
    entry = records.image(
        "field", input=str(tmp_path / "field.ome.tif"), annotations=str(tmp_path / "field.csv")
    )
    found, _ = measure_objects(
        records.dataset("day", entry), [records.package("net")], CellFiles(tmp_path / "results")
    )
    assert found[0].absent == {"net": "It has not restored field."}


def test_points_beside_no_line_say_so(tmp_path: Path) -> None:
    images.write(tmp_path / "field.ome.tif", image_of(recorded()))
    write_annotations(tmp_path / "field.csv", Annotations((Point("one", "spine", 3.0, 3.0),)))
    entry = records.image(
        "field", input=str(tmp_path / "field.ome.tif"), annotations=str(tmp_path / "field.csv")
    )
    found, reasons = measure_objects(records.dataset("day", entry), [], CellFiles(tmp_path))
    assert found == []
    assert reasons == ["field: No point stands beside a line: `on` names the line of each."]
