from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmark.registration.register import PICTURES, register
from imaging import images
from imaging.cli import UserError
from imaging.dataset_facts import Facts, write_facts
from imaging.datasets import Dataset, new_dataset, open_dataset
from tests.benchmark import stand_ins
from tests.benchmark.deformed import BLUR_PX, deformation, pair
from tests.benchmark.metrics.acquisitions import blurred

SIDE = 96
SHIFT_PX = (3.0, -4.0)
PIXEL_UM = stand_ins.PIXEL_UM


def shifted(path: Path, *, finer: int = 1, pixel_um: float = PIXEL_UM, noise: bool = False) -> Path:
    """A dataset of one image with a repeat, whose target is shifted, and may be finer."""
    count, target = pair(deformation(SIDE, shift_px=SHIFT_PX))
    if noise:
        count = np.random.default_rng(1).normal(size=count.shape)
    for folder in ("input", "repeat"):
        stand_ins.save(path / folder / "cell.tif", count.astype(np.float32), pixel_um)
    fine = np.kron(target, np.ones((finer, finer))).astype(np.float32)
    stand_ins.save(path / "target" / "cell.tif", fine, pixel_um / finer)
    return path


def registered(path: Path, out: Path, *, affine: bool = True) -> Dataset:
    register(path, out=out, affine=affine)
    return open_dataset(out)


def test_the_target_lies_on_the_input_afterwards(tmp_path: Path) -> None:
    dataset = registered(shifted(tmp_path / "data"), tmp_path / "out")
    (item,) = dataset.items
    assert item.target is not None
    seen, moved = (images.read(file).values for file in (item.input, item.target))
    moved = blurred(moved.astype(np.float64), BLUR_PX)
    assert moved.shape == pytest.approx((SIDE - 3, SIDE - 4), abs=2)
    assert np.corrcoef(seen.ravel(), moved.ravel())[0, 1] > 0.9
    assert dataset.facts.registration == "registered"


def test_what_was_found_is_in_the_facts(tmp_path: Path) -> None:
    facts = registered(shifted(tmp_path / "data"), tmp_path / "out").facts
    assert facts.registered is not None
    found = facts.registered["cell"]
    assert found["kept"] == "affine"
    assert found["shift_y_um"] == pytest.approx(SHIFT_PX[0] * PIXEL_UM, abs=0.2 * PIXEL_UM)
    assert found["shift_x_um"] == pytest.approx(SHIFT_PX[1] * PIXEL_UM, abs=0.2 * PIXEL_UM)
    before, after = (found[f"residual_{when}_median_um"] for when in ("before", "after"))
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert after < before / 3
    assert (tmp_path / "out" / PICTURES / "cell.png").exists()


def test_nothing_that_the_warp_could_not_fill_is_left(tmp_path: Path) -> None:
    (item,) = registered(shifted(tmp_path / "data"), tmp_path / "out").items
    assert item.target is not None
    assert item.repeat is not None
    assert images.read(item.target).values.min() > -1  # the scene's black, and no NaN
    shapes = {images.read(file).shape for file in (item.input, item.repeat, item.target)}
    assert len(shapes) == 1
    assert shapes != {(SIDE, SIDE)}


def test_a_finer_target_stays_finer(tmp_path: Path) -> None:
    data = shifted(tmp_path / "data", finer=2)
    (item,) = registered(data, tmp_path / "out").items
    assert item.target is not None
    coarse, fine = images.read(item.input), images.read(item.target)
    assert fine.shape == (2 * coarse.shape[0], 2 * coarse.shape[1])


def test_what_cannot_be_registered_stays_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shifted(tmp_path / "data", noise=True)
    dataset = registered(data, tmp_path / "out")
    assert dataset.facts.registration is None
    assert dataset.items[0].target is not None
    before, after = (images.read(p) for p in (data / "target/cell.tif", dataset.items[0].target))
    np.testing.assert_array_equal(before.values, after.values)
    assert "cell: Nothing is kept, as" in capsys.readouterr().out


def test_it_has_a_name_of_its_own(tmp_path: Path) -> None:
    assert registered(shifted(tmp_path / "cells"), tmp_path / "out").name == "cells registered"


def test_without_a_pixel_size_lengths_are_pixels(tmp_path: Path) -> None:
    data = shifted(tmp_path / "data")
    for folder in ("input", "target", "repeat"):
        image = images.read(data / folder / "cell.tif")
        images.write(data / folder / "cell.tif", image.assign_attrs(pixel_size_um={}))
    facts = registered(data, tmp_path / "out").facts
    assert facts.registered is not None
    assert facts.registered["cell"]["shift_y_px"] == pytest.approx(SHIFT_PX[0], abs=0.2)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "has no target"),
        (np.eye(32), "is larger than"),
        (np.eye(100), "not a whole number of times"),
        (np.zeros((3, SIDE, SIDE)) + np.eye(SIDE), "axes z, y, x, and only planes"),
        (np.ones((SIDE, SIDE)), "The target is constant"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    tmp_path: Path, target: np.ndarray | None, message: str
) -> None:
    data = shifted(tmp_path / "data")
    (data / "target/cell.tif").unlink()
    if target is None:
        (data / "target").rmdir()
    else:
        stand_ins.save(data / "target/cell.tif", target.astype(np.float32))
    with pytest.raises(UserError, match=rf"cell\.tif.*{message}.*\.$"):
        register(data, out=tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_a_dataset_is_not_written_over_another(tmp_path: Path) -> None:
    data = shifted(tmp_path / "data")
    with pytest.raises(UserError, match="is not empty: choose another folder"):
        register(data, out=data)


def test_facts_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    facts = Facts(registered={"cell": {"kept": "affine", "scale": 1.5}})
    with new_dataset(tmp_path / "data") as folder:
        images.write(folder / "input/cell.tif", xr.DataArray(np.eye(8), dims=("y", "x")))
        write_facts(folder, facts)
    assert open_dataset(tmp_path / "data").facts == facts


def test_a_black_border_does_not_hide_the_shift(tmp_path: Path) -> None:
    data = shifted(tmp_path / "data")
    target = images.read(data / "target" / "cell.tif")
    target.values -= target.values.min() - 1
    target.values[:14] = 0
    target.values[:, -14:] = 0
    images.write(data / "target" / "cell.tif", target)

    facts = registered(data, tmp_path / "out").facts

    assert facts.registered is not None
    found = facts.registered["cell"]
    assert found["shift_y_um"] == pytest.approx(SHIFT_PX[0] * PIXEL_UM, abs=0.2 * PIXEL_UM)
    assert found["shift_x_um"] == pytest.approx(SHIFT_PX[1] * PIXEL_UM, abs=0.2 * PIXEL_UM)


def test_one_of_several_channels_is_registered(tmp_path: Path) -> None:
    path = shifted(tmp_path / "data")
    seen = images.read(path / "input" / "cell.tif")
    images.write(path / "input" / "cell.tif", xr.concat([0 * seen, seen], "c"))
    with pytest.raises(UserError, match=r"has 2 channels.* --channel one of 1, 2"):
        register(path, out=tmp_path / "none")
    register(path, out=tmp_path / "out", affine=True, channel="2")
    facts = open_dataset(tmp_path / "out").facts
    assert facts.registered is not None
    assert facts.registered["cell"]["kept"] == "affine"
