import json
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from benchmark.delivery import Delivery, delivery_of
from packages.package import open_package
from tests import tiny_packages as tiny

VOLUME = ("batch", "channel", "z", "y", "x")


def scale_range(**kwargs: Any) -> dict[str, Any]:
    return {"id": "scale_range", "kwargs": kwargs}


def delivery(folder: Path, *steps: dict[str, Any], **written: Any) -> Delivery:
    path = tiny.write(folder / "p", nn.Identity(), preprocessing=list(steps), **written)
    with open_package(path) as package:
        return delivery_of(package)


def test_the_percentiles_are_those_that_the_package_states(tmp_path: Path) -> None:
    step = scale_range(min_percentile=3, max_percentile=99)
    assert delivery(tmp_path, step, {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}) == (
        Delivery((3.0, 99.0))
    )


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"id": "zero_mean_unit_variance"}],
        [scale_range(min_percentile=3), {"id": "sigmoid"}],
        [scale_range(), {"id": "scale_linear", "kwargs": {"gain": 2.0, "offset": 0.0}}],
    ],
)
def test_any_other_scale_is_the_package_s_own(tmp_path: Path, steps: list[dict[str, Any]]) -> None:
    assert delivery(tmp_path, *steps).percentiles is None


@pytest.mark.parametrize(
    ("over", "of_volume"), [(["channel", "z", "y", "x"], True), (["y", "x"], False), (None, True)]
)
def test_a_stack_is_normalised_over_what_the_package_says(
    tmp_path: Path, over: list[str] | None, of_volume: bool
) -> None:
    kwargs = {"min_percentile": 2, "max_percentile": 99.8} | ({"axes": over} if over else {})
    assert delivery(tmp_path, scale_range(**kwargs), axes=VOLUME).of_volume is of_volume


def test_a_step_behind_the_network_decides(tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "p", nn.Identity())
    description = json.loads((path / "rdf.yaml").read_text())
    step = {"id": "scale_linear", "kwargs": {"gain": 300.0, "offset": 100.0}}
    description["outputs"][0]["postprocessing"] = [step]
    (path / "rdf.yaml").write_text(json.dumps(description))
    with open_package(path) as package:
        assert delivery_of(package).percentiles is None
