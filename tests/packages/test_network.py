import gc
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bioimageio.core import create_prediction_pipeline
from bioimageio.core.digest_spec import create_sample_for_model
from torch import nn

from imaging.cli import UserError
from packages.network import Network
from packages.package import open_package
from tests import tiny_networks
from tests import tiny_packages as tiny

SPATIAL = ["channel", "y", "x"]
PROCESSING: dict[str, list[dict[str, Any]]] = {
    "scale_range": [
        {"id": "scale_range", "kwargs": {"axes": SPATIAL, **tiny.PERCENTILES}},
    ],
    "zero_mean": [{"id": "zero_mean_unit_variance", "kwargs": {"axes": SPATIAL}}],
    "clip": [
        {"id": "clip", "kwargs": {"axes": SPATIAL, "min_percentile": 5, "max_percentile": 90}}
    ],
    "whole_dataset": [{"id": "zero_mean_unit_variance"}],
    "linear": [{"id": "scale_linear", "kwargs": {"gain": 0.5, "offset": -3.0}}],
    "several": [
        {"id": "scale_linear", "kwargs": {"gain": 2.0, "offset": 1.0}},
        {"id": "scale_range", "kwargs": {"axes": SPATIAL, **tiny.PERCENTILES}},
        {"id": "sigmoid"},
    ],
    "none": [],
}


def of(image: np.ndarray) -> Callable[[int | None], Callable[[], list[np.ndarray]]]:
    return lambda channel: lambda: [image if channel is None else image[channel]]


# core leaves weights files to the garbage collector, and PyTorch deprecates TorchScript.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("processing", PROCESSING)
def test_agrees_with_core(tmp_path: Path, processing: str) -> None:
    folder = tiny.write(
        tmp_path / "p",
        tiny_networks.Blur(),
        halo=None,
        preprocessing=PROCESSING[processing],
        weights=("onnx",),
    )
    image = np.random.default_rng(3).gamma(2, 50, (1, 1, 32, 48)).astype(np.float32)

    with open_package(folder) as package:
        network = Network(package)
        measured = network.processing.measure(of(image))
        ours = network(image, measured)
        core = create_prediction_pipeline(
            package.description, devices=["cpu"], weights_format="onnx"
        )
        sample = create_sample_for_model(package.description, inputs={"input": image})  # type: ignore[dict-item]
        theirs = core.predict_sample_without_blocking(sample).members[package.output.id]

    np.testing.assert_allclose(ours[:, 0], theirs.to_numpy()[0], rtol=1e-5, atol=1e-5)


def test_formats_agree(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", tiny_networks.Blur(), weights=("torchscript", "onnx"))
    image = np.random.default_rng(3).random((1, 1, 16, 20), np.float32)

    with open_package(folder) as package:
        networks = [Network(package, weights=w) for w in ("torchscript", "onnx")]
        measured = networks[0].processing.measure(of(image))
        first, second = (network(image, measured) for network in networks)

    np.testing.assert_allclose(first, second, atol=1e-6)


def test_channels_are_normalised_each_by_itself(tmp_path: Path) -> None:
    per_channel = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}]
    folder = tiny.write(
        tmp_path / "p",
        nn.Identity(),
        channels=("a", "b"),
        input_channels=("a", "b"),
        preprocessing=per_channel,
    )
    image = np.random.default_rng(3).random((2, 1, 16, 16), np.float32) * [[[[1]]], [[[100]]]]

    with open_package(folder) as package:
        network = Network(package)
        result = network(image, network.processing.measure(of(image)))

    np.testing.assert_allclose(result.std(axis=(1, 2, 3)), 1, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8"])
def test_values_beyond_the_input_type_are_refused(tmp_path: Path, dtype: str) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity(), preprocessing=[], input_dtype=dtype)

    with open_package(folder) as package, pytest.raises(UserError, match="do not fit the uint8"):
        Network(package).processing.measure(of(np.array([[[[0.0, 300.0]]]])))


def test_an_image_that_is_flat_but_for_a_few_pixels_is_refused(tmp_path: Path) -> None:
    folder = tiny.write(
        tmp_path / "p", tiny_networks.Blur(), preprocessing=PROCESSING["scale_range"]
    )
    image = np.full((1, 1, 64, 64), 100, np.float32)
    with open_package(folder) as package:
        network = Network(package)
        network.processing.measure(of(image))  # a constant one is no more than empty
        image[0, 0, 3, 5] = 900
        with pytest.raises(UserError, match="Almost all pixels of the image are 100"):
            network.processing.measure(of(image))


