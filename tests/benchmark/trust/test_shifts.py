from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from benchmark.metrics import METRICS, normalise
from benchmark.running.restore import Method
from benchmark.trust.shifts import score, summarise
from imaging import images
from imaging.datasets import open_dataset
from tests.benchmark import stand_ins


def _scores(*decibels: float) -> pd.DataFrame:
    names = [str(i) for i in range(len(decibels))]
    return pd.DataFrame({"image": names, "si_psnr_a": decibels})


OUTCOMES = {"granules": _scores(25.0, 26.0), "cells": _scores(30.0, 32.0)}
OF_INPUT = {"granules": _scores(25.0, 25.0), "cells": _scores(28.0, 29.0)}


def _value(condition: str, metric: str) -> float | None:
    (found,) = (v for v in summarise(OUTCOMES, OF_INPUT)[condition] if v.metric == metric)
    return found.value


@pytest.mark.parametrize(("condition", "gain"), [("cells", 2.5), ("granules", 0.5)])
def test_the_gain_is_over_the_input(condition: str, gain: float) -> None:
    assert _value(condition, "si_psnr_a_gain") == pytest.approx(gain)


def test_the_loss_is_what_is_gained_less_than_usual() -> None:
    assert _value("granules", "si_psnr_a_loss") == pytest.approx(2.0)


def test_usual_images_lose_nothing() -> None:
    metrics = {v.metric for v in summarise(OUTCOMES, OF_INPUT)["cells"]}
    assert metrics == {"si_psnr_a", "si_psnr_a_gain"}


def test_without_the_input_there_is_no_gain() -> None:
    assert {v.metric for v in summarise(OUTCOMES, {})["cells"]} == {"si_psnr_a"}


def test_scores_are_those_of_the_benchmark(tmp_path: Path) -> None:
    item = open_dataset(stand_ins.dataset(tmp_path / "data", 1)).items[0]
    assert item.target is not None
    restored = images.read(item.input)
    found = score(restored, item, Method("net", "A net"))
    truth = normalise(images.read(item.target).values)
    assert found == {
        "si_psnr_a": pytest.approx(METRICS["si_psnr_a"](truth, restored.values)),
        "ssim": pytest.approx(METRICS["ssim"](truth, restored.values)),
    }


def test_a_package_that_states_its_uncertainty_has_its_coverage(tmp_path: Path) -> None:
    item = open_dataset(stand_ins.dataset(tmp_path / "data", 1)).items[0]
    assert item.target is not None
    truth = normalise(images.read(item.target).values)
    noise = np.random.default_rng(0).normal(0, 0.1, truth.shape)
    channels = np.stack([truth + noise, np.full_like(truth, 0.1)]).astype(np.float32)
    restored = xr.DataArray(channels, dims=("c", "y", "x"), coords={"c": ["mean", "std"]})
    assert score(restored, item, Method("net", "A net"))["coverage_90"] == pytest.approx(
        0.9, abs=0.02
    )
