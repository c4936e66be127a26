import base64
import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from scipy import ndimage

from benchmark.metrics.rolling import rolling_correlation
from benchmark.page.panels import (
    Restored,
    View,
    ViewPanel,
    figure_of_panels,
    make_view,
    resolution_map,
    side_within,
)
from imaging import images
from imaging.pictures import draw_grey
from tests import records
from tests.benchmark import stand_ins


def recordings(shape: tuple[int, int], noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two recordings, the left half of which is blurred four times as much."""
    rng = np.random.default_rng(0)
    scene = rng.normal(size=shape)
    fine, coarse = (ndimage.gaussian_filter(scene, sigma) * sigma for sigma in (1, 4))
    left = np.arange(shape[1]) < shape[1] // 2
    both = 5 + np.where(left, coarse, fine)
    return both + rng.normal(0, noise, shape), both + rng.normal(0, noise, shape)


@pytest.mark.parametrize("shape", [(128, 192), (130, 197)])
def test_every_pixel_has_the_frequency_of_its_cell(shape: tuple[int, int]) -> None:
    one, two = recordings(shape, 0.02)
    found = resolution_map(one, two)
    cells = rolling_correlation(one, two)
    assert found.shape == shape
    stride, expected = cells.stride, np.nan_to_num(1 / cells.resolution_px)
    np.testing.assert_array_equal(found[: 8 * stride : stride, ::stride], expected[:8])


def test_what_is_sharper_is_brighter() -> None:
    found = resolution_map(*recordings((128, 256), 0.02))
    left, right = found[:, :96], found[:, 160:]
    assert np.median(right[right > 0]) > 1.5 * np.median(left[left > 0])


def test_what_is_too_small_is_unresolved() -> None:
    assert not resolution_map(np.eye(40), np.eye(40)).any()


def test_the_last_cells_reach_to_the_border() -> None:
    one, two = recordings((130, 197), 0.02)
    found = resolution_map(one, two)
    np.testing.assert_array_equal(found[-1], found[-3])
    assert found[-1].any()


def test_crops_shrink_so_that_many_fit() -> None:
    assert side_within(10, 6e6) == 256
    assert 64 <= side_within(200, 6e6) < 256
    assert side_within(10_000, 6e6) == 64


def test_an_error_map_is_black_where_a_restoration_is_right(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).uniform(size=(64, 64))
    shown = records.image(
        "0000",
        input=str(stand_ins.save(tmp_path / "input.tif", truth.astype(np.float32) ** 2)),
        target=str(stand_ins.save(tmp_path / "target.tif", truth.astype(np.float32))),
    )
    restored = stand_ins.save(tmp_path / "net.ome.tif", (3 * truth + 1).astype(np.float32))
    view = make_view(shown, "", [Restored("net", True, restored, tmp_path / "none")], {}, 64, None)
    error = view.panels[1].error.partition(",")[2]
    picture = Image.open(io.BytesIO(base64.b64decode(error))).convert("RGB")
    assert np.asarray(picture).max() <= 8  # float32, quantised to 127 colours


def test_standard_deviations_share_one_scale(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).uniform(size=(64, 64)).astype(np.float32)
    restored: list[Restored] = []
    for name, std in (("sure", 0.1), ("unsure", 0.2)):
        channels = np.stack([truth, np.full_like(truth, std), truth])
        image = xr.DataArray(
            channels, dims=("c", "y", "x"), coords={"c": ["mean", "std", "sample"]}
        )
        images.write(tmp_path / f"{name}.ome.tif", image)
        restored.append(Restored(name, True, tmp_path / f"{name}.ome.tif", tmp_path / "none"))
    shown = records.image("0", input=str(stand_ins.save(tmp_path / "input.tif", truth)))
    view = make_view(shown, "", restored, {}, 64, None)
    assert [panel.name for panel in view.panels] == [
        "input", "sure", "sure (sample)", "unsure", "unsure (sample)",
    ]  # fmt: skip
    assert view.std == pytest.approx(0.2)
    stored = [panel.std.partition(",")[2] for panel in view.panels if panel.std]
    levels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(s)))).max() for s in stored]
    assert levels == [128, 255]


@pytest.mark.parametrize(("of_dataset", "bar_um"), [(0.1, 1.0), (None, 0.0)])
def test_the_dataset_says_the_pixel_size_where_the_file_does_not(
    tmp_path: Path, of_dataset: float | None, bar_um: float
) -> None:
    image = xr.DataArray(np.eye(64, dtype=np.uint8), dims=("y", "x"))
    images.write(tmp_path / "silent.png", image)
    shown = records.image("0000", input=str(tmp_path / "silent.png"))
    assert make_view(shown, "", [], {}, 64, of_dataset).bar_um == bar_um


def figure(count: int) -> ElementTree.Element:
    """The figure of so many panels of 64 x 64 pixels, with a bar of a quarter of the width."""
    picture = draw_grey(np.eye(64), 0, 1)
    panels = tuple(ViewPanel(f"net {i}", True, picture, "", "20 dB") for i in range(count))
    view = View("0001", "first", panels, 64, 64, 2.0, 25.0, 1.0, 0.0, 0.0)
    return ElementTree.fromstring(figure_of_panels(view))


@pytest.mark.parametrize(
    ("count", "rows", "columns", "side", "bar"),
    [(1, 1, 1, 64, 16), (5, 1, 5, 64, 16), (6, 2, 3, 32, 32), (10, 3, 4, 32, 32)],
)
def test_many_panels_stand_in_rows_and_are_zoomed(
    count: int, rows: int, columns: int, side: int, bar: float
) -> None:
    drawn = list(figure(count).iter())
    pictures = [element for element in drawn if element.tag.endswith("image")]
    places = [(float(element.get("x", 0)), float(element.get("y", 0))) for element in pictures]
    assert len(set(places)) == count
    assert (len({y for _, y in places}), len({x for x, _ in places})) == (rows, columns)
    stored = [element.get("href", "").partition(",")[2] for element in pictures]
    sizes = {Image.open(io.BytesIO(base64.b64decode(one))).size for one in stored}
    assert sizes == {(side, side)}
    (line,) = [element for element in drawn if element.tag.endswith("line")]
    assert float(line.get("x2", 0)) - float(line.get("x1", 0)) == bar
