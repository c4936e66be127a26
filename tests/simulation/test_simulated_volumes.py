"""Datasets of stacks, generated and from expanded stacks."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xarray as xr

from imaging import resample
from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.images import read, write
from simulation import writing
from simulation.simulate import simulate
from training.__main__ import app

STEP_UM = 0.5
GIVEN: dict[str, Any] = {"images": 3, "size": 32, "volumes": True, "depth_px": 8, "seed": 5}
STRUCTURE = "point-pairs"


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("made") / "data", structure=STRUCTURE, **GIVEN)


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    folder = tmp_path / "stacks"
    for index in range(3):
        pixels = np.random.default_rng(index).integers(0, 255, (32, 40, 40)).astype(np.uint8)
        _save(folder / f"cell{index}.tif", pixels, 1.0)
    return folder


def _save(path: Path, pixels: np.ndarray, z_um: float | None) -> None:
    """Write what was expanded fourfold: pixels of 0.24 µm."""
    dims = ("b", "z", "y", "x")[-pixels.ndim :]
    sizes = {"y": 0.24, "x": 0.24} | ({"z": z_um} if z_um else {})
    write(path, xr.DataArray(pixels, dims=dims, attrs={"pixel_size_um": sizes}))


def test_every_file_states_its_sizes(generated: Path) -> None:
    dataset = open_dataset(generated)
    assert dataset.facts.z_step_um == STEP_UM
    for part, side, um in (("input", 32, 0.08), ("target", 32, 0.08), ("native", 8, 0.32)):
        image = read(generated / part / "0000.tif")
        assert image.dims == ("z", "y", "x")
        assert image.shape == (8, side, side)
        stated = image.attrs["pixel_size_um"]
        assert stated == pytest.approx({"z": STEP_UM, "y": um, "x": um}, rel=1e-4)
    assert {"photons", "psf_axial_fwhm_um"} <= dataset.items[0].microscope.keys()


def test_input_is_native_interpolated_plane_by_plane(generated: Path) -> None:
    native = read(generated / "native/0001.tif").values
    expected = resample.linear(native, (32, 32))
    np.testing.assert_array_equal(read(generated / "input/0001.tif").values, expected)


def test_points_are_where_the_geometry_of_the_stack_says(generated: Path) -> None:
    """In the middle plane, whose upper side lies four steps below that of the stack."""
    target = read(generated / "target/0000.tif").values
    points = json.loads((generated / "geometry/0000.json").read_text())["points"]
    assert points
    for point in points:
        z, y, x = point["points_um"][0]
        assert z == pytest.approx(4.5 * STEP_UM)
        row, column = int(y / 0.08), int(x / 0.08)
        assert 1 <= row < 31
        assert target[4, row, column] > 0.15 * point["brightness"]
        assert target[4, row, column] > 10 * target[3, row, column]


def test_same_arguments_give_the_same_bytes(
    generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where they are interrupted."""
    written = 0

    def write_or_stop(path: Path, image: xr.DataArray) -> None:
        nonlocal written
        written += 1
        if written == 6:
            raise KeyboardInterrupt
        write(path, image)

    monkeypatch.setattr(writing, "write", write_or_stop)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "again", structure=STRUCTURE, **GIVEN)
    simulate(tmp_path / "again", structure=STRUCTURE, **GIVEN)
    assert _bytes(tmp_path / "again") == _bytes(generated)


def test_the_command_repeats_the_step(generated: Path) -> None:
    command = str(open_dataset(generated).facts.provenance["command"])
    words = [*shlex.split(command)[3:], "out"]
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert bound.arguments == GIVEN | {"out": Path("out"), "structure": STRUCTURE}


def test_planes_lie_as_far_apart_as_the_microscope_says(tmp_path: Path) -> None:
    microscope = tmp_path / "mine.toml"
    microscope.write_text("z_step_um = 0.75\nnumerical_aperture = [1.0, 1.05]\n")
    given: dict[str, Any] = GIVEN | {"microscope": microscope, "structure": "empty"}
    made = open_dataset(simulate(tmp_path / "data", **given))
    assert made.facts.z_step_um == 0.75
    assert made.items[0].read_input().attrs["pixel_size_um"]["z"] == pytest.approx(0.75)


