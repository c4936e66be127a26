from pathlib import Path

import numpy as np
import pytest

from benchmark.trust.microscope import STANDARD, blurrier, middle_of, noisier, with_photons
from packages.cli import UserError
from packages.files import write_toml
from training.simulation.microscope import read_microscope
from training.simulation.psf import fwhm_um


def test_the_standard_microscope_has_the_width_it_says(tmp_path: Path) -> None:
    write_toml(tmp_path / "m.toml", with_photons(middle_of(None), 30))
    optics = read_microscope(tmp_path / "m.toml").typical().optics
    assert float(fwhm_um(optics)[0]) == pytest.approx(0.376, abs=0.001)


def test_every_range_of_a_file_is_shrunk_to_its_middle(tmp_path: Path) -> None:
    write_toml(tmp_path / "m.toml", {"modality": "confocal", "gain_counts_per_photon": [2.0, 6.0]})
    microscope = middle_of(tmp_path / "m.toml")
    assert microscope["gain_counts_per_photon"] == [4.0, 4.0]
    assert microscope["modality"] == "confocal"
    assert microscope["read_noise_counts"] == STANDARD["read_noise_counts"]


def test_what_moves_the_truth_is_switched_off_whatever_the_file_says(tmp_path: Path) -> None:
    write_toml(tmp_path / "m.toml", {"drift_um": [0.1, 0.2], "labels_per_um2": [10.0, 20.0]})
    microscope = middle_of(tmp_path / "m.toml")
    assert microscope["drift_um"] == [0.0, 0.0]
    assert microscope["labels_per_um2"] == [np.inf, np.inf]


def test_a_file_that_is_no_microscope_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        middle_of(tmp_path / "none.toml")


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_noise_beside_the_signal_changes_by_its_factor(factor: float) -> None:
    usual = with_photons(STANDARD, 30)

    def relative_noise(microscope: dict[str, list[float]]) -> float:
        signal, background = microscope["photons"][0], microscope["background_photons"][0]
        return np.sqrt(signal + background) / signal

    changed = relative_noise(noisier(usual, factor)) / relative_noise(usual)
    assert changed == pytest.approx(factor)


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_the_psf_is_wider_by_its_factor(factor: float, tmp_path: Path) -> None:
    widths: list[float] = []
    for name, by in (("usual", 1.0), ("other", factor)):
        file = tmp_path / f"{name}.toml"
        write_toml(file, blurrier(with_photons(middle_of(None), 30), by))
        widths.append(float(fwhm_um(read_microscope(file).typical().optics)[0]))
    assert widths[1] / widths[0] == pytest.approx(factor, rel=1e-3)
