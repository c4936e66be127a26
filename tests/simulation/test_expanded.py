from pathlib import Path

import numpy as np
import pytest
import tifffile
import xarray as xr

from imaging import resample
from imaging.cli import UserError
from imaging.images import write
from simulation.expanded import Expanded, find_files
from simulation.expanded_sizes import find_pixel_size_um
from simulation.stack import Stack
from tests.small_images import write_recording


def _save(path: Path, pixels: np.ndarray, *dims: str, um: float | None = 0.05) -> None:
    sizes = {} if um is None else {"y": um, "x": um}
    write(path, xr.DataArray(pixels, dims=dims or ("y", "x"), attrs={"pixel_size_um": sizes}))


def _textured(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 60000, shape).astype(np.uint16)


def _expanded(
    folder: Path, count: int | None = None, size: int = 32, expansion: float = 1, seed: int = 0
) -> Expanded:
    files = find_files(folder)
    return Expanded(files, count, size, 4, find_pixel_size_um(files, expansion), 1, seed)


def _images(targets: Expanded, margin_px: int = 8) -> list[np.ndarray]:
    made = dict(targets.make(range(len(targets.sources)), margin_px))
    return [made[index].image for index in range(len(targets.sources))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(3):
        _save(tmp_path / f"cell{index}.tif", _textured(index, 70, 100))
    return tmp_path


def test_squares_of_one_recording_are_of_one_source(folder: Path) -> None:
    write_recording(folder, "stack_1.ome.tif", "stack_2.ome.tif", side=70)
    targets = Expanded(find_files(folder), None, 32, 4, 0.05, 1, 0)
    squares = {name: targets.sources.count(name) for name in targets.sources}
    assert squares == {"cell0": 6, "cell1": 6, "cell2": 6, "stack_1": 8}


def test_squares_keep_type_and_values_and_do_not_overlap(folder: Path) -> None:
    targets = _expanded(folder)
    assert len(targets.sources) == 3 * 2 * 3
    squares = {square.tobytes() for square in _images(targets)}
    assert len(squares) == 18
    whole = _textured(0, 70, 100)
    top, left = (70 - 64) // 2, (100 - 96) // 2
    for y in range(top, 66, 32):
        for x in range(left, 97, 32):
            assert whole[y : y + 32, x : x + 32].tobytes() in squares


def test_surroundings_are_the_image_itself_and_reflected_beyond_it(folder: Path) -> None:
    targets = _expanded(folder)
    for _, target in targets.make(range(len(targets.sources)), 8):
        brightness = target.brightness
        assert brightness.shape == (48, 48)
        slope = np.polyfit(target.image.ravel(), brightness[8:-8, 8:-8].ravel(), 1)
        counts = np.round((brightness - slope[1]) / slope[0]).astype(np.uint16)
        padded = [np.pad(_textured(s, 70, 100), 8, mode="symmetric") for s in range(3)]
        views = [np.lib.stride_tricks.sliding_window_view(p, (48, 48)) for p in padded]
        corner = counts[0, 0]
        found = [
            np.array_equal(view[y, x], counts)
            for view in views
            for y, x in np.argwhere(view[..., 0, 0] == corner)
        ]
        assert any(found)


def test_a_limit_takes_evenly_and_a_higher_one_only_adds(folder: Path) -> None:
    few, many = _expanded(folder, 7), _expanded(folder, 11)
    counts = [few.sources.count(name) for name in ("cell0", "cell1", "cell2")]
    assert sorted(counts) == [2, 2, 3]
    assert many.sources[:7] == few.sources
    assert many.origins[:7] == few.origins


def test_order_follows_from_the_seed(folder: Path) -> None:
    orders = [_expanded(folder, seed=seed) for seed in (1, 1, 2)]
    places = [list(zip(o.sources, o.origins, strict=True)) for o in orders]
    assert places[0] == places[1] != places[2]
    assert sorted(places[0]) == sorted(places[2])


def test_planes_of_a_stack_are_images_of_one_source(folder: Path) -> None:
    _save(folder / "stack.tif", _textured(9, 4, 40, 40), "z", "y", "x")
    targets = _expanded(folder)
    assert targets.sources.count("stack") == 4


def test_size_0_takes_whole_images_cropped_to_a_multiple(folder: Path) -> None:
    images = _images(_expanded(folder, size=0))
    assert [image.shape for image in images] == [(68, 100)] * 3


def test_nearly_empty_squares_are_dropped_and_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half_dark = _textured(5, 64, 64)
    half_dark[:, :32] = 3
    _save(folder / "half.tif", half_dark)
    targets = _expanded(folder)
    assert targets.sources.count("half") == 2
    assert "2 of 22 squares are nearly empty" in capsys.readouterr().out


def test_too_small_file_is_refused(folder: Path) -> None:
    _save(folder / "small.tif", _textured(1, 20, 64))
    with pytest.raises(UserError, match=r"small\.tif is 64 x 20 pixels, too small"):
        _expanded(folder)


def test_constant_file_is_refused(folder: Path) -> None:
    _save(folder / "flat.tif", np.full((64, 64), 7, np.uint16))
    with pytest.raises(UserError, match=r"flat\.tif is constant"):
        _expanded(folder)


def test_a_pixel_far_beyond_the_structure_is_refused(folder: Path) -> None:
    pixels = _textured(0, 40, 40).astype(np.float32)
    pixels[0, 0] = 1e38
    _save(folder / "hot.tif", pixels)
    with pytest.raises(UserError, match=r"hot\.tif has pixels of 1e\+38"):
        _expanded(folder)


@pytest.mark.parametrize("dtype", ["int64", "float16"])
def test_pixels_that_cannot_be_written_back_are_refused(folder: Path, dtype: str) -> None:
    tifffile.imwrite(folder / "odd.tif", (_textured(0, 40, 40) // 2).astype(dtype))
    with pytest.raises(UserError, match=rf"odd\.tif holds {dtype} pixels"):
        _expanded(folder)


def test_nan_is_refused(folder: Path) -> None:
    tifffile.imwrite(folder / "holes.tif", np.full((64, 64), np.nan, np.float32))
    with pytest.raises(UserError, match=r"holes\.tif.* NaN"):
        _expanded(folder)


def test_several_channels_are_refused(folder: Path) -> None:
    _save(folder / "two.tif", _textured(1, 2, 64, 64), "c", "y", "x")
    with pytest.raises(UserError, match=r"two\.tif has 2 channels.* --channel one of 1, 2\."):
        _expanded(folder)


def test_one_of_several_channels_is_cut_in_squares(tmp_path: Path) -> None:
    pixels = _textured(1, 2, 32, 32)
    _save(tmp_path / "two.tif", pixels, "c", "y", "x")
    squares = Expanded(find_files(tmp_path), None, 32, 4, 0.05, 1, 0, "2")
    ((_, target),) = squares.make([0], 0)
    np.testing.assert_array_equal(target.image, pixels[1])


def test_a_dataset_offers_its_targets(tmp_path: Path) -> None:
    for part in ("input", "target"):
        (tmp_path / part).mkdir()
        _save(tmp_path / part / "a.tif", _textured(1, 32, 32))
    assert find_files(tmp_path) == {"a": tmp_path / "target" / "a.tif"}


def test_enlarged_images_are_resampled_whole(folder: Path) -> None:
    targets = Expanded(find_files(folder), None, 0, 4, 0.025, 2, 0)
    expected = [resample.linear(_textured(s, 70, 100), (140, 200)) for s in range(3)]
    for image in _images(targets):
        assert any(np.array_equal(image, whole) for whole in expected)


STACK = Stack(planes=2, z_step_um=0.5, per_step=2, reach=4)


def _blocks(folder: Path, plane_distance_um: float) -> Expanded:
    files = find_files(folder)
    return Expanded(
        files, None, 32, 4, 0.05, 1, 0, stack=STACK, plane_distance_um=plane_distance_um
    )


def test_above_and_below_a_block_lies_the_stack_itself_and_its_reflection(tmp_path: Path) -> None:
    pixels = _textured(0, 6, 32, 32)
    _save(tmp_path / "a.tif", pixels, "z", "y", "x")
    ((_, target),) = _blocks(tmp_path, 0.25).make([0], 0)
    scale = np.polyfit(pixels[[1, 3]].ravel(), target.brightness[[4, 6]].ravel(), 1)
    counts = np.round((target.brightness - scale[1]) / scale[0])
    around = [2, 1, 0, 0, 1, 2, 3, 4, 5, 5, 4, 3, 2]
    np.testing.assert_array_equal(counts, pixels[around])


def test_planes_are_resampled_to_a_whole_number_of_each_step(tmp_path: Path) -> None:
    """A slope along z stays one, as steep over micrometres as before."""
    slope = np.arange(20.0)[:, None, None] + 0.1 * _textured(0, 32, 32) / 60000
    _save(tmp_path / "a.tif", slope.astype(np.float32), "z", "y", "x")
    targets = _blocks(tmp_path, 0.3)
    image = _images(targets, 0)[targets.origins.index("plane 12, y 0, x 0")]
    assert image.shape == (2, 32, 32)
    np.testing.assert_allclose(image[1] - image[0], 0.5 / 0.3, rtol=1e-5)


def test_a_plane_of_a_block_is_the_mean_over_its_step(tmp_path: Path) -> None:
    pixels = _textured(0, 6, 32, 32)
    _save(tmp_path / "a.tif", pixels, "z", "y", "x")
    (image,) = _images(_blocks(tmp_path, 0.25))
    weights = np.array([[1, 2, 1, 0, 0, 0], [0, 0, 1, 2, 1, 0]]) / 4
    np.testing.assert_allclose(image, np.einsum("kz,zyx->kyx", weights, pixels), rtol=1e-6)
