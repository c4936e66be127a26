"""Generated structures as a microscope's images without noise, to compare real images with."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.simulation import optics, psf
from training.simulation.formation import (
    BRIGHT_PERCENTILE,
    blur,
    margin_px,
    measure_bright_level,
    record,
)
from training.simulation.microscope import Acquisition, Microscope
from training.simulation.structures import STRUCTURES, Grid
from training.simulation.targets import BACKGROUND_PERCENTILE, relative_brightness

Floats = NDArray[np.float64]

SAMPLING = 4
"""Generated pixels along one of the microscope."""

_SIDE_PX = 96  # of an image, the microscope's pixels
_FIELDS = 8
_REACH_FWHM = 2.0


@dataclass(frozen=True)
class Structure:
    """Fields of one kind of structure.

    Attributes
    ----------
    kind
        Name in `STRUCTURES`.
    brightness
        (fields, y, x) with a margin of `margin_px` for the PSF, on pixels `SAMPLING` times finer
        than the microscope's.
    pixel_size_um
        Side of such a finer pixel.
    margin_px
        In those pixels, a multiple of `SAMPLING`.
    """

    kind: str
    brightness: Tensor
    pixel_size_um: float
    margin_px: int

    @cached_property
    def cut(self) -> slice:
        """What is left of the microscope's pixels without the margin."""
        cut = self.margin_px // SAMPLING
        return slice(cut, self.brightness.shape[-1] // SAMPLING - cut)

    def images(self, acquisition: Acquisition) -> Floats:
        """Return what the optics make of the fields.

        Parameters
        ----------
        acquisition
            Its optics are used.

        Returns
        -------
        ndarray
            (fields, y, x) on the microscope's pixels, without noise; 0 is no label, 1 the bright
            level of each image (percentile 99.8).
        """
        fine = blur(self.brightness, self.pixel_size_um, acquisition, self.margin_px)
        native = optics.sample(fine, SAMPLING)[:, self.cut, self.cut].numpy().astype(np.float64)
        bright = np.percentile(native, BRIGHT_PERCENTILE, axis=(1, 2), keepdims=True)
        return native.clip(0) / bright


def generate(
    kind: str, native_um: float, widest_um: float, seed: int, fields: int = _FIELDS
) -> Structure:
    """Generate fields of one kind.

    Parameters
    ----------
    kind
        Name in `STRUCTURES`.
    native_um
        Side of the microscope's pixels.
    widest_um
        Largest full width at half maximum of the PSF that is going to be looked at.
    seed
        Of the fields.
    fields
        How many.

    Returns
    -------
    Structure
        Fields of 96 x 96 of the microscope's pixels.
    """
    pixel_um = native_um / SAMPLING
    margin = int(np.ceil(_REACH_FWHM * widest_um / native_um)) * SAMPLING
    side = _SIDE_PX * SAMPLING + 2 * margin
    made: list[Floats] = []
    for index in range(fields):
        rng = np.random.default_rng((seed, index))
        image = STRUCTURES[kind](Grid((side, side), pixel_um, 0.0), rng).image
        dark, bright = np.percentile(image, [BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE])
        made.append(relative_brightness(image, float(dark), float(bright)).clip(0))
    stacked = torch.from_numpy(np.stack(made)).float()
    return Structure(kind, stacked, pixel_um, margin)


def with_width(acquisition: Acquisition, lateral_fwhm_um: float) -> Acquisition:
    """Return an acquisition whose PSF has a lateral width.

    Parameters
    ----------
    acquisition
        Its numerical aperture is replaced.
    lateral_fwhm_um
        Full width at half maximum, µm.

    Returns
    -------
    Acquisition
        With the numerical aperture in effect.

    Raises
    ------
    ValueError
        No numerical aperture gives this width.
    """
    aperture = psf.numerical_aperture_for(lateral_fwhm_um, acquisition.optics)
    return replace(acquisition, numerical_aperture=aperture)


def photograph(
    kind: str, microscope: Microscope, native_um: float, fields: int, seed: int
) -> Floats:
    """Generate fields and record them as a microscope does, one acquisition each.

    Parameters
    ----------
    kind
        Name in `STRUCTURES`.
    microscope
        What records.
    native_um
        Side of its pixels.
    fields, seed
        How many, and from which number all randomness follows.

    Returns
    -------
    ndarray
        (fields, y, x) counts.
    """
    pixel_um = native_um / SAMPLING
    margin = margin_px(microscope, pixel_um)
    structure = generate(kind, native_um, margin * pixel_um / _REACH_FWHM, seed, fields)
    reach = structure.margin_px
    counts: list[Floats] = []
    for index, brightness in enumerate(structure.brightness):
        rng = np.random.default_rng((seed, index, 1))
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        how = {"sampling": SAMPLING, "reach_px": reach}
        level = measure_bright_level(brightness, pixel_um, microscope, **how)
        recorded = record(
            brightness[None],
            pixel_um,
            microscope.draw(rng),
            generator,
            bright_level=level,
            **how,
        )
        counts.append(recorded[0, structure.cut, structure.cut].numpy().astype(np.float64))
    return np.stack(counts)
