import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from benchmark.page.report import write_report

PROTOCOL = {
    "name": "biosr",
    "version": 1,
    "split_by": "cell",
    "split": {"train": "6-35", "validation": "36-50"},
    "normalisation": "none",
    "structure": "Microtubules",
}


@pytest.fixture(scope="module")
def stated(reported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results on a dataset that states the protocol of BioSR, at two levels of light."""
    folder = tmp_path_factory.mktemp("protocol") / "results"
    shutil.copytree(reported, folder)
    record = json.loads((folder / "run.json").read_text())
    record["datasets"][0]["protocol"] = PROTOCOL
    for number, image in enumerate(record["datasets"][0]["images"]):
        image["level"] = 1 + number % 2
    (folder / "run.json").write_text(json.dumps(record))
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(stated: Path) -> str:
    return (stated / "report.html").read_text(encoding="utf-8")


def test_what_the_protocol_fixes_is_printed(page: str) -> None:
    assert "<dt>Protocol</dt><dd>biosr 1, Microtubules</dd>" in page
    assert "<dt>Split by</dt><dd>cell: train 6-35, validation 36-50</dd>" in page
    scored = "4 images of 4 cells, at levels of light 1, 2; intervals are over cells"
    assert f"<dt>Scored</dt><dd>{scored}</dd>" in page
    assert "<dt>Registration of the truth</dt><dd>not stated</dd>" in page


def test_levels_of_light_have_columns_of_their_own(page: str) -> None:
    assert page.count('<th scope="col">level 1</th><th scope="col">level 2</th>') == 1
    told = page[page.index('class="level">SI-PSNR A, dB') :].partition("</table>")[0]
    assert '<th scope="row">net</th>' in told
    assert '<th scope="row">truth</th>' not in told


def test_the_published_table_stands_beside_with_its_caveat(page: str) -> None:
    assert '<th scope="row">DFCAN, published</th><td>26.35</td>' in page
    assert "one column fewer than its header" in page
    assert "https://aetesamhazique.github.io/SRFM-UpDownSamp/" in page


def test_every_method_has_a_row_of_maps(stated: Path) -> None:
    (file,) = (stated / "figures").glob("*-maps.svg")
    figure = ElementTree.parse(file).getroot()
    words = [element.text for element in figure.iter("{http://www.w3.org/2000/svg}text")]
    assert words[:5] == ["input", "restored", "truth", "error map", "FRC with the truth"]
    assert {"net", "sampler"} <= set(words)
    assert "truth" not in words[5:]
    pictures = list(figure.iter("{http://www.w3.org/2000/svg}image"))
    assert len(pictures) >= 2 * len(words[:5])


def test_means_of_all_metrics_at_each_level_are_a_file(stated: Path) -> None:
    (file,) = (stated / "tables").glob("*.protocol.csv")
    table = pd.read_csv(file)
    assert set(table["protocol"]) == {"biosr"}
    of_net = table[(table["package"] == "net") & (table["metric"] == "ssim")]
    assert of_net["level"].fillna(0).tolist() == [0, 1, 2]


def test_without_a_protocol_the_page_has_nothing_of_it(reported: Path) -> None:
    page = (reported / "report.html").read_text(encoding="utf-8")
    assert "<dt>Protocol</dt>" not in page
    assert "as published" not in page
    assert not list((reported / "figures").glob("*-maps.svg"))
    assert not list((reported / "tables").glob("*.protocol.csv"))
