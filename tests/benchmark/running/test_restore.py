import multiprocessing
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmark.metrics import NotApplicable
from benchmark.running import restore as restore_module
from benchmark.running.restore import (
    Job,
    Method,
    NotLoadedError,
    ProcessDiedError,
    RestorationError,
    Restore,
    each,
    in_own_process,
    in_this_process,
)
from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from tests import tiny_packages
from tests.benchmark import stand_ins


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_packages.build(tmp_path_factory.mktemp("packages") / "tiny.zip")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    item = open_dataset(stand_ins.dataset(tmp_path / "data", 1)).items[0]
    return Job(item, tmp_path / "restored.ome.tif")


def test_a_process_of_its_own_restores_as_this_one(tiny: Path, job: Job, tmp_path: Path) -> None:
    method = Method("tiny", "Tiny", tiny)
    beside = Job(job.item, tmp_path / "beside.ome.tif")
    with in_own_process(method) as restore:
        cost = restore(beside)
    with in_this_process(method) as restore:
        restore(job)
    np.testing.assert_array_equal(images.read(beside.output), images.read(job.output))
    assert cost.seconds_per_megapixel > 0
    assert not multiprocessing.active_children()


def test_a_killed_process_is_told_from_a_failed_image(tiny: Path, job: Job) -> None:
    with in_own_process(Method("tiny", "Tiny", tiny)) as restore:
        (child,) = multiprocessing.active_children()
        child.kill()
        with pytest.raises(ProcessDiedError, match="SIGKILL"):
            restore(job)


def test_an_image_of_other_pixels_is_brought_to_those_of_the_package(
    tiny: Path, tmp_path: Path
) -> None:
    coarse = stand_ins.save(tmp_path / "coarse.tif", np.eye(24, dtype=np.uint16), 0.32)
    output = tmp_path / "restored.ome.tif"
    with in_this_process(Method("tiny", "Tiny", tiny)) as restore:
        restore(Job(open_dataset(coarse).items[0], output))
    assert images.read(output).shape == (96, 96)


def test_an_empty_corner_does_not_keep_an_image_from_being_restored(
    tiny: Path, tmp_path: Path
) -> None:
    values = np.zeros((280, 300), np.uint16)
    values[260:, 260:] = np.random.default_rng(0).integers(1, 99, (20, 40))
    file = stand_ins.save(tmp_path / "mosaic.tif", values)
    with in_this_process(Method("tiny", "Tiny", tiny)) as restore:
        restore(Job(open_dataset(file).items[0], tmp_path / "restored.ome.tif"))
    assert images.read(tmp_path / "restored.ome.tif").shape == (280, 300)


def test_the_dataset_says_the_pixel_size_where_the_file_does_not(
    tiny: Path, tmp_path: Path
) -> None:
    silent = tmp_path / "silent.png"
    images.write(silent, xr.DataArray(np.eye(24, dtype=np.uint8), dims=("y", "x")))
    output = tmp_path / "restored.ome.tif"
    with in_this_process(Method("tiny", "Tiny", tiny)) as restore:
        restore(Job(replace(open_dataset(silent).items[0], pixel_size_um=0.16), output))
    assert images.read(output).shape == (48, 48)


def test_a_restoration_with_nan_fails_and_leaves_no_file(tmp_path: Path, job: Job) -> None:
    package = tiny_packages.build(tmp_path / "nan.zip", change="(lambda x: x * float('nan'))")
    with (
        in_this_process(Method("nan", "NaN", package)) as restore,
        pytest.raises(RestorationError, match="NaN"),
    ):
        restore(job)
    assert not job.output.exists()


def test_a_damaged_input_fails_with_its_sentence(tiny: Path, tmp_path: Path, job: Job) -> None:
    job.item.input.write_bytes(job.item.input.read_bytes()[:200])
    with (
        in_this_process(Method("tiny", "Tiny", tiny)) as restore,
        pytest.raises(RestorationError, match="tif"),
    ):
        restore(job)


def test_a_control_without_what_it_needs_does_not_apply(job: Job) -> None:
    with (
        in_this_process(Method("bicubic", "")) as restore,
        pytest.raises(NotApplicable, match="native"),
    ):
        restore(job)


def test_memory_of_a_control_is_not_known(job: Job) -> None:
    with in_this_process(Method("input", "")) as restore:
        assert restore(job).peak_mib is None


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Method]:
    """The methods that were loaded; "lost" cannot be loaded a second time."""
    methods: list[Method] = []

    @contextmanager
    def open_method(method: Method) -> Generator[Restore]:
        methods.append(method)
        if method.name == "lost" and len(methods) == 2:
            raise UserError("Its file is gone.")
        yield lambda job: pytest.fail("Nothing is to be restored.")

    monkeypatch.setattr(restore_module, "open_method", open_method)
    return methods


def _outcomes(name: str, tasks: list[str]) -> list[tuple[str, type | None]]:
    """Do tasks that are named as what they do."""

    def do(task: str, restore: Restore) -> None:
        if task == "die":
            raise ProcessDiedError("The package's process was ended by SIGSEGV.")
        if task == "fail":
            raise RestorationError("It broke.")
        if task == "misread":
            raise UserError("The image cannot be read.")

    method = Method(name, name)
    return [(task, type(error) if error else None) for task, error in each(method, tasks, do)]


def test_a_task_that_fails_costs_no_other(loaded: list[Method]) -> None:
    assert _outcomes("net", ["do", "fail", "misread", "do"]) == [
        ("do", None),
        ("fail", RestorationError),
        ("misread", UserError),
        ("do", None),
    ]
    assert len(loaded) == 1


def test_a_package_that_dies_is_loaded_again_for_what_is_left(loaded: list[Method]) -> None:
    told = _outcomes("net", ["die", "do", "die"])
    assert told == [("die", ProcessDiedError), ("do", None), ("die", ProcessDiedError)]
    assert len(loaded) == 2


def test_what_cannot_be_loaded_fails_all_that_is_left(loaded: list[Method]) -> None:
    told = _outcomes("lost", ["do", "die", "do", "do"])
    assert told[:2] == [("do", None), ("die", ProcessDiedError)]
    assert told[2:] == [("do", NotLoadedError)] * 2


def test_without_tasks_nothing_is_loaded(loaded: list[Method]) -> None:
    assert _outcomes("net", []) == []
    assert loaded == []
