"""Which planes of a volume a microscope records."""

import math
from dataclasses import dataclass

from imaging.cli import UserError
from simulation import psf
from simulation.microscope import Microscope
from simulation.structures import PLANE_DISTANCE_UM

_REACH_FWHM = 1.5
"""How far above and below a plane light comes from, over the axial width of the widest PSF."""

_FARTHEST_UM = 50.0


@dataclass(frozen=True)
class Stack:
    """Recorded planes within the planes that structure is drawn in.

    Structure is drawn in finer planes than are recorded, so that thin structure between these is
    not missed: its light is recorded, as it is by a microscope. A target's plane is the drawn plane
    where the recorded one lies, as thin as an expanded specimen shows it, and no mean over a step.

    Attributes
    ----------
    planes
        How many are recorded.
    z_step_um
        Their distance, µm.
    per_step
        Drawn planes from one to the next.
    reach
        Drawn planes above the first and below the last, whose light is recorded, too.
    """

    planes: int
    z_step_um: float
    per_step: int
    reach: int

    @property
    def plane_distance_um(self) -> float:
        """Distance of the drawn planes, µm."""
        return self.z_step_um / self.per_step

    @property
    def recorded(self) -> range:
        """Which of the drawn planes are recorded."""
        return range(self.reach, self.reach + self.planes * self.per_step, self.per_step)

    @property
    def spanned(self) -> int:
        """Drawn planes from the first recorded to the last."""
        return (self.planes - 1) * self.per_step + 1

    @property
    def drawn(self) -> int:
        """Drawn planes altogether: an odd number, of which the middle one is recorded."""
        return 2 * self.recorded[self.planes // 2] + 1

    @property
    def reach_um(self) -> float:
        """How far above and below light comes from, µm."""
        return self.reach * self.plane_distance_um


def stack_of(microscope: Microscope, planes: int, per_step: int | None = None) -> Stack:
    """Lay out the stack that a microscope records.

    Light comes from within 1.5 axial widths of the widest PSF: 86 % of that of this PSF within
    40 µm, and more of all others. The rest is spread so widely that it is background.

    Parameters
    ----------
    microscope
        What records.
    planes
        How many.
    per_step
        Drawn planes from one to the next; without it so many that they are at most
        `PLANE_DISTANCE_UM` apart.

    Raises
    ------
    UserError
        The PSF is too long for a volume to be drawn around it.
    """
    reach_um = _REACH_FWHM * float(psf.fwhm_um(microscope.most_blurred().optics)[1])
    if reach_um > _FARTHEST_UM:
        raise UserError(
            f"Light reaches this microscope from {reach_um:.3g} µm above and below its focus, but "
            f"volumes are drawn up to {_FARTHEST_UM:g} µm around: simulate it without --volumes, "
            "or give a --microscope with a higher numerical_aperture."
        )
    if per_step is None:
        per_step = max(math.ceil(microscope.z_step_um / PLANE_DISTANCE_UM - 1e-9), 1)
    reach = math.ceil(reach_um / (microscope.z_step_um / per_step))
    return Stack(planes, microscope.z_step_um, per_step, reach)
