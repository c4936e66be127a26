import errno
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from imaging import resample
from imaging.cli import UserError
from imaging.dataset_facts import Split
from imaging.datasets import open_dataset
from imaging.images import read, write
from imaging.provenance import whole_command
from simulation import writing
from simulation.simulate import DEFAULT_VOLUMES, simulate
from simulation.writing import split_of
from training.__main__ import app

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _interrupt_after(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """Raise KeyboardInterrupt when one file more than this is to be written."""
    written = 0

    def write_or_stop(path: Path, image: xr.DataArray) -> None:
        nonlocal written
        if written == files:
            raise KeyboardInterrupt
        written += 1
        write(path, image)

    monkeypatch.setattr(writing, "write", write_or_stop)


def test_dataset_opens_and_every_image_is_described(generated: Path) -> None:
    opened = open_dataset(generated)
    assert [item.name for item in opened.items] == ["0000", "0001", "0002", "0003"]
    assert opened.facts.pixel_size_um == 0.08
    assert opened.facts.native_pixel_size_um == 0.32
    for item in opened.items:
        assert item.target is not None
        assert item.native is not None
        assert {"psf_fwhm_um", "blur_fwhm_um", "photons", "sampling"} <= item.microscope.keys()
    assert opened.facts.provenance["command"] == (
        "python -m training simulate --images 4 --size 64 --seed 7"
    )


def test_the_command_repeats_the_step_in_a_folder_of_the_name(tmp_path: Path) -> None:
    file = tmp_path / "my microscope.toml"
    file.write_text("photons = [20.0, 30.0]")
    given: dict[str, Any] = {
        "images": 3,
        "size": 32,
        "seed": 2,
        "pixel_size": 0.09,
        "thickness": 0.5,
    }
    out = tmp_path / "my data"
    made = simulate(out, microscope=file, structure="points", **given)
    opened = open_dataset(made)
    written = whole_command(opened.name, str(opened.facts.provenance["command"]))
    words = shlex.split(written)
    assert words[:3] == ["python", "-m", "training"]
    _, bound, _ = app.parse_args(words[3:], exit_on_error=False, print_error=False)
    assert bound.arguments == given | {
        "out": Path("my data"),
        "microscope": Path("my microscope.toml"),
        "structure": "points",
    }


def test_pixel_sizes_are_in_every_file(generated: Path) -> None:
    for part, expected in (("input", 0.08), ("target", 0.08), ("native", 0.32)):
        stated = read(generated / part / "0000.tif").attrs["pixel_size_um"]
        assert stated == pytest.approx({"y": expected, "x": expected}, rel=1e-4)


def test_input_is_native_interpolated(generated: Path) -> None:
    for item in open_dataset(generated).items:
        assert item.native is not None
        native = read(item.native).values
        assert native.dtype == np.uint16
        assert native.shape == (16, 16)
        made = read(item.input).values
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, resample.linear(native, (64, 64)))


@pytest.mark.parametrize("factor", [2, 4])
def test_inputs_may_have_coarser_pixels(generated: Path, tmp_path: Path, factor: int) -> None:
    """Those of the microscope, or between these and the target's; all else is as without."""
    coarser = simulate(tmp_path / "coarser", images=3, size=64, seed=7, factor=factor)
    dataset = open_dataset(coarser)
    assert dataset.facts.pixel_size_um == pytest.approx(0.08 * factor)
    for item, other in zip(dataset.items, open_dataset(generated).items, strict=False):
        native = read(other.native or tmp_path).values
        expected = native if factor == 4 else resample.linear(native, (32, 32))
        np.testing.assert_array_equal(read(item.input).values, expected)
        assert (item.target or tmp_path).read_bytes() == (other.target or tmp_path).read_bytes()


def test_input_shows_its_target_in_place(generated: Path) -> None:
    # The sampled, blurred truth explains the counts better than its shift by one native pixel.
    for item in open_dataset(generated).items:
        assert item.native is not None
        assert item.target is not None
        native = read(item.native).values.astype(float)
        truth = read(item.target).values.reshape(16, 4, 16, 4).mean((1, 3))
        in_place = np.corrcoef(native.ravel(), truth.ravel())[0, 1]
        for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            moved = np.roll(truth, shift, axis)
            assert in_place > np.corrcoef(native.ravel(), moved.ravel())[0, 1]


def test_same_arguments_give_the_same_bytes(generated: Path, tmp_path: Path) -> None:
    again = simulate(tmp_path / "again", images=4, size=64, seed=7)
    assert _bytes(again) == _bytes(generated)


