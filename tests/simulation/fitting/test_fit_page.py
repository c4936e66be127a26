import base64
import io
import math
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from imaging.drawing import ACCENT, CONTRAST, INK
from imaging.remarks import RemarkEntry
from simulation.fitting.classifier import ScoredPatch, Separability
from simulation.fitting.fit_page import FAR, write_fit
from simulation.fitting.fit_report import FitReport, FittedEntry, PhotonTransfer
from simulation.fitting.measurement import Measurement

PATCH_PX = 16


def _stack(seed: int, sigma_px: float) -> NDArray[np.uint16]:
    """Threads in noise, two planes."""
    rng = np.random.default_rng(seed)
    threads = np.abs(gaussian_filter(rng.standard_normal((2, 96, 80)), (0, 5, 5))) < 0.01
    photons = 1 + 25 * gaussian_filter(threads.astype(float), (0, sigma_px, sigma_px))
    return (400 + 40 * rng.poisson(photons)).astype(np.uint16)


def _separability(auc: float) -> Separability:
    easy = tuple(ScoredPatch(0, 1, y, 48, 0.9 - y / 100) for y in range(0, 64, PATCH_PX))
    hard = tuple(ScoredPatch(0, 0, y, 16, 0.1 + y / 100) for y in range(0, 64, PATCH_PX))
    return Separability(auc, (auc - 0.04, auc + 0.03), PATCH_PX, easy, hard)


@pytest.fixture(scope="module")
def findings() -> FitReport:
    means = np.linspace(450, 900, 12)
    return FitReport(
        title="tumour <day 3> & more",
        estimates=(
            FittedEntry("gain", Measurement(40.2, 38.9, 41.5), "counts/photon", "photon transfer"),
            FittedEntry(
                "offset",
                Measurement(1400.0, -3.2, math.inf),
                "counts",
                "darkest pixels",
                "beware <dust>",
            ),
        ),
        real=[_stack(0, 1.5)],
        default=[_stack(1, 3.0)],
        fitted=[_stack(2, 1.6)],
        pixel_size_um=0.32,
        photon_transfer=PhotonTransfer(means, 40 * (means - 400), 40.0, -16000.0),
        before=_separability(0.94),
        after=_separability(0.61),
        nearest="granules",
        distance=0.1,
        remarks=[RemarkEntry("light was <lost>.", {"cell": "a lot"})],
        files={Path("real/a <b>.tif"): "0" * 64},
        provenance={"command": "python -m training fit real --out microscope.toml", "seed": "0"},
    )


def _write(folder: Path, findings: FitReport) -> str:
    return write_fit(folder / "fit.html", findings).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, findings: FitReport) -> str:
    return _write(tmp_path_factory.mktemp("page"), findings)


def _text(page: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def test_the_page_needs_nothing_else(page: str) -> None:
    sources = re.findall(r"""(?:\b(?:src|href|action|data)\s*=\s*["']|url\()([^"')]*)""", page)
    assert sources
    assert all(source.startswith(("#", "data:")) for source in sources)
    assert "@import" not in page


def test_the_same_findings_give_the_same_page(
    tmp_path: Path, findings: FitReport, page: str
) -> None:
    assert _write(tmp_path, findings) == page
    assert list(tmp_path.iterdir()) == [tmp_path / "fit.html"]


def test_estimates_are_told_with_range_and_unit(page: str) -> None:
    text = _text(page)
    assert "gain 40.2 38.9 to 41.5 counts/photon photon transfer" in text
    assert "offset 1400 −3.2 to ∞ counts darkest pixels" in text


def test_what_users_wrote_is_text(page: str) -> None:
    assert "<day 3>" not in page
    assert "tumour &lt;day 3&gt; &amp; more" in page
    assert "a &lt;b&gt;.tif" in page
    assert "beware &lt;dust&gt;" in page


def test_the_lead_tells_how_much_the_fit_gained(page: str) -> None:
    text = _text(page)
    assert "AUC of 0.94 (0.90 to 0.97) for the default" in text
    assert "0.61 (0.57 to 0.64) for the fitted" in text
    assert "closes 75% of the distance" in text


def test_a_fit_that_gains_nothing_is_told(tmp_path: Path, findings: FitReport) -> None:
    worse = _write(tmp_path, replace(findings, before=_separability(0.6)))
    assert "does not bring the simulation closer" in _text(worse)


def test_up_to_seven_tenths_nothing_warns(page: str) -> None:
    assert 'class="warning"' not in page


def test_above_seven_tenths_warns(tmp_path: Path, findings: FitReport) -> None:
    told_apart = _write(tmp_path, replace(findings, after=_separability(0.71)))
    assert 'class="warning"' in told_apart
    assert "AUC 0.71, above 0.7" in _text(told_apart)


def test_figures_are_whole_and_share_no_names(page: str) -> None:
    drawn = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert len(drawn) == 5
    for figure in drawn:
        ElementTree.fromstring(figure)
    names = re.findall(r' id="([^"]*)"', page)
    assert len(names) == len(set(names))


def test_figures_take_their_colours_from_the_page(page: str) -> None:
    figures = "".join(re.findall(r"<svg .*?</svg>", page, re.DOTALL))
    colours = set(re.findall(r' (?:fill|stroke)="([^"]+)"', figures)) - {"none"}
    assert colours == {INK, ACCENT, CONTRAST}
    style = page.partition("</style>")[0]
    for colour in (ACCENT, CONTRAST):
        assert f'[stroke="{colour}"]' in style
        assert f'[fill="{colour}"]' in style


def _pictures(page: str, kind: str) -> list[NDArray[np.uint8]]:
    sources = re.findall(rf'<img src="data:image/png;base64,([^"]*)" alt="{kind} ', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))) for source in sources]


