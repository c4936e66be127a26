"""Volumes: which data are, what patches of them are drawn, and a training from end to end."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from numpy.typing import NDArray

from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.trained_weights import TrainedWeights
from packages.build import build
from packages.care.model import as_planes
from packages.package import open_package
from packages.predict import predict_file
from packages.runner import Runner
from training.calibrate import recalibrate
from training.data import Pair, Patches, load_pairs
from training.division import split_items
from training.recipes import care, hazematching
from training.run import run
from training.volumes import are_volumes, on_disk

SIZE_UM = {"z": 0.5, "y": 0.1, "x": 0.1}
NETWORK: dict[str, Any] = {
    "dimensions": 3,
    "depth": 0,
    "filters": 4,
    "coarsen": 4,
    "residual": False,
    "through_planes": 1,
}


def tiny(recipe: Any, **network: Any) -> Any:
    """Return a recipe of volumes with a network that learns in no time."""

    def small(factor: int) -> Any:
        usual = recipe.of_volumes["small"](factor)
        return replace(usual, network=network, patch_px=32, patch_planes=8, steps=2)

    return replace(recipe, of_volumes={"small": small})


def stack(seed: int, planes: int = 9, side: int = 40) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((planes, side, side), dtype=np.float32)


def write(file: Path, values: NDArray[Any], size_um: Mapping[str, float] = SIZE_UM) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    dims = ("b", "z", "y", "x")[-values.ndim :]
    images.write(file, xr.DataArray(values, dims=dims, attrs={"pixel_size_um": dict(size_um)}))


def dataset(
    folder: Path, *stacks: NDArray[np.float32], size_um: Mapping[str, float] = SIZE_UM
) -> Path:
    for i, values in enumerate(stacks):
        write(folder / "input" / f"{i}.tif", values * 100, size_um)
        write(folder / "target" / f"{i}.tif", values, size_um)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("data"), *(stack(i) for i in range(4)))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return start(tiny(care.RECIPE, **NETWORK), data, tmp_path_factory.mktemp("runs") / "care")


@pytest.fixture(scope="module")
def package(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("care", checkpoint=trained, out=tmp_path_factory.mktemp("dist") / "care.zip")


def start(recipe: Any, data: Path, out: Path, **changes: Any) -> Path:
    asked: dict[str, Any] = {"preset": "small", "steps": None, "minutes": None, "seed": 0}
    return run(recipe, data=data, out=out, resume=False, **(asked | changes))


def test_stacks_of_eight_planes_are_volumes(tmp_path: Path) -> None:
    assert are_volumes(open_dataset(dataset(tmp_path / "a", stack(0), stack(1, planes=8))))
    assert not are_volumes(open_dataset(dataset(tmp_path / "b", stack(0), stack(1, planes=7))))
    assert not are_volumes(open_dataset(dataset(tmp_path / "c", stack(0), stack(1)[0])))


def test_a_volume_is_one_pair_and_of_a_series_each_time_point(tmp_path: Path) -> None:
    series = np.stack([stack(0), stack(1)])
    pairs = load_pairs(open_dataset(dataset(tmp_path, series)).items, volumes=True)
    assert [pair.name for pair in pairs] == ["0[0]", "0[1]"]
    np.testing.assert_array_equal(pairs[1].input, series[1] * 100)
    low, high = np.percentile(series.astype(np.float64), [2, 99.8])
    np.testing.assert_allclose(pairs[1].target, (series[1] - low) / (high - low), atol=1e-5)


def test_volumes_are_not_divided_by_planes(tmp_path: Path) -> None:
    parts = split_items(open_dataset(dataset(tmp_path, stack(0, side=60))), volumes=True)
    assert {axis for items in parts.values() for item in items for axis in item.region} == {"x"}


def test_what_lies_on_disk_is_the_same() -> None:
    volume = stack(0)
    np.testing.assert_array_equal(on_disk(volume), volume)


def test_planes_of_volumes_are_images_of_a_batch() -> None:
    volumes = torch.rand(2, 1, 3, 4, 5)
    torch.testing.assert_close(as_planes(volumes)[4], volumes[1, :, 1])


def test_patches_are_windows_of_the_volume_turned_in_their_planes() -> None:
    """Each voxel says where it lies, so that a patch tells its own place."""
    z, y, x = np.indices((12, 24, 24)).astype(np.float32)
    place = (z * 10_000 + y * 100 + x) / 1e6
    pair = Pair("p", place, place, (0.0, 0.0), (1.0, 1.0))
    patches = Patches([pair], size_px=16, batch_size=16, seed=0, planes=8)
    batch = patches.batch(0)
    assert batch.input.shape == batch.target.shape == (16, 1, 8, 16, 16)
    found = (batch.target[:, 0].double() * 1e6).round().long()
    depth, rest = found // 10_000, found % 10_000
    assert torch.equal(depth.diff(dim=1), torch.ones_like(depth[:, 1:]))
    assert torch.equal(rest.diff(dim=1), torch.zeros_like(rest[:, 1:]))  # planes are turned alike
    corners = {
        (int(d.min()), int(r.min() // 100), int(r.min() % 100))
        for d, r in zip(depth, rest, strict=True)
    }
    assert len(corners) > 4
    assert max(corner[0] for corner in corners) <= 4


def test_a_patch_with_structure_is_likelier() -> None:
    target = np.zeros((8, 64, 64), np.float32)
    target[:, 40:, 40:] = 1
    pair = Pair("p", target, target, (0.0, 0.0), (1.0, 1.0))
    batch = Patches([pair], size_px=16, batch_size=200, seed=0, planes=8).batch(0)
    assert float((batch.target.amax(dim=(1, 2, 3, 4)) > 0).float().mean()) > 0.6


def test_a_stack_shallower_than_a_patch_is_refused() -> None:
    pair = Pair("p", stack(0), stack(0), (0.0, 0.0), (1.0, 1.0))
    with pytest.raises(UserError, match="9 planes, fewer than a training patch has, 16"):
        Patches([pair], size_px=16, batch_size=1, seed=0, planes=16)


def test_a_training_on_stacks_is_of_volumes(trained: Path) -> None:
    read = TrainedWeights.read(trained)
    assert read.example.input.ndim == 3
    assert read.metadata.data.z_step_um == 0.5
    assert read.metadata.request.settings.patch_planes == 8


def test_planes_are_restored_where_that_is_asked_for(data: Path, tmp_path: Path) -> None:
    settings = care.RECIPE.presets["small"](1)
    network = {"depth": 1, "filters": 4, "coarsen": 4, "residual": False}
    plain = replace(settings, network=network, patch_px=32, steps=2)
    recipe = replace(care.RECIPE, presets={"small": lambda factor: plain})
    read = TrainedWeights.read(start(recipe, data, tmp_path / "run", planes=True))
    assert read.example.input.ndim == 2
    assert read.metadata.data.z_step_um is None


def test_the_package_restores_volumes(package: Path) -> None:
    with open_package(package, trust=True) as opened:
        assert opened.pixel_size_um == SIZE_UM
        assert [str(axis.id) for axis in opened.input.axes][2:] == ["z", "y", "x"]
        assert "3d" in opened.description.tags
        halo = [getattr(axis, "halo", None) for axis in opened.output.axes][2:]
        # One convolution that sees neighbouring planes, and the last layer.
        assert halo[0] == 2
        assert halo[1] == halo[2]


def test_its_formats_agree_and_blocks_equal_the_whole(package: Path) -> None:
    image = xr.DataArray(stack(5, 12, 64), dims=("z", "y", "x"))
    image.attrs["pixel_size_um"] = dict(SIZE_UM)
    with open_package(package, trust=True) as opened:
        of_format = {
            name: Runner(opened, weights=name, device="cpu")(image).values
            for name in ("pytorch_state_dict", "torchscript", "onnx")
        }
        whole = of_format.pop("pytorch_state_dict")
        blocks = Runner(opened, device="cpu")(image, tile=16).values
    for values in (blocks, *of_format.values()):
        np.testing.assert_allclose(values, whole, atol=1e-5 * np.ptp(whole))


def test_a_plane_is_refused_by_a_package_of_volumes(package: Path, tmp_path: Path) -> None:
    write(tmp_path / "plane.tif", stack(0)[0], {"y": 0.1, "x": 0.1})
    with pytest.raises(UserError, match="restores volumes, and the image has no z axis"):
        predict_file(package, tmp_path / "plane.tif", tmp_path / "out.ome.tif")
    assert not (tmp_path / "out.ome.tif").exists()


def test_planes_of_another_distance_are_refused_unless_it_is_given(
    package: Path, tmp_path: Path
) -> None:
    write(tmp_path / "far.tif", stack(0), SIZE_UM | {"z": 1.0})
    out = tmp_path / "out.ome.tif"
    with pytest.raises(UserError, match=r"1 µm apart .* 0\.5 µm apart: resample"):
        predict_file(package, tmp_path / "far.tif", out)
    assert not out.exists()
    predict_file(package, tmp_path / "far.tif", out, z_step=0.5)
    assert images.read(out).sizes["z"] == 9


def test_a_stack_thinner_than_the_network_looks_is_restored(package: Path, tmp_path: Path) -> None:
    write(tmp_path / "thin.tif", stack(0, planes=2))
    predict_file(package, tmp_path / "thin.tif", tmp_path / "out.ome.tif")
    assert images.read(tmp_path / "out.ome.tif").sizes["z"] == 2


def test_weights_of_volumes_are_calibrated_on_volumes(
    trained: Path, tmp_path: Path, data: Path
) -> None:
    many = dataset(tmp_path / "data", *(stack(i) for i in range(91)))
    made = recalibrate(trained, data=many, out=tmp_path / "calibrated.pt")
    found = TrainedWeights.read(made).metadata.trust_mask
    assert found is not None
    assert found.calibration_images == 9  # the middle plane of each


def test_samples_of_volumes_come_with_a_calibrated_deviation(data: Path, tmp_path: Path) -> None:
    network = {"dimensions": 3, "depth": 1, "filters": 8, "width": 8, "blocks": 1}
    recipe = tiny(hazematching.RECIPE, **network, samples=2, steps=1, through_planes=1)
    weights = start(recipe, data, tmp_path / "run")
    found = TrainedWeights.read(weights).metadata.calibration
    assert found is not None
    assert found.images.calibration == 1


def test_unknown_distances_of_planes_are_refused(tmp_path: Path) -> None:
    unknown = {"y": 0.1, "x": 0.1}
    data = dataset(tmp_path / "data", *(stack(i) for i in range(4)), size_um=unknown)
    with pytest.raises(
        UserError, match=r"how far apart its planes are.*z_step_um in dataset\.toml"
    ):
        start(tiny(care.RECIPE, **NETWORK), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_different_distances_of_planes_are_refused(tmp_path: Path) -> None:
    data = dataset(tmp_path / "data", *(stack(i) for i in range(4)))
    for part in ("input", "target"):
        write(data / part / "3.tif", stack(3), SIZE_UM | {"z": 1.0})
    with pytest.raises(UserError, match=r"planes 0\.5 µm apart and .* 1 µm"):
        start(tiny(care.RECIPE, **NETWORK), data, tmp_path / "run")


def test_a_microscope_is_refused_for_volumes(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--microscope degrades planes anew, and these are volumes"):
        start(tiny(care.RECIPE, **NETWORK), data, tmp_path / "run", microscope=Path("default"))