def test_more_images_do_not_change_the_earlier_ones(generated: Path, tmp_path: Path) -> None:
    more = simulate(tmp_path / "more", images=6, size=64, seed=7)
    few, many = _bytes(generated), _bytes(more)
    del few["dataset.toml"]
    assert {name: many[name] for name in few} == few
    earlier = open_dataset(generated).facts.images
    later = open_dataset(more).facts.images
    assert {name: later[name] for name in earlier} == earlier


def test_another_seed_gives_other_images(generated: Path, tmp_path: Path) -> None:
    other = simulate(tmp_path / "other", images=4, size=64, seed=8)
    assert (other / "target/0000.tif").read_bytes() != (generated / "target/0000.tif").read_bytes()


@pytest.mark.parametrize("files", [0, 1, 5, 11])
def test_interrupted_and_resumed_gives_the_same_bytes(
    files: int, generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "data"
    with monkeypatch.context() as patch:
        _interrupt_after(patch, files)
        with pytest.raises(KeyboardInterrupt):
            simulate(out, images=4, size=64, seed=7)
    assert not out.exists()
    simulate(out, images=4, size=64, seed=7)
    assert _bytes(out) == _bytes(generated)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_error_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, image: xr.DataArray) -> None:
        raise OSError(errno.ENOSPC, "No space left", str(path))

    monkeypatch.setattr(writing, "write", full)
    with pytest.raises(OSError, match="No space left"):
        simulate(tmp_path / "data", images=4, size=64)
    assert not list(tmp_path.iterdir())


