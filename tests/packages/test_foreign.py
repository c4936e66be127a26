"""Packages that others made: of any axes, sizes and number of outputs, and of bad intent."""

import json
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from imaging.cli import UserError
from packages import package as package_module
from packages.check import SUITE, apply
from packages.checks.subject import Subject
from packages.package import open_package
from packages.runner import Runner
from tests import tiny_networks
from tests import tiny_packages as tiny


def image_of(**lengths: int) -> xr.DataArray:
    values = np.random.default_rng(5).integers(0, 200, tuple(lengths.values())).astype(np.uint8)
    return xr.DataArray(values, dims=list(lengths))


def change(folder: Path, edit: Callable[[Any], object]) -> Path:
    file = folder / "rdf.yaml"
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))
    return folder


def restored(path: Path, image: xr.DataArray) -> xr.DataArray:
    with open_package(path) as package:
        return Runner(package)(image, tile=32)


@pytest.mark.parametrize(
    ("axes", "lengths"),
    [
        (("y", "x"), {"y": 40, "x": 33}),
        (("batch", "y", "x"), {"y": 40, "x": 33}),
        (("channel", "y", "x"), {"y": 40, "x": 33}),
        (("batch", "y", "x", "channel"), {"y": 40, "x": 33}),
        (("z", "y", "x"), {"z": 6, "y": 40, "x": 33}),
        (("channel", "z", "y", "x"), {"z": 6, "y": 40, "x": 33}),
    ],
)
def test_any_axes_are_restored(
    tmp_path: Path, axes: tuple[str, ...], lengths: dict[str, int]
) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity(), axes=axes, preprocessing=[])
    image = image_of(**lengths)

    np.testing.assert_array_equal(restored(folder, image)[0], image)


@pytest.mark.parametrize(("scale", "weights"), [(2, "torchscript"), (4, "onnx")])
def test_a_finer_output_has_as_many_more_pixels(tmp_path: Path, scale: int, weights: str) -> None:
    folder = tiny.write(
        tmp_path / "p",
        nn.Upsample(scale_factor=scale),
        output_pixel_um=0.1 / scale,
        preprocessing=[],
        weights=(weights,),
    )
    image = image_of(y=40, x=33)

    expected = image.values.repeat(scale, 0).repeat(scale, 1)
    np.testing.assert_array_equal(restored(folder, image)[0], expected)


def test_windows_of_a_fixed_size_may_have_a_finer_output(tmp_path: Path) -> None:
    folder = tiny.write(
        tmp_path / "p",
        nn.Upsample(scale_factor=2),
        size=64,
        output_size=128,
        halo=None,
        preprocessing=[],
        weights=("onnx",),
    )
    image = image_of(y=100, x=33)

    expected = image.values.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(restored(folder, image)[0], expected)


def test_processing_to_a_type_and_back_is_applied(tmp_path: Path) -> None:
    fixed = {"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 100.0, "std": 30.0}}
    back = {"id": "scale_linear", "kwargs": {"gain": 30.0, "offset": 100.0}}
    folder = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=[fixed])
    change(folder, lambda content: content["outputs"][0].update(postprocessing=[back]))
    image = image_of(y=40, x=33)

    np.testing.assert_allclose(restored(folder, image)[0], image, atol=1e-4)


class ScoreAndImage(nn.Module):
    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return image.mean(dim=(2, 3), keepdim=True), image * 2


