from pathlib import Path

import numpy as np
import pytest

from benchmark.metrics.lpips import BACKBONE
from benchmark.metrics.metric import MissingFile, NotApplicable
from benchmark.metrics.perception import lpips_alex
from benchmark.metrics.weights import VARIABLE
from tests.benchmark.metrics.trained_lpips import CACHE, needs_weights

RNG = np.random.default_rng(2)
TRUTH = RNG.random((64, 80))


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the torch hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@needs_weights
def test_lpips_of_grey_images(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, str(CACHE))
    noise = RNG.normal(size=TRUTH.shape)
    values = [lpips_alex(TRUTH, TRUTH + sigma * noise) for sigma in (0, 0.05, 0.2, 0.8)]
    assert values[0] == 0
    assert values == sorted(values)
    assert lpips_alex(TRUTH, 5 - 3 * (TRUTH + 0.2 * noise)) == pytest.approx(values[2], abs=1e-5)
    assert lpips_alex(TRUTH[:31, :31], TRUTH[:31, :31]) == 0


def test_without_weights_one_sentence_says_what_to_do():
    with pytest.raises(MissingFile) as caught:
        lpips_alex(TRUTH, TRUTH**2)
    message = str(caught.value)
    for part in (*BACKBONE.names, "python -m benchmark weights", VARIABLE):
        assert part in message


def test_an_image_of_30_pixels_is_too_small():
    with pytest.raises(NotApplicable, match="31 x 31"):
        lpips_alex(TRUTH[:30], TRUTH[:30])
