"""The microscope of the trust tests: one in the middle of its ranges, at several levels of light.

What would move the truth or hide how much light there was is switched off, so that a place in
micrometres and a number of photons mean what they say. Entries are those of the files that
``python -m training simulate --microscope FILE`` reads.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packages.files import read_toml

Microscope = dict[str, Any]

STANDARD: Microscope = {
    "modality": "two-photon",
    "wavelength_um": 0.92,
    "numerical_aperture": [0.96, 0.96],  # a PSF of 0.376 µm, full width at half maximum
    "aperture_filling": [2.0, 2.0],
    "depth_um": [0.0, 0.0],
    "background_photons": [1.0, 1.0],
    "background_variation": [0.0, 0.0],
    "excess_noise_factor": [1.35, 1.35],
    "gain_counts_per_photon": [50.0, 50.0],
    "offset_counts": [200.0, 200.0],
    "read_noise_counts": [5.0, 5.0],
}
"""A two-photon microscope in vivo, of those that `training simulate` has by default."""

_EXACT: Microscope = {
    "labels_per_um2": [float("inf")] * 2,
    "expansion_error": [0.0, 0.0],
    "scattering_length_um": [float("inf")] * 2,
    "vignetting": [0.0, 0.0],
    "bleaching": [0.0, 0.0],
    "line_jitter_um": [0.0, 0.0],
    "breathing_um": [0.0, 0.0],
    "drift_um": [0.0, 0.0],
}


def middle_of(path: Path | None) -> Microscope:
    """Return one microscope out of a file of ranges.

    Parameters
    ----------
    path
        As `training fit` writes it; `STANDARD` without it.

    Returns
    -------
    dict
        Its ranges shrunk to their middle, with nothing that moves or dims the truth; photons are
        still to be said.

    Raises
    ------
    UserError
        No TOML file.
    """
    given: Microscope = read_toml(path, dict[str, Any]) if path else {}
    return STANDARD | {name: _middle(value) for name, value in given.items()} | _EXACT


def with_photons(microscope: Microscope, photons: float) -> Microscope:
    """Return a microscope at a level of light: photons in a pixel of bright structure."""
    return microscope | {"photons": [photons, photons]}


def noisier(microscope: Microscope, factor: float) -> Microscope:
    """Return a microscope whose noise is `factor` times as large beside the signal.

    Noise of photons falls as the root of their number: structure and background are exposed for
    1/factor² of the time.
    """
    exposed = {
        name: [photons / factor**2 for photons in microscope[name]]
        for name in ("photons", "background_photons")
    }
    return microscope | exposed


def blurrier(microscope: Microscope, factor: float) -> Microscope:
    """Return a microscope whose PSF is `factor` times as wide, as light of such a wavelength is."""
    return microscope | {"wavelength_um": microscope["wavelength_um"] * factor}


def _middle(value: Any) -> Any:
    """Shrink a range to its middle, and leave what is no range."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    low, high = value
    return [(low + high) / 2] * 2
