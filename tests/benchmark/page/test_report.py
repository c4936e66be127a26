import base64
import io
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from benchmark.page.report import write_report
from benchmark.running.results_folder import Results
from benchmark.running.run import run_benchmark
from imaging.cli import UserError
from tests import records
from tests.benchmark import stand_ins
from tests.benchmark.trust.records import trust_run, write_results


@pytest.fixture(scope="module")
def page(reported: Path) -> str:
    return (reported / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_else(page: str) -> None:
    sources = re.findall(r"""(?:\b(?:src|href|action|data)\s*=\s*["']|url\()([^"')]*)""", page)
    assert sources
    assert all(source.startswith(("#", "data:")) for source in sources)
    assert "@import" not in page


def test_pictures_are_files_too(reported: Path) -> None:
    rows = sorted((reported / "figures").glob("*-image-*.svg"))
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


def test_figures_are_well_formed_files(reported: Path) -> None:
    figures = sorted((reported / "figures").glob("*.svg"))
    assert "cells-more-si_psnr_a.svg" in [figure.name for figure in figures]
    for figure in figures:
        ElementTree.fromstring(figure.read_text(encoding="utf-8"))


def test_reliability_is_drawn_for_who_states_a_standard_deviation(reported: Path) -> None:
    for name in ("cells-more-coverage.svg", "cells-more-errors.svg"):
        figure = (reported / "figures" / name).read_text(encoding="utf-8")
        assert ">sampler</text>" in figure
        assert ">net</text>" not in figure


def test_too_few_images_for_a_guarantee_are_said(page: str) -> None:
    assert "takes 22 images of different sources, not 4" in page


def test_calibration_has_a_table_without_those_who_state_none(page: str) -> None:
    table = re.search(r"<h3>Calibration.*?</table>", page, re.DOTALL)
    assert table is not None
    assert ">sampler</th>" in table[0]
    assert ">net</th>" not in table[0]


def test_the_same_scores_give_the_same_page(reported: Path, page: str) -> None:
    assert write_report(reported).read_text(encoding="utf-8") == page


def test_images_that_moved_away_leave_the_scores(reported: Path, tmp_path: Path) -> None:
    shutil.copytree(reported, tmp_path / "results")
    record = (tmp_path / "results/run.json").read_text()
    (tmp_path / "results/run.json").write_text(record.replace("/input/", "/gone/"))
    moved = write_report(tmp_path / "results").read_text(encoding="utf-8")
    assert '<article class="viewer"' not in moved
    assert "are gone, damaged or changed" in moved
    assert '<th scope="row" title="Stand-in that does sharpen">net</th>' in moved


def test_what_changed_since_it_was_scored_is_said_and_not_shown(
    reported: Path, tmp_path: Path, page: str
) -> None:
    shutil.copytree(reported, tmp_path / "results")
    record = json.loads((tmp_path / "results/run.json").read_text())
    image = record["datasets"][0]["images"][0]
    other = stand_ins.save(tmp_path / "other.tif", np.eye(stand_ins.SIDE, dtype=np.float32))
    image["target"] = str(other)
    (tmp_path / "results/run.json").write_text(json.dumps(record))
    changed = write_report(tmp_path / "results").read_text(encoding="utf-8")
    said = f"1 image are gone, damaged or changed since they were scored: {image['name']}."
    assert said in changed
    assert said not in page
    assert page.count('<article class="viewer"') == changed.count('<article class="viewer"') + 1


def test_what_was_found_in_images_and_packages_is_said(reported: Path, tmp_path: Path) -> None:
    shutil.copytree(reported, tmp_path / "results")
    record = json.loads((tmp_path / "results/run.json").read_text())
    record["remarks"] = [{"sentence": "They are <clipped>.", "images": {"cells/a": "3 %"}}]
    (net,) = (package for package in record["packages"] if package["name"] == "net")
    net["doubt"] = "Hardly trained: it is a stand-in."
    (tmp_path / "results/run.json").write_text(json.dumps(record))
    said = write_report(tmp_path / "results").read_text(encoding="utf-8")
    assert "They are &lt;clipped&gt;. <small>1 image (cells/a: 3 %)</small>" in said
    assert "net: Hardly trained: it is a stand-in." in said


def test_restorations_that_are_gone_have_an_empty_place(reported: Path, tmp_path: Path) -> None:
    shutil.copytree(reported, tmp_path / "results")
    shutil.rmtree(tmp_path / "results/predictions/net")
    page = write_report(tmp_path / "results").read_text(encoding="utf-8")
    places = re.findall(r'data-name="net">\s*<div class="absent">no image</div>', page)
    assert len(places) == page.count('<article class="viewer"') > 0


@pytest.mark.parametrize("content", [b"no table", None])
def test_a_damaged_table_is_one_sentence(
    reported: Path, tmp_path: Path, content: bytes | None
) -> None:
    shutil.copytree(reported, tmp_path / "results")
    file = tmp_path / "results/scores.parquet"
    file.unlink()
    if content:
        file.write_bytes(content)
    with pytest.raises(UserError, match=r"tables in .* are missing or damaged"):
        write_report(tmp_path / "results")


def test_a_record_without_what_a_page_needs_is_one_sentence(reported: Path, tmp_path: Path) -> None:
    shutil.copytree(reported, tmp_path / "results")
    (tmp_path / "results/run.json").write_text(json.dumps({"schema": 2}))
    with pytest.raises(UserError, match=r"run\.json: entry 'seed' is missing; run `python -m"):
        write_report(tmp_path / "results")


def test_a_table_of_images_that_the_record_does_not_know_is_one_sentence(
    reported: Path, tmp_path: Path
) -> None:
    shutil.copytree(reported, tmp_path / "results")
    record = json.loads((tmp_path / "results/run.json").read_text())
    lost = record["datasets"][0]["images"].pop()
    (tmp_path / "results/run.json").write_text(json.dumps(record))
    with pytest.raises(
        UserError, match=rf"image '{lost['name']}' of 'cells & more', and run\.json"
    ):
        write_report(tmp_path / "results")


def test_results_without_any_score_are_refused(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.begin(records.run())
    results.finish(records.run(), [], [])
    with pytest.raises(UserError, match="holds no scores"):
        write_report(tmp_path)


@pytest.mark.parametrize("dataset", ["cells & more", "real"])
def test_a_damaged_restoration_costs_its_own_panel(
    reported: Path, tmp_path: Path, dataset: str
) -> None:
    shutil.copytree(reported, tmp_path / "results")
    file = tmp_path / "results/predictions/sampler" / dataset / "0000.ome.tif"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    damaged = write_report(tmp_path / "results").read_text(encoding="utf-8")
    assert damaged.count('<div class="absent">no image</div>') == 1
    assert damaged.count('<article class="viewer"') == 3


def test_datasets_whose_names_look_alike_have_pages_and_files_of_their_own(tmp_path: Path) -> None:
    names = ("α", "β", "a b", "a-b", "provenance")
    data = [
        stand_ins.dataset(tmp_path / str(i), 1, truth=False, name=name)
        for i, name in enumerate(names)
    ]
    run_benchmark([], data, tmp_path / "results")
    page = write_report(tmp_path / "results").read_text(encoding="utf-8")
    anchors = re.findall(r'id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    sections = re.findall(r'<section id="([^"]+)"', page)
    assert sections == ["dataset", "dataset-2", "a-b", "a-b-2", "provenance-2", "provenance"]
    files = {file.stem for file in (tmp_path / "results/tables").glob("*.tex")}
    assert files == set(sections[:-1])


def test_what_images_without_truth_cannot_tell_is_said_of_them_only(page: str) -> None:
    cells, real = page.split('<section id="real">')
    assert "Added detail" not in cells
    assert "nothing says that the truth fits" in cells
    assert "Added detail" in real
    assert '<table class="agreement">' not in cells
    assert '<table class="agreement">' in real


def test_places_are_of_packages_samples_and_controls(page: str) -> None:
    table = re.search(r'<table class="plain ranks">.*?</table>', page, re.DOTALL)
    assert table is not None
    for name in ("net", "sampler", "sampler (sample)", "input"):
        assert f'<th scope="row">{name}</th>' in table[0]
    assert "truth</th>" not in table[0]
    assert '<th scope="row">other</th><td>–</td>' in table[0]  # it failed on an image


def test_results_of_another_version_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema": 0}')
    with pytest.raises(UserError, match="in schema 0"):
        write_report(tmp_path)


def test_an_unfinished_run_is_refused_in_a_sentence(tmp_path: Path) -> None:
    Results(tmp_path).begin(records.run())
    with pytest.raises(UserError, match="did not finish"):
        write_report(tmp_path)


def test_trust_tests_have_a_section_of_their_own(reported: Path, tmp_path: Path) -> None:
    shutil.copytree(reported, tmp_path / "results")
    run = trust_run({"net": "1" * 64}, "splits < 1 %", "bridges gaps")
    write_results(tmp_path / "trust", run)
    page = write_report(tmp_path / "results", tmp_path / "trust").read_text(encoding="utf-8")
    section = page[page.index('<section id="trust">') :]
    for said in ("Splits &lt; 1 %.", "Bridges gaps", "another version", "<td>0.4 – 0.6</td>"):
        assert said in section
    assert "<title>Two points</title>" in section
