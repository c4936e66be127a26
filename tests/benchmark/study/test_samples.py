import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm
from torch import nn

from benchmark.study.samples import build_varied, samples
from imaging.cli import UserError
from imaging.normalise import HIGH_PERCENTILE, LOW_PERCENTILE
from packages.care_ensemble.model import CareEnsemble
from packages.models import model_named
from packages.package import open_package
from tests import tiny_networks, tiny_packages
from tests.benchmark import stand_ins

SIDE = 64
NOISE = 0.2

# The truth is the input and noise of a known standard deviation: a draw adds other such noise.
# Each step takes away half of an error that all draws share.
SAMPLER = f"""
import torch
from torch import nn


class Sampler(nn.Module):
    def __init__(self, samples: int = 4, steps: int = 3) -> None:
        super().__init__()
        if samples < 2:
            raise ValueError(f"{{samples}} sample(s) have no standard deviation")
        self.samples, self.steps = samples, steps
        self.register_buffer("noise", torch.zeros(8, 1, {SIDE}, {SIDE}))

    def forward(self, image):
        rows, columns = image.shape[2] // {SIDE}, image.shape[3] // {SIDE}
        bias = 0.5 ** self.steps
        drawn = image + {NOISE} * self.noise[: self.samples].repeat(1, 1, rows, columns) + bias
        mean = drawn.mean(dim=0, keepdim=True)
        return torch.cat([mean, torch.full_like(mean, {NOISE}), drawn[:1]], dim=1)


def sampler(*, seriously: bool, **arguments):
    return Sampler(**arguments)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    noise = torch.randn(8, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return write_package(
        tmp_path_factory.mktemp("package") / "sampler",
        source=SAMPLER,
        name="sampler",
        kwargs={"seriously": True, "samples": 4},
        state={"noise": noise},
        channels=("mean", "std", "sample"),
    )


def write_package(
    path: Path,
    *,
    source: str,
    name: str,
    kwargs: dict[str, Any],
    state: dict[str, torch.Tensor],
    channels: tuple[str, ...],
) -> Path:
    tiny_packages.write(
        path,
        Channels(len(channels)),
        channels=channels,
        pixel_um=stand_ins.PIXEL_UM,
        size={"min": SIDE, "step": SIDE},
        preprocessing=[],
        weights=("pytorch_state_dict",),
    )
    (path / "model.py").write_text(source)
    torch.save(state, path / "weights.pt")
    description = json.loads((path / "rdf.yaml").read_text())
    architecture = description["weights"]["pytorch_state_dict"]["architecture"]
    architecture |= {"callable": name, "kwargs": kwargs}
    (path / "rdf.yaml").write_text(json.dumps(description))
    return path


class Channels(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.repeat(1, self.channels, 1, 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of which the sampler states the exact posterior, but for its bias."""
    folder = tmp_path_factory.mktemp("data")
    for i in range(4):
        rng = np.random.default_rng(100 + i)
        image = rng.random((SIDE, SIDE))
        truth = image + NOISE * rng.normal(size=image.shape)
        low, high = np.percentile(truth, [LOW_PERCENTILE, HIGH_PERCENTILE])
        # Truth has these percentiles at 0 and 1 after normalisation: now it has so before.
        truth = (truth - low) * (1 / (high - low))
        noise = NOISE * rng.normal(size=image.shape)
        stand_ins.save(folder / "target" / f"{i}.tif", truth.astype(np.float32))
        stand_ins.save(folder / "input" / f"{i}.tif", (truth - noise).astype(np.float32))
    stand_ins.save(folder / "repeat/0.tif", np.zeros((SIDE, SIDE), np.float32))  # of no use here
    return folder


