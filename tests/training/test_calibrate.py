from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from imaging.cli import UserError
from imaging.files import sha256
from imaging.trained_weights import TrainedWeights
from imaging.training_metadata import SamplingOptions
from packages.posterior import Calibration
from simulation.simulate import simulate
from tests.trained import trained_weights
from training.calibrate import recalibrate
from training.recipes.care import RECIPE as CARE
from training.recipes.hdn import RECIPE as HDN

NETWORK = {"filters": [8, 8], "latents": 2, "blocks": 1, "dropout": 0.0, "coarsen": 4, "samples": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("data") / "made", images=6, size=64, seed=3)


def save(file: Path, model: str, network: dict[str, Any], built: nn.Module) -> Path:
    trained_weights(built, model, network).write(file)
    return file


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return save(tmp_path / "weights.pt", "hdn", NETWORK, HDN.architecture(**NETWORK))


def test_only_the_calibration_changes(weights: Path, data: Path, tmp_path: Path) -> None:
    before, after = (
        TrainedWeights.read(file)
        for file in (weights, recalibrate(weights, data=data, out=tmp_path / "again.pt"))
    )
    changed = {k for k, v in before.weights.items() if not torch.equal(v, after.weights[k])}
    assert changed == {f"calibration.{name}" for name in Calibration().state_dict()}
    found = after.metadata.calibration
    assert found is not None
    assert (found.data, found.data_sha256) == ("made", sha256(data))
    assert after.metadata == replace(before.metadata, calibration=found)


def test_calibrating_twice_gives_what_once_gives(weights: Path, data: Path, tmp_path: Path) -> None:
    once = recalibrate(weights, data=data, out=tmp_path / "once.pt")
    twice = recalibrate(once, data=data, out=tmp_path / "twice.pt")
    stated = [TrainedWeights.read(file).metadata.calibration for file in (once, twice)]
    assert stated[0] == stated[1]


@pytest.mark.parametrize(
    ("case", "said"),
    [("absent", "does not exist"), ("existing", "exists"), ("other", "this version"),
     ("certain", "1 calibration image, of which a trust mask takes 9")],
)  # fmt: skip
def test_what_cannot_be_calibrated_is_refused(
    weights: Path, data: Path, tmp_path: Path, case: str, said: str
) -> None:
    out = tmp_path / "again.pt"
    if case == "absent":
        weights.unlink()
    elif case == "existing":
        out.write_bytes(b"mine")
    elif case == "other":
        save(weights, "hdn", NETWORK | {"latents": 3}, HDN.architecture(**NETWORK))
    else:
        small = {"depth": 1, "filters": 8, "kernel_size": 3, "coarsen": 4}
        save(weights, "care", small, CARE.architecture(**small))
    with pytest.raises(UserError, match=said):
        recalibrate(weights, data=data, out=out)
    assert not out.exists() or out.read_bytes() == b"mine"


def test_another_number_of_samples_goes_into_the_metadata(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    file = recalibrate(weights, data=data, out=tmp_path / "again.pt", samples=4)
    arguments = TrainedWeights.read(file).metadata.request.settings.network
    assert arguments == NETWORK | {"samples": 4}


@pytest.mark.parametrize(
    ("options", "said"), [({"samples": 3}, "cannot be built"), ({"steps": 2}, "no steps")]
)
def test_options_the_model_cannot_do_are_refused(
    weights: Path, data: Path, tmp_path: Path, options: dict[str, int], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        recalibrate(weights, data=data, out=tmp_path / "again.pt", **options)


def test_what_was_measured_with_other_samples_says_so(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    once = recalibrate(weights, data=data, out=tmp_path / "once.pt", samples=4)
    twice = recalibrate(once, data=data, out=tmp_path / "twice.pt", samples=6)
    assert TrainedWeights.read(twice).metadata.measured_with == SamplingOptions(samples=2)


def test_a_number_of_samples_that_was_not_chosen_is_known_too(data: Path, tmp_path: Path) -> None:
    unstated = {name: value for name, value in NETWORK.items() if name != "samples"}
    weights = save(tmp_path / "weights.pt", "hdn", unstated, HDN.architecture(**unstated))
    file = recalibrate(weights, data=data, out=tmp_path / "again.pt", samples=2)
    assert TrainedWeights.read(file).metadata.measured_with == SamplingOptions(samples=16)


def test_images_of_other_pixels_are_refused(weights: Path, tmp_path: Path) -> None:
    trained = TrainedWeights.read(weights)
    described = replace(trained.metadata.data, pixel_size_um=0.08)
    metadata = replace(trained.metadata, data=described)
    replace(trained, metadata=metadata).write(weights)
    coarse = simulate(tmp_path / "coarse", images=6, size=64, seed=3, pixel_size=0.16)
    with pytest.raises(UserError, match=r"pixels of 0\.16 µm and .* trained on 0\.08 µm"):
        recalibrate(weights, data=coarse, out=tmp_path / "again.pt")


@pytest.mark.parametrize(("own", "of_data"), [(1, 2), (4, 2), (2, 1)])
def test_targets_of_another_factor_are_refused(own: int, of_data: int, tmp_path: Path) -> None:
    arguments = NETWORK | {"factor": own}
    weights = save(tmp_path / "weights.pt", "hdn", arguments, HDN.architecture(**arguments))
    pixel_um = 0.08 / of_data  # of the targets: inputs are as the weights know them
    data = simulate(
        tmp_path / "made", images=6, size=128, seed=3, factor=of_data, pixel_size=pixel_um
    )
    with pytest.raises(UserError, match=f"have {of_data} times .* restores {own} times: calibrate"):
        recalibrate(weights, data=data, out=tmp_path / "again.pt")
    assert not (tmp_path / "again.pt").exists()