class Doubles(nn.Module):
    """Takes a second image, and does without."""

    def forward(self, image: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        return image * 2 if other is None else image + other


def add_score(content: Any) -> None:
    kinds = (("batch", {}), ("channel", {"channel_names": ["score"]}))
    axes = [{"type": kind, "id": kind, **more} for kind, more in kinds]
    axes += [{"type": "space", "id": side, "size": 1} for side in "yx"]
    score = {"id": "score", "axes": axes, "test_tensor": {"source": "test_output.npy"}}
    content["outputs"].insert(0, score)


def test_of_several_outputs_the_image_is_taken(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=[])
    (folder / "torchscript.pt").write_bytes(tiny_networks.torchscript(ScoreAndImage()))
    change(folder, add_score)
    image = image_of(y=40, x=33)

    np.testing.assert_array_equal(restored(folder, image)[0], image.values * 2.0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch deprecates TorchScript
def test_an_optional_input_is_left_out(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=[])
    torch.jit.script(Doubles()).save(str(folder / "torchscript.pt"))
    change(
        folder,
        lambda content: content["inputs"].append(
            {**content["inputs"][0], "id": "other", "optional": True}
        ),
    )
    image = image_of(y=40, x=33)

    np.testing.assert_array_equal(restored(folder, image)[0], image.values * 2.0)


# What cannot be done is said in one sentence ------------------------------------------------------


def without_z(content: Any) -> None:
    output = content["outputs"][0]
    output["axes"] = [axis for axis in output["axes"] if axis["id"] != "z"]


def test_a_projection_is_refused(tmp_path: Path) -> None:
    axes = ("batch", "channel", "z", "y", "x")
    folder = tiny.write(tmp_path / "p", nn.Identity(), axes=axes)
    change(folder, without_z)

    with pytest.raises(UserError, match="does not turn an image into an image of the same axes"):
        restored(folder, image_of(z=6, y=40, x=33))


def with_time(content: Any) -> None:
    for tensor in (content["inputs"][0], content["outputs"][0]):
        tensor["axes"][1] = {"type": "time", "id": "time", "size": 1, "unit": "second"}


def test_a_film_is_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=[])
    change(folder, with_time)

    with pytest.raises(UserError, match="does not turn an image into an image of the same axes"):
        restored(folder, image_of(y=40, x=33))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("(lambda image: None)", "its network gives no 'output'"),
        ("(lambda image: image * 1j)", "its network gives complex values"),
        ("(lambda image: image + torch.empty(2**60))", "ran out of memory"),
    ],
)
def test_what_a_network_must_not_give_is_told(tmp_path: Path, answer: str, sentence: str) -> None:
    network = tiny_networks.load(tiny_networks.network_source())
    folder = tiny.write(tmp_path / "p", network, weights=("pytorch_state_dict",))
    (folder / "model.py").write_text(tiny_networks.network_source(answer))

    with (
        open_package(folder, trust=True) as package,
        pytest.raises(UserError, match=sentence),
    ):
        Runner(package)(image_of(y=40, x=33))


def test_a_zip_that_would_fill_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.write(tmp_path / "p.zip", nn.Identity())
    monkeypatch.setattr(package_module, "LARGEST_BYTES", 2**20)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(2**20))

    with pytest.raises(UserError, match="would unpack to"), open_package(path):
        pass


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("a.png", lambda content: content.update(covers=["../a.png"])),
        ("a.md", lambda content: content.update(documentation="../a.md")),
        ("a.npy", lambda content: content["inputs"][0]["test_tensor"].update(source="../a.npy")),
    ],
)
def test_a_file_outside_is_refused(
    tmp_path: Path, name: str, edit: Callable[[Any], object]
) -> None:
    (tmp_path / name).touch()
    folder = change(tiny.write(tmp_path / "p", nn.Identity()), edit)

    with pytest.raises(UserError, match=f"'../{name}', which is not inside it"):
        restored(folder, image_of(y=40, x=33))


@pytest.mark.parametrize("tolerance", ["much", ["0.1"], float("nan")])
def test_a_tolerance_that_is_no_number_is_none(tmp_path: Path, tolerance: object) -> None:
    folder = tiny.write(tmp_path / "p", tiny_networks.Blur())
    ours = {"restoration_zoo": {"tiles_tolerance": tolerance}}
    change(folder, lambda content: content.update(config=ours))

    with open_package(folder) as package, closing(Subject(package)) as subject:
        result = apply(SUITE["tiled equals whole"], subject)

    assert result.values
