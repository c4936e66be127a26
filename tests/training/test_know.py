from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from imaging import images
from imaging.cli import UserError
from imaging.known_images import know
from imaging.normalise import normalise
from imaging.trained_weights import TrainedWeights
from tests.known import tissue
from tests.trained import trained_weights
from training.know import note_known
from training.recipes.care import RECIPE

NETWORK = {"depth": 1, "filters": 8, "kernel_size": 3, "coarsen": 4}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    trained_weights(RECIPE.architecture(**NETWORK), "care", NETWORK).write(tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def dataset(folder: Path, planes: int) -> Path:
    """Write three stacks, of which one is trained on, and one calibrated on."""
    for name in "abc":
        stack = np.stack([tissue(1000 * ord(name) + i) for i in range(planes)])
        for side in ("input", "target"):
            (folder / side).mkdir(parents=True, exist_ok=True)
            images.write(folder / side / f"{name}.tif", xr.DataArray(stack, dims=("z", "y", "x")))
    return folder


def test_the_record_is_of_training_and_calibration_images(weights: Path, tmp_path: Path) -> None:
    data = dataset(tmp_path / "data", 50)
    made = note_known(weights, data=[data], out=tmp_path / "knowing.pt")
    before, after = TrainedWeights.read(weights), TrainedWeights.read(made)
    # The first and the last of three sources are held out, the first for validation.
    stacks = [np.stack([tissue(1000 * ord(name) + i) for i in range(50)]) for name in "bc"]
    expected = know([plane for stack in stacks for plane in normalise(stack)], "data")
    assert expected is not None
    assert after.metadata == replace(before.metadata, known=expected)
    assert all(torch.equal(of, after.weights[name]) for name, of in before.weights.items())


def test_kinds_are_called_by_their_dataset(weights: Path, tmp_path: Path) -> None:
    data, finer = dataset(tmp_path / "data", 50), dataset(tmp_path / "finer", 2)
    made = note_known(weights, data=[data], out=tmp_path / "knowing.pt", unlike=[finer])
    known = TrainedWeights.read(made).metadata.known
    assert known is not None
    assert list(known.of_windows[0].directions) == ["finer"]


def test_two_kinds_of_one_name_are_refused(weights: Path, tmp_path: Path) -> None:
    data = dataset(tmp_path / "data", 2)
    with pytest.raises(UserError, match="Two datasets of --unlike are called 'data'"):
        note_known(weights, data=[data], out=tmp_path / "knowing.pt", unlike=[data, data])


def test_too_few_images_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too small to tell which images the model knows"):
        note_known(weights, data=[dataset(tmp_path / "data", 2)], out=tmp_path / "knowing.pt")
    assert not (tmp_path / "knowing.pt").exists()
