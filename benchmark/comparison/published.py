"""What others have published for a protocol's data, to stand beside what is measured here."""

from dataclasses import dataclass

from imaging.protocol import BIOSR, Protocol

SOURCE = (
    "H. Aetesam, “Enhancing Fluorescence Microscopy Resolution Beyond the Diffraction Limit via "
    "Cascaded Up- and Down-Sampling Networks”, CVIP 2025, "
    "https://aetesamhazique.github.io/SRFM-UpDownSamp/"
)
CAVEAT = (
    "The published table has one column fewer than its header, so that its last column may be "
    "SFSRM's or that of the network which the paper proposes. Which cells, levels of light and "
    "normalisation it is of is not known to be as here: read it as an order of magnitude, not as a "
    "row of this benchmark."
)
_METHODS = ("noisy input", "CARE", "RCAN", "DFCAN", "best reported")


@dataclass(frozen=True)
class Published:
    """One structure of BioSR in the published table, and the figure of the proposed network.

    Attributes
    ----------
    psnr_db
        By method.
    ms_ssim
        By method; of the best reported only.
    rse, rsp, rssim, rolling_frc
        Of the proposed network; the last is how uneven the resolution is, mean over least less 1.
    """

    psnr_db: dict[str, float]
    ms_ssim: dict[str, float]
    rse: float
    rsp: float
    rssim: float
    rolling_frc: float


def _published(ms_ssim: float, psnr_db: tuple[float, ...], *figure: float) -> Published:
    return Published(dict(zip(_METHODS, psnr_db, strict=True)), {_METHODS[-1]: ms_ssim}, *figure)


_OF_BIOSR = {
    "CCPs": _published(0.918, (21.88, 21.59, 26.30, 26.17, 26.47), 0.023, 0.986, 0.929, 0.591),
    "ER": _published(0.822, (14.67, 21.92, 24.03, 25.26, 26.58), 0.031, 0.976, 0.987, 0.964),
    "Microtubules": _published(
        0.808, (18.13, 25.14, 26.81, 26.35, 27.51), 0.027, 0.987, 0.990, 1.207
    ),
    "F-actin": _published(0.851, (17.78, 24.16, 28.64, 28.57, 28.77), 0.013, 0.997, 0.993, 0.599),
}


def find_published(protocol: Protocol | None) -> Published | None:
    """Return what is published of the structure that a dataset states; None for other protocols.

    Examples
    --------
    >>> find_published(None) is None
    True
    """
    if protocol is None or protocol.name != BIOSR or protocol.structure is None:
        return None
    return _OF_BIOSR.get(protocol.structure)
