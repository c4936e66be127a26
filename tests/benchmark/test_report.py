import base64
import io
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from benchmark import run as run_module
from benchmark.metrics import METRICS
from benchmark.panels import make_view, side_within
from benchmark.report import write_report
from benchmark.run import run_benchmark
from benchmark.scores import Results
from packages import images
from packages.cli import UserError
from tests.benchmark import stand_ins

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
METRICS_SHOWN = {**stand_ins.FEW_METRICS, "coverage_90": METRICS["coverage_90"]}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three packages and the controls on data with truth and without; one cell failed."""
    folder = tmp_path_factory.mktemp("report")
    data = [
        stand_ins.dataset(folder / "cells & more", 4),
        stand_ins.dataset(folder / "real", 1, truth=False),
    ]
    packages = [
        stand_ins.package(folder / "net.zip"),
        stand_ins.package(folder / "other.zip", "fail on one"),
        stand_ins.package(folder / "sampler.zip", "be uncertain"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "open_package", stand_ins.open_package)
        patch.setattr(run_module, "open_method", stand_ins.StandIns().open_method)
        patch.setattr(run_module, "METRICS", METRICS_SHOWN)
        run_benchmark(packages, data, folder / "results")
    write_report(folder / "results")
    return folder / "results"


@pytest.fixture(scope="module")
def page(results: Path) -> str:
    return (results / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_else(page: str) -> None:
    sources = re.findall(r"""(?:\b(?:src|href|action|data)\s*=\s*["']|url\()([^"')]*)""", page)
    assert sources
    assert all(source.startswith(("#", "data:")) for source in sources)
    assert "@import" not in page


def test_pictures_are_files_too(results: Path) -> None:
    rows = sorted((results / "figures").glob("*-image-*.svg"))
    assert len(rows) == 3  # the first and the worst of one dataset, the only one of the other
    for file in rows:
        pictures = re.findall(r'href="data:image/png;base64,([^"]+)"', file.read_text("utf-8"))
        sizes = {Image.open(io.BytesIO(base64.b64decode(picture))).size for picture in pictures}
        assert len(pictures) > 1
        assert len(sizes) == 1
        ElementTree.parse(file)


@pytest.mark.parametrize(
    "name",
    ["net", "other", "sampler", "sampler (sample)", "input", "bicubic", "richardson_lucy", "truth"],
)
def test_everyone_has_a_row(page: str, name: str) -> None:
    assert re.search(rf'<th scope="row"[^>]*>{re.escape(name)}</th>', page)


def test_names_are_text_and_not_markup(page: str) -> None:
    assert "cells &amp; more" in page
    assert "cells & more" not in page


def test_a_failure_is_named_with_its_reason(page: str) -> None:
    assert "It broke on this one." in page
    assert "1 of 35 cells failed" in page


def test_the_worst_image_of_the_first_package_is_shown(page: str) -> None:
    assert "lowest SI-PSNR A of net" in page


def test_pictures_are_eight_bit_png(page: str) -> None:
    encoded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert encoded
    modes = {Image.open(io.BytesIO(base64.b64decode(text))).mode for text in encoded}
    assert modes == {"L", "P"}


def test_figures_are_well_formed_files(results: Path) -> None:
    figures = sorted((results / "figures").glob("*.svg"))
    assert "cells-more-si_psnr_a.svg" in [figure.name for figure in figures]
    for figure in figures:
        ElementTree.fromstring(figure.read_text(encoding="utf-8"))


def test_reliability_is_drawn_for_who_states_a_standard_deviation(results: Path) -> None:
    for name in ("cells-more-coverage.svg", "cells-more-errors.svg"):
        figure = (results / "figures" / name).read_text(encoding="utf-8")
        assert ">sampler</text>" in figure
        assert ">net</text>" not in figure


def test_too_few_images_for_a_guarantee_are_said(page: str) -> None:
    assert "takes 22 images of different sources, not 4" in page


def test_calibration_has_a_table_without_those_who_state_none(page: str) -> None:
    table = re.search(r"<h3>Calibration.*?</table>", page, re.DOTALL)
    assert table is not None
    assert ">sampler</th>" in table[0]
    assert ">net</th>" not in table[0]


def test_the_same_scores_give_the_same_page(results: Path, page: str) -> None:
    assert write_report(results).read_text(encoding="utf-8") == page


def test_images_that_moved_away_leave_the_scores(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "results")
    facts = (tmp_path / "results/run.json").read_text()
    (tmp_path / "results/run.json").write_text(facts.replace("/input/", "/gone/"))
    moved = write_report(tmp_path / "results").read_text(encoding="utf-8")
    assert '<article class="viewer"' not in moved
    assert "no longer where the run found them" in moved
    assert '<th scope="row" title="Stand-in that does sharpen">net</th>' in moved


def test_results_without_any_score_are_refused(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.begin({})
    results.finish({}, [], [])
    with pytest.raises(UserError, match="holds no scores"):
        write_report(tmp_path)


def test_crops_shrink_so_that_many_fit() -> None:
    assert side_within(10, 6e6) == 256
    assert 64 <= side_within(200, 6e6) < 256
    assert side_within(10_000, 6e6) == 64


def test_an_error_map_is_black_where_a_restoration_is_right(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).uniform(size=(64, 64))
    facts = {
        "name": "0000",
        "input": stand_ins.save(tmp_path / "input.tif", truth.astype(np.float32) ** 2),
        "target": stand_ins.save(tmp_path / "target.tif", truth.astype(np.float32)),
    }
    restored = stand_ins.save(tmp_path / "net.ome.tif", (3 * truth + 1).astype(np.float32))
    view = make_view(facts, "", [("net", True, restored)], {}, 64, None)
    error = view.panels[1].error.partition(",")[2]
    picture = Image.open(io.BytesIO(base64.b64decode(error))).convert("RGB")
    assert np.asarray(picture).max() <= 8  # float32, quantised to 127 colours


def test_standard_deviations_share_one_scale(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).uniform(size=(64, 64)).astype(np.float32)
    restored: list[tuple[str, bool, Path]] = []
    for name, std in (("sure", 0.1), ("unsure", 0.2)):
        channels = np.stack([truth, np.full_like(truth, std), truth])
        image = xr.DataArray(
            channels, dims=("c", "y", "x"), coords={"c": ["mean", "std", "sample"]}
        )
        images.write(tmp_path / f"{name}.ome.tif", image)
        restored.append((name, True, tmp_path / f"{name}.ome.tif"))
    facts = {"name": "0", "input": stand_ins.save(tmp_path / "input.tif", truth), "target": ""}
    view = make_view(facts, "", restored, {}, 64, None)
    assert [panel.name for panel in view.panels] == [
        "input", "sure", "sure (sample)", "unsure", "unsure (sample)",
    ]  # fmt: skip
    assert view.std == pytest.approx(0.2)
    stored = [panel.std.partition(",")[2] for panel in view.panels if panel.std]
    levels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(s)))).max() for s in stored]
    assert levels == [128, 255]


@pytest.mark.parametrize(("of_dataset", "bar_um"), [(0.1, 1.0), (None, 0.0)])
def test_the_dataset_says_the_pixel_size_where_the_file_does_not(
    tmp_path: Path, of_dataset: float | None, bar_um: float
) -> None:
    image = xr.DataArray(np.eye(64, dtype=np.uint8), dims=("y", "x"))
    images.write(tmp_path / "silent.png", image)
    facts = {"name": "0000", "input": tmp_path / "silent.png", "target": ""}
    assert make_view(facts, "", [], {}, 64, of_dataset).bar_um == bar_um


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_runs_the_page_without_a_complaint(results: Path, tmp_path: Path) -> None:
    flags = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --dump-dom"
    )
    command = [str(CHROMIUM), *flags.split(), f"--user-data-dir={tmp_path}"]
    url = (results / "report.html").as_uri()
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in done.stderr
    assert '<div class="compare">' in done.stdout  # the script took away its "hidden"
    assert re.search(r'<span class="tag right"[^>]*>net</span>', done.stdout)
