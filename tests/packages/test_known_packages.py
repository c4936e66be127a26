"""What packages say of the images they know, and what is said of others."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from torch import nn

from imaging import images
from imaging.cli import UserError
from packages.package import open_package
from packages.predict import predict_file
from tests import tiny_packages as tiny
from tests.known import known_tissue, tissue


@pytest.fixture
def knowing(tmp_path: Path) -> Path:
    """A package of pixels of 0.1 µm that changes nothing and knows tissue."""
    return stating(tmp_path, asdict(known_tissue()))


def stating(folder: Path, known: dict[str, Any]) -> Path:
    package = tiny.write(folder / "package", nn.Identity())
    file = package / "rdf.yaml"
    config = {"restoration_zoo": {"known_images": known}}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"config": config}))
    return package


def write(folder: Path, **planes: np.ndarray) -> Path:
    for name, plane in planes.items():
        folder.mkdir(exist_ok=True)
        attributes = {"pixel_size_um": {"y": 0.1, "x": 0.1}}
        images.write(
            folder / f"{name}.ome.tif", xr.DataArray(plane, dims=("y", "x"), attrs=attributes)
        )
    return folder


def test_a_record_comes_back_from_a_package(knowing: Path) -> None:
    with open_package(knowing) as package:
        assert package.known_images == known_tissue()


def test_a_package_without_a_record_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "data", clipped=np.minimum(tissue(1), 50))
    package = tiny.write(tmp_path / "package", nn.Identity())
    predict_file(package, data, tmp_path / "restored")
    assert "trained on" not in capsys.readouterr().out


def test_a_damaged_record_is_one_sentence(tmp_path: Path) -> None:
    package = stating(tmp_path, asdict(known_tissue()) | {"images": -1})
    with open_package(package) as opened, pytest.raises(UserError, match=r"is damaged .*images"):
        _ = opened.known_images


def test_predict_says_which_images_the_model_does_not_know(
    tmp_path: Path, knowing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clipped = np.minimum(tissue(1001), 50)
    data = write(tmp_path / "data", usual=tissue(1002), clipped=clipped)
    predict_file(knowing, data, tmp_path / "restored")
    said = capsys.readouterr().out
    assert "1 image like those that the model was trained on." in said
    (line,) = (line for line in said.splitlines() if "unlike the images" in line)
    assert line.startswith("1 image (clipped.ome.tif: its brightest pixels stand out less")
    assert len(list((tmp_path / "restored").glob("*.tif"))) == 2
