from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from imaging.cli import UserError
from imaging.tensors import write_tensors
from imaging.trained_weights import TrainedWeights
from packages.models import Model, models
from tests.trained import CALIBRATION, TRUST_MASK, trained_weights

Entry = tuple[str, ...]

TRAINED = trained_weights(
    nn.Conv2d(1, 1, 3),
    "care",
    {"filters": 8},
    calibration=CALIBRATION,
    trust_mask=TRUST_MASK,
)
# Entries whose own keys are data, and entries that may be left out.
OPEN = {
    *("weights", "network", "provenance", "versions"),
    *("interval_factors", "before", "linear", "after"),
    *("heights", "false", "found"),
}
OPTIONAL = {
    *(
        "warmup",
        "clip_norm",
        "ema_decay",
        "patch_planes",
        "axial_sigma_um",
        "z_step_um",
        "microscope",
        "error_restored",
        "error_input",
        "late_fall",
    ),
    *("also", "adapted_from", "channels", "pixel_loss", "calibration", "trust_mask", "known"),
    *("measured_with", "samples"),
}


def content_of(trained: TrainedWeights, folder: Path) -> dict[str, Any]:
    trained.write(folder / "content.pt")
    return torch.load(folder / "content.pt", weights_only=True)


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    return content_of(TRAINED, tmp_path)


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    content = content_of(TRAINED, tmp_path_factory.mktemp("whole"))
    return list(entries_of({k: v for k, v in content.items() if k != "schema"}))


def entries_of(content: dict[str, Any], above: Entry = ()) -> Iterator[Entry]:
    """All entries that a record has by name, at every depth."""
    for name, value in content.items():
        yield (*above, name)
        if isinstance(value, dict) and name not in OPEN:
            yield from entries_of(value, (*above, name))


def changed(
    content: dict[str, Any], entry: Entry, change: Callable[[dict[str, Any], str], None]
) -> dict[str, Any]:
    """A copy in which what holds an entry was changed."""
    name, *rest = entry
    copy = dict(content)
    if rest:
        copy[name] = changed(copy[name], tuple(rest), change)
    else:
        change(copy, name)
    return copy


def refusal(file: Path, content: Any) -> str:
    write_tensors(file, content)
    with pytest.raises(UserError) as refused:
        TrainedWeights.read(file)
    sentence = str(refused.value)
    assert sentence.startswith(f"{file}")
    return sentence


def test_what_is_written_is_read(tmp_path: Path) -> None:
    TRAINED.write(tmp_path / "weights.pt")
    for path in (tmp_path, tmp_path / "weights.pt"):
        read = TrainedWeights.read(path, model="care")
        assert read.metadata == TRAINED.metadata
        assert read.weights.keys() == TRAINED.weights.keys()
        for name, tensor in read.weights.items():
            assert torch.equal(tensor, TRAINED.weights[name])
        assert torch.equal(read.example.input, TRAINED.example.input)
        assert torch.equal(read.example.target, TRAINED.example.target)


def test_each_missing_entry_is_named(
    content: dict[str, Any], entries: list[Entry], tmp_path: Path
) -> None:
    required = [
        e for e in entries if e[-1] not in OPTIONAL and e[-2:] != ("measured_with", "steps")
    ]
    assert len(required) > 30
    for entry in required:
        without = changed(content, entry, lambda holder, name: holder.pop(name))
        sentence = refusal(tmp_path / "w.pt", without)
        assert f"w.pt: entry '{'.'.join(entry)}' is missing; train again." in sentence


def test_each_misspelt_entry_is_named(
    content: dict[str, Any], entries: list[Entry], tmp_path: Path
) -> None:
    def misspell(holder: dict[str, Any], name: str) -> None:
        holder[f"{name}x"] = holder.pop(name)

    for entry in entries:
        name = ".".join(entry)
        sentence = refusal(tmp_path / "w.pt", changed(content, entry, misspell))
        assert f"entry '{name}' is missing" in sentence or f"no entry '{name}x'" in sentence


def test_each_unknown_entry_is_named(content: dict[str, Any], tmp_path: Path) -> None:
    def add(holder: dict[str, Any], name: str) -> None:
        holder[name] = 1

    for entry in (
        ("colour",),
        ("metadata", "colour"),
        ("metadata", "request", "settings", "colour"),
    ):
        sentence = refusal(tmp_path / "w.pt", changed(content, entry, add))
        assert f"there is no entry '{'.'.join(entry)}'" in sentence