def test_a_rest_of_other_arguments_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _interrupt_after(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            simulate(tmp_path / "data", images=4, size=64, seed=7)
    with pytest.raises(UserError, match="begun with other arguments"):
        simulate(tmp_path / "data", images=4, size=64, seed=8)


def test_complete_dataset_is_recognised_and_left(
    generated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (generated / "dataset.toml").stat().st_mtime_ns
    simulate(generated, images=4, size=64, seed=7)
    assert "already there" in capsys.readouterr().out
    assert (generated / "dataset.toml").stat().st_mtime_ns == before


def test_dataset_of_other_arguments_is_refused(generated: Path) -> None:
    with pytest.raises(UserError, match="other arguments"):
        simulate(generated, images=5, size=64, seed=7)


def test_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is no dataset"):
        simulate(tmp_path, images=4, size=64)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    out = tmp_path / "data"
    out.mkdir()
    simulate(out, images=3, size=32)
    assert len(open_dataset(out).items) == 3


def test_last_line_says_what_was_made_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = simulate(tmp_path / "data", images=3, size=32)
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert last.startswith("3 pairs")
    assert last.endswith(str(out))


@pytest.mark.parametrize("count", [3, 4, 10, 37, 60])
@pytest.mark.parametrize("volumes", [False, True])
def test_splits_have_their_shares_and_are_never_empty(count: int, volumes: bool) -> None:
    parts = list(split_of([str(index) for index in range(count)], volumes=volumes).values())
    held_out = 0.3 if volumes else 0.1
    shares: dict[Split, float] = {
        "train": 0.8 - held_out,
        "calibration": held_out,
        "validation": 0.2,
    }
    for part, share in shares.items():
        assert parts.count(part) >= 1
        assert abs(parts.count(part) - share * count) <= 1.1


def test_usual_volumes_are_enough_to_calibrate_a_promise_of_90_percent() -> None:
    """Of n volumes at most 1 / (n + 1) is promised."""
    parts = list(split_of([str(index) for index in range(DEFAULT_VOLUMES)], volumes=True).values())
    assert parts.count("calibration") >= 9


def test_all_images_of_a_source_are_in_one_part(sources: Path, tmp_path: Path) -> None:
    opened = open_dataset(simulate(tmp_path / "data", expanded=sources, size=32))
    parts = {(item.source, item.split) for item in opened.items}
    assert {source for source, _ in parts} == {"cell0", "cell1", "cell2"}
    assert len(parts) == 3
    assert {part for _, part in parts} == {"train", "calibration", "validation"}


def test_targets_of_expanded_images_keep_type_values_and_pixel_size(
    sources: Path, tmp_path: Path
) -> None:
    opened = open_dataset(simulate(tmp_path / "data", expanded=sources, size=32, expansion=2))
    assert opened.facts.pixel_size_um == pytest.approx(0.03)
    for item in opened.items:
        assert item.target is not None
        target = read(item.target).values
        origin = str(opened.facts.provenance[f"origin of {item.name}"])
        y, x = (int(part.split()[1]) for part in origin.split(", ")[1:])
        whole = read(sources / f"{item.source}.tif").values
        assert target.dtype == np.uint8
        np.testing.assert_array_equal(target, whole[y : y + 32, x : x + 32])


def test_sources_are_recorded_by_hash(sources: Path, tmp_path: Path) -> None:
    out = simulate(tmp_path / "data", expanded=sources, size=32)
    provenance = open_dataset(out).facts.provenance
    assert all(f"sha256 of cell{index}.tif" in provenance for index in range(3))


def test_changed_source_is_not_taken_for_the_same(sources: Path, tmp_path: Path) -> None:
    out = simulate(tmp_path / "data", expanded=sources, size=32)
    image = read(sources / "cell0.tif")
    image[0, 0] += 1
    write(sources / "cell0.tif", image)
    with pytest.raises(UserError, match="other arguments or files"):
        simulate(out, expanded=sources, size=32)


def test_interrupted_expanded_run_resumes_to_the_same_bytes(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = simulate(tmp_path / "whole", expanded=sources, size=32, images=5)
    with monkeypatch.context() as patch:
        _interrupt_after(patch, 7)
        with pytest.raises(KeyboardInterrupt):
            simulate(tmp_path / "parts", expanded=sources, size=32, images=5)
    parts = simulate(tmp_path / "parts", expanded=sources, size=32, images=5)
    assert _bytes(parts) == _bytes(whole)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"size": 30}, "--size 30"),
        ({"size": 16}, "--size 16"),
        ({"size": -4}, "--size -4"),
        ({"size": 0}, "--size 0 means whole images"),
        ({"images": 2}, "--images 2 is too few"),
        ({"images": 0}, "--images 0 is too few"),
        ({"seed": -1}, "--seed -1"),
        ({"pixel_size": 0.0}, "--pixel-size 0"),
        ({"pixel_size": float("nan")}, "--pixel-size nan"),
        ({"pixel_size": 0.2}, "too coarse"),
        ({"expansion": 0.0}, "--expansion 0"),
        ({"expansion": 4.0}, "with --expanded"),
        ({"factor": 3}, "--factor 3 .* so inputs can have pixels 1, 2, 4 times"),
        ({"factor": 0}, "--factor 0 cannot be used"),
        ({"structure": "spheres"}, "no structure 'spheres': choose one of cells"),
        ({"thickness": -1.0}, "--thickness -1 cannot be used"),
        ({"thickness": float("inf")}, "--thickness inf cannot be used"),
        ({"microscope": Path("nowhere.toml")}, r"nowhere\.toml does not exist"),
    ],
)
def test_impossible_arguments_are_refused(
    arguments: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        simulate(tmp_path / "data", **arguments)
    assert not list(tmp_path.iterdir())


def _remove(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def _keep_two(folder: Path) -> None:
    (folder / "cell2.tif").unlink()


def _add_colour(folder: Path) -> None:
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "colour.png")


def _truncate(folder: Path) -> None:
    file = folder / "cell1.tif"
    file.write_bytes(file.read_bytes()[:-2000])


def _coarsen(folder: Path) -> None:
    for file in folder.iterdir():
        image = read(file)
        image.attrs["pixel_size_um"] = {"y": 0.32, "x": 0.32}
        write(file, image)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_remove, "holds no image"),
        (_keep_two, r"holds 2 image\(s\).* give at least 3"),
        (_add_colour, r"colour\.png"),
        (_truncate, r"cell1\.tif"),
        (_coarsen, "too coarse.*--expansion 4"),
    ],
)
def test_unusable_sources_are_refused_without_output(
    spoil: Callable[[Path], None], sentence: str, sources: Path, tmp_path: Path
) -> None:
    spoil(sources)
    with pytest.raises(UserError, match=sentence):
        simulate(tmp_path / "data", expanded=sources, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["sources"]


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        simulate(tmp_path / "data", expanded=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"structure": "tubes"}, "--structure says what is generated"),
        ({"thickness": 2.0}, "--thickness needs generated structures"),
    ],
)
def test_expanded_images_are_not_generated(
    arguments: dict[str, Any], sentence: str, sources: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        simulate(tmp_path / "data", expanded=sources, size=32, **arguments)


def test_real_expanded_images(tmp_path: Path) -> None:
    folder = SHARED / "data" / "expanded"
    if not folder.exists():
        pytest.skip("the shared data is not here")
    opened = open_dataset(simulate(tmp_path / "data", expanded=folder, images=8, size=256))
    assert opened.facts.pixel_size_um == pytest.approx(0.0313, rel=0.01)
    assert len({item.source for item in opened.items}) == 8
