"""What is said of the reference data stands in no package of weights trained on others."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from imaging.training_metadata import Metadata
from packages.models import Model, Reference, model_named, models
from packages.publish_toml import TITLE
from packages.told_data import tell_data
from tests.trained import trained_weights

OTHERS = trained_weights(nn.Conv2d(1, 1, 3), "care", {}).metadata
OF_REFERENCE = re.compile(
    r"two-photon|2-photon|in.vivo|membrane|glioblastoma|tumou?r|microtube|expan|simulated|tubes?\b"
)
MODELS = pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
REFERENCES = [(model, reference) for model in models() for reference in model.references()]


def trained_on(name: str, description: str = "", **request: Any) -> Metadata:
    return replace(
        OTHERS,
        request=replace(OTHERS.request, **{"data_sha256": "5" * 64, **request}),
        data=replace(OTHERS.data, name=name, description=description),
    )


def data_of(reference: Reference) -> dict[str, Any]:
    """What reference weights were trained on."""
    entries = reference.entries
    return {"data_sha256": entries["data_sha256"], "also": entries.get("also_sha256", {})}


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


@pytest.mark.parametrize(
    ("model", "reference"), REFERENCES, ids=[each.entries["name"] for _, each in REFERENCES]
)
def test_of_the_reference_data_it_is_told_what_they_are(model: Model, reference: Reference) -> None:
    description, documentation = told(model, trained_on("renamed", **data_of(reference)))
    entries = description["config"]["bioimageio"]
    told_of_it = reference.entries["config"]["bioimageio"]
    assert description["name"] == reference.entries["name"]
    assert {*reference.entries["tags"], "pytorch"} <= set(description["tags"])
    assert entries["modality"] == told_of_it["modality"]
    for name, sentence in told_of_it["bias_risks_limitations"].items():
        assert entries["bias_risks_limitations"][name].endswith(sentence)
    assert reference.text in documentation


def test_a_title_of_reference_weights_changes_the_name_alone() -> None:
    model = model_named("care")
    metadata = trained_on("membranes", **data_of(model.references()[0]))
    (plain, text), (titled, other) = told(model, metadata), told(model, metadata, "Another")
    assert titled == plain | {"name": "Another"}
    assert other.partition("\n")[2] == text.partition("\n")[2]


def test_of_further_data_that_are_not_the_references_nothing_is_said_of_these() -> None:
    model = model_named("care")
    learnt = data_of(model.references()[0])
    learnt["also"] = {**learnt["also"], "yeast": "6" * 64}
    metadata = trained_on("membranes", **learnt)
    assert told(model, metadata)[0]["name"] == "CARE trained on membranes"


@pytest.mark.parametrize("name", ["µ-tubules/2", "a" * 300, "day 3: actin", "=1"])
def test_names_of_data_become_titles_that_the_zoo_takes(name: str) -> None:
    description, _ = told(model_named("care"), trained_on(name))
    assert TITLE.fullmatch(description["name"])
