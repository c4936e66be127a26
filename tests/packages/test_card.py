"""Every number of a training stands on the model card in the place that is its own."""

import re
from dataclasses import replace

import pytest
from torch import nn

from imaging.training_metadata import FurtherData, InferenceCost, SamplingOptions
from packages.card import measured_text, programs_text, training_entries
from tests.trained import CALIBRATION, TRUST_MASK, trained_weights
from training.data import HIGH_PERCENTILES, LOW_PERCENTILES

PLAIN = trained_weights(nn.Conv2d(1, 1, 3), "care", {}).metadata
METADATA = replace(
    PLAIN,
    request=replace(PLAIN.request, steps=20, seed=5, data_sha256="2" * 64),
    data=replace(PLAIN.data, name="tubes", training_images=8),
    device="the one that trained",
    inference=InferenceCost(0.25, 320.0, "the one that restored"),
    reached=replace(PLAIN.reached, steps=12, seconds=5400.0),
)
LINEAR = CALIBRATION.before | {
    "coverage_0.5": 0.45,
    "coverage_0.9": 0.85,
    "coverage_0.95": 0.9,
    "nll": -1.5,
    "ence": 0.3,
}
CALIBRATED = replace(METADATA, calibration=replace(CALIBRATION, linear=LINEAR))


def text_of(**entries: object) -> str:
    """The words of the card, whatever its lines."""
    return " ".join(measured_text(replace(METADATA, **entries), parameters=7).split())


@pytest.mark.parametrize(("error", "told"), [(0.0123, "is 1.23% of"), (2e-8, "less than 0.01% of")])
def test_what_tiles_differ_by_is_told_in_digits_that_say_something(error: float, told: str) -> None:
    along = {"y": 16, "x": 16}
    text = programs_text(
        step=along,
        halo=along,
        smallest=along,
        channels=["mean"],
        factors={"y": 2, "x": 2},
        tiles_error=error,
    )
    assert told in " ".join(text.split())


def test_the_training_is_told_as_it_went() -> None:
    told = training_entries(METADATA)["training"]
    expected = {
        "training_epochs": 3.0,  # 12 steps of 2 patches, over 8 images
        "training_batch_size": 2,
        "initial_learning_rate": 1e-3,
        "training_duration": 1.5,  # hours
        "training_steps": 12,
        "planned_steps": 20,
        "seed": 5,
        "dataset": "tubes",
        "dataset_sha256": "2" * 64,
    }
    assert {name: told[name] for name in expected} == expected


def test_the_percentiles_are_those_that_training_draws() -> None:
    told = training_entries(METADATA)["training"]["training_preprocessing"]
    (low, high), (least, most) = LOW_PERCENTILES, HIGH_PERCENTILES
    assert f"input: drawn from {low:g} to {high:g} and {least:g} to {most:g}" in told
    assert "target: 2 and 99.8" in told


def test_the_impact_is_that_of_the_machine_that_trained() -> None:
    told = training_entries(METADATA)["environmental_impact"]
    assert told == {"hardware_type": "the one that trained", "hours_used": 1.5}
    assert "the one that restored" in training_entries(METADATA)["inference_time"]


def test_the_memory_of_a_window_is_what_was_measured_in_it() -> None:
    """It is kept as if of 2²⁰ pixels, which are sixteen windows."""
    assert training_entries(METADATA)["memory_requirements_inference"].startswith("20 MiB for 256²")
    assert "20 MiB for 256²" in text_of()


def test_the_data_and_the_errors_are_told() -> None:
    told = text_of()
    assert "Data: tubes (sha256 `2222222222222222`), 8 images, pixel size 0.08 µm." in told
    assert "Provenance of the data: seed 3 " in told
    assert "0.1234 restored, 0.4321 before restoration" in told


def test_the_card_says_that_weights_are_hardly_trained() -> None:
    told = text_of(reached=replace(METADATA.reached, error_restored=0.5))
    assert "Hardly trained: restored images are no closer to the truth than their input" in told


def test_what_was_measured_with_other_options_says_so() -> None:
    told = text_of(measured_with=SamplingOptions(samples=4, steps=6))
    assert "0.1234 restored (measured with samples 4, steps 6)" in told


def test_the_calibration_is_a_table_of_its_stages() -> None:
    told = measured_text(CALIBRATED, parameters=7)
    rows = [row for row in re.findall(r"^\| (.*) \|$", told, re.MULTILINE) if "%" in row]
    assert rows == [
        "intervals cover of | 50 % | 90 % | 95 % | NLL | ENCE",
        "network, Gaussian intervals | 40.0% | 80.0% | 85.0% | -1.000 | 0.500",
        "published linear fit, Gaussian intervals | 45.0% | 85.0% | 90.0% | -1.500 | 0.300",
        "this package, intervals as stated below | 50.0% | 90.0% | 95.0% | -2.000 | 0.100",
    ]


def test_the_calibration_names_its_own_data() -> None:
    told = text_of(calibration=CALIBRATED.calibration)
    assert "regression on 3 images of others (sha256 `1111111111111111`)" in told
    assert "On 4 validation images of the same data" in told


def test_further_data_are_told_and_count_in_an_epoch() -> None:
    other = FurtherData("dendrites", {"seed": 4}, training_images=4)
    metadata = replace(
        METADATA,
        data=replace(METADATA.data, also=(other,)),
        request=replace(METADATA.request, also={"dendrites": "4" * 64}),
    )
    told = training_entries(metadata)["training"]
    assert told["training_epochs"] == 2.0  # 12 steps of 2 patches, over 8 and 4 images
    assert told["further_datasets_sha256"] == {"dendrites": "4" * 64}
    words = text_of(data=metadata.data, request=metadata.request)
    assert "Trained on, too: dendrites (sha256 `4444444444444444`), 4 images. seed 4" in words


def test_a_trust_mask_is_told_with_what_it_holds_and_where_it_ends() -> None:
    told = text_of(trust_mask=TRUST_MASK)
    assert "| 1 | 90% | 0.020 | 7.0% | 80% |" in told
    assert "| 2 | 95% | 0.050 | 3.0% | 50% |" in told
    assert TRUST_MASK.sentence in told
    assert "On 60 validation images of others (sha256 `1111111111111111`)" in told
    assert "Trust mask" not in text_of(trust_mask=None)
