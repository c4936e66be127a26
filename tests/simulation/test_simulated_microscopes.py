import json
import math
from pathlib import Path

import numpy as np
import pytest

from imaging.cli import UserError
from imaging.datasets import open_dataset
from imaging.files import sha256, write_toml
from imaging.images import read
from simulation.microscope import Microscope, to_toml
from simulation.simulate import simulate


@pytest.fixture
def microscope(tmp_path: Path) -> Path:
    """A microscope of pixels of 0.2 µm and known photons."""
    path = tmp_path / "microscope.toml"
    facts = Microscope(pixel_size_um=0.2, photons=(70.0, 70.0), saturation_counts=4095.0)
    write_toml(path, to_toml(facts))
    return path


def test_a_microscope_records_with_its_values_and_pixels(microscope: Path, tmp_path: Path) -> None:
    opened = open_dataset(simulate(tmp_path / "data", images=3, size=32, microscope=microscope))
    assert opened.facts.native_pixel_size_um == pytest.approx(0.2)
    assert opened.facts.pixel_size_um == pytest.approx(0.05)
    assert opened.facts.provenance["microscope"] == sha256(microscope)
    for item in opened.items:
        assert item.microscope["photons"] == 70
        assert item.native is not None
        assert read(item.native).values.max() <= 4095


def test_default_microscope_is_recorded(generated: Path) -> None:
    assert open_dataset(generated).facts.provenance["microscope"] == "default"


def test_another_microscope_is_another_dataset(
    microscope: Path, generated: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="other arguments or files"):
        simulate(generated, images=4, size=64, seed=7, microscope=microscope)


def test_structure_gives_its_photons_where_it_is_bright(tmp_path: Path) -> None:
    quiet = Microscope(
        photons=(5000.0, 5000.0),
        scattering_length_um=(math.inf, math.inf),
        labels_per_um2=(1e6, 1e6),
        bleaching=(0.0, 0.0),
        vignetting=(0.0, 0.0),
        gain_counts_per_photon=(2.0, 2.0),
        offset_counts=(100.0, 100.0),
    )
    write_toml(tmp_path / "quiet.toml", to_toml(quiet))
    made = simulate(tmp_path / "data", images=3, size=128, microscope=tmp_path / "quiet.toml")
    for item in open_dataset(made).items:
        assert item.native is not None
        bright = np.percentile(read(item.native).values, 99.8)
        assert bright == pytest.approx(100 + 2 * 5000, rel=0.2)  # NA and aberration vary


def test_pixels_of_expanded_images_become_a_fraction_of_the_microscopes(
    sources: Path, microscope: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 0.06 µm: three pixels of 0.0667 µm lie along 0.2 µm
    made = simulate(tmp_path / "data", expanded=sources, size=33, microscope=microscope)
    opened = open_dataset(made)
    assert "0.06667 instead of 0.06 µm" in " ".join(capsys.readouterr().out.split())
    assert opened.facts.pixel_size_um == pytest.approx(0.2 / 3)
    assert opened.facts.native_pixel_size_um == pytest.approx(0.2)
    assert opened.facts.provenance["resampled"] == "from 0.06 to 0.0666667 µm"
    for item in opened.items:
        assert item.target is not None
        assert item.native is not None
        assert read(item.target).shape == (33, 33)
        assert read(item.native).shape == (11, 11)


def test_size_is_a_whole_number_of_native_pixels(
    sources: Path, microscope: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="multiple of 3 such as 33"):
        simulate(tmp_path / "data", expanded=sources, size=32, microscope=microscope)


def test_a_volume_adds_light_from_out_of_focus(tmp_path: Path) -> None:
    made = simulate(tmp_path / "data", images=3, size=32, structure="points", thickness=1.0)
    opened = open_dataset(made)
    assert opened.facts.provenance["command"] == (
        "python -m training simulate --images 3 --size 32 --seed 0 --structure points "
        "--thickness 1.0"
    )
    for item in opened.items:
        assert item.target is not None
        assert read(item.target).shape == (32, 32)


def test_geometry_is_written_beside(tmp_path: Path) -> None:
    made = simulate(tmp_path / "data", images=3, size=64, structure="tube-pairs")
    for item in open_dataset(made).items:
        geometry = json.loads((made / "geometry" / f"{item.name}.json").read_text())
        assert geometry


def test_an_empty_field_is_not_lit_up(tmp_path: Path) -> None:
    made = simulate(tmp_path / "data", images=3, size=64, structure="empty")
    assert {item.microscope["bright_level"] for item in open_dataset(made).items} == {1.0}


@pytest.mark.parametrize(("native_um", "said"), [(1.04, True), (0.32, False)])
def test_a_microscope_that_records_hardly_anything_of_an_image_is_said(
    native_um: float, said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_toml(tmp_path / "coarse.toml", to_toml(Microscope(pixel_size_um=native_um)))
    simulate(tmp_path / "data", images=3, pixel_size=0.08, microscope=tmp_path / "coarse.toml")
    words = " ".join(capsys.readouterr().out.split())
    assert ("records only 20 x 20 pixels of each image of 260 x 260" in words) == said
