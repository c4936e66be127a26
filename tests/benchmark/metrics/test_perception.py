import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.metrics import perception
from benchmark.metrics.metric import NotApplicable
from benchmark.metrics.perception import (
    ALEXNET,
    ALEXNET_HEADS,
    AlexNetLPIPS,
    WeightsFile,
    find_weights,
    load_alexnet,
    lpips_alex,
)
from packages.cli import UserError

WEIGHTS = Path(__file__).resolve().parents[3].parent / "shared" / "weights"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="the weights are not here")
RNG = np.random.default_rng(2)
TRUTH = RNG.random((64, 80))


@pytest.fixture(autouse=True)
def nothing_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty torch hub cache; return its folder of weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def published(tmp_path: Path) -> WeightsFile:
    """A file on a server."""
    source = tmp_path / "server" / "w.pth"
    source.parent.mkdir()
    source.write_bytes(b"parameters")
    prefix = hashlib.sha256(b"parameters").hexdigest()[:8]
    return WeightsFile(("w.pth",), (prefix,), source.as_uri(), "10 B")


def picture(name: str) -> torch.Tensor:
    rgb = np.asarray(Image.open(WEIGHTS / name).convert("RGB"), dtype=np.float32)
    return torch.from_numpy(rgb / 127.5 - 1).permute(2, 0, 1)[None]


@needs_weights
@pytest.mark.parametrize(("name", "expected"), [("ex_p0.png", 0.7219), ("ex_p1.png", 0.1376)])
def test_distance_is_that_of_the_official_package(name: str, expected: float):
    model = load_alexnet(find_weights(ALEXNET, WEIGHTS), find_weights(ALEXNET_HEADS, WEIGHTS))
    assert model(picture("ex_ref.png"), picture(name)).item() == pytest.approx(expected, abs=5e-4)


@needs_weights
def test_lpips_of_grey_images(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(perception.VARIABLE, str(WEIGHTS))
    noise = RNG.normal(size=TRUTH.shape)
    values = [lpips_alex(TRUTH, TRUTH + sigma * noise) for sigma in (0, 0.05, 0.2, 0.8)]
    assert values[0] == 0
    assert values == sorted(values)
    assert lpips_alex(TRUTH, 5 - 3 * (TRUTH + 0.2 * noise)) == pytest.approx(values[2], abs=1e-5)
    assert lpips_alex(TRUTH[:31, :31], TRUTH[:31, :31]) == 0


@needs_weights
def test_heads_are_found_beside_the_backbone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(perception.VARIABLE, str(WEIGHTS / "alexnet_features.pth"))
    assert find_weights(ALEXNET).name == "alexnet_features.pth"
    assert find_weights(ALEXNET_HEADS).name == "lpips_v0.1_alex.pth"


@needs_weights
def test_the_full_network_of_torchvision_is_read_as_well(tmp_path: Path):
    parameters = torch.load(WEIGHTS / "alexnet_features.pth", map_location="cpu", weights_only=True)
    parameters["classifier.1.weight"] = torch.zeros(4096, 9216, dtype=torch.int8)
    torch.save(parameters, tmp_path / "full.pth")
    heads = WEIGHTS / "lpips_v0.1_alex.pth"
    full = load_alexnet(tmp_path / "full.pth", heads)
    features = load_alexnet(WEIGHTS / "alexnet_features.pth", heads)
    for a, b in zip(full.parameters(), features.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_distance_by_hand():
    """The published formula, layer by layer, with random parameters."""
    torch.manual_seed(0)
    model = AlexNetLPIPS().double().requires_grad_(False)
    a, b = torch.rand(2, 1, 3, 35, 41, dtype=torch.float64) * 2 - 1
    expected = 0.0
    for index, head in zip(model.taps, model.heads, strict=True):
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


def test_without_weights_one_sentence_says_what_to_do(nothing_found: Path):
    with pytest.raises(NotApplicable) as caught:
        lpips_alex(TRUTH, TRUTH**2)
    message = str(caught.value)
    target = str(nothing_found / "alexnet-owt-7be5be79.pth")
    for part in (ALEXNET.url, "233 MB", target, "LPIPS_BACKBONE_WEIGHTS"):
        assert part in message


def test_an_image_of_30_pixels_is_too_small():
    with pytest.raises(NotApplicable, match="31 x 31"):
        lpips_alex(TRUTH[:30], TRUTH[:30])


def test_the_argument_goes_before_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, published: WeightsFile
):
    for folder in ("argument", "variable"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "w.pth").write_bytes(b"parameters")
    monkeypatch.setenv(perception.VARIABLE, str(tmp_path / "variable"))
    assert find_weights(published).parent.name == "variable"
    assert find_weights(published, tmp_path / "argument").parent.name == "argument"


def test_a_download_arrives_in_the_cache(published: WeightsFile, nothing_found: Path):
    path = find_weights(published, download=True)
    assert path == nothing_found / "w.pth"
    assert path.read_bytes() == b"parameters"
    assert [p.name for p in nothing_found.iterdir()] == ["w.pth"]
    assert find_weights(published) == path


def test_a_wrong_download_is_not_kept(published: WeightsFile, nothing_found: Path):
    other = WeightsFile(published.names, ("00000000",), published.url, published.size)
    with pytest.raises(UserError, match="not the published file"):
        find_weights(other, download=True)
    assert list(nothing_found.iterdir()) == []


def test_a_failed_download_is_one_sentence(published: WeightsFile, nothing_found: Path):
    gone = WeightsFile(published.names, ("0",), published.url + "x", published.size)
    with pytest.raises(UserError, match="could not be fetched"):
        find_weights(gone, download=True)
    assert list(nothing_found.iterdir()) == []


def test_another_file_under_the_name_is_refused(tmp_path: Path, published: WeightsFile):
    (tmp_path / "w.pth").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"w\.pth is not the published file"):
        find_weights(published, tmp_path)


def test_a_named_place_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, published: WeightsFile
):
    monkeypatch.setenv(perception.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"nowhere.*does not exist"):
        find_weights(published)
