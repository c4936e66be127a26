import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from torch import nn

from benchmark.running.delivery import delivery_of, interval_factors, trust_mask_of
from imaging.scores import Delivery
from packages.package import Package, open_package
from tests import tiny_packages as tiny
from tests.trained import TRUST_MASK

COMMON = {"min_percentile": 2, "max_percentile": 99.8}
LINEAR = {"id": "scale_linear", "kwargs": {"gain": 300.0, "offset": 100.0}}


def scale_range(**kwargs: Any) -> dict[str, Any]:
    return {"id": "scale_range", "kwargs": kwargs}


def delivery(folder: Path, *steps: dict[str, Any], behind: Any = (), **written: Any) -> Delivery:
    path = tiny.write(folder / "p", nn.Identity(), preprocessing=list(steps), **written)
    description = json.loads((path / "rdf.yaml").read_text())
    description["outputs"][0]["postprocessing"] = list(behind)
    (path / "rdf.yaml").write_text(json.dumps(description))
    with open_package(path) as package:
        return delivery_of(package)


def test_percentiles_2_and_99_8_are_the_common_scale(tmp_path: Path) -> None:
    steps = [
        scale_range(**COMMON),
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        {"id": "clip", "kwargs": {"min": 0.0}},
    ]
    assert delivery(tmp_path, *steps) == "image"


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"id": "zero_mean_unit_variance"}],
        [scale_range(min_percentile=3, max_percentile=99.8)],
        [scale_range(**COMMON), {"id": "sigmoid"}],
        [scale_range(**COMMON), LINEAR],
    ],
)
def test_any_other_scale_is_the_package_s_own(tmp_path: Path, steps: list[dict[str, Any]]) -> None:
    assert delivery(tmp_path, *steps) == "own"


@pytest.mark.parametrize(("over", "expected"), [(["y", "x"], "image"), (None, "own")])
def test_channels_that_are_normalised_together_have_a_scale_of_their_own(
    tmp_path: Path, over: list[str] | None, expected: Delivery
) -> None:
    kwargs = COMMON | ({"axes": over} if over else {})
    channels = ("red", "green")
    found = delivery(tmp_path, scale_range(**kwargs), channels=channels, input_channels=channels)
    assert found == expected


def test_a_step_behind_the_network_decides(tmp_path: Path) -> None:
    assert delivery(tmp_path, scale_range(**COMMON), behind=[LINEAR]) == "own"


def test_percentiles_of_another_tensor_are_no_scale_of_the_image(tmp_path: Path) -> None:
    step = scale_range(**COMMON, reference_tensor="input")
    assert delivery(tmp_path, scale_range(**COMMON), behind=[step]) == "own"


@pytest.mark.parametrize(
    "factors", [{"90 %": 1.5}, {"1.5": 1.0}, {"0.9": -1.0}, {"0.9": float("nan")}, {"0.9": None}]
)
def test_intervals_that_cannot_be_are_none(factors: dict[str, float]) -> None:
    package = SimpleNamespace(own_entries={"calibration": {"interval_factors": factors}})
    assert interval_factors(cast(Package, package)) == {}


def test_intervals_are_read_from_the_entry_of_the_calibration() -> None:
    entries = {"calibration": {"interval_factors": {"0.5": 0.6, "0.9": 1.5}}}
    package = cast(Package, SimpleNamespace(own_entries=entries))
    assert interval_factors(package) == {"0.5": 0.6, "0.9": 1.5}


def test_a_promise_of_structures_is_read_and_a_malformed_one_is_none() -> None:
    stated = asdict(TRUST_MASK)
    package = cast(Package, SimpleNamespace(own_entries={"trust_mask": stated}))
    assert trust_mask_of(package) == TRUST_MASK
    for odd in ({}, {"trust_mask": "much"}, {"trust_mask": stated | {"scale_px": -1}}):
        assert trust_mask_of(cast(Package, SimpleNamespace(own_entries=odd))) is None
