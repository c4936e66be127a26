import base64
import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from benchmark.page.panels import Restored
from benchmark.page.volume_views import VolumeView, figure_of_volume, make_volume_view
from imaging import images
from imaging.datasets import open_dataset

SIZES = {"z": 0.3, "y": 0.1, "x": 0.1}
SHAPE = (15, 48, 64)


def save(path: Path, values: NDArray[np.floating], sizes: dict[str, float] = SIZES) -> Path:
    dims = ("z", "y", "x")[-values.ndim :]
    image = xr.DataArray(values.astype(np.float32), dims=dims)
    images.write(path, image.assign_attrs(pixel_size_um=sizes))
    return path


def scene() -> NDArray[np.float64]:
    """A bright rod along z at row 20 and column 40, on ground that rises from plane to plane."""
    values = np.broadcast_to(np.arange(SHAPE[0])[:, None, None] / 100, SHAPE).copy()
    values[:, 19:22, 39:42] = 1
    return values


def view(tmp_path: Path, restored: dict[str, Path], **sizes: float) -> VolumeView | None:
    for kind in ("input", "target"):
        save(tmp_path / f"data/{kind}/a.ome.tif", scene(), sizes or SIZES)
    (item,) = open_dataset(tmp_path / "data").items
    everyone = [Restored(name, True, file, tmp_path / "none") for name, file in restored.items()]
    return make_volume_view(item, "first", everyone, {"net": "3 dB"}, 64)


def shown(tmp_path: Path, restored: dict[str, Path] | None = None) -> VolumeView:
    found = view(tmp_path, restored or {})
    assert found is not None
    return found


def pixels(picture: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))))


def test_pictures_have_true_proportions(tmp_path: Path) -> None:
    found = shown(tmp_path)
    assert (found.width, found.height, found.depth) == (64, 48, 45)
    truth = found.panels[-1]
    assert pixels(truth.planes).shape == (12 * 48, 64)
    assert (pixels(truth.below).shape, pixels(truth.beside).shape) == ((45, 64), (48, 45))


def test_sections_run_through_the_brightest_place(tmp_path: Path) -> None:
    found = shown(tmp_path)
    assert (found.row, found.column) == pytest.approx((20.5 / 48, 40.5 / 64))
    truth = found.panels[-1]
    assert pixels(truth.below)[:, 40].min() == pixels(truth.beside)[20].min() == 255


def test_depth_goes_down_below_and_right_beside(tmp_path: Path) -> None:
    truth = shown(tmp_path).panels[-1]
    below, beside = pixels(truth.below)[:, 0], pixels(truth.beside)[0]
    assert below[0] < below[-1]
    np.testing.assert_array_equal(below, beside)


def test_shown_planes_say_how_deep_they_lie(tmp_path: Path) -> None:
    found = shown(tmp_path)
    assert len(found.planes) == 12
    number, place, um = found.planes[found.middle]
    assert (place, um) == pytest.approx(((number + 0.5) / 15, number * 0.3))


def test_bars_are_as_long_along_z_as_across(tmp_path: Path) -> None:
    found = shown(tmp_path)
    assert found.bar_um == 1
    assert found.bar_width * found.width == pytest.approx(found.bar_depth * found.depth)


def test_the_truth_restored_on_any_scale_looks_like_it(tmp_path: Path) -> None:
    *_, net, truth = shown(tmp_path, {"net": save(tmp_path / "n.ome.tif", 5 * scene() - 3)}).panels
    assert net.note == "3 dB"
    np.testing.assert_allclose(pixels(net.planes).astype(int), pixels(truth.planes), atol=1)


def test_planes_farther_apart_are_brought_to_the_truth_s(tmp_path: Path) -> None:
    coarse = save(tmp_path / "net.ome.tif", scene()[1::3], SIZES | {"z": 0.9})
    net = shown(tmp_path, {"net": coarse}).panels[1]
    assert pixels(net.below).shape == (45, 64)


def test_what_cannot_be_shown_has_no_picture(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ome.tif"
    broken.write_bytes(b"no image")
    smaller = save(tmp_path / "smaller.ome.tif", scene()[:4])
    panels = shown(tmp_path, {"broken": broken, "smaller": smaller, "none": tmp_path / "0"}).panels
    assert [panel.name for panel in panels if not panel.planes] == ["broken", "smaller", "none"]


def test_without_a_step_volumes_have_no_proportions(tmp_path: Path) -> None:
    assert view(tmp_path, {}, y=0.1, x=0.1) is None


def test_a_plane_is_no_volume(tmp_path: Path) -> None:
    save(tmp_path / "plane/input/a.tif", scene()[3], {"y": 0.1, "x": 0.1})
    (item,) = open_dataset(tmp_path / "plane").items
    assert make_volume_view(item, "", [], {}, 64) is None


def test_without_truth_the_finest_planes_are_kept(tmp_path: Path) -> None:
    save(tmp_path / "data/input/a.ome.tif", scene()[1::3], SIZES | {"z": 0.9})
    (item,) = open_dataset(tmp_path / "data").items
    fine = Restored("net", True, save(tmp_path / "net.ome.tif", scene()), tmp_path / "none")
    found = make_volume_view(item, "", [fine], {}, 64)
    assert found is not None
    assert (found.depth, [panel.name for panel in found.panels]) == (45, ["input", "net"])


def test_the_figure_shows_everyone(tmp_path: Path) -> None:
    figure = figure_of_volume(shown(tmp_path, {"net": save(tmp_path / "n.ome.tif", scene())}))
    root = ElementTree.fromstring(figure)
    assert len(root.findall(".//{*}image")) == 3 * 3
    assert {"input", "net", "truth", "1 µm"} <= {text.text for text in root.findall(".//{*}text")}
