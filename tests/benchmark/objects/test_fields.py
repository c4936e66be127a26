"""Annotated images are read as their dataset describes them."""

from dataclasses import replace
from pathlib import Path

from benchmark.objects.fields import read_fields
from tests.benchmark.objects import planted


def test_the_distance_of_planes_may_stand_in_the_dataset_alone(tmp_path: Path) -> None:
    dataset = planted.dataset(tmp_path, planes=2)  # the file tells no distance

    (field,), reasons = read_fields(replace(dataset, z_step_um=1.5))

    assert (field.extent.step_um, reasons) == (1.5, [])
