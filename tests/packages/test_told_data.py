"""What is said of the reference data stands in no package of weights trained on others."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from imaging.training_metadata import Metadata
from packages.models import Model, model_named, models
from packages.publish_toml import TITLE
from packages.told_data import tell_data
from tests.trained import trained_weights

OTHERS = trained_weights(nn.Conv2d(1, 1, 3), "care", {}).metadata
OF_REFERENCE = re.compile(
    r"two-photon|2-photon|in.vivo|membrane|glioblastoma|tumou?r|microtube|expan|simulated|tubes?\b"
)
MODELS = pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
WITH_REFERENCE = [model for model in models() if model.reference()]


def trained_on(name: str, description: str = "", **request: Any) -> Metadata:
    return replace(
        OTHERS,
        request=replace(OTHERS.request, **{"data_sha256": "5" * 64, **request}),
        data=replace(OTHERS.data, name=name, description=description),
    )


def of_reference(model: Model) -> dict[str, Any]:
    """What the reference weights of a model were trained on."""
    reference = model.reference()
    return {"data_sha256": reference["data_sha256"], "also": reference.get("also_sha256", {})}


def told(model: Model, metadata: Metadata, title: str | None = None) -> tuple[dict[str, Any], str]:
    description = model.description()
    documentation = tell_data(model, description, metadata, title)
    return description, documentation


@MODELS
@pytest.mark.parametrize("title", [None, "Mine of yeast"])
def test_nothing_of_the_reference_data_is_said_of_others(model: Model, title: str | None) -> None:
    description, documentation = told(model, trained_on("yeast"), title)
    said = json.dumps(description) + documentation
    assert OF_REFERENCE.findall(said) == []


@MODELS
def test_a_package_of_other_data_names_them(model: Model) -> None:
    metadata = trained_on("yeast", description="Budding cells.")
    description, documentation = told(model, metadata)
    assert description["name"] == f"{model.description()['name']} trained on yeast"
    assert description["description"].endswith("Trained on yeast. Budding cells.")
    assert documentation.startswith(f"# {description['name']}\n")


@pytest.mark.parametrize("model", WITH_REFERENCE, ids=lambda model: model.name)
def test_of_the_reference_data_it_is_told_what_they_are(model: Model) -> None:
    description, documentation = told(model, trained_on("renamed", **of_reference(model)))
    entries, reference = description["config"]["bioimageio"], model.reference()
    told_of_it = reference["config"]["bioimageio"]
    assert description["name"] == reference["name"]
    assert {*reference["tags"], "pytorch"} <= set(description["tags"])
    assert entries["modality"] == told_of_it["modality"]
    for name, sentence in told_of_it["bias_risks_limitations"].items():
        assert entries["bias_risks_limitations"][name].endswith(sentence)
    assert "## What these weights have learnt" in documentation


def test_a_title_of_reference_weights_changes_the_name_alone() -> None:
    model = model_named("care")
    metadata = trained_on("membranes", **of_reference(model))
    (plain, text), (titled, other) = told(model, metadata), told(model, metadata, "Another")
    assert titled == plain | {"name": "Another"}
    assert other.partition("\n")[2] == text.partition("\n")[2]


def test_of_further_data_that_are_not_the_references_nothing_is_said_of_these() -> None:
    model = model_named("care")
    learnt = of_reference(model)
    learnt["also"] = {**learnt["also"], "yeast": "6" * 64}
    metadata = trained_on("membranes", **learnt)
    assert told(model, metadata)[0]["name"] == "CARE trained on membranes"


@pytest.mark.parametrize("name", ["µ-tubules/2", "a" * 300, "day 3: actin", "=1"])
def test_names_of_data_become_titles_that_the_zoo_takes(name: str) -> None:
    description, _ = told(model_named("care"), trained_on(name))
    assert TITLE.fullmatch(description["name"])
