"""What a fit found, as handed to the page that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imaging.remarks import RemarkEntry
from simulation.fitting.classifier import Separability
from simulation.fitting.measurement import Measurement
from simulation.fitting.noise_correlation import Floats, Images


@dataclass(frozen=True)
class FittedEntry:
    """One entry of the microscope and where it comes from.

    Attributes
    ----------
    name
        What it is, in words.
    measured
        Best value and the range that the simulation draws from.
    unit
        Empty for a pure number.
    method
        How it was measured, or that it was not and is the default's.
    remark
        One line that a user should know; may be empty.
    """

    name: str
    measured: Measurement
    unit: str
    method: str
    remark: str = ""


@dataclass(frozen=True)
class PhotonTransfer:
    """Variance of the noise against the mean, and the line drawn through it.

    Attributes
    ----------
    mean_counts, variance_counts2
        (points,) each, of the real images.
    slope_counts, intercept_counts2
        The line: variance = slope · mean + intercept.
    """

    mean_counts: Floats
    variance_counts2: Floats
    slope_counts: float
    intercept_counts2: float


@dataclass(frozen=True)
class FitReport:
    """A finished fit.

    Attributes
    ----------
    title
        What was fitted, such as the name of the folder.
    estimates
        In the order in which they are to be read.
    real, default, fitted
        Images (y, x) or stacks (z, y, x) in counts, on pixels of one size: the real ones, and
        those simulated with the default and the fitted microscope. `before` and `after` refer to
        them by index.
    pixel_size_um
        Side of their pixels.
    photon_transfer
        Of the real images.
    before, after
        How well real images are told from those of the default and of the fitted microscope.
    nearest, distance
        The structure of the fitted images, and how far it is from the real one; see
        `simulation.fitting.width.Candidate`.
    remarks
        What was found in images that changes the fit.
    files
        SHA-256 of every file that was read.
    provenance
        What else is needed to repeat the fit: command, seed, versions.
    """

    title: str
    estimates: tuple[FittedEntry, ...]
    real: Images
    default: Images
    fitted: Images
    pixel_size_um: float
    photon_transfer: PhotonTransfer
    before: Separability
    after: Separability
    nearest: str
    distance: float
    remarks: Sequence[RemarkEntry]
    files: dict[Path, str]
    provenance: dict[str, str]