@pytest.mark.parametrize("processing", ["scale_range", "zero_mean"])
def test_the_unit_of_an_image_changes_nothing(tmp_path: Path, processing: str) -> None:
    folder = tiny.write(tmp_path / "p", tiny_networks.Blur(), preprocessing=PROCESSING[processing])
    image = np.random.default_rng(0).random((1, 1, 64, 64))
    with open_package(folder) as package:
        network = Network(package)
        bright, faint = (
            network(scaled, network.processing.measure(of(scaled)))
            for scaled in (image * 1e3, image * 1e-9)
        )
    np.testing.assert_allclose(faint, bright, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("extent", "accepted"), [(1e-5, False), (2e-4, True)])
def test_an_image_that_normalising_would_change_is_refused(
    tmp_path: Path, extent: float, accepted: bool
) -> None:
    no_unit = [{"id": "scale_linear", "kwargs": {"gain": 1.0, "offset": 1.0}}]
    folder = tiny.write(
        tmp_path / "p", nn.Identity(), preprocessing=[*no_unit, *PROCESSING["scale_range"]]
    )
    image = (extent * np.random.default_rng(0).random((1, 1, 64, 64))).astype(np.float32)
    with open_package(folder) as package:
        network = Network(package)
        if accepted:
            network.processing.measure(of(image))
            return
        with pytest.raises(UserError, match=r"spread by .* only.* multiply them by 100 or more"):
            network.processing.measure(of(image))


def test_an_empty_channel_beside_others_is_refused(tmp_path: Path) -> None:
    folder = tiny.write(
        tmp_path / "p",
        nn.Identity(),
        channels=("a", "b"),
        input_channels=("a", "b"),
        preprocessing=[{"id": "scale_range", "kwargs": {"axes": ["y", "x"], **tiny.PERCENTILES}}],
    )
    image = np.random.default_rng(0).random((2, 1, 64, 64)).astype(np.float32)
    image[1] = 0
    image[1, 0, 3, 5] = 900
    with (
        open_package(folder) as package,
        pytest.raises(UserError, match="Almost all pixels of the image are 0"),
    ):
        Network(package).processing.measure(of(image))


def test_an_image_that_standardising_would_change_is_refused(tmp_path: Path) -> None:
    no_unit = [{"id": "scale_linear", "kwargs": {"gain": 1.0, "offset": 1.0}}]
    folder = tiny.write(
        tmp_path / "p", nn.Identity(), preprocessing=[*no_unit, *PROCESSING["zero_mean"]]
    )
    image = (1e-6 * np.random.default_rng(0).random((1, 1, 64, 64))).astype(np.float32)
    with open_package(folder) as package, pytest.raises(UserError, match="multiply them by"):
        Network(package).processing.measure(of(image))


class Fails(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.reshape(1, 1, 16, 16)


class DividesByZero(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image / (image - image)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (Fails(), "its network failed"),
        (DividesByZero(), "gives NaN"),
        (nn.MaxPool2d(2), "its description promises"),
    ],
)
def test_network_that_misbehaves_is_reported(
    tmp_path: Path, network: nn.Module, sentence: str
) -> None:
    folder = tiny.write(tmp_path / "p", network, preprocessing=[])

    image = np.ones((1, 1, 16, 20), np.float32)
    with open_package(folder) as package:
        measured = Network(package).processing.measure(of(image))
        with pytest.raises(UserError, match=sentence):
            Network(package)(image, measured)


def test_absent_weights_are_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())

    with open_package(folder) as package, pytest.raises(UserError, match="choose torchscript"):
        Network(package, weights="onnx")


def close_what_core_left_open() -> None:
    """Free it here, and not in the middle of another test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def test_weights_that_are_not_those_described_are_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())
    description = json.loads((folder / "rdf.yaml").read_text())
    description["weights"]["torchscript"]["sha256"] = 64 * "0"
    (folder / "rdf.yaml").write_text(json.dumps(description))

    with open_package(folder) as package, pytest.raises(UserError, match="SHA-256 differs"):
        Network(package)
    close_what_core_left_open()


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "p", nn.Identity())
    (folder / "torchscript.pt").write_bytes(b"no network")

    with open_package(folder) as package, pytest.raises(UserError, match="cannot be loaded"):
        Network(package)
    close_what_core_left_open()
