import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.trust import phantoms as phantoms_module
from benchmark.trust.beside import put_beside
from benchmark.trust.microscope import STANDARD
from benchmark.trust.phantoms import Made, Phantoms, make, plan_phantoms, plan_shifts
from packages import images
from packages.cli import STATUS_INTERRUPTED, UserError
from packages.datasets import open_dataset
from packages.files import write_json
from packages.resample import linear
from tests.benchmark import stand_ins

WANTED = Phantoms("gaps", "30 photons", 3, 0, STANDARD)


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


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the datasets that were simulated, by a stand-in for the simulation."""
    names: list[str] = []

    def simulate(phantoms: Phantoms, microscope: Path, out: Path) -> None:
        assert microscope.exists()
        names.append(phantoms.name)
        _dataset(out)

    monkeypatch.setattr(phantoms_module, "simulate", simulate)
    return names


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


def test_what_is_made_is_not_made_again(tmp_path: Path, simulated: list[str]) -> None:
    first = list(make([WANTED], tmp_path))
    assert list(make([WANTED], tmp_path)) == first
    assert simulated == ["gaps-30-photons"]


def test_what_was_made_otherwise_is_made_again(tmp_path: Path, simulated: list[str]) -> None:
    (first,) = make([WANTED], tmp_path)
    (tmp_path / "gaps-30-photons/input/more.tif").touch()
    (second,) = make([Phantoms("gaps", "30 photons", 4, 0, STANDARD)], tmp_path)
    assert len(simulated) == 2
    assert first.sha256 != second.sha256
    assert not (tmp_path / "gaps-30-photons/input/more.tif").exists()


def test_an_interrupted_dataset_is_gone_on_with(tmp_path: Path, simulated: list[str]) -> None:
    list(make([WANTED], tmp_path))
    (tmp_path / "gaps-30-photons").rename(tmp_path / "gaps-30-photons.partial")
    list(make([WANTED], tmp_path))
    assert len(simulated) == 2
    assert (tmp_path / "gaps-30-photons.partial").exists()


def _ends(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, status, "", "It broke.")

    monkeypatch.setattr(phantoms_module.subprocess, "run", run)


def test_a_simulation_that_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ends(monkeypatch, 2)
    with pytest.raises(UserError, match=r"gaps-30-photons could not be simulated: It broke\."):
        list(make([WANTED], tmp_path))


def test_an_interrupted_simulation_interrupts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ends(monkeypatch, STATUS_INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        list(make([WANTED], tmp_path))


@pytest.fixture
def beside(tmp_path: Path) -> Made:
    made: list[Made] = []
    for name, level in (("empty", 0.0), ("gaps", 500.0)):
        _dataset(tmp_path / name, level=level)
        phantoms = Phantoms(name, "30 photons", 3, 0, STANDARD)
        made.append(Made(phantoms, open_dataset(tmp_path / name), name))
    fields, tubes = made
    return put_beside(fields, tubes, tmp_path)


def test_half_of_the_tubes_comes_below_the_field(beside: Made, tmp_path: Path) -> None:
    joined = images.read(beside.dataset.path / "native/0001.tif").values
    above, below = (images.read(tmp_path / n / "native/0001.tif").values for n in ("empty", "gaps"))
    np.testing.assert_array_equal(joined, np.concatenate([above, below[:4]]))


def test_input_is_interpolated_as_one(beside: Made) -> None:
    native = images.read(beside.dataset.path / "native/0002.tif").values
    joined = images.read(beside.dataset.path / "input/0002.tif").values
    np.testing.assert_allclose(joined, linear(native, (48, 32)))


def test_tubes_move_with_their_image_and_the_field_keeps_away_from_them(beside: Made) -> None:
    geometry = json.loads((beside.dataset.path / "geometry/0000.json").read_text())
    assert geometry["tubes"][0]["points_um"] == pytest.approx(np.array([[3.06, 0.5], [3.06, 1.5]]))
    (field,) = geometry["fields"]
    assert np.max(field["points_um"], axis=0)[0] == pytest.approx(32 * 0.08 - 1)


def test_a_joined_dataset_is_kept_until_its_parts_change(beside: Made, tmp_path: Path) -> None:
    def written() -> int:
        return (beside.dataset.path / "dataset.toml").stat().st_mtime_ns

    fields = Made(beside.phantoms, open_dataset(tmp_path / "empty"), "empty")
    tubes = Made(beside.phantoms, open_dataset(tmp_path / "gaps"), "gaps")
    first = written()
    put_beside(fields, tubes, tmp_path)
    assert written() == first
    put_beside(fields, replace(tubes, sha256="other"), tmp_path)
    assert written() > first
