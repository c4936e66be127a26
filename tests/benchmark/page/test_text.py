import hashlib

import pandas as pd
import pytest

from benchmark.comparison.summary import summarise
from benchmark.page import text
from tests import records

ABSENT = pd.DataFrame(columns=["package", "dataset", "image", "metric", "reason"])


def test_who_lacks_an_image_stands_last_without_a_place() -> None:
    images = [f"{i:02}" for i in range(12)]
    table = pd.DataFrame(
        [
            (name, "d", image, "si_psnr_a", level + i % 3)
            for name, level in (("lacking", 40.0), ("a", 20.0), ("b", 30.0))
            for i, image in enumerate(images)
            if (name, i) != ("lacking", 5)
        ],
        columns=["package", "dataset", "image", "metric", "value"],
    )
    packages = [records.package(name) for name in ("lacking", "a", "b")]
    found = summarise(packages, table, ABSENT, {image: image for image in images})
    assert text.ranks(found)[1] == [("b", "1"), ("a", "2"), ("lacking", "–")]


@pytest.mark.parametrize(("metrics", "fewest"), [(1, 6), (2, 7), (3, 7), (4, 8)])
def test_too_few_sources_for_all_comparisons_are_told(metrics: int, fewest: int) -> None:
    def found(sources: int) -> str:
        table = pd.DataFrame(
            [
                (name, "d", f"{i:02}", metric, level + i % 3)
                for name, level in (("a", 0.2), ("b", 0.3))
                for i in range(sources)
                for metric in ("si_psnr_a", "psnr", "ssim", "pearson")[:metrics]
            ],
            columns=["package", "dataset", "image", "metric", "value"],
        )
        packages = [records.package(name) for name in ("a", "b")]
        of = {image: image for image in table.image}
        return text.finding(summarise(packages, table, ABSENT, of), sources)

    assert found(fewest).startswith(f"b leads beyond chance in {metrics} of {metrics} metrics")
    assert found(fewest - 1) == (
        f"{fewest - 1} sources cannot show that anybody is ahead: corrected for {metrics} "
        f"comparison{'s' if metrics > 1 else ''}, the paired test asks for {fewest} at least."
    )


def test_a_dataset_is_introduced_with_its_part_pixels_and_truth() -> None:
    images = [records.image("0", target="/0.tif"), records.image("1", target="/1.tif")]
    whole = records.dataset("d", *images, registration="exact", pixel_size_um=0.1)
    assert text.about(whole, 1) == "2 images from 1 source, 0.1 µm per pixel, with truth (exact)."
    held_out = records.dataset("d", records.image("0"), part="validation", description="Cells.")
    told = "Cells. 1 image of the validation part from 1 source, without truth."
    assert text.about(held_out, 1) == told


def test_the_origin_of_a_dataset_is_told() -> None:
    image = records.image("0", input_sha256="1" * 64, target_sha256="2" * 64)
    made = records.dataset("d", image, licence="CC0-1.0", provenance={"seed": 3, "command": "sim"})
    assert text.origin(made) == (
        "d",
        "1 image",
        "seed 3, command sim",
        "CC0-1.0",
        hashlib.sha256(64 * b"1" + 64 * b"2").hexdigest(),
    )
    assert text.origin(records.dataset("d"))[2:4] == ("not stated", "not stated")


def test_the_machine_is_told() -> None:
    run = records.run(device="a GPU", cpu="a CPU", seed=7, versions={"torch": "2", "numpy": "1"})
    assert text.machine(run) == [
        ("Device", "a GPU"),
        ("CPU", "a CPU"),
        ("System", "Linux"),
        ("Versions", "torch 2, numpy 1"),
        ("Seed", "7"),
        ("Benchmark code", "b" * 12),
    ]
