"""Where input or truth have no data, nothing is scored."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from benchmark.metrics import METRICS, MetricInputs, normalise
from benchmark.running.controls import DELIVERY
from benchmark.running.controls import truth as perfect
from benchmark.running.planes import metric_inputs
from imaging.datasets import Item, open_dataset
from tests import flawed_images as flawed
from tests.benchmark import stand_ins
from tests.flawed_images import MIXED, SIDE

FRAME = 20
PART = np.s_[FRAME + MIXED :, :]


def _framed(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    framed = plane.copy()
    framed[:FRAME] = 0
    return framed


def _field() -> NDArray[np.float32]:
    return flawed.recorded().astype(np.float32)


def _item(path: Path, **folders: NDArray[np.float32]) -> Item:
    for folder, plane in folders.items():
        pixel_um = stand_ins.PIXEL_UM * SIDE / plane.shape[-1]
        stand_ins.save(path / folder / "cell.tif", plane, pixel_um)
    (item,) = open_dataset(path).items
    return item


def _known(item: Item, restored: NDArray[np.float32]) -> MetricInputs:
    image = xr.DataArray(restored, dims=("y", "x"))
    (plane,) = metric_inputs(image, item, {}, delivery="image")
    return plane


def test_a_truth_with_a_frame_scores_as_the_part_without(tmp_path: Path) -> None:
    restored = flawed.recorded(1).astype(np.float32)
    item = _item(tmp_path, input=_field(), target=_framed(_field()))

    known = _known(item, restored)

    part = {"truth": normalise(_field()[PART]), "prediction": restored[PART]}
    for name in ("si_psnr_a", "ssim_affine"):
        np.testing.assert_allclose(METRICS[name].of(known), METRICS[name].of(part), rtol=1e-9)
    assert np.shape(known["input"]) == (SIDE - FRAME - MIXED, SIDE)


def test_what_is_delivered_is_on_the_scale_of_the_part(tmp_path: Path) -> None:
    item = _item(tmp_path, input=_field(), target=_framed(_field()))

    known = _known(item, normalise(_field()).astype(np.float32))

    # On an input without noise or blur, a package that does nothing is perfect.
    np.testing.assert_allclose(known["delivered"], known["truth"], atol=1e-6)


def test_the_part_ends_with_pixels_of_the_microscope(tmp_path: Path) -> None:
    native = _field().reshape(SIDE // 4, 4, SIDE // 4, 4).mean((1, 3), dtype=np.float32)
    item = _item(tmp_path, input=_field(), target=_framed(_field()), native=native)

    known = _known(item, _field())

    # 22 rows do not count, so that six rows of four are cut away.
    assert np.shape(known["truth"]) == (SIDE - 24, SIDE)
    np.testing.assert_array_equal(known["native"], native[6:])


def test_a_bar_in_the_input_is_not_scored(tmp_path: Path) -> None:
    item = _item(tmp_path, input=flawed.with_bar().astype(np.float32), target=_field())

    known = _known(item, _field())

    assert np.asarray(known["input"]).max() < 65535
    assert np.size(known["truth"]) >= SIDE * 110


def test_without_a_frame_all_is_scored(tmp_path: Path) -> None:
    item = _item(tmp_path, input=_field(), target=_field())

    known = _known(item, _field())

    np.testing.assert_array_equal(known["truth"], normalise(_field()))


def test_the_control_truth_stays_perfect(tmp_path: Path) -> None:
    item = _item(tmp_path, input=_field(), target=_framed(_field()))

    (known,) = metric_inputs(perfect(item), item, {}, delivery=DELIVERY)

    np.testing.assert_allclose(known["delivered"], known["truth"], atol=1e-6)
