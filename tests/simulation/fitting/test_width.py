"""The width of the PSF is found from the spectrum, and structures are ranked by likeness."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simulation.fitting import brightness
from simulation.fitting import noise_free as structures
from simulation.fitting import width as widths
from simulation.fitting.brightness import Light, expose
from simulation.fitting.fit import in_effect
from simulation.fitting.noise import DetectorFit
from simulation.fitting.noise_free import Structure, generate, with_width
from simulation.fitting.width import Candidate, candidates, width_over
from simulation.microscope import Microscope
from simulation.psf import reachable_fwhm_um
from simulation.structures import STRUCTURES

Floats = NDArray[np.float64]

NATIVE_UM, SATURATION = 0.32, 65535.0
DETECTOR = DetectorFit(30.0, 200.0, 5.0, 1.35, 1.0, True)
ACQUISITION = in_effect(Microscope())


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few, small fields and few widths, so that tests are fast."""
    monkeypatch.setattr(structures, "_SIDE_PX", 64)
    monkeypatch.setattr(brightness, "_LEVELS", 6)
    monkeypatch.setattr(widths, "_FIELDS", 6)
    monkeypatch.setattr(widths, "_FEW_FIELDS", 3)
    monkeypatch.setattr(widths, "_STEPS", 6)
    monkeypatch.setattr(widths, "_FINE_STEPS", 20)
    monkeypatch.setattr(widths, "_LAYERS", (1,))
    monkeypatch.setattr(widths, "_MAGNIFICATIONS", (1.0,))


def _squares(kind: str, width_um: float, photons: float = 80.0) -> Floats:
    structure = generate(kind, NATIVE_UM, 0.8, seed=100, fields=6)
    images = structure.images(with_width(ACQUISITION, width_um))
    return expose(images, photons, 1.0, DETECTOR, SATURATION, (1, 1))


def _candidates(squares: Floats, kinds: list[str], known_width_um: float | None) -> list[Candidate]:
    return candidates(
        squares,
        fields=len(squares),
        detector=DETECTOR,
        acquisition=ACQUISITION,
        pixel_size_um=NATIVE_UM,
        kinds=kinds,
        known_width_um=known_width_um,
        saturation_counts=SATURATION,
        seed=0,
    )


def test_planted_width_is_found() -> None:
    planted_um = 0.5
    (found,) = _candidates(_squares("cells", planted_um), ["cells"], None)
    assert found.width_um == pytest.approx(planted_um, rel=0.2)
    assert abs(np.log(found.width_um / planted_um)) < 3 * np.hypot(found.log_sd, 0.03)


def test_known_width_is_taken() -> None:
    (found,) = _candidates(_squares("points", 0.5), ["points"], 0.5)
    assert (found.width_um, found.log_sd) == (0.5, 0.0)
    assert len(found.light.bright) == 6
    assert np.median(found.light.bright) == pytest.approx(80.0, rel=0.4)


def test_structure_that_is_shown_is_nearest() -> None:
    found = _candidates(_squares("granules", 0.5), ["points", "granules", "tubes"], 0.5)
    assert found[0].structure.kind == "granules"
    assert [one.distance for one in found] == sorted(one.distance for one in found)


def test_only_the_nearest_structures_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widths, "_LOOKED_AT_AGAIN", 1)
    said: list[tuple[str, float]] = []
    found = candidates(
        _squares("granules", 0.5),
        fields=6,
        detector=DETECTOR,
        acquisition=ACQUISITION,
        pixel_size_um=NATIVE_UM,
        kinds=["points", "granules", "tubes"],
        known_width_um=0.5,
        saturation_counts=SATURATION,
        seed=0,
        say=lambda name, share: said.append((name, share)),
    )
    assert [len(one.structure.brightness) for one in found] == [6, 3, 3]
    assert [name for name, _ in said] == ["points", "granules", "tubes", "granules once more"]
    assert [share for _, share in said] == [0.0, 0.25, 0.5, 0.75]


