import math
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imaging.cli import UserError
from imaging.files import write_toml
from simulation import psf
from simulation.microscope import Microscope, read_microscope, stack, to_toml


def test_draws_fill_their_ranges() -> None:
    microscope = Microscope()
    rng = np.random.default_rng(0)
    drawn = [asdict(microscope.draw(rng)) for _ in range(300)]
    for field in fields(microscope):
        ends = getattr(microscope, field.name)
        if isinstance(ends, tuple):
            values = [acquisition[field.name] for acquisition in drawn]
            assert ends[0] <= min(values) < max(values) <= ends[1]
            assert max(values) - min(values) > 0.8 * (ends[1] - ends[0])


def test_photons_are_drawn_evenly_in_their_logarithm() -> None:
    rng = np.random.default_rng(0)
    drawn = [Microscope().draw(rng).photons for _ in range(2000)]
    below = np.mean(np.array(drawn) < math.sqrt(20 * 200))
    assert below == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(2000))


def test_a_range_of_no_width_is_a_value() -> None:
    microscope = Microscope(
        photons=(50.0, 50.0), scattering_length_um=(math.inf, math.inf), depth_um=(0.0, 0.0)
    )
    acquisition = microscope.draw(np.random.default_rng(0))
    assert acquisition.photons == 50
    assert acquisition.scattering_length_um == math.inf
    assert acquisition.depth_um == 0


def test_same_state_draws_the_same_acquisition() -> None:
    one, other = (Microscope().draw(np.random.default_rng(9)) for _ in range(2))
    assert one == other


def test_no_draw_is_sharper_or_more_blurred_than_the_ends() -> None:
    microscope = Microscope()
    ends = [microscope.sharpest(), microscope.most_blurred()]
    rng = np.random.default_rng(2)
    acquisitions = stack(ends + [microscope.draw(rng) for _ in range(60)], torch.empty(0))
    narrowest, widest, *drawn = psf.fwhm_um(acquisitions.optics)[0].tolist()
    assert narrowest <= min(drawn)
    assert max(drawn) <= widest


@pytest.mark.parametrize("modality", ["two-photon", "confocal", "wide-field"])
@pytest.mark.parametrize("numerical_aperture", [0.05, 0.7, 1.3])
def test_a_target_that_is_accepted_is_sharper_than_the_psf(
    modality: psf.Modality, numerical_aperture: float
) -> None:
    microscope = Microscope(
        modality=modality, numerical_aperture=(0.05, numerical_aperture), target_fwhm_um=0.0
    )
    limit_um = microscope.wavelength_um / numerical_aperture / 4
    assert float(psf.fwhm_um(microscope.sharpest().optics)[0]) > limit_um


def test_stacked_values_are_those_of_each_image() -> None:
    microscope = Microscope()
    rng = np.random.default_rng(4)
    acquisitions = [microscope.draw(rng) for _ in range(3)]
    photons = stack(acquisitions, torch.empty(0, dtype=torch.float64)).photons
    assert isinstance(photons, torch.Tensor)
    assert photons.shape == (3, 1, 1)
    assert photons.flatten().tolist() == [one.photons for one in acquisitions]


def test_a_written_microscope_is_read_back(tmp_path: Path) -> None:
    microscope = replace(
        Microscope(),
        modality="confocal",
        wavelength_um=0.52,
        aperture_filling=(math.inf, math.inf),
        pixel_size_um=0.11,
        provenance={"seed": 3, "sha256 of a.tif": "0a"},
    )
    write_toml(tmp_path / "microscope.toml", to_toml(microscope))
    assert read_microscope(tmp_path / "microscope.toml") == microscope


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "microscope.toml").touch()
    assert read_microscope(tmp_path / "microscope.toml") == Microscope()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("wavelength_nm = 920", "there is no entry 'wavelength_nm'"),
        ("modality = 'light-sheet'", "entry 'modality'"),
        ("numerical_aperture = [0.8, 1.4]", "1.4 needs a higher refractive_index"),
        ("tissue_refractive_index = 1.0", "1.05 needs a higher refractive_index and tissue_re"),
        ("numerical_aperture = [0.0, 0.9]", r"entry 'numerical_aperture\.0'"),
        ("numerical_aperture = 0.9", "entry 'numerical_aperture'"),
        ("photons = [200, 20]", "the range ends at 20, below its begin 200"),
        ("photons = [-5, 20]", r"entry 'photons\.0'"),
        ("photons = [nan, 20]", r"entry 'photons\.0'"),
        ("photons = ['many', 20]", r"entry 'photons\.0'"),
        ("photons = [1, 2, 3]", "entry 'photons"),
        ("excess_noise_factor = [0.9, 1.2]", r"entry 'excess_noise_factor\.0'"),
        ("gain_counts_per_photon = [0, 1]", r"entry 'gain_counts_per_photon\.0'"),
        ("read_noise_counts = [-1, 1]", r"entry 'read_noise_counts\.0'"),
        ("vignetting = [0.0, 1.0]", r"entry 'vignetting\.1'"),
        ("expansion_error = [-0.6, 0.0]", r"entry 'expansion_error\.0'"),
        ("scattering_length_um = [100, inf]", "infinite at both ends or at none"),
        ("refractive_index = 0.9", "entry 'refractive_index'"),
        ("averaged_lines = 0", "entry 'averaged_lines'"),
        ("sampling = 2.5", "entry 'sampling'"),
        ("pixel_size_um = 0", "entry 'pixel_size_um'"),
        ("target_fwhm_um = 0.5", "a target_fwhm_um of 0.5 is as wide as the PSF"),
        ("saturation_counts = 300", "offset_counts lie above saturation_counts"),
        ("photons = ", "is not a TOML file"),
    ],
)
def test_unphysical_entries_are_refused_in_one_sentence(
    entry: str, sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / "microscope.toml"
    file.write_text(entry)
    with pytest.raises(UserError, match=sentence) as raised:
        read_microscope(file)
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_microscope(tmp_path / "microscope.toml")
