"""The mask that predict writes beside a restored image."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xarray as xr
import yaml
from torch import nn

from imaging import images
from imaging.cli import UserError
from imaging.structures import paint
from packages import trust_mask
from packages.predict import predict_file
from packages.trust_mask import write_mask
from tests import tiny_packages as tiny
from tests.trained import TRUST_MASK

PIXEL_UM = {"y": 0.1, "x": 0.1}


def spots(*shape: int, seed: int = 0) -> xr.DataArray:
    """Planes of spots of different brightness."""
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[: shape[-2], : shape[-1]]
    planes = [
        sum(
            brightness * np.exp(-((y - 16 * i - 8) ** 2 + (x - 16 * j - 8) ** 2) / 8)
            for i in range(shape[-2] // 16)
            for j, brightness in enumerate(rng.permutation(np.geomspace(0.02, 1, shape[-1] // 16)))
        )
        for _ in range(int(np.prod(shape[:-2])))
    ]
    dims = ("b", "z", "y", "x")[-len(shape) :]
    stack = np.reshape(planes, shape).astype(np.float32)
    return xr.DataArray(stack, dims=dims, attrs={"pixel_size_um": PIXEL_UM})


def package(folder: Path, stated: object, **tensors: Any) -> Path:
    """A package that changes nothing and promises what is stated."""
    path = tiny.write(folder / "p", nn.Identity(), preprocessing=[], **tensors)
    rdf = yaml.safe_load((path / "rdf.yaml").read_text())
    rdf["config"] = {"restoration_zoo": {} if stated is None else {"trust_mask": stated}}
    (path / "rdf.yaml").write_text(yaml.safe_dump(rdf))
    return path


@pytest.mark.parametrize(
    ("suffix", "shape"),
    [(".ome.tif", (48, 64)), (".tif", (2, 3, 48, 64)), (".ome.zarr", (3, 48, 64))],
)
def test_a_mask_has_the_pixels_of_the_result(
    tmp_path: Path, suffix: str, shape: tuple[int, ...]
) -> None:
    images.write(tmp_path / "in.ome.tif", spots(*shape))
    out, mask = tmp_path / f"out{suffix}", tmp_path / f"mask{suffix}"
    zipped = package(tmp_path, asdict(TRUST_MASK))
    predict_file(zipped, tmp_path / "in.ome.tif", out, trust_mask=mask)
    restored, drawn = images.read(out), images.read(mask)
    assert drawn.dtype == np.uint8
    assert drawn.sizes == restored.sizes
    assert drawn.attrs["pixel_size_um"] == restored.attrs["pixel_size_um"]
    last = (-1,) * (len(shape) - 2)
    assert np.array_equal(drawn.values[last], paint(restored.values[last], TRUST_MASK.levels))
    assert set(np.unique(drawn)) == {0, 1, 2}


def test_the_file_says_what_its_numbers_promise(tmp_path: Path) -> None:
    images.write(tmp_path / "in.ome.tif", spots(48, 64))
    mask = tmp_path / "mask.ome.tif"
    zipped = package(tmp_path, asdict(TRUST_MASK))
    predict_file(zipped, tmp_path / "in.ome.tif", tmp_path / "out.ome.tif", trust_mask=mask)
    with tifffile.TiffFile(mask) as file:
        said = "where it is at least 1, 10%, and where it is at least 2, 5%"
        assert said in str(file.ome_metadata)


def test_gain_and_offset_of_the_input_change_no_mask(tmp_path: Path) -> None:
    scaled = [{"id": "scale_range", "kwargs": {"axes": ["channel", "y", "x"], **tiny.PERCENTILES}}]
    path = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=scaled)
    rdf = yaml.safe_load((path / "rdf.yaml").read_text())
    rdf["config"] = {"restoration_zoo": {"trust_mask": asdict(TRUST_MASK)}}
    (path / "rdf.yaml").write_text(yaml.safe_dump(rdf))
    image = spots(48, 64)
    for name, given in (("a", image), ("b", 37 * image + 1000)):
        source = tmp_path / f"{name}.ome.tif"
        images.write(source, given.assign_attrs(image.attrs))
        out, mask = tmp_path / f"{name}-out.ome.tif", tmp_path / f"{name}-mask.ome.tif"
        predict_file(path, source, out, trust_mask=mask)
    one, other = (images.read(tmp_path / f"{name}-mask.ome.tif").values for name in "ab")
    assert one.any()
    assert np.mean(one != other) < 0.002  # heights within rounding of a level


def test_each_channel_of_an_image_has_a_mask_of_its_own(tmp_path: Path) -> None:
    image = xr.concat([spots(48, 64), spots(48, 64, seed=1)], "c").assign_coords(c=["GFP", "RFP"])
    images.write(tmp_path / "in.ome.tif", image.assign_attrs(pixel_size_um=PIXEL_UM))
    mask = tmp_path / "mask.ome.tif"
    predict_file(
        package(tmp_path, asdict(TRUST_MASK)),
        tmp_path / "in.ome.tif",
        tmp_path / "out.ome.tif",
        channel="all",
        trust_mask=mask,
    )
    drawn = images.read(mask)
    assert drawn.coords["c"].values.tolist() == ["GFP", "RFP"]
    expected = [paint(plane, TRUST_MASK.levels) for plane in image.values]
    assert np.array_equal(drawn.values, expected)


def test_of_a_package_with_a_std_the_restored_image_counts(tmp_path: Path) -> None:
    restored = np.stack([spots(48, 64).values, spots(48, 64, seed=1).values])
    file = tmp_path / "out.ome.tif"
    both = xr.DataArray(restored, dims=("c", "y", "x"), coords={"c": ["mean", "std"]})
    images.write(file, both.assign_attrs(pixel_size_um=PIXEL_UM))
    write_mask(file, tmp_path / "mask.ome.tif", TRUST_MASK, {"": 0})
    drawn = images.read(tmp_path / "mask.ome.tif").values
    assert np.array_equal(drawn, paint(restored[0], TRUST_MASK.levels))


def test_windows_show_no_seams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_mask, "_WINDOW_PX", 200)
    noise = np.random.default_rng(0).random((40, 320)).astype(np.float32)
    image = xr.DataArray(noise, dims=("y", "x"), attrs={"pixel_size_um": PIXEL_UM})
    images.write(tmp_path / "out.ome.tif", image)
    write_mask(tmp_path / "out.ome.tif", tmp_path / "mask.ome.tif", TRUST_MASK, {"": 0})
    drawn = images.read(tmp_path / "mask.ome.tif").values
    assert np.array_equal(drawn, paint(noise, TRUST_MASK.levels))


def test_a_folder_gets_a_folder_of_masks(tmp_path: Path) -> None:
    for name in "ab":
        images.write(tmp_path / "in" / f"{name}.tif", spots(48, 64))
    zipped = package(tmp_path, asdict(TRUST_MASK))
    masks = tmp_path / "masks"
    for _ in range(2):  # what is gone is made again
        predict_file(zipped, tmp_path / "in", tmp_path / "out", trust_mask=masks)
        assert sorted(file.name for file in masks.glob("*.tif")) == ["a.tif", "b.tif"]
        (masks / "b.tif").unlink()


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (None, r"promises nothing of structures.*training calibrate"),
        ("much", r"trust_mask of its rdf\.yaml cannot be used"),
        (asdict(TRUST_MASK) | {"heights": {"0.9": 0.5, "0.95": 0.1}}, "'heights'.*do not rise"),
        (asdict(TRUST_MASK) | {"heights": {"0.9": float("nan")}}, "'heights"),
    ],
)
def test_a_package_without_a_usable_promise_restores_nothing(
    tmp_path: Path, stated: object, said: str
) -> None:
    images.write(tmp_path / "in.ome.tif", spots(48, 64))
    out, zipped = tmp_path / "out.ome.tif", package(tmp_path, stated)
    with pytest.raises(UserError, match=said):
        predict_file(zipped, tmp_path / "in.ome.tif", out, trust_mask=tmp_path / "m.ome.tif")
    assert not out.exists()
    predict_file(zipped, tmp_path / "in.ome.tif", out)  # without a mask nothing is wrong


@pytest.mark.parametrize(
    ("source", "out", "mask", "said"),
    [
        ("in.ome.tif", "out.ome.tif", "mask.png", "masks are written as OME-TIFF"),
        ("in.ome.tif", "out.ome.tif", "out.ome.tif", "input or output itself"),
        (".", "out", "mask.tif", "give a folder for the masks"),
        (".", "out", "out", "input or output itself"),
    ],
)
def test_masks_of_impossible_names_are_refused(
    tmp_path: Path, source: str, out: str, mask: str, said: str
) -> None:
    folder = tmp_path / "images"
    images.write(folder / "in.ome.tif", spots(48, 64))
    zipped = package(tmp_path, asdict(TRUST_MASK))
    with pytest.raises(UserError, match=said):
        predict_file(zipped, folder / source, folder.parent / out, trust_mask=tmp_path / mask)


def test_one_level_makes_a_mask_of_one_value(tmp_path: Path) -> None:
    only = {"0.9": 0.02}
    stated = replace(TRUST_MASK, heights=only, false=only, found=only)
    images.write(tmp_path / "out.ome.tif", spots(48, 64))
    write_mask(tmp_path / "out.ome.tif", tmp_path / "m.ome.tif", stated, {"": 0})
    assert set(np.unique(images.read(tmp_path / "m.ome.tif").values)) == {0, 1}
