import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from benchmark.trust import phantom_datasets
from benchmark.trust.exposure import STANDARD, with_photons
from benchmark.trust.phantom_datasets import (
    PhantomDataset,
    PhantomPlan,
    make,
    plan_phantoms,
    plan_shifts,
)
from benchmark.trust.tubes_below import join_tubes
from imaging import images
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.files import sha256, write_json
from imaging.resample import linear
from simulation import writing
from simulation.simulate import simulate
from tests.benchmark import stand_ins

WANTED = PhantomPlan("gaps", "30 photons", 3, 0, with_photons(STANDARD, 30.0))


def _dataset(path: Path, side: int = 32, level: float = 0.0) -> None:
    rng = np.random.default_rng(len(path.name))
    for i in range(3):
        native = rng.integers(200, 300, (side // 4, side // 4)).astype(np.uint16) + int(level)
        target = rng.random((side, side)).astype(np.float32)
        stand_ins.save(path / "native" / f"{i:04}.tif", native, 0.32)
        stand_ins.save(path / "target" / f"{i:04}.tif", target)
        stand_ins.save(path / "input" / f"{i:04}.tif", linear(native, (side, side)))
        tubes = [{"points_um": [[0.5, 0.5], [0.5, 1.5]], "gap": 0}]
        write_json(path / "geometry" / f"{i:04}.json", {"tubes": tubes, "gaps": []})
    (path / "dataset.toml").write_text("pixel_size_um = 0.08\n")


def test_more_draws_make_more_images_at_every_level() -> None:
    few, many = (plan_phantoms(STANDARD, [10, 100], draws, 0) for draws in (10, 100))
    assert {p.condition for p in few} == {"10 photons", "100 photons"}
    assert all(a.images < b.images for a, b in zip(few, many, strict=True))
    assert min(p.images for p in few) >= 3


def test_datasets_have_names_of_their_own_that_any_system_takes() -> None:
    planned = plan_phantoms(STANDARD, [0.5, 30], 50, 0) + plan_shifts(STANDARD, 30, 0)
    names = {p.name for p in planned}
    assert len(names) == len(planned)
    assert all(name.isascii() and " " not in name for name in names)


def test_the_usual_images_come_first_among_the_shifts() -> None:
    titles = [p.title for p in plan_shifts(STANDARD, 30, 0)]
    assert titles[0] == "cells"
    assert {"granules", "cells, 30 % more noise", "cells, 20 % narrower PSF"} < set(titles)


def _hashes(folder: Path) -> dict[str, str]:
    return {f.relative_to(folder).as_posix(): sha256(f) for f in folder.rglob("*") if f.is_file()}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one dataset, made as asked for. Not to be changed."""
    folder = tmp_path_factory.mktemp("kept")
    list(make([WANTED], folder))
    return folder


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "phantoms"))


def _stop(monkeypatch: pytest.MonkeyPatch, on: str, error: BaseException) -> None:
    """Let the simulation end where it would write an image."""
    write = writing.write

    def write_or_stop(path: Path, image: xr.DataArray) -> None:
        if path.name == on:
            raise error
        write(path, image)

    monkeypatch.setattr(writing, "write", write_or_stop)


def test_the_command_in_a_dataset_gives_the_same_bytes(kept: Path, tmp_path: Path) -> None:
    command = open_dataset(kept / WANTED.name).facts.provenance["command"]
    assert command == (
        "python -m training simulate --images 3 --size 256 --seed 0 "
        "--microscope gaps-30-photons.toml --structure gaps"
    )
    again = simulate(
        tmp_path / "again",
        images=3,
        size=256,
        seed=0,
        microscope=kept / "gaps-30-photons.toml",
        structure="gaps",
    )
    assert _hashes(again) == _hashes(kept / WANTED.name)


def test_what_is_made_is_not_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stop(monkeypatch, "0000.tif", AssertionError("It is made again."))
    (first,) = make([WANTED], folder)
    assert list(make([WANTED], folder)) == [first]


@pytest.mark.parametrize(
    "other", [{"images": 4}, {"microscope": with_photons(STANDARD, 31.0)}, {"seed": 1}]
)
def test_what_was_made_otherwise_is_made_again(folder: Path, other: dict[str, Any]) -> None:
    (first,) = make([WANTED], folder)
    before = _hashes(first.dataset.path)
    (first.dataset.path / "input/more.tif").touch()
    (second,) = make([replace(WANTED, **other)], folder)
    assert first.sha256 != second.sha256
    assert _hashes(second.dataset.path)["dataset.toml"] != before["dataset.toml"]
    assert not (second.dataset.path / "input/more.tif").exists()


def test_phantoms_of_another_source_are_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = make([WANTED], folder)
    (first.dataset.path / "input/more.tif").touch()
    monkeypatch.setattr(phantom_datasets, "source_sha256", lambda *_: "another")
    (second,) = make([WANTED], folder)
    assert first.sha256 != second.sha256
    assert not (second.dataset.path / "input/more.tif").exists()


def test_an_interrupted_dataset_is_gone_on_with(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _stop(patch, "0001.tif", KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            list(make([WANTED], tmp_path))
    first = tmp_path / f"{WANTED.name}.partial" / "target" / "0000.tif"
    written = first.stat().st_mtime_ns
    (whole,) = make([WANTED], tmp_path)
    assert (whole.dataset.path / "target/0000.tif").stat().st_mtime_ns == written
    assert _hashes(whole.dataset.path) == _hashes(kept / WANTED.name)


def test_a_simulation_that_refuses_is_said(tmp_path: Path) -> None:
    coarse = replace(WANTED, microscope=replace(WANTED.microscope, pixel_size_um=2.0))
    with pytest.raises(UserError, match=r"gaps-30-photons could not be simulated: Pixels of 0\.5"):
        list(make([coarse], tmp_path))


@pytest.fixture
def with_tubes(tmp_path: Path) -> PhantomDataset:
    made: list[PhantomDataset] = []
    for name, level in (("empty", 0.0), ("gaps", 500.0)):
        _dataset(tmp_path / name, level=level)
        plan = PhantomPlan(name, "30 photons", 3, 0, STANDARD)
        made.append(PhantomDataset(plan, open_dataset(tmp_path / name), name))
    fields, tubes = made
    return join_tubes(fields, tubes, tmp_path)


def test_half_of_the_tubes_comes_below_the_field(
    with_tubes: PhantomDataset, tmp_path: Path
) -> None:
    joined = images.read(with_tubes.dataset.path / "native/0001.tif").values
    above, below = (images.read(tmp_path / n / "native/0001.tif").values for n in ("empty", "gaps"))
    np.testing.assert_array_equal(joined, np.concatenate([above, below[:4]]))


def test_input_is_interpolated_as_one(with_tubes: PhantomDataset) -> None:
    native = images.read(with_tubes.dataset.path / "native/0002.tif").values
    joined = images.read(with_tubes.dataset.path / "input/0002.tif").values
    np.testing.assert_allclose(joined, linear(native, (48, 32)))


def test_tubes_move_with_their_image_and_the_field_keeps_away_from_them(
    with_tubes: PhantomDataset,
) -> None:
    geometry = json.loads((with_tubes.dataset.path / "geometry/0000.json").read_text())
    assert geometry["tubes"][0]["points_um"] == pytest.approx(np.array([[3.06, 0.5], [3.06, 1.5]]))
    (field,) = geometry["fields"]
    assert np.max(field["points_um"], axis=0)[0] == pytest.approx(32 * 0.08 - 1)


def test_a_joined_dataset_is_kept_until_its_parts_change(
    with_tubes: PhantomDataset, tmp_path: Path
) -> None:
    def written() -> int:
        return (with_tubes.dataset.path / "dataset.toml").stat().st_mtime_ns

    fields = PhantomDataset(with_tubes.plan, open_dataset(tmp_path / "empty"), "empty")
    tubes = PhantomDataset(with_tubes.plan, open_dataset(tmp_path / "gaps"), "gaps")
    first = written()
    join_tubes(fields, tubes, tmp_path)
    assert written() == first
    join_tubes(fields, replace(tubes, sha256="other"), tmp_path)
    assert written() > first