@pytest.fixture(scope="module")
def studied(package: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    samples(package, data, out=out, samples=(2, 8), steps=(1, 6), trust=True)
    return out


def mean_of(out: Path, metric: str, **arguments: int) -> float:
    table = pd.read_csv(out / "samples.csv")
    chosen = table[table["metric"] == metric]
    for name, value in arguments.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 4
    return float(chosen["value"].mean())


@pytest.mark.parametrize("count", [2, 4, 8])
def test_error_falls_with_samples_as_that_of_an_exact_posterior(studied: Path, count: int) -> None:
    bias = 0.5 ** (2 * 3)
    expected = NOISE**2 * (1 + 1 / count) + bias
    assert mean_of(studied, "mse_mean", samples=count, steps=3) == pytest.approx(expected, rel=0.03)


def test_one_sample_errs_as_two_draws_differ(studied: Path) -> None:
    given = mean_of(studied, "mse_sample", samples=2, steps=3)
    assert given == pytest.approx(2 * NOISE**2 + 0.5**6, rel=0.03)


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_error_falls_with_steps(studied: Path, steps: int) -> None:
    expected = NOISE**2 * (1 + 1 / 4) + 0.25**steps
    given = mean_of(studied, "mse_mean", samples=4, steps=steps)
    assert given == pytest.approx(expected, rel=0.03)


def test_uncertainty_is_scored(studied: Path) -> None:
    scatter, bias = (1 + 1 / 8) ** 0.5, 0.5**3 / NOISE
    limits = (np.array([-1.645, 1.645]) - bias) / scatter
    expected = float(np.diff(norm.cdf(limits))[0])
    given = mean_of(studied, "coverage_90", samples=8, steps=3)
    assert given == pytest.approx(expected, abs=0.01)
    fewer = mean_of(studied, "crps", samples=2, steps=3)
    assert mean_of(studied, "crps", samples=8, steps=3) < fewer


def test_one_argument_is_varied_at_a_time(studied: Path) -> None:
    table = pd.read_csv(studied / "samples.csv")
    settings = {(int(k), int(s)) for k, s in table[["samples", "steps"]].itertuples(index=False)}
    assert settings == {(4, 3), (2, 3), (8, 3), (4, 1), (4, 6)}


def test_a_figure_is_drawn(studied: Path) -> None:
    text = (studied / "samples.svg").read_text("utf-8")
    assert text.count(">samples K<") == text.count(">solver steps S per sample<") == 4
    assert (studied / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_there_is_not_computed_again(
    studied: Path, package: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (studied / "samples.csv").read_bytes()
    samples(package, data, out=studied, samples=(2, 8), steps=(1, 6), trust=True)
    assert "(0 now, 5 kept from before)" in " ".join(capsys.readouterr().out.split())
    assert (studied / "samples.csv").read_bytes() == before


@pytest.mark.parametrize("damage", ["", '{"computed_for": "else", "values": {}}'])
def test_a_cell_that_is_damaged_or_of_other_images_is_computed_again(
    package: Path, data: Path, tmp_path: Path, damage: str
) -> None:
    cell = tmp_path / "cells" / "samples 4, steps 3.json"
    cell.parent.mkdir()
    cell.write_text(damage)
    samples(package, data, out=tmp_path, samples=(), steps=(), trust=True)
    assert mean_of(tmp_path, "mse_mean", samples=4) > 0


def refuse(words: str, study: Callable[[], None]) -> None:
    with pytest.raises(UserError, match=words) as caught:
        study()
    assert re.search(r"[^.]\.$", str(caught.value))


def test_an_impossible_number_is_refused_before_anything_runs(
    package: Path, data: Path, tmp_path: Path
) -> None:
    refuse(
        r"with samples 1, steps 3: 1 sample\(s\) have no standard deviation",
        lambda: samples(package, data, out=tmp_path, samples=(1,), trust=True),
    )
    assert not (tmp_path / "cells").exists()


def test_code_from_elsewhere_does_not_run_untrusted(
    package: Path, data: Path, tmp_path: Path
) -> None:
    refuse("run it with --trust", lambda: samples(package, data, out=tmp_path))


def test_a_package_without_such_options_is_refused(data: Path, tmp_path: Path) -> None:
    network = tiny_networks.load(tiny_networks.network_source())
    path = tiny_packages.write(tmp_path / "tiny", network, weights=("pytorch_state_dict",))
    refuse("nothing to vary", lambda: samples(path, data, out=tmp_path / "out", trust=True))


def test_a_package_without_a_state_dict_is_refused(data: Path, tmp_path: Path) -> None:
    path = tiny_packages.write(tmp_path / "tiny", Channels(1))
    refuse("has no state dict", lambda: samples(path, data, out=tmp_path / "out", trust=True))


def test_weights_of_another_network_are_refused(package: Path, data: Path, tmp_path: Path) -> None:
    folder = write_package(
        tmp_path / "other",
        source=SAMPLER,
        name="Sampler",
        kwargs={},
        state={"weight": torch.zeros(1)},
        channels=("mean", "std", "sample"),
    )
    refuse("cannot be built", lambda: samples(folder, data, out=tmp_path / "out", trust=True))


def test_images_without_truth_are_refused(package: Path, tmp_path: Path) -> None:
    data = stand_ins.dataset(tmp_path / "data", 1, truth=False)
    refuse("truth", lambda: samples(package, data, out=tmp_path / "out", trust=True))


def test_a_package_that_states_no_deviation_is_refused(
    package: Path, data: Path, tmp_path: Path
) -> None:
    folder = write_package(
        tmp_path / "mute",
        source=SAMPLER,
        name="sampler",
        kwargs={"seriously": True, "samples": 4},
        state=torch.load(package / "weights.pt", weights_only=True),
        channels=("mean", "spread", "sample"),
    )
    refuse(
        "gives no standard deviation",
        lambda: samples(folder, data, out=tmp_path / "out", samples=(), steps=(), trust=True),
    )


def test_a_smaller_ensemble_keeps_its_first_members(tmp_path: Path) -> None:
    torch.manual_seed(0)
    kwargs: dict[str, Any] = {"members": 4, "depth": 1, "filters": 4, "coarsen": 2}
    whole = CareEnsemble(**kwargs).eval()
    path = write_package(
        tmp_path / "ensemble",
        source=model_named("care_ensemble").model_file.read_text("utf-8"),
        name="CareEnsemble",
        kwargs=kwargs,
        state=whole.state_dict(),
        channels=("mean", "std", "disagreement"),
    )
    with open_package(path, trust=True) as opened:
        build_varied(opened, {"members": 3}, tmp_path / "varied")
    kept = torch.load(tmp_path / "varied" / "weights.pt", weights_only=True)
    kwargs["members"] = 3
    smaller = CareEnsemble(**kwargs).eval()
    smaller.load_state_dict(kept)
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        expected = whole.distributions(image)[0][:, :3]
        torch.testing.assert_close(smaller.distributions(image)[0], expected)
    with open_package(tmp_path / "varied", trust=True) as opened:
        state = opened.description.weights.pytorch_state_dict
        assert state is not None
        assert state.architecture.kwargs["members"] == 3
