"""Which planes of a volume a microscope records."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    Structure is drawn in finer planes than are recorded, and a target's plane is their mean over a
    step, as its pixels are means over their area. An expanded specimen is seen in thinner sections
    than that: one section at each step would leave out what lies between, whose light the
    microscope records, and break a thin process where it goes from plane to plane.

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

    def means(self, drawn: NDArray[np.number]) -> NDArray[np.number]:
        """Average drawn planes over the step around each recorded one.

        Parameters
        ----------
        drawn
            (`drawn`, y, x).

        Returns
        -------
        ndarray
            (`planes`, y, x); float32, or the planes themselves where each is recorded.
        """
        if self.per_step == 1:
            return drawn[self.recorded.start : self.recorded.stop]
        offsets = np.arange(-(self.per_step // 2), self.per_step // 2 + 1)
        # planes half a step away belong to both sides
        weights = np.where(2 * np.abs(offsets) == self.per_step, 0.5, 1.0) / self.per_step
        total = np.zeros((self.planes, *drawn.shape[1:]))
        for offset, weight in zip(offsets, weights, strict=True):
            first = self.recorded.start + offset
            total += weight * drawn[first : first + self.spanned : self.per_step]
        return total.astype(np.float32)

    @property
    def reach_um(self) -> float:
        """How far above and below light comes from, µm."""
        return self.reach * self.plane_distance_um


def stack_of(microscope: Microscope, planes: int, per_step: int | None = None) -> Stack:
    """Lay out the stack that a microscope records.

    Structure is drawn within 1.5 axial widths of the widest PSF, from where 85 % of the light of
    this PSF come, and more of all others'. The rest is spread so widely that it is background,
    which `simulation.volumes.collect` adds.

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
    reach = max(math.ceil(reach_um / (microscope.z_step_um / per_step)), per_step // 2)
    return Stack(planes, microscope.z_step_um, per_step, reach)
