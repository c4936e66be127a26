from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics
from PIL import Image

from benchmark.metrics import lpips
from benchmark.metrics.lpips import BACKBONE, HEADS, LPIPS, alexnet, load
from benchmark.metrics.weights import find_weights, fingerprint, read_weights
from tests.benchmark.metrics.trained_lpips import CACHE, needs_weights

PICTURES = Path(__file__).resolve().parents[3].parent / "shared" / "weights"
needs_pictures = pytest.mark.skipif(not PICTURES.is_dir(), reason="the pictures are not here")
TAPS = (1, 4, 7, 9, 11)
"""Layers after which the official package compares."""


def picture(name: str) -> torch.Tensor:
    rgb = np.asarray(Image.open(PICTURES / name).convert("RGB"), dtype=np.float32)
    return torch.from_numpy(rgb / 127.5 - 1).permute(2, 0, 1)[None]


def untrained() -> LPIPS:
    torch.manual_seed(0)
    return LPIPS()


@needs_weights
@needs_pictures
@pytest.mark.parametrize(("name", "expected"), [("ex_p0.png", 0.7219), ("ex_p1.png", 0.1376)])
def test_distance_is_that_of_the_official_package(name: str, expected: float):
    model = load(find_weights(BACKBONE, CACHE), find_weights(HEADS, CACHE))
    assert model(picture("ex_ref.png"), picture(name)).item() == pytest.approx(expected, abs=5e-4)


@needs_weights
def test_the_heads_are_those_that_torchmetrics_ships():
    ours = read_weights(HEADS, find_weights(HEADS, CACHE))
    models = Path(torchmetrics.__file__).parent / "functional" / "image" / "lpips_models"
    theirs = torch.load(models / "alex.pth", map_location="cpu", weights_only=True)
    assert {f"lin{name}" for name in ours} == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[f"lin{name}"], rtol=0, atol=0)


@needs_weights
def test_the_full_network_of_torchvision_is_read_as_well(tmp_path: Path):
    features = torch.load(find_weights(BACKBONE, CACHE), weights_only=True)
    torch.save(features | {"classifier.1.bias": torch.zeros(3)}, tmp_path / "full.pth")
    full = read_weights(BACKBONE, tmp_path / "full.pth")
    assert {f"features.{name}" for name in full} == features.keys()


def test_files_in_the_published_form_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written = untrained()
    features = written.features.state_dict()
    heads = {f"{i}.model.1.weight": h.get_parameter("weight") for i, h in enumerate(written.heads)}
    for name, parameters in ("BACKBONE", features), ("HEADS", heads):
        file = getattr(lpips, name)
        torch.save({file.prefix + k: v for k, v in parameters.items()}, tmp_path / file.names[0])
        monkeypatch.setattr(lpips, name, replace(file, sha256=fingerprint(parameters)))
    read = load(find_weights(BACKBONE, tmp_path), find_weights(HEADS, tmp_path))
    for a, b in zip(written.parameters(), read.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_layers_have_as_many_parameters_as_published():
    assert sum(p.numel() for p in alexnet().parameters()) == 2_469_696


def test_parameters_have_the_names_of_torchvision():
    assert {"0.weight", "3.bias", "10.weight"} <= alexnet().state_dict().keys()


def test_distance_by_hand():
    """The published formula, layer by layer, with random parameters."""
    model = untrained().double().requires_grad_(False)
    a, b = torch.rand(2, 1, 3, 35, 41, dtype=torch.float64) * 2 - 1
    expected = 0.0
    for index, head in zip(TAPS, model.heads, strict=True):
        unit = []
        for x in (a, b):
            for channel, (mean, std) in enumerate(
                zip((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450), strict=True)
            ):
                x = x.clone()
                x[:, channel] = (x[:, channel] - mean) / std
            features = model.features[: index + 1](x)[0].numpy()
            unit.append(features / (np.linalg.norm(features, axis=0) + 1e-10))
        weights = head.get_parameter("weight").numpy()[0]
        expected += (weights * (unit[0] - unit[1]) ** 2).sum(axis=0).mean()
    assert model(a, b).item() == pytest.approx(expected, rel=1e-6)


def test_the_smallest_picture_passes_every_layer():
    a, b = torch.rand(2, 1, 3, 31, 31)
    assert untrained()(a, b).shape == (1,)
