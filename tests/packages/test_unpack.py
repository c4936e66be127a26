"""Weights come out of a package as they went in, or a sentence says why not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from imaging.cli import UserError
from imaging.files import sha256
from packages.care.model import UNet
from packages.unpack import unpack
from tests import tiny_packages as tiny

NETWORK: dict[str, Any] = {"depth": 1, "filters": 8, "kernel_size": 3, "coarsen": 4}
VOLUMES = ("batch", "channel", "z", "y", "x")


@pytest.fixture
def network() -> UNet:
    torch.manual_seed(0)
    return UNet(**NETWORK)


@pytest.fixture
def package(network: UNet, tmp_path: Path) -> Path:
    return tiny.write_care(tmp_path / "care", network, NETWORK)


def test_the_weights_are_those_that_were_packaged(package: Path, network: UNet) -> None:
    unpacked = unpack(package)
    assert unpacked.model.name == "care"
    assert unpacked.arguments == NETWORK
    assert unpacked.weights.keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(unpacked.weights[name], tensor)


def test_the_package_says_what_it_is(package: Path) -> None:
    lineage, size_um = unpack(package).lineage, unpack(package).pixel_size_um
    assert size_um == 0.08
    assert lineage.name == "Tiny network"
    assert lineage.sha256 == sha256(package)
    assert (lineage.data, lineage.data_sha256) == ("noise", "0" * 64)


@pytest.mark.parametrize(
    ("sentence", "options"),
    [
        ("no PyTorch weights", {}),
        ("a network 'Tiny', which is none", {"weights": ("pytorch_state_dict",)}),
        ("axes z, y, x", {"axes": VOLUMES, "weights": ("pytorch_state_dict",)}),
        ("several channels", {"input_channels": ("a", "b"), "weights": ("pytorch_state_dict",)}),
    ],
)
def test_packages_that_cannot_be_trained_on_are_refused(
    sentence: str, options: dict[str, Any], tmp_path: Path
) -> None:
    channels = len(options.get("input_channels", "1"))
    convolution: Any = nn.Conv3d if options.get("axes") == VOLUMES else nn.Conv2d
    file = tiny.write(tmp_path / "tiny", convolution(channels, 1, 3, padding=1), **options)
    with pytest.raises(UserError, match=sentence):
        unpack(file)


class Command:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return exec, ("raise SystemExit('code of a package ran')",)


def test_code_in_the_weights_does_not_run(package: Path) -> None:
    torch.save({"head.weight": Command()}, package / "weights.pt")
    with pytest.raises(UserError, match="hold more than tensors"):
        unpack(package)


def test_weights_that_were_changed_are_refused(package: Path) -> None:
    description = json.loads((package / "rdf.yaml").read_text())
    description["weights"]["pytorch_state_dict"]["sha256"] = "0" * 64
    (package / "rdf.yaml").write_text(json.dumps(description))
    with pytest.raises(UserError, match="SHA-256 differs"):
        unpack(package)
