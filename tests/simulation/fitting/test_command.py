"""The verb fit: a microscope and a page, or one sentence before the long work."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.images import read, write
from imaging.intensities import NO_DATA
from simulation.fitting import command
from simulation.fitting.brightness import expose
from simulation.fitting.command import fit_command
from simulation.fitting.noise import DetectorFit
from simulation.microscope import read_microscope
from tests.little_fit import make_fits_little
from training.__main__ import app

Floats = NDArray[np.float64]

PIXEL_UM = 0.32
DETECTOR = DetectorFit(30.0, 200.0, 5.0, 1.35, 1.0, True)


def _save(path: Path, pixels: Floats, pixel_um: float | None = PIXEL_UM) -> Path:
    sizes = {} if pixel_um is None else dict.fromkeys("yx", pixel_um)
    image = xr.DataArray(pixels.astype(np.uint16), dims=("b", "y", "x")[-pixels.ndim :])
    write(path, image.assign_attrs(pixel_size_um=sizes))
    return path


def _fields(count: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    photons = np.clip(rng.gamma(0.3, 40, (count, 24, 24)), 1, 120)
    smooth = photons.repeat(6, 1).repeat(6, 2)
    return expose(smooth, 1.0, 0.0, DETECTOR, 65535.0, (seed, 0))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return _save(tmp_path / "cell.tif", _fields(1, 0)[0])


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is refused before the long work."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the fit was begun")

    monkeypatch.setattr(command, "fit", refuse)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    make_fits_little(monkeypatch)


@pytest.mark.usefixtures("little")
def test_a_microscope_and_a_page_are_made(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "microscope.toml"
    assert fit_command(image, out=out, structure="points") == out
    assert sorted(out.parent.iterdir()) == [out.with_suffix(".html"), out]
    made = read_microscope(out)
    assert made.pixel_size_um == pytest.approx(PIXEL_UM)
    assert made.modality == "two-photon"
    assert made.saturation_counts in {4095, 8191, 16383}
    low, high = made.gain_counts_per_photon
    assert 20 < low < high < 40
    assert made.provenance["seed"] == 0
    assert len(str(made.provenance["sha256 of cell.tif"])) == 64
    said = capsys.readouterr().out
    assert "A classifier tells real from simulated patches with an AUC of" in said
    assert f"Made {out} and {out.with_suffix('.html')}" in said
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert "single images" in page
    assert "cell.tif" in page


@pytest.mark.usefixtures("little")
def test_repeats_and_beads_are_used(
    image: Path, beads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    field = np.clip(np.random.default_rng(3).gamma(0.3, 40, (24, 24)), 1, 120)
    same = np.repeat(field.repeat(6, 0).repeat(6, 1)[None], 3, 0)
    repeats = _save(tmp_path / "again.tif", expose(same, 1.0, 0.0, DETECTOR, 65535.0, (9, 0)))
    out = fit_command(
        image, out=tmp_path / "m.toml", structure="points", repeats=repeats, beads=beads
    )
    assert "9 bead(s) in" in capsys.readouterr().out
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert "photon transfer of repeats" in page
    provenance = read_microscope(out).provenance
    assert {"sha256 of again.tif", "sha256 of beads.tif"} <= provenance.keys()
    words = shlex.split(str(provenance["command"]))
    assert words[:4] == ["python", "-m", "training", "fit"]
    _, bound, _ = app.parse_args(words[3:])
    assert bound.args == (Path(image.name),)
    assert (
        bound.kwargs.items()
        >= {
            "out": Path("m.toml"),
            "structure": "points",
            "repeats": Path("again.tif"),
            "beads": Path("beads.tif"),
        }.items()
    )


@pytest.fixture
def beads(tmp_path: Path) -> Path:
    y, x = np.mgrid[:96, :96]
    places = [(a, b) for a in (20, 48, 76) for b in (20, 48, 76)]
    spots = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * 0.75**2)) for a, b in places]
    return _save(tmp_path / "beads.tif", 20 + 2000 * np.sum(spots, axis=0))


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "out": ({"out": Path("m.txt")}, r"--out m\.txt must end in \.toml"),
    "structure": ({"structure": "stars"}, "There is no structure 'stars': choose one of cells"),
    "excess noise": ({"excess_noise": 0.5}, r"--excess-noise 0\.5 is none: it is 1 to 3"),
    "pixel size": ({"pixel_size": 0.0}, "--pixel-size 0.0 is no length"),
    "large pixel": ({"pixel_size": 100.0}, "Pixels of 100 µm do not suit a two-photon"),
    "small pixel": ({"pixel_size": 0.001}, "Pixels of 0.001 µm do not suit a two-photon"),
    "wavelength": ({"wavelength": 920.0}, "--wavelength 920 is no light: give micrometres"),
    "index": ({"refractive_index": 0.0}, "--refractive-index 0 is none: water has 1.33"),
    "seed": ({"seed": -1}, "--seed -1 is none: give a whole number from 0"),
    "expansion": ({"expansion": 0.0}, "--expansion 0.0 is no factor"),
    "both": (
        {"structure": "cells", "expanded": Path("x")}, "Give --structure or --expanded, not both"
    ),
}  # fmt: skip


@pytest.mark.usefixtures("no_fit")
@pytest.mark.parametrize("kind", ARGUMENTS)
def test_impossible_arguments_are_refused(image: Path, tmp_path: Path, kind: str) -> None:
    changed, sentence = ARGUMENTS[kind]
    arguments: dict[str, Any] = {"out": tmp_path / "m.toml"} | changed
    with pytest.raises(UserError, match=sentence):
        fit_command(image, **arguments)


@pytest.mark.usefixtures("no_fit")
def test_without_a_pixel_size_the_command_that_gives_one_is_offered(tmp_path: Path) -> None:
    image = _save(tmp_path / "a cell.tif", _fields(1, 0)[0], None)
    out = tmp_path / "m.toml"
    with pytest.raises(UserError) as refusal:
        fit_command(image, out=out, modality="confocal", structure="points", excess_noise=1.2)
    offered = shlex.split(re.findall("`(.*)`", str(refusal.value))[0])
    assert offered[:4] == ["python", "-m", "training", "fit"]
    _, bound, _ = app.parse_args(offered[3:])
    assert bound.args == (image,)
    assert bound.kwargs == {
        "out": out,
        "pixel_size": 0.1,
        "modality": "confocal",
        "structure": "points",
        "excess_noise": 1.2,
        "refractive_index": 1.33,
        "expansion": 1.0,
        "seed": 0,
    }


@pytest.mark.usefixtures("little")
def test_remarks_are_said_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.pad(_fields(1, 0)[0], ((0, 0), (0, 30)))
    out = fit_command(
        _save(tmp_path / "a.tif", pixels), out=tmp_path / "m.toml", structure="points"
    )
    remark = str(read_microscope(out).provenance["remark 1"])
    assert remark.startswith("1 image (a: ")
    assert remark.endswith(NO_DATA)
    assert capsys.readouterr().out.count(remark) == 1
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert page.count(f"</b> {NO_DATA}</li>") == 1


@pytest.mark.usefixtures("no_fit")
def test_nothing_to_fit_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Give at least one image"):
        fit_command(out=tmp_path / "m.toml")


@pytest.mark.usefixtures("no_fit")
@pytest.mark.parametrize("name", ["m.toml", "m.html"])
def test_a_folder_is_not_replaced(image: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=f"{name} is a folder, not a file to replace"):
        fit_command(image, out=tmp_path / "m.toml")


@pytest.mark.usefixtures("no_fit")
def test_a_place_where_nothing_can_be_written_is_refused_at_once(
    image: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "m.toml"
    with pytest.raises(OSError, match=r"exists|directory") as refusal:
        fit_command(image, out=out)
    assert refusal.value.filename == str(out)


@pytest.mark.usefixtures("no_fit")
def test_single_repeat_is_refused(image: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cell\.tif holds a single image: repeats need"):
        fit_command(image, out=tmp_path / "m.toml", repeats=image)


@pytest.mark.usefixtures("no_fit")
def test_repeats_of_different_size_are_refused(image: Path, tmp_path: Path) -> None:
    _save(tmp_path / "again" / "a.tif", _fields(1, 0)[0])
    _save(tmp_path / "again" / "b.tif", _fields(1, 0)[0][:100])
    with pytest.raises(UserError, match=r"again holds images of different size \(144 x 100"):
        fit_command(image, out=tmp_path / "m.toml", repeats=tmp_path / "again")


@pytest.mark.usefixtures("no_fit")
def test_folder_of_beads_is_refused(image: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder: give --beads one image"):
        fit_command(image, out=tmp_path / "m.toml", beads=tmp_path)


@pytest.mark.usefixtures("no_fit")
def test_beads_of_a_width_that_optics_cannot_have_are_refused(
    image: Path, beads: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"shows a PSF of 0\.5\d* µm, but a wide-field"):
        fit_command(
            image, out=tmp_path / "m.toml", beads=beads, modality="wide-field", wavelength=2.5
        )


@pytest.mark.usefixtures("no_fit")
def test_beads_without_pixel_size_have_that_of_the_images(
    image: Path, beads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unstated = _save(tmp_path / "unstated.tif", read(beads).values, None)
    with pytest.raises(AssertionError, match="the fit was begun"):
        fit_command(image, out=tmp_path / "m.toml", beads=unstated)
    assert "does not state its pixel size: 0.32 µm is assumed" in capsys.readouterr().out


def test_an_interrupted_fit_leaves_nothing(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "fit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit_command(image, out=tmp_path / "made" / "m.toml")
    assert not list((tmp_path / "made").iterdir())
