"""A microscope as ranges of what may happen in it, and one acquisition drawn from these."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import torch
from pydantic import AfterValidator
from pydantic import Field as CheckedField
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor

from imaging.files import STRICT, read_toml
from simulation.psf import Modality, Optics
from simulation.structures import TARGET_FWHM_UM

__all__ = ["Acquisition", "Microscope", "read_microscope"]

Value: TypeAlias = float | Tensor
Range: TypeAlias = tuple[float, float]


def _in_order(ends: Range) -> Range:
    if ends[0] > ends[1]:
        raise ValueError(f"the range ends at {ends[1]:g}, below its begin {ends[0]:g}")
    if math.isinf(ends[1]) and ends[0] < ends[1]:
        raise ValueError("a range is infinite at both ends or at none")
    return ends


_Positive = Annotated[float, CheckedField(gt=0, allow_inf_nan=False)]
_FromZero = Annotated[float, CheckedField(ge=0, allow_inf_nan=False)]
_Fraction = Annotated[float, CheckedField(ge=0, lt=1)]
_Factor = Annotated[float, CheckedField(ge=1, allow_inf_nan=False)]
_Above = Annotated[float, CheckedField(gt=0)]  # infinity is a length or a density like others
_Step = Annotated[float, CheckedField(ge=0.05, le=20)]  # finer ones show nothing more
_Count = Annotated[int, CheckedField(ge=1, le=64)]

PositiveRange = Annotated[tuple[_Positive, _Positive], AfterValidator(_in_order)]
NotNegativeRange = Annotated[tuple[_FromZero, _FromZero], AfterValidator(_in_order)]
FractionRange = Annotated[tuple[_Fraction, _Fraction], AfterValidator(_in_order)]
FactorRange = Annotated[tuple[_Factor, _Factor], AfterValidator(_in_order)]
UnboundedRange = Annotated[tuple[_Above, _Above], AfterValidator(_in_order)]
_Aperture = Annotated[float, CheckedField(ge=0.05, allow_inf_nan=False)]
ApertureRange = Annotated[tuple[_Aperture, _Aperture], AfterValidator(_in_order)]
_Error = Annotated[float, CheckedField(gt=-0.5, lt=0.5)]
ErrorRange = Annotated[tuple[_Error, _Error], AfterValidator(_in_order)]


@checked_dataclass(frozen=True, config=STRICT)
class Microscope:
    """What the images of one microscope have in common: the ends of what may be drawn.

    The defaults are a two-photon microscope in vivo: an NA of 0.7 to 1.05 in effect, some 100 µm
    of tissue above the focus, a photomultiplier, few photons.

    Attributes
    ----------
    modality
        What makes the PSF; see `simulation.psf.Optics`.
    wavelength_um
        Of the light that excites (two-photon, confocal) or is emitted (wide-field).
    refractive_index, tissue_refractive_index
        Of the immersion and, as far as the light must go through it, of the tissue.
    numerical_aperture, aperture_filling
        The latter is the radius of the beam over that of the back aperture.
    depth_um
        Of the focus in the tissue: it aberrates and attenuates. In a stack that of the first
        plane; those after it lie deeper.
    scattering_length_um
        Two-photon signal falls as exp(−2 depth / length); infinite where nothing scatters.
    labels_per_um2
        Fluorophores per µm² at brightness 1.
    expansion_error
        By how much the specimen expanded more than was assumed, relative.
    background_photons, background_variation, background_length_um
        Mean number per native pixel without structure, the standard deviation of its logarithm
        over the field, and the length over which it varies.
    vignetting, bleaching
        Fraction of the light lost in the corners, and lost before the image was taken.
    line_jitter_um, breathing_um, breathing_period_lines, drift_um
        Standard deviation of the place of each line, amplitude and period of a sinusoid, and
        displacement from the first line to the last, of an image or of a stack.
    photons
        Number that a native pixel of the recorded image's bright structure detects, above
        background and before attenuation and bleaching. Bright is what percentile 99.8 is of the
        image without noise, so that it can be measured on images of any structure.
    excess_noise_factor
        Variance of the photomultiplier's signal over that of the photons.
    gain_counts_per_photon, offset_counts, read_noise_counts
        What the electronics make of the signal; the read noise is a standard deviation.
    averaged_lines
        Read-outs averaged in each line.
    saturation_counts
        The largest number that the converter writes.
    pixel_size_um
        Side of a native pixel; where it is not known, `sampling` pixels of the target.
    sampling
        Pixels of the target along a native pixel, where `pixel_size_um` does not tell.
    z_step_um
        Distance of the planes of a stack; without effect on single planes.
    provenance
        How a fitted microscope came about.
    """

    modality: Modality = "two-photon"
    wavelength_um: _Positive = 0.92
    refractive_index: _Factor = 1.33
    tissue_refractive_index: _Factor = 1.36
    numerical_aperture: ApertureRange = (0.7, 1.05)
    aperture_filling: UnboundedRange = (1.0, 2.0)
    depth_um: NotNegativeRange = (0.0, 100.0)
    scattering_length_um: UnboundedRange = (150.0, 250.0)
    labels_per_um2: UnboundedRange = (1000.0, 10000.0)
    expansion_error: ErrorRange = (-0.05, 0.05)
    background_photons: PositiveRange = (0.2, 2.0)
    background_variation: NotNegativeRange = (0.0, 0.4)
    background_length_um: PositiveRange = (5.0, 20.0)
    vignetting: FractionRange = (0.0, 0.2)
    bleaching: FractionRange = (0.0, 0.2)
    line_jitter_um: NotNegativeRange = (0.0, 0.03)
    breathing_um: NotNegativeRange = (0.0, 0.04)
    breathing_period_lines: PositiveRange = (50.0, 500.0)
    drift_um: NotNegativeRange = (0.0, 0.04)
    photons: PositiveRange = (20.0, 200.0)
    excess_noise_factor: FactorRange = (1.2, 1.5)
    gain_counts_per_photon: PositiveRange = (20.0, 100.0)
    offset_counts: NotNegativeRange = (100.0, 500.0)
    read_noise_counts: NotNegativeRange = (2.0, 15.0)
    averaged_lines: _Count = 1
    saturation_counts: _Positive = 65535.0
    pixel_size_um: _Positive | None = None
    sampling: _Count = 4
    z_step_um: _Step = 0.5
    target_fwhm_um: _FromZero = TARGET_FWHM_UM
    provenance: dict[str, str | int | float] = field(default_factory=dict[str, str | int | float])

    def __post_init__(self) -> None:
        lowest_index = min(self.refractive_index, self.tissue_refractive_index)
        if self.numerical_aperture[1] >= lowest_index:
            raise ValueError(
                f"a numerical_aperture of {self.numerical_aperture[1]:g} needs a higher "
                f"refractive_index and tissue_refractive_index than {lowest_index:g}"
            )
        # No PSF of any modality is as narrow as this.
        if self.target_fwhm_um >= self.wavelength_um / self.numerical_aperture[1] / 4:
            raise ValueError(
                f"a target_fwhm_um of {self.target_fwhm_um:g} is as wide as the PSF, so that there "
                "is nothing to restore"
            )
        if self.offset_counts[1] >= self.saturation_counts:
            raise ValueError("offset_counts lie above saturation_counts")

    def draw(self, rng: np.random.Generator) -> "Acquisition":
        """Draw one acquisition.

        Parameters
        ----------
        rng
            Source of all randomness.

        Returns
        -------
        Acquisition
            Rates and densities log-uniform in their range, the rest uniform.
        """
        return self._at(lambda: float(rng.random()))

    def typical(self) -> "Acquisition":
        """Return the acquisition in the middle of all ranges."""
        return self._at(lambda: 0.5)

    def sharpest(self) -> "Acquisition":
        """Return the typical acquisition but for its PSF, which is the narrowest possible."""
        return replace(
            self.typical(),
            numerical_aperture=self.numerical_aperture[1],
            aperture_filling=self.aperture_filling[1],
            depth_um=self.depth_um[0],
            expansion_error=self.expansion_error[0],
        )

    def most_blurred(self) -> "Acquisition":
        """Return the typical acquisition but for its PSF, which is the widest possible."""
        return replace(
            self.typical(),
            numerical_aperture=self.numerical_aperture[0],
            aperture_filling=self.aperture_filling[0],
            depth_um=self.depth_um[1],
            expansion_error=self.expansion_error[1],
        )

    def _at(self, place: Callable[[], float]) -> "Acquisition":
        """Return the acquisition whose values lie at some places (0 to 1) in their ranges."""
        drawn: dict[str, float] = {}
        for name in _DRAWN:
            low, high = getattr(self, name)
            share = place()
            if low == high:  # infinity included
                drawn[name] = low
            elif name in _LOGARITHMIC:
                drawn[name] = low * (high / low) ** share
            else:
                drawn[name] = low + (high - low) * share
        return Acquisition(
            modality=self.modality,
            wavelength_um=self.wavelength_um,
            refractive_index=self.refractive_index,
            tissue_refractive_index=self.tissue_refractive_index,
            target_fwhm_um=self.target_fwhm_um,
            averaged_lines=self.averaged_lines,
            saturation_counts=self.saturation_counts,
            **drawn,
        )


_DRAWN = (
    "numerical_aperture", "aperture_filling", "depth_um", "scattering_length_um",
    "labels_per_um2", "expansion_error", "background_photons", "background_variation",
    "background_length_um", "vignetting", "bleaching", "line_jitter_um", "breathing_um",
    "breathing_period_lines", "drift_um", "photons", "excess_noise_factor",
    "gain_counts_per_photon", "offset_counts", "read_noise_counts",
)  # fmt: skip
_LOGARITHMIC = (
    "scattering_length_um", "labels_per_um2", "background_photons", "photons",
    "gain_counts_per_photon",
)  # fmt: skip


@dataclass(frozen=True)
class Acquisition:
    """What happened in one image; see `Microscope` for what the values mean.

    Values are numbers, or tensors (batch, 1, 1) where several images are recorded at once.
    """

    modality: Modality
    wavelength_um: float
    refractive_index: float
    tissue_refractive_index: float
    target_fwhm_um: float
    averaged_lines: int
    saturation_counts: float
    numerical_aperture: Value
    aperture_filling: Value
    depth_um: Value
    scattering_length_um: Value
    labels_per_um2: Value
    expansion_error: Value
    background_photons: Value
    background_variation: Value
    background_length_um: Value
    vignetting: Value
    bleaching: Value
    line_jitter_um: Value
    breathing_um: Value
    breathing_period_lines: Value
    drift_um: Value
    photons: Value
    excess_noise_factor: Value
    gain_counts_per_photon: Value
    offset_counts: Value
    read_noise_counts: Value

    @property
    def optics(self) -> Optics:
        """What makes the PSF; parameters of shape (batch,) where there are several images."""

        def flat(value: Value) -> Value:
            return value.flatten() if isinstance(value, Tensor) else value

        return Optics(
            modality=self.modality,
            numerical_aperture=flat(self.numerical_aperture),
            wavelength_um=self.wavelength_um,
            refractive_index=self.refractive_index,
            aperture_filling=flat(self.aperture_filling),
            tissue_refractive_index=self.tissue_refractive_index,
            depth_um=flat(self.depth_um),
        )


def stack(acquisitions: list[Acquisition], like: Tensor) -> Acquisition:
    """Gather acquisitions of one microscope, to record a batch at once.

    Parameters
    ----------
    acquisitions
        One of each image.
    like
        Tensor whose type and device are taken.

    Returns
    -------
    Acquisition
        With tensors (batch, 1, 1).
    """
    gathered: dict[str, Any] = {
        name: torch.tensor(
            [getattr(one, name) for one in acquisitions], dtype=like.dtype, device=like.device
        ).view(-1, 1, 1)
        for name in _DRAWN
    }
    return replace(acquisitions[0], **gathered)


def read_microscope(path: Path) -> Microscope:
    """Read a microscope, as `training fit` writes it.

    Parameters
    ----------
    path
        TOML file with entries named as `Microscope` names them.

    Returns
    -------
    Microscope
        Entries that the file leaves out are the defaults.

    Raises
    ------
    UserError
        No such file, no TOML, or an unknown or unphysical entry.
    """
    return read_toml(path, Microscope)


def to_toml(microscope: Microscope) -> dict[str, object]:
    """Return a microscope as it stands in a TOML file: ranges as lists, nothing unknown."""
    entries = {name: value for name, value in asdict(microscope).items() if value is not None}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in entries.items()}
