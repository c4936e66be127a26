"""Generated structures as a microscope's images without noise, to compare real images with."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simulation import psf, specimen
from simulation.formation import (
    BRIGHT_PERCENTILE,
    blur,
    margin_px,
    measure_bright_level,
    record,
    scan,
)
from simulation.microscope import Acquisition, Microscope
from simulation.structures import STRUCTURES, Grid
from simulation.structures import Structure as Draw
from simulation.targets import BACKGROUND_PERCENTILE, relative_brightness

Floats = NDArray[np.float64]

SAMPLING = 4
"""Generated pixels along one of the microscope."""

_SIDE_PX = 96  # of an image, the microscope's pixels
_REACH_FWHM = 2.0


@dataclass(frozen=True)
class Structure:
    """Fields of one kind of structure.

    Attributes
    ----------
    kind, magnification, layers
        Name in `STRUCTURES`; how many times larger than in nature; how many fields lie one upon
        the other.
    brightness
        (fields, y, x) with a margin of `margin_px` for the PSF, on pixels `SAMPLING` times finer
        than the microscope's.
    pixel_size_um
        Side of such a finer pixel.
    margin_px
        In those pixels, a multiple of `SAMPLING`.
    draw
        What drew the fields, where they are not generated.
    """

    kind: str
    magnification: float
    layers: int
    brightness: Tensor
    pixel_size_um: float
    margin_px: int
    draw: Draw | None = None

    def __str__(self) -> str:
        name = name_of(self.kind, self.magnification)
        return name if self.layers == 1 else f"{name}, {self.layers} layers"

    def layered(self, layers: int) -> "Structure":
        """Return denser fields: several, one upon the other."""
        shifts = range(layers)
        total = torch.stack([self.brightness.roll(shift, 0) for shift in shifts]).sum(0)
        return replace(self, layers=layers, brightness=total)

    def and_also(self, more: "Structure") -> "Structure":
        """Return its fields and more of the same kind."""
        return replace(self, brightness=torch.cat([self.brightness, more.brightness]))

    @cached_property
    def cut(self) -> slice:
        """What is left of the microscope's pixels without the margin."""
        cut = self.margin_px // SAMPLING
        return slice(cut, self.brightness.shape[-1] // SAMPLING - cut)

    def images(self, acquisition: Acquisition) -> Floats:
        """Return what labelling, optics and scanning make of the fields.

        Parameters
        ----------
        acquisition
            Its detector is not used.

        Returns
        -------
        ndarray
            (fields, y, x) on the microscope's pixels, without noise; 0 is no label, 1 the bright
            level of each image (percentile 99.8).
        """
        generator = torch.Generator().manual_seed(0)
        labelled = specimen.labelled(
            self.brightness, acquisition.labels_per_um2, self.pixel_size_um, generator, normal=True
        )
        fine = blur(labelled, self.pixel_size_um, acquisition, self.margin_px)
        scanned = scan(fine, self.pixel_size_um, acquisition, generator, sampling=SAMPLING)
        native = scanned[:, self.cut, self.cut].numpy().astype(np.float64)
        bright = np.percentile(native, BRIGHT_PERCENTILE, axis=(1, 2), keepdims=True)
        return native.clip(0) / bright

    def record(
        self,
        field: int,
        acquisition: Acquisition,
        microscope: Microscope,
        generator: torch.Generator,
        relative: float = 1.0,
    ) -> Floats:
        """Record one field.

        Parameters
        ----------
        field
            Its number.
        acquisition
            What happens.
        microscope
            Whose typical acquisition says what is bright.
        generator
            Source of randomness.
        relative
            How bright the field is, over what the acquisition says.

        Returns
        -------
        ndarray
            (y, x) counts.
        """
        brightness, size_um = self.brightness[field], self.pixel_size_um
        how = {"sampling": SAMPLING, "reach_px": self.margin_px}
        level = measure_bright_level(brightness, size_um, microscope, **how)
        counts = record(
            brightness[None], size_um, acquisition, generator, bright_level=level / relative, **how
        )
        return counts[0, self.cut, self.cut].numpy().astype(np.float64)


def name_of(kind: str, magnification: float) -> str:
    """Write a kind of structure with its size."""
    return kind if magnification == 1 else f"{kind}, {magnification:g} times as large"


def generate(
    kind: str,
    native_um: float,
    widest_um: float,
    seed: int,
    fields: int,
    magnification: float = 1.0,
    draw: Draw | None = None,
    first: int = 0,
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
    magnification
        How many times larger than in nature structure is made.
    draw
        What draws a field, where it is not a generated structure.
    first
        Number of the first field: each follows from its number and the seed.

    Returns
    -------
    Structure
        Fields of 96 x 96 of the microscope's pixels.
    """
    pixel_um = native_um / SAMPLING
    margin = int(np.ceil(_REACH_FWHM * widest_um / native_um)) * SAMPLING
    side = _SIDE_PX * SAMPLING + 2 * margin
    made: list[Floats] = []
    for index in range(first, first + fields):
        rng = np.random.default_rng((seed, index))
        image = (draw or STRUCTURES[kind])(
            Grid((side, side), pixel_um / magnification, 0.0), rng
        ).image
        dark, bright = np.percentile(image, [BACKGROUND_PERCENTILE, BRIGHT_PERCENTILE])
        made.append(relative_brightness(image, float(dark), float(bright)).clip(0))
    stacked = torch.from_numpy(np.stack(made)).float()
    return Structure(kind, magnification, 1, stacked, pixel_um, margin, draw)


def with_width(acquisition: Acquisition, lateral_fwhm_um: float) -> Acquisition:
    """Return an acquisition with the numerical aperture that gives this lateral FWHM, µm.

    Raises
    ------
    ValueError
        No numerical aperture gives this width.
    """
    aperture = psf.numerical_aperture_for(lateral_fwhm_um, acquisition.optics)
    return replace(acquisition, numerical_aperture=aperture)


def photograph(
    model: Structure, relative: Floats, microscope: Microscope, fields: int, seed: int
) -> Floats:
    """Generate new fields like those of a model and record them, one acquisition each.

    Parameters
    ----------
    model
        Its kind, magnification, layers and pixels are taken.
    relative
        (n,) how bright structure is in different places; each field takes one of them.
    microscope
        What records.
    fields, seed
        How many, and from which number all randomness follows.

    Returns
    -------
    ndarray
        (fields, y, x) counts.
    """
    native_um = model.pixel_size_um * SAMPLING
    widest_um = margin_px(microscope, model.pixel_size_um) * model.pixel_size_um / _REACH_FWHM
    structure = generate(
        model.kind, native_um, widest_um, seed, fields, model.magnification, model.draw
    ).layered(model.layers)
    counts: list[Floats] = []
    for index in range(fields):
        rng = np.random.default_rng((seed, index, 1))
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        acquisition = microscope.draw(rng)
        place = float(rng.choice(relative))
        counts.append(structure.record(index, acquisition, microscope, generator, place))
    return np.stack(counts)
