from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from benchmark.metrics import METRICS, NotApplicable
from benchmark.running import cell as cells_module
from benchmark.running.run import run_benchmark
from benchmark.running.volumes import volume_inputs
from imaging import images
from imaging.datasets import Item, open_dataset
from imaging.results import PLANES, Scores, read_scores
from imaging.scores import INPUT

SIZES = {"z": 0.4, "y": 0.1, "x": 0.1}
AXIAL = ("si_psnr_axial", "ssim_axial", "fsc_axial_to_truth")
SCORED = ("si_psnr_a", "ssim", "si_psnr_volume", "si_psnr_axial", "ssim_axial")
METRICS_OF_VOLUMES = {name: METRICS[name] for name in SCORED}


def volume(values: np.ndarray, sizes: dict[str, float] = SIZES) -> xr.DataArray:
    return xr.DataArray(values, dims=("z", "y", "x"), attrs={"pixel_size_um": sizes})


def truth(planes: int = 18, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(planes, 32, 36))
    return 100 * ndimage.gaussian_filter(noise, (1, 2, 2)).astype(np.float32)


def data(
    path: Path, truths: list[np.ndarray], sizes: dict[str, float] = SIZES, lost: int = 0
) -> Path:
    for i, values in enumerate(truths):
        noisy = values + np.random.default_rng(i).normal(0, 5, values.shape).astype(np.float32)
        images.write(path / f"target/{i}.ome.tif", volume(values, sizes))
        images.write(path / f"input/{i}.ome.tif", volume(noisy[lost:], sizes))
    return path


def item_of(path: Path) -> Item:
    return open_dataset(path).items[0]


def test_a_volume_is_known_as_one(tmp_path: Path) -> None:
    item = item_of(data(tmp_path, [truth()]))
    (known,) = volume_inputs(item.read_input(), item)
    np.testing.assert_array_equal(known["truth_volume"], truth())
    assert np.shape(known["prediction_volume"]) == (18, 32, 36)
    assert (known["pixel_um"], known["step_um"]) == pytest.approx((0.1, 0.4))


def test_planes_without_structure_belong_to_the_volume(tmp_path: Path) -> None:
    values = truth()
    values[3] = 7
    item = item_of(data(tmp_path, [values]))
    (known,) = volume_inputs(item.read_input(), item)
    assert len(known["truth_volume"]) == 18


def test_volumes_of_several_times_are_several(tmp_path: Path) -> None:
    times = xr.concat([volume(truth(seed=i)) for i in (0, 1)], "b").assign_attrs(
        pixel_size_um=SIZES
    )
    for kind in ("input", "target"):
        images.write(tmp_path / kind / "a.ome.tif", times)
    item = item_of(tmp_path)
    found = volume_inputs(item.read_input(), item)
    np.testing.assert_array_equal(found[1]["truth_volume"], truth(seed=1))


@pytest.mark.parametrize("planes", [None, 1])
def test_one_plane_is_no_volume(tmp_path: Path, planes: int | None) -> None:
    values = truth(1) if planes else truth(1)[0]
    image = volume(values) if planes else xr.DataArray(values, dims=("y", "x"))
    for kind in ("input", "target"):
        images.write(tmp_path / kind / "a.ome.tif", image)
    item = item_of(tmp_path)
    (known,) = volume_inputs(item.read_input(), item)
    with pytest.raises(NotApplicable, match="one plane, not a volume"):
        METRICS["si_psnr_volume"].of(known)


def test_without_a_step_only_what_needs_none_is_measured(tmp_path: Path) -> None:
    item = item_of(data(tmp_path, [truth()], {"y": 0.1, "x": 0.1}))
    (known,) = volume_inputs(item.read_input(), item)
    assert METRICS["si_psnr_volume"].of(known) > 10
    for name in AXIAL:
        with pytest.raises(NotApplicable, match="state z_step_um"):
            METRICS[name].of(known)


def test_a_repeat_of_another_size_is_not_compared(tmp_path: Path) -> None:
    item = item_of(data(tmp_path, [truth()]))
    (known,) = volume_inputs(item.read_input(), item, item.read_input().isel(y=slice(20)))
    with pytest.raises(NotApplicable, match="not of the size of what it repeats"):
        METRICS["fsc_axial"].of(known)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = tmp_path_factory.mktemp("volumes")
    values = [truth(seed=i) for i in range(2)]
    values[0][3] = 7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells_module, "METRICS", METRICS_OF_VOLUMES)
        run_benchmark([], [data(folder / "data", values)], folder / "results")
    return read_scores(folder / "results")


def of_input(scores: Scores, image: str) -> dict[str, float]:
    rows = scores.table[(scores.table.package == INPUT) & (scores.table.image == image)]
    return dict(zip(rows.metric, rows.value, strict=True))


def test_volumes_and_planes_have_scores_of_their_own(scores: Scores) -> None:
    found = of_input(scores, "0")
    assert set(SCORED) <= set(found)


def test_the_value_of_an_image_is_the_mean_of_its_planes(scores: Scores) -> None:
    rows = scores.planes[(scores.planes.package == INPUT) & (scores.planes.image == "0")]
    for metric in ("si_psnr_a", "ssim"):
        values = rows[rows.metric == metric].value
        assert values.mean() == pytest.approx(of_input(scores, "0")[metric])


def test_planes_say_how_deep_they_lie(scores: Scores) -> None:
    rows = scores.planes[(scores.planes.package == INPUT) & (scores.planes.metric == "ssim")]
    first = rows[rows.image == "0"]
    assert first.plane.tolist() == [z for z in range(18) if z != 3]  # which has no structure
    np.testing.assert_allclose(first.depth_um, 0.4 * first.plane)


def test_images_of_one_plane_leave_no_table_of_planes(tmp_path: Path) -> None:
    for kind in ("input", "target"):
        images.write(tmp_path / "data" / kind / "a.tif", volume(truth())[5])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells_module, "METRICS", METRICS_OF_VOLUMES)
        run_benchmark([], [tmp_path / "data"], tmp_path / "results")
    assert not (tmp_path / "results" / PLANES).exists()
    assert read_scores(tmp_path / "results").planes.empty


def test_a_truth_of_more_planes_is_one_sentence(tmp_path: Path) -> None:
    path = data(tmp_path / "data", [truth()], lost=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells_module, "METRICS", METRICS_OF_VOLUMES)
        found = run_benchmark([], [path], tmp_path / "results")
    (reason,) = {cell.reason for cell in found.run.failures if cell.package == INPUT}
    assert "15 z x 32 y x 36 x, the truth 18 z" in reason
