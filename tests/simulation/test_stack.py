from dataclasses import replace

import numpy as np
import pytest

from imaging.cli import UserError
from simulation import psf
from simulation.diffraction import Modality
from simulation.microscope import Acquisition, Microscope
from simulation.stack import Stack, stack_of


@pytest.mark.parametrize(
    ("z_step_um", "per_step"), [(0.5, 2), (0.25, 1), (0.1, 1), (0.3, 2), (0.75, 3), (1.0, 4)]
)
def test_structure_is_drawn_finely_between_the_planes(z_step_um: float, per_step: int) -> None:
    stack = stack_of(replace(Microscope(), z_step_um=z_step_um), 4)
    assert stack.per_step == per_step
    assert stack.plane_distance_um == pytest.approx(z_step_um / per_step)
    assert stack.plane_distance_um <= 0.25


@pytest.mark.parametrize("planes", [1, 2, 7, 8])
def test_the_middle_plane_is_recorded_with_its_surroundings(planes: int) -> None:
    stack = Stack(planes, 0.5, 2, 5)
    assert stack.drawn % 2 == 1
    assert stack.drawn // 2 == stack.recorded[planes // 2]
    assert len(stack.recorded) == planes
    assert stack.recorded[0] == 5
    assert stack.drawn - 1 - stack.recorded[-1] >= 5
    assert stack.recorded[-1] - stack.recorded[0] == stack.spanned - 1


@pytest.mark.parametrize("per_step", [1, 2, 3, 4])
def test_means_over_steps_keep_all_light_once(per_step: int) -> None:
    stack = Stack(4, 0.5, per_step, reach=5)
    shares = stack.means(np.eye(stack.drawn)[..., None])[..., 0].sum(0)
    assert shares.sum() == pytest.approx(4)
    np.testing.assert_allclose(shares[5 : 5 + stack.spanned], 1 / per_step)


def test_means_lie_around_their_plane() -> None:
    stack = Stack(3, 0.5, 4, reach=5)
    slope = np.arange(float(stack.drawn))[:, None, None]
    np.testing.assert_allclose(stack.means(slope).ravel(), stack.recorded)


@pytest.mark.parametrize(
    ("acquisition", "share"),
    [(Microscope().most_blurred(), 0.85), (Microscope().typical(), 0.92)],
)
def test_the_reach_holds_most_of_the_light(acquisition: Acquisition, share: float) -> None:
    near = psf.share_within(acquisition.optics, stack_of(Microscope(), 8).reach_um)
    assert near == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("modality", ["two-photon", "confocal"])
def test_light_beyond_some_widths_falls_with_the_square(modality: Modality) -> None:
    """The share beyond a distance is then inverse to it."""
    optics = replace(Microscope().typical().optics, modality=modality)
    beyond = [1 - psf.share_within(optics, reach_um) for reach_um in (5.0, 10.0)]
    assert beyond[0] / beyond[1] == pytest.approx(2, rel=0.03)


def test_a_psf_without_end_is_refused() -> None:
    dim = replace(Microscope(), numerical_aperture=(0.1, 0.2))
    with pytest.raises(UserError, match=r"from \d+ µm above and below its focus"):
        stack_of(dim, 8)