def test_other_sizes_are_tried_where_the_structure_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(widths, "_FIELDS", 2)
    monkeypatch.setattr(widths, "_FEW_FIELDS", 1)
    monkeypatch.setattr(widths, "_MAGNIFICATIONS", (1.0, 2.5))
    monkeypatch.setattr(widths, "_LAYERS", (1, 3))
    squares = _squares("granules", 0.5)
    tried = _candidates(squares, ["granules", "points"], 0.5)
    assert {(one.structure.magnification, one.structure.layers) for one in tried} == {
        (1.0, 1), (1.0, 3), (2.5, 1), (2.5, 3)
    }  # fmt: skip
    assert len(tried) == 8
    assert len(_candidates(squares, ["granules"], 0.5)) == 1


def test_expanded_images_are_the_only_structure() -> None:
    found = candidates(
        _squares("granules", 0.5),
        fields=6,
        detector=DETECTOR,
        acquisition=ACQUISITION,
        pixel_size_um=NATIVE_UM,
        kinds=["cells", "points"],
        known_width_um=0.5,
        saturation_counts=SATURATION,
        seed=0,
        expanded=STRUCTURES["granules"],
    )
    assert {one.structure.kind for one in found} == {"expanded images"}
    assert {one.structure.draw for one in found} == {STRUCTURES["granules"]}


@pytest.fixture(scope="module")
def structure() -> Structure:
    return generate("points", NATIVE_UM, 0.6, seed=0, fields=1)


def _candidate(structure: Structure, width_um: float, log_sd: float, distance: float) -> Candidate:
    return Candidate(
        structure, width_um, log_sd, Light(np.ones(1), np.ones(1), np.ones(1)), distance
    )


def test_width_of_one_candidate_is_its_own(structure: Structure) -> None:
    assert width_over([_candidate(structure, 0.5, 0.1, 1.0)]) == pytest.approx((0.5, 0.1))


def test_near_candidates_widen_the_range(structure: Structure) -> None:
    found = [_candidate(structure, 0.4, 0.1, 1.0), _candidate(structure, 0.9, 0.1, 1.2)]
    best, log_sd = width_over(found)
    assert best == pytest.approx(0.6)  # geometric mean
    assert log_sd == pytest.approx(np.hypot(0.1, np.log(0.9 / 0.4) / 2))


def test_far_candidates_do_not_count(structure: Structure) -> None:
    found = [_candidate(structure, 0.4, 0.1, 1.0), _candidate(structure, 0.9, 0.1, 1.3)]
    assert width_over(found) == pytest.approx((0.4, 0.1))


@pytest.mark.parametrize("pixel_size_um", [0.05, 0.32, 2.0])
def test_widths_looked_at_can_be_reached(pixel_size_um: float) -> None:
    looked_at = widths._widths(ACQUISITION, pixel_size_um)  # pyright: ignore[reportPrivateUsage]
    narrowest, widest = reachable_fwhm_um(ACQUISITION.optics)
    assert looked_at == sorted(looked_at)
    assert narrowest < looked_at[0]
    assert looked_at[-1] < widest
    assert looked_at[0] > ACQUISITION.target_fwhm_um


def test_targets_as_wide_as_the_psf_leave_wider_ones() -> None:
    blurred = replace(ACQUISITION, target_fwhm_um=0.5)
    looked_at = widths._widths(blurred, NATIVE_UM)  # pyright: ignore[reportPrivateUsage]
    assert looked_at[0] > 0.5


def test_distance_of_a_shift_is_in_units_of_the_spread_of_both() -> None:
    real = np.linspace(-1, 1, 201)[:, None]
    shift = 0.1
    spread = np.sqrt(real.var() + shift**2 / 4)
    assert widths.distance(real, real + shift) == pytest.approx(shift / spread)


def test_what_never_varies_does_not_outweigh_all_else() -> None:
    """Dark quantiles of a stretched image are all clipped at 0, and 1 in a simulated one."""
    clipped, varying = np.zeros((50, 1)), np.linspace(0, 1, 50)[:, None]
    real = np.hstack([clipped, varying])
    assert widths.distance(real, np.hstack([clipped + 1, varying])) == 1.0  # the mean of 2 and 0
    assert widths.distance(real, real) == 0
