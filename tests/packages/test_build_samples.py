"""Packages of models that state a standard deviation: what `build` adds for them."""

import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml

from imaging.cli import UserError
from imaging.trained_weights import TrainedWeights
from packages.build import build
from packages.care_ensemble.model import CareEnsemble
from packages.hazematching.model import hazematching
from packages.hdn.model import HDN
from packages.package import open_package
from packages.posterior import KNOTS
from tests.known import known_tissue
from tests.trained import CALIBRATION, trained_weights

TINY: dict[str, dict[str, Any]] = {
    "care_ensemble": {"members": 2, "depth": 1, "filters": 4},
    "hdn": {"filters": [4, 4], "latents": 2},
    "hazematching": {
        "filters": 4,
        "depth": 1,
        "width": 4,
        "blocks": 1,
        "samples": 2,
        "steps": 1,
    },
}
NETWORKS: dict[str, Any] = {
    "care_ensemble": CareEnsemble,
    "hdn": HDN,
    "hazematching": hazematching,
}
ENTRIES = asdict(CALIBRATION)


def write_checkpoint(room: str, path: Path) -> Path:
    torch.manual_seed(0)
    network = NETWORKS[room](**TINY[room])
    known = known_tissue()
    trained_weights(network, room, TINY[room], calibration=CALIBRATION, known=known).write(path)
    return path


@pytest.fixture(scope="module", params=TINY)
def unpacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    checkpoint = write_checkpoint(request.param, folder / "weights.pt")
    archive = zipfile.ZipFile(build(request.param, checkpoint=checkpoint, out=folder / "p.zip"))
    with archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_architecture_needs_nothing_but_torch(unpacked: Path) -> None:
    source = (unpacked / "model.py").read_text(encoding="utf-8")
    assert "from packages" not in source
    assert "class Calibration" in source


def test_the_package_opens_and_its_code_is_known(unpacked: Path) -> None:
    with open_package(unpacked) as package:
        assert package.weights[0] == "pytorch_state_dict"
        assert package.known_images == known_tissue()
        stated = package.own_entries["calibration"]
        assert {name: stated[name] for name in ENTRIES} == ENTRIES


def test_sizes_are_multiples_of_the_period_of_the_noise(unpacked: Path) -> None:
    description = yaml.safe_load((unpacked / "rdf.yaml").read_text(encoding="utf-8"))
    sizes = [a["size"] for a in description["inputs"][0]["axes"] if a["type"] == "space"]
    assert len(sizes) == 2
    for size in sizes:
        assert size["min"] % size["step"] == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.load.*")  # what Fiji and ilastik read
def test_formats_give_the_stored_output(unpacked: Path) -> None:
    given, expected = (np.load(unpacked / f"test-{side}.npy") for side in ("input", "output"))
    low, high = np.percentile(given, [2, 99.8])
    prepared = ((given - low) / (high - low + 1e-6)).astype(np.float32)
    scripted = torch.jit.load(unpacked / "torchscript.pt")(torch.from_numpy(prepared))
    session = onnxruntime.InferenceSession(unpacked / "model.onnx")
    exported = np.asarray(session.run(None, {"input": prepared})[0])
    assert expected.shape[1] == 3
    np.testing.assert_allclose(scripted.detach().numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(exported, expected, atol=1e-4)


def test_the_calibration_is_in_the_description_and_the_model_card(unpacked: Path) -> None:
    description = yaml.safe_load((unpacked / "rdf.yaml").read_text(encoding="utf-8"))
    stated = description["config"]["restoration_zoo"]["calibration"]
    assert stated["interval_factors"] == CALIBRATION.interval_factors
    card = (unpacked / "documentation.md").read_text(encoding="utf-8")
    assert "| this package, intervals as stated below | 50.0% | 90.0% | 95.0% |" in card
    assert "± 1.50 std" in card


def test_the_map_of_the_standard_deviation_is_stated(tmp_path: Path) -> None:
    checkpoint = write_checkpoint("hdn", tmp_path / "weights.pt")
    trained, knots = TrainedWeights.read(checkpoint), torch.linspace(0.01, 1, KNOTS)
    fitted = {"calibration.knots": knots, "calibration.values": 2 * knots}
    replace(trained, weights=trained.weights | fitted).write(checkpoint)
    with open_package(build("hdn", checkpoint=checkpoint, out=tmp_path / "p.zip")) as package:
        stated = package.own_entries["calibration"]
    np.testing.assert_allclose(stated["knots"], knots, rtol=1e-5)
    np.testing.assert_allclose(stated["values"], 2 * knots, rtol=1e-5)


@pytest.mark.parametrize(
    ("room", "options", "sentence"),
    [
        ("hazematching", {"samples": 1}, "no standard deviation"),
        ("hazematching", {"samples": 5}, "antithetic pairs"),
        ("hazematching", {"steps": 0}, "at least 1"),
        ("hdn", {"samples": 1000}, "noise bank holds 64"),
        ("hdn", {"steps": 3}, "has no steps to choose"),
        ("care_ensemble", {"samples": 4}, "has no samples to choose"),
    ],
)
def test_impossible_samples_and_steps_are_refused(
    tmp_path: Path, room: str, options: dict[str, Any], sentence: str
) -> None:
    checkpoint = write_checkpoint(room, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=sentence):
        build(room, checkpoint=checkpoint, out=tmp_path / "p.zip", **options)
    assert not (tmp_path / "p.zip").exists()


def test_samples_and_steps_can_be_chosen(tmp_path: Path) -> None:
    checkpoint = write_checkpoint("hazematching", tmp_path / "weights.pt")
    out = build("hazematching", checkpoint=checkpoint, out=tmp_path / "p.zip", samples=4, steps=2)
    with zipfile.ZipFile(out) as archive:
        description = yaml.safe_load(archive.read("rdf.yaml"))
    chosen = description["weights"]["pytorch_state_dict"]["architecture"]["kwargs"]
    assert (chosen["samples"], chosen["steps"]) == (4, 2)


@pytest.mark.parametrize("room", ["hdn", "hazematching"])
def test_models_that_draw_state_what_their_tiles_differ_at_most(tmp_path: Path, room: str) -> None:
    checkpoint = write_checkpoint(room, tmp_path / "weights.pt")
    with zipfile.ZipFile(build(room, checkpoint=checkpoint, out=tmp_path / "p.zip")) as archive:
        description = yaml.safe_load(archive.read("rdf.yaml"))
    ours = description["config"]["restoration_zoo"]
    assert ours["tiles_tolerance"] == 0.002
    assert 0 <= ours["tiles_error"] < 0.005