def _grey(pixels: NDArray[np.uint16], of: NDArray[np.uint16]) -> NDArray[np.float64]:
    low, high = np.percentile(of, [0.5, 99.8])
    return np.rint(255 * np.clip((pixels - low) / (high - low), 0, 1))


def test_examples_share_a_scale_and_each_kind_has_its_shades(findings: FitReport) -> None:
    dim = replace(findings, default=[findings.default[0] // 10])
    with tempfile.TemporaryDirectory() as folder:
        page = _write(Path(folder), dim)
    for kind, (image,) in (("real", dim.real), ("default", dim.default)):
        crops = [image[0, y : y + 80] for y in range(17)]  # of the smallest side of the images
        brightest = max(crops, key=lambda crop: crop.mean())
        np.testing.assert_array_equal(_pictures(page, kind)[0], _grey(brightest, image))


def test_as_many_examples_of_each_kind_are_shown_of_bright_planes(findings: FitReport) -> None:
    one = np.zeros((48, 192), np.uint16)
    one[:, 5:53], one[:, 60:108], one[:, 120:168] = 2, 3, 1
    many = [np.full((48, 48), light, np.uint16) for light in (1, 5, 1, 4, 2, 1, 2, 6)]
    alike = Separability(0.5, (0.4, 0.6), PATCH_PX, (), ())
    shown = replace(findings, real=[one], fitted=many, default=many[:2], after=alike)
    with tempfile.TemporaryDirectory() as folder:
        page = _write(Path(folder), shown)
    captions = {
        kind: re.findall(rf'" alt="{kind} ([^"]*)"', page) for kind in ("real", "fitted", "default")
    }
    assert captions == {"real": ["1", "1"], "fitted": ["2", "4"], "default": ["1", "2"]}
    first, second = _pictures(page, "real")
    np.testing.assert_array_equal(first, _grey(one[:, 60:108], one))
    np.testing.assert_array_equal(second, _grey(one[:, 5:53], one))


def test_a_far_structure_warns(tmp_path: Path, findings: FitReport, page: str) -> None:
    assert 'class="warning"' not in page
    far = _write(tmp_path, replace(findings, distance=FAR + 0.01))
    assert far.count('class="warning"') == 1
    assert f"the nearest, granules, is {FAR + 0.01:.2f} away" in _text(far)


def test_remarks_are_shown(page: str) -> None:
    assert "1 image (cell: a lot): light was &lt;lost&gt;." in _text(page)


def test_easiest_patches_are_where_the_classifier_says(findings: FitReport, page: str) -> None:
    thumbnail = _pictures(page, "real")[2]  # after the examples
    low, high = np.percentile(findings.real[0], [0.5, 99.8])
    pixels = findings.real[0][1, :PATCH_PX, 48 : 48 + PATCH_PX]
    expected = np.rint(255 * np.clip((pixels - low) / (high - low), 0, 1))
    np.testing.assert_array_equal(thumbnail, expected)
    assert "<figcaption>0.90</figcaption>" in page


def test_the_scale_bar_is_as_long_as_it_says(page: str) -> None:
    width, length = re.findall(r'class="bar" style="--share: ([\d.]+)%">([\d.]+) µm', page)[0]
    assert float(width) / 100 * 80 * 0.32 == pytest.approx(float(length), rel=1e-3)