def test_each_odd_entry_is_named(
    content: dict[str, Any], entries: list[Entry], tmp_path: Path
) -> None:
    def spoil(holder: dict[str, Any], name: str) -> None:
        holder[name] = [None]

    for entry in entries:
        sentence = refusal(tmp_path / "w.pt", changed(content, entry, spoil))
        assert f"entry '{'.'.join(entry)}" in sentence


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        (("metadata", "versions"), {"numpy": "2"}, "entry 'metadata.versions': 'torch' is missing"),
        (("metadata", "calibration", "after"), {"nll": 1.0}, "'coverage_0.5' is missing"),
        (("metadata", "calibration", "interval_factors"), {"0.5": 1.0}, "'0.9' is missing"),
        (("metadata", "request", "data_sha256"), "abc", "entry 'metadata.request.data_sha256'"),
        (("weights",), {"w": torch.tensor([1, float("nan")])}, "NaN or infinite weights in 'w'"),
        (("weights",), {"w": 1.0}, "entry 'weights.w'"),
        (("example", "input"), torch.zeros(3), "entry 'example.input': it is no image"),
        (("example", "target"), torch.full((3, 3), float("inf")), "entry 'example.target'"),
    ],
)
def test_values_nobody_can_use_are_refused(
    content: dict[str, Any], tmp_path: Path, entry: Entry, value: Any, said: str
) -> None:
    def put(holder: dict[str, Any], name: str) -> None:
        holder[name] = value

    sentence = refusal(tmp_path / "w.pt", changed(content, entry, put))
    assert said in sentence
    assert sentence.endswith("train again.")


@pytest.mark.parametrize("schema", [0, 2, None, "1"])
def test_another_schema_is_refused(content: dict[str, Any], tmp_path: Path, schema: Any) -> None:
    sentence = refusal(tmp_path / "w.pt", content | {"schema": schema})
    assert f"is in schema {schema}, and this program reads 1: train again." in sentence


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.pt is not weights made by a training"):
        TrainedWeights.read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [torch.zeros(3), "schema", [], {}, {"step": 3}, {"facts": 1}, {"weights": nn.Conv2d(1, 1, 1)}],
)
def test_other_things_are_refused(tmp_path: Path, content: Any) -> None:
    sentence = refusal(tmp_path / "w.pt", content)
    assert sentence.endswith("give a run folder, or the weights.pt in it.")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone does not exist: train first .* run folder"):
        TrainedWeights.read(tmp_path / "gone")
    with pytest.raises(UserError, match=r"weights\.pt does not exist: train first"):
        TrainedWeights.read(tmp_path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    TRAINED.write(tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w\.pt holds weights of 'care', not of 'hdn'"):
        TrainedWeights.read(tmp_path / "w.pt", model="hdn")


@pytest.mark.parametrize(
    ("model", "file"),
    [
        pytest.param(model, file, id=f"{model.name}/{file.name}")
        for model in models()
        for file in sorted(model.folder.glob("*.pt"))
    ],
)
def test_reference_weights_are_read(model: Model, file: Path, tmp_path: Path) -> None:
    trained = TrainedWeights.read(file)
    assert trained.metadata.model == model.name
    assert (trained.metadata.calibration is not None) == ("std" in model.channels())
    assert content_of(trained, tmp_path)["schema"] == 1
    assert TrainedWeights.read(tmp_path / "content.pt").metadata == trained.metadata


def before_schemas(content: dict[str, Any]) -> dict[str, Any]:
    """The same content as it was written before files had a schema."""
    metadata = content["metadata"]
    facts = {"room" if name == "model" else name: value for name, value in metadata.items()}
    facts["reached"] = {k: v for k, v in facts["reached"].items() if v is not None}
    del facts["measured_with"]
    return {"weights": content["weights"], "facts": facts, "example": content["example"]}


def test_a_file_from_before_schemas_says_the_same(content: dict[str, Any], tmp_path: Path) -> None:
    write_tensors(tmp_path / "w.pt", before_schemas(content))
    assert TrainedWeights.read(tmp_path / "w.pt").metadata == TRAINED.metadata


def test_a_calibration_that_does_not_say_on_what_was_on_the_trainings_own_data(
    content: dict[str, Any], tmp_path: Path
) -> None:
    earlier = before_schemas(content)
    del earlier["facts"]["calibration"]["data"], earlier["facts"]["calibration"]["data_sha256"]
    write_tensors(tmp_path / "w.pt", earlier)
    own = replace(CALIBRATION, data="noise", data_sha256="0" * 64)
    assert TrainedWeights.read(tmp_path / "w.pt").metadata.calibration == own


def test_faults_of_a_file_from_before_schemas_are_named(
    content: dict[str, Any], tmp_path: Path
) -> None:
    earlier = before_schemas(content)
    del earlier["facts"]["room"]
    assert "entry 'metadata.model' is missing" in refusal(tmp_path / "w.pt", earlier)
