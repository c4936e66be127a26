"""Targets recorded after expansion: another pixel size, turned, stretched, bent, and cut."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.metrics import METRICS, normalise
from benchmark.registration import placement
from benchmark.registration.register import register
from imaging import images
from imaging.cli import UserError
from imaging.dataset_facts import Facts, write_facts
from imaging.datasets import Dataset, open_dataset
from tests.benchmark import stand_ins
from tests.benchmark.deformed import deformation, pair
from tests.benchmark.metrics.acquisitions import blurred, curves

SIDE, FACTOR, STRETCH, CUT_PX = 96, 4.0, 1.03, 4
PIXEL_UM = stand_ins.PIXEL_UM
PLANTED = deformation(SIDE, shift_px=(2, -3), rotation_deg=12, scale=STRETCH, bend_px=1)
EXACT = deformation(SIDE)


def dataset(path: Path, target: np.ndarray | None = None) -> Path:
    """An input and a target of finer pixels of another scale, which are as after expansion."""
    count, planted = pair(PLANTED)
    target = planted[CUT_PX:-CUT_PX, CUT_PX:-CUT_PX] if target is None else target
    fine = np.kron(target, np.ones((2, 2)))
    stand_ins.save(path / "input/cell.tif", count.astype(np.float32))
    pixel_um = PIXEL_UM / 2 * FACTOR
    stand_ins.save(path / "target/cell.tif", (9e3 * fine).astype(np.float32), pixel_um)
    write_facts(path, Facts(expansion_factor=FACTOR))
    return path


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("expanded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "_ANGLES_DEG", (-130, -70, -10, 10, 50, 110))
        register(dataset(folder / "data"), out=folder / "out")
    return open_dataset(folder / "out")


def facts_of(dataset: Dataset) -> dict[str, float]:
    assert dataset.facts.registered is not None
    entries = dataset.facts.registered["cell"]
    return {name: value for name, value in entries.items() if isinstance(value, float)}


def part_of(dataset: Dataset) -> tuple[slice, ...]:
    shape = images.read(dataset.items[0].input).shape
    facts = facts_of(dataset)
    starts = [round(facts[f"scored_from_{axis}_um"] / PIXEL_UM) for axis in "yx"]
    return tuple(slice(a, a + n) for a, n in zip(starts, shape, strict=True))


def test_the_true_factor_is_found(registered: Dataset) -> None:
    assert facts_of(registered)["expansion_factor_found"] == pytest.approx(
        FACTOR * STRETCH, rel=0.01
    )


def test_the_deformation_is_the_planted_one(registered: Dataset) -> None:
    found = images.read(registered.path / "deformation/cell.tif").values
    planted = (PLANTED - CUT_PX)[:, *part_of(registered)] * PIXEL_UM
    error_um = np.sqrt(((found - planted) ** 2).sum(axis=0).mean())
    assert error_um < PIXEL_UM


def test_the_error_left_is_measured(registered: Dataset) -> None:
    found = images.read(registered.path / "deformation/cell.tif").values
    planted = (PLANTED - CUT_PX)[:, *part_of(registered)] * PIXEL_UM
    error_um = np.sqrt(((found - planted) ** 2).sum(axis=0).mean())
    assert error_um / 3 < facts_of(registered)["error_um"] < 3 * error_um


def test_the_target_is_that_of_the_field_before_expansion(registered: Dataset) -> None:
    (item,) = registered.items
    input, target = item.read_input(), item.read_target()
    assert target is not None
    assert target.attrs["pixel_size_um"]["x"] == pytest.approx(PIXEL_UM / 2)
    assert target.shape == (2 * input.shape[0], 2 * input.shape[1])
    scene = pair(EXACT)[1][part_of(registered)]
    fine = np.kron(scene, np.ones((2, 2)))
    known = METRICS["pearson"](fine, blurred(target.values.astype(np.float64), 1))
    assert known > 0.8
    assert registered.facts.expansion_factor is None


def test_only_what_both_show_is_kept(registered: Dataset) -> None:
    (item,) = registered.items
    assert item.displaced is not None
    for file in (item.target, item.displaced):
        assert file is not None
        assert images.read(file).values.min() > -50  # the scene's black, and no NaN
    assert min(images.read(item.input).shape) < SIDE


def test_displaced_targets_are_as_large_and_not_the_target(registered: Dataset) -> None:
    (item,) = registered.items
    assert item.displaced is not None
    target, displaced = item.read_target(), images.read(item.displaced)
    assert target is not None
    assert displaced.shape[1:] == target.shape
    truth = normalise(target.values.astype(np.float64))
    scores = [METRICS["pearson"](truth, plane) for plane in displaced.values]
    assert 0.3 < min(scores) <= max(scores) < 0.999


def test_noise_and_mirrored_targets_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "_ANGLES_DEG", (0, 90, 180, 270))  # others take long
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    for number, (target, message) in enumerate(
        [(noise, r"as well as its mirror|mirror image"), (pair(EXACT)[1][::-1], "flip it")]
    ):
        data = dataset(tmp_path / f"data{number}", target)
        with pytest.raises(UserError, match=rf"cell\.tif and its target: .*({message}).*\.$"):
            register(data, out=tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("factor", [0.0, 0.5, -4.0, 100.0, float("nan"), float("inf")])
def test_a_factor_that_no_gel_has_is_refused(tmp_path: Path, factor: float) -> None:
    data = dataset(tmp_path / "data")
    (data / "dataset.toml").write_text(f"expansion_factor = {factor}\n")
    with pytest.raises(
        UserError, match=r"dataset\.toml: entry 'expansion_factor': .*correct it\.$"
    ):
        register(data, out=tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_what_cannot_be_registered_is_refused_in_a_sentence(tmp_path: Path) -> None:
    def refused(data: Path, message: str) -> None:
        with pytest.raises(UserError, match=rf"cell\.tif.*{message}.*\.$"):
            register(data, out=tmp_path / "out")
        assert not list(tmp_path.glob("*out*"))

    volume = np.zeros((3, SIDE, SIDE)) + curves(SIDE)
    refused(dataset(tmp_path / "volume", volume), "axes z, y, x, and only planes")
    refused(dataset(tmp_path / "flat", np.ones((SIDE, SIDE))), "The target is constant")
    refused(dataset(tmp_path / "small", curves(40)), "of the target, not 40 x 40")
    divided = dataset(tmp_path / "divided")
    image = images.read(divided / "target/cell.tif")
    images.write(
        divided / "target/cell.tif",
        image.assign_attrs(pixel_size_um=dict.fromkeys("yx", PIXEL_UM / 2)),
    )
    refused(
        divided, "of the target, not 22 x 22.* before expansion already, state expansion_factor = 1"
    )
    images.write(divided / "target/cell.tif", image.assign_attrs(pixel_size_um={}))
    refused(divided, "state target_pixel_size_um, as recorded after expansion")


def test_an_affine_map_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"leave --affine out\.$"):
        register(dataset(tmp_path / "data"), out=tmp_path / "out", affine=True)


def test_a_target_that_is_not_registered_yet_is_in_micrometres_before_expansion(
    tmp_path: Path,
) -> None:
    (item,) = open_dataset(dataset(tmp_path / "data")).items
    target = item.read_target()
    assert target is not None
    assert target.attrs["pixel_size_um"]["x"] == pytest.approx(PIXEL_UM / 2)
