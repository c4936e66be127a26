from dataclasses import replace
from typing import Any

import pytest

from benchmark.comparison.comparable import shared_datasets, why_not_comparable
from imaging.benchmark_run import BenchmarkRun, DatasetEntry
from imaging.protocol import Protocol
from tests import records

STATED = Protocol(
    name="biosr",
    version=1,
    split_by="cell",
    normalisation="none",
    split={"validation": "36-50"},
    structure="MT",
)
IMAGES = [records.image(name, source=name[0], input_sha256="1" * 64, level=1) for name in "ab"]


def dataset(name: str = "d", **entries: Any) -> DatasetEntry:
    told: dict[str, Any] = {"protocol": STATED, "registration": "approximate", **entries}
    return records.dataset(name, *told.pop("images", IMAGES), **told)


def run(of: DatasetEntry, **entries: Any) -> BenchmarkRun:
    return records.run(datasets=[of], **entries)


def reasons(other: DatasetEntry, **entries: Any) -> list[str]:
    one = dataset()
    return why_not_comparable((one, other), run(one), run(other, **entries), ("mine", "yours"))


def test_the_same_protocol_on_the_same_images_compares() -> None:
    assert reasons(dataset("named otherwise", path="/elsewhere")) == []


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (
            {"protocol": replace(STATED, version=2)},
            "The protocol's version is '1' in mine and '2' in yours.",
        ),
        (
            {"protocol": replace(STATED, split={"validation": "1-5"})},
            "The protocol's split is 'validation 36-50' in mine and 'validation 1-5' in yours.",
        ),
        ({"protocol": None}, "The protocol is 'biosr 1, MT' in mine and not stated in yours."),
        (
            {"registration": "registered"},
            "Registration of the truth is 'approximate' in mine and 'registered' in yours.",
        ),
        (
            {"target_pixel_size_um": 0.05},
            "The truth's pixel size in µm is not stated in mine and '0.05' in yours.",
        ),
        (
            {"images": IMAGES[:1]},
            "1 image of 2 were scored in mine only, 'b' first.",
        ),
        (
            {"images": [IMAGES[0], replace(IMAGES[1], input_sha256="2" * 64)]},
            "Image 'b' has other files in yours than in mine.",
        ),
        (
            {"images": [replace(image, level=2) for image in IMAGES]},
            "Image 'a' has another level of light in yours than in mine, as 1 more.",
        ),
        (
            {"images": [replace(image, source="one") for image in IMAGES]},
            "Image 'a' has another source in yours than in mine, as 1 more.",
        ),
    ],
)
def test_what_differs_is_one_sentence(entries: dict[str, Any], sentence: str) -> None:
    assert reasons(dataset(**entries)) == [sentence]


def test_other_code_computes_other_scores() -> None:
    (sentence,) = reasons(dataset(), benchmark_sha256="c" * 64)
    assert sentence.startswith("They were scored by different versions of the benchmark")


def test_datasets_of_one_protocol_and_structure_are_meant_to_be_the_same() -> None:
    first, second = run(dataset("mine")), run(dataset("yours"))
    assert shared_datasets(first, second) == [(first.datasets[0], second.datasets[0])]
    other = run(dataset("mine", protocol=replace(STATED, structure="ER")))
    assert shared_datasets(first, other) == []


def test_without_protocol_the_name_tells() -> None:
    first, second = run(dataset("d", protocol=None)), run(dataset("d"))
    assert len(shared_datasets(first, second)) == 1
    assert shared_datasets(first, run(dataset("e"))) == []
