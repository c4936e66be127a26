import io
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml
from PIL import Image
from rich.console import Console
from torch import nn

from imaging import cli, images, progress_lines
from imaging.cli import UserError
from imaging.normalise import HIGH_PERCENTILE, LOW_PERCENTILE
from imaging.trained_weights import TrainedWeights
from packages import build as build_module
from packages.build import build, identifier
from packages.care.model import UNet
from packages.cover import draw_cover
from packages.export import measure_halo, save_state_dict, save_torchscript
from packages.models import model_named, models
from packages.network_contract import divisors, factors
from packages.package import open_package
from tests.trained import trained_weights

NETWORK: dict[str, Any] = {"depth": 1, "filters": 8, "kernel_size": 3, "coarsen": 4}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as training writes them, of a network too small to restore anything."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("run") / "weights.pt"
    trained_weights(UNet(**NETWORK), "care", NETWORK).write(file)
    return file


@pytest.fixture(scope="module")
def package(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("care", checkpoint=checkpoint, out=tmp_path_factory.mktemp("dist") / "care.zip")


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder


def test_the_same_inputs_give_the_same_bytes(
    package: Path, checkpoint: Path, tmp_path: Path
) -> None:
    again = build("care", checkpoint=checkpoint, out=tmp_path / "again.zip")
    assert again.read_bytes() == package.read_bytes()


def test_it_says_what_takes_long(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(cli, "console", Console(file=log, force_terminal=False))
    monkeypatch.setattr(progress_lines, "_FIRST_S", 0.01)
    out = build("care", checkpoint=checkpoint, out=tmp_path / "care.zip")
    assert log.getvalue().splitlines()[0] == f"Building {out}"


def test_the_bytes_do_not_depend_on_where_the_checkout_lies(tmp_path: Path) -> None:
    network = UNet(**NETWORK)
    save_state_dict(network, tmp_path / "state.pt")
    traced: list[bytes] = []
    for folder in ("care", "elsewhere/care"):
        file = tmp_path / folder / "model.py"
        file.parent.mkdir(parents=True)
        shutil.copy(model_named("care").model_file, file)
        save_torchscript(
            file,
            "UNet",
            NETWORK,
            tmp_path / "state.pt",
            torch.rand(1, 1, 32, 32),
            file.parent / "t",
        )
        traced.append((file.parent / "t").read_bytes())
    assert traced[0] == traced[1]


def test_the_cover_leaves_out_what_fills_the_test_image_up(
    checkpoint: Path, unpacked: Path, tmp_path: Path
) -> None:
    example = TrainedWeights.read(checkpoint).example.input.numpy()
    assert np.load(unpacked / "test-input.npy")[0, 0].shape > example.shape
    draw_cover(tmp_path / "alone.png", example, example)
    shown, alone = (
        np.asarray(Image.open(file))[:, :512]
        for file in (unpacked / "cover.png", tmp_path / "alone.png")
    )
    np.testing.assert_array_equal(shown, alone)


def test_documentation_and_covers_are_plain_strings(unpacked: Path) -> None:
    description = yaml.safe_load((unpacked / "rdf.yaml").read_text("utf-8"))
    assert description["format_version"] == "0.5.9"
    assert description["documentation"] == "documentation.md"
    assert description["covers"] == ["cover.png"]


def test_onnx_is_one_file_that_deepimagej_reads(unpacked: Path) -> None:
    model = onnx.load(unpacked / "model.onnx", load_external_data=False)
    assert max(entry.version for entry in model.opset_import) <= 17
    assert model.ir_version <= 8
    assert not any(t.external_data for t in model.graph.initializer)


def test_the_model_card_tells_what_was_measured(unpacked: Path) -> None:
    card = yaml.safe_load((unpacked / "rdf.yaml").read_text("utf-8"))["config"]["bioimageio"]
    assert card["training"]["training_steps"] == 12
    assert card["inference_time"].startswith("0.25 s per megapixel")
    assert card["memory_requirements_inference"].startswith("4 MiB for 256²")
    assert card["bias_risks_limitations"]["limitations"]


def test_the_documentation_tells_what_was_measured(unpacked: Path) -> None:
    text = (unpacked / "documentation.md").read_text("utf-8")
    assert "## Validation" in text
    assert "0.1234" in text
    assert "0.4321" in text


def test_small_examples_are_reflected_to_an_allowed_size(unpacked: Path) -> None:
    axis = yaml.safe_load((unpacked / "rdf.yaml").read_text("utf-8"))["inputs"][0]["axes"][2]
    side = np.load(unpacked / "test-input.npy").shape[2]
    # bioimageio.core's default block: ten steps longer than the shortest side.
    assert side == axis["size"]["min"] + 10 * axis["size"]["step"]


def test_samples_know_their_pixel_size(unpacked: Path) -> None:
    sample = images.read(unpacked / "sample-output.tif")
    assert sample.attrs["pixel_size_um"] == pytest.approx({"y": 0.08, "x": 0.08})


def test_the_halo_holds_what_an_output_pixel_can_depend_on() -> None:
    torch.manual_seed(0)
    network = UNet(**NETWORK).eval()
    halo = measure_halo(network, divisors(network), factors(network))["y"]
    image = torch.rand(1, 1, 16 * 8, 16 * 8)
    other = image.clone()
    other[..., 64:, :] = torch.rand_like(other[..., 64:, :])
    with torch.no_grad():
        difference = (network(image) - network(other)).abs().amax(dim=(0, 1, 3))
    reach = 64 - int(difference.nonzero().min())
    assert 0 < reach <= halo
    assert halo - reach < 3 * network.divisor


def test_a_network_without_end_has_no_halo() -> None:
    class Global(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image + image.mean()

    with pytest.raises(ValueError, match="whole image"):
        measure_halo(Global(), {"y": 16, "x": 16}, {"y": 1, "x": 1})


def test_a_checkpoint_of_another_room_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    trained = TrainedWeights.read(checkpoint)
    other = replace(trained, metadata=replace(trained.metadata, model="hdn"))
    other.write(tmp_path / "weights.pt")
    with pytest.raises(UserError, match="weights of 'hdn', not of 'care'"):
        build("care", checkpoint=tmp_path / "weights.pt", out=tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_a_title_names_the_package_and_its_documentation(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "save_torchscript", lambda *given: given[-1].touch())

    path = build("care", checkpoint=checkpoint, out=tmp_path / "x.zip", title="CARE for actin")

    with open_package(path) as package:
        description = package.description
        documentation = Path(str(description.root)) / "documentation.md"
        heading = documentation.read_text(encoding="utf-8").partition("\n")[0]
    assert heading == "# CARE for actin"
    assert (description.name, description.id) == ("CARE for actin", "care-for-actin")


@pytest.mark.parametrize("title", ["CARE", "CARE for µ", "a" * 129, "CARE\nfor actin"])
def test_a_title_the_zoo_refuses_is_refused(tmp_path: Path, title: str) -> None:
    with pytest.raises(UserError, match="cannot be a title"):
        build("care", out=tmp_path / "x.zip", title=title)


def test_weights_of_another_network_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    weights = TrainedWeights.read(checkpoint).weights
    trained = trained_weights(UNet(**NETWORK), "care", NETWORK | {"filters": 16})
    replace(trained, weights=weights).write(tmp_path / "weights.pt")
    with pytest.raises(UserError, match="do not fit"):
        build("care", checkpoint=tmp_path, out=tmp_path / "x.zip")


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train first"):
        build("care", checkpoint=tmp_path / "run", out=tmp_path / "x.zip")


def test_an_unknown_room_is_refused() -> None:
    with pytest.raises(UserError, match=r"no model 'nothing': choose one of .*care"):
        model_named("nothing")


@pytest.mark.parametrize("name", [r.name for r in models()])
def test_every_room_has_what_a_package_needs(name: str) -> None:
    folder = model_named(name).folder
    assert model_named(name).model_file.exists()
    assert "# " in (folder / "documentation.md").read_text("utf-8")
    assert model_named(name).description()["format_version"] == "0.5.9"


@pytest.mark.parametrize("name", [r.name for r in models()])
def test_every_description_states_licence_authors_and_percentiles(name: str) -> None:
    description = model_named(name).description()
    assert description["license"] == "BSD-3-Clause"
    assert description["authors"] == [{"name": "The restoration-zoo authors"}]
    (scaling,) = [s for s in description["inputs"][0]["preprocessing"] if s["id"] == "scale_range"]
    percentiles = [scaling["kwargs"][f"{end}_percentile"] for end in ("min", "max")]
    assert percentiles == [LOW_PERCENTILE, HIGH_PERCENTILE]
    # The longest that the zoo takes.
    assert len(description["config"]["bioimageio"]["architecture_type"]) <= 32


@pytest.mark.parametrize("name", ["care", "hazematching", "rcan"])
def test_every_room_that_restores_volumes_describes_these(name: str) -> None:
    description = model_named(name).description(volumes=True)
    assert description["name"] == f"{model_named(name).description()['name']} of volumes"
    assert "3d" in description["tags"]
    (scaling,) = [s for s in description["inputs"][0]["preprocessing"] if s["id"] == "scale_range"]
    assert scaling["kwargs"]["axes"] == ["channel", "z", "y", "x"]
    assert model_named(name).documentation(volumes=True).startswith(f"# {description['name']}\n")


def test_a_damaged_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    torch.save(content | {"weights": {"w": torch.tensor([float("nan")])}}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match="NaN or infinite weights"):
        build("care", checkpoint=tmp_path, out=tmp_path / "o.zip")


class Bare(nn.Module):
    """A network that says nothing of itself."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.channels = channels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.repeat(1, self.channels, 1, 1)


class Divided(Bare):
    divisor = 16
    factor = 1


@pytest.mark.parametrize(
    ("network", "model", "sentence"),
    [
        (
            Bare(),
            "care",
            r"care.model\.py: the network does not state its `divisor` and its `factor`",
        ),
        (Divided(3), "hdn", r"names a channel 'std', and the network has no `calibration`"),
        (Divided(2), "care", r"gives 2 channel\(s\), and rdf\.yaml names 1 \(mean\)"),
    ],
)
def test_a_network_that_breaks_its_contract_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Bare, model: str, sentence: str
) -> None:
    monkeypatch.setattr(build_module, "load_network", lambda *_: network)
    trained_weights(network, model, {}).write(tmp_path / "weights.pt")
    with pytest.raises(UserError, match=sentence):
        build(model, checkpoint=tmp_path, out=tmp_path / "o.zip")
    assert not (tmp_path / "o.zip").exists()


def test_a_package_has_an_id_made_of_its_title() -> None:
    assert identifier("CARE (2D), for in-vivo  images") == "care-2d-for-in-vivo-images"


def test_blocks_begin_where_the_networks_grid_does(unpacked: Path) -> None:
    description = yaml.safe_load((unpacked / "rdf.yaml").read_text("utf-8"))
    size, halo = (description[t][0]["axes"][2] for t in ("inputs", "outputs"))
    size, halo = size["size"], halo["halo"]
    assert halo % size["step"] == size["min"] % size["step"] == 0
    assert size["min"] == 2 * halo + size["step"]


def test_the_pixel_size_stands_beside_the_axes(unpacked: Path) -> None:
    description = yaml.safe_load((unpacked / "rdf.yaml").read_text("utf-8"))
    assert description["config"]["restoration_zoo"]["pixel_size_um"] == {"y": 0.08, "x": 0.08}
    axes = [axis for side in ("inputs", "outputs") for axis in description[side][0]["axes"]]
    assert not [axis for axis in axes if {"scale", "unit"} & set(axis)]


def test_faint_outputs_are_tested_more_strictly(unpacked: Path) -> None:
    card = yaml.safe_load((unpacked / "rdf.yaml").read_text("utf-8"))["config"]["bioimageio"]
    largest = np.abs(np.load(unpacked / "test-output.npy")).max()
    (stated,) = card["reproducibility_tolerance"]
    assert 0 < stated["absolute_tolerance"] <= min(0.01 * largest, 1e-3)
