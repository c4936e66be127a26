from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.trust.exposure import STANDARD, blurrier, entries, middle_of, noisier, with_photons
from imaging.cli import UserError
from imaging.files import write_toml
from simulation.microscope import Microscope, read_microscope, to_toml
from simulation.psf import fwhm_um


def width_um(microscope: Microscope) -> float:
    return float(fwhm_um(microscope.typical().optics)[0])


def test_the_standard_microscope_has_the_width_it_says() -> None:
    assert width_um(STANDARD) == pytest.approx(0.376, abs=0.001)


def test_every_range_of_a_file_is_shrunk_to_its_middle(tmp_path: Path) -> None:
    write_toml(tmp_path / "m.toml", {"modality": "confocal", "gain_counts_per_photon": [2.0, 6.0]})
    microscope = middle_of(tmp_path / "m.toml")
    assert microscope.gain_counts_per_photon == (4.0, 4.0)
    assert microscope.modality == "confocal"
    assert microscope.read_noise_counts == STANDARD.read_noise_counts


def test_a_default_that_a_file_states_is_the_file_s(tmp_path: Path) -> None:
    write_toml(tmp_path / "m.toml", to_toml(Microscope()))
    microscope = middle_of(tmp_path / "m.toml")
    assert microscope.numerical_aperture == (0.875, 0.875)
    assert microscope.breathing_period_lines == (275.0, 275.0)
    assert STANDARD.breathing_period_lines == Microscope().breathing_period_lines


def test_what_moves_the_truth_is_switched_off_whatever_the_file_says(tmp_path: Path) -> None:
    write_toml(tmp_path / "m.toml", {"drift_um": [0.1, 0.2], "labels_per_um2": [10.0, 20.0]})
    microscope = middle_of(tmp_path / "m.toml")
    assert microscope.drift_um == (0.0, 0.0)
    assert microscope.labels_per_um2 == (np.inf, np.inf)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ({"gain": [1.0, 2.0]}, "there is no entry 'gain'"),
        ({"photons": [9.0, 1.0]}, "entry 'photons': the range ends at 1, below its begin 9"),
    ],
)
def test_a_file_that_is_no_microscope_is_refused(
    tmp_path: Path, content: dict[str, list[float]] | None, said: str
) -> None:
    if content is not None:
        write_toml(tmp_path / "m.toml", content)
    with pytest.raises(UserError, match=rf"m\.toml.*{said}"):
        middle_of(tmp_path / "m.toml")


def test_a_microscope_that_cannot_be_is_refused() -> None:
    oil = replace(
        STANDARD,
        wavelength_um=0.5,
        numerical_aperture=(1.45, 1.45),
        refractive_index=1.518,
        tissue_refractive_index=1.518,
    )
    with pytest.raises(UserError, match=r"a target_fwhm_um of 0\.07 is as wide as the PSF.*; give"):
        blurrier(oil, 0.8)


def test_a_file_of_a_microscope_is_read_as_the_same(tmp_path: Path) -> None:
    microscope = replace(with_photons(STANDARD, 30), pixel_size_um=0.31, averaged_lines=2)
    write_toml(tmp_path / "m.toml", entries(microscope))
    assert read_microscope(tmp_path / "m.toml") == microscope


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_noise_beside_the_signal_changes_by_its_factor(factor: float) -> None:
    usual = with_photons(STANDARD, 30)

    def relative_noise(microscope: Microscope) -> float:
        signal, background = microscope.photons[0], microscope.background_photons[0]
        return np.sqrt(signal + background) / signal

    changed = relative_noise(noisier(usual, factor)) / relative_noise(usual)
    assert changed == pytest.approx(factor)


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_the_psf_is_wider_by_its_factor(factor: float) -> None:
    wider = width_um(blurrier(STANDARD, factor)) / width_um(STANDARD)
    assert wider == pytest.approx(factor, rel=1e-3)