def test_expanded_stacks_are_cut_in_blocks(stacks: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"volumes": True, "depth_px": 8, "size": 32, "expansion": 4}
    made = open_dataset(simulate(tmp_path / "data", expanded=stacks, **given))
    assert made.facts.pixel_size_um == pytest.approx(0.06)
    assert made.facts.z_step_um == STEP_UM
    # planes 0.25 µm apart: two for each; two blocks of eight along z
    assert len(made.items) == 3 * 2
    for item in made.items:
        target = item.read_target()
        assert target is not None
        origin = str(made.facts.provenance[f"origin of {item.name}"])
        z, y, x = (int(part.split()[1]) for part in origin.split(", "))
        whole = read(stacks / f"{item.source}.tif").values
        whole = np.pad(whole.astype(np.float32), [(1, 0), (0, 0), (0, 0)], mode="edge")
        above, there, below = (whole[z + i : z + i + 16 : 2] for i in range(3))
        expected = ((above + 2 * there + below) / 4)[:, y : y + 32, x : x + 32]
        np.testing.assert_array_equal(target.values, expected)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"depth_px": 8}, "--depth-px says .* give it with --volumes"),
        ({"volumes": True, "depth_px": 0}, "--depth-px 0 is too few"),
        ({"volumes": True, "depth_px": 7}, "--depth-px 7 is too few: .* from 8 planes on"),
        ({"volumes": True, "depth_px": -2}, "--depth-px -2 is too few"),
        ({"volumes": True, "thickness": 2.0}, "leave --thickness or --volumes out"),
    ],
)
def test_impossible_arguments_are_refused(
    arguments: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        simulate(tmp_path / "data", **arguments)
    assert not list(tmp_path.iterdir())


def _unequal_planes(file: Path) -> None:
    with tifffile.TiffWriter(file) as out:
        for side in (64, 48):
            out.write(np.ones((side, side), np.uint8))


def _far_apart(file: Path) -> None:
    for other in file.parent.iterdir():
        _save(other, _PLANES, 5.0)


def _holes(file: Path) -> None:
    pixels = np.where(_PLANES > 250, np.nan, _PLANES).astype(np.float32)
    metadata = {"axes": "ZYX", "spacing": 1, "unit": "um"}
    tifffile.imwrite(file, pixels, imagej=True, metadata=metadata, resolution=(1 / 0.24, 1 / 0.24))


_PLANES = np.random.default_rng(9).integers(0, 255, (12, 40, 70)).astype(np.uint8)


@pytest.mark.parametrize(
    ("spoil", "given", "sentence"),
    [
        (lambda f: _save(f, _PLANES[0], None), {}, r"cell1\.tif has no planes along z"),
        (lambda f: _save(f, _PLANES[None].repeat(2, 0), 1.0), {}, r"cell1\.tif holds 2 images"),
        (lambda f: _save(f, _PLANES, None), {}, r"cell1\.tif does not state how far apart"),
        (_holes, {}, r"cell1\.tif: NaN"),
        (lambda f: f.write_bytes(b""), {}, r"cell1\.tif is empty"),
        (_unequal_planes, {}, r"cell1\.tif"),
        (lambda f: None, {"depth_px": 17}, r"8 µm thick, too little .* --depth-px 16 or leave"),
        (lambda f: _save(f, _PLANES, 1.0), {}, r"cell1\.tif is 3 µm thick, .* 0\.5 µm: leave the"),
        (lambda f: None, {"pixel_size": 0.06, "expansion": 1}, "--pixel-size says nothing of"),
        (_far_apart, {}, r"planes of the truth are 1\.25 µm apart, .* give --expansion"),
    ],
)
def test_unusable_stacks_are_refused_without_output(
    spoil: Any, given: dict[str, Any], sentence: str, stacks: Path, tmp_path: Path
) -> None:
    spoil(stacks / "cell1.tif")
    arguments: dict[str, Any] = {"volumes": True, "depth_px": 8, "size": 32, "expansion": 4} | given
    with pytest.raises(UserError, match=sentence):
        simulate(tmp_path / "data", expanded=stacks, **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["stacks"]
