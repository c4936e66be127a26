"""The microscope of the trust tests: one in the middle of its ranges, at several levels of light.

What would move the truth or hide how much light there was is switched off, so that a place in
micrometres and a number of photons mean what they say.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from imaging.cli import UserError
from imaging.files import first_fault, read_toml
from simulation.microscope import Microscope, read_microscope, to_toml

_TYPICAL: dict[str, Any] = {
    "modality": "two-photon",
    "wavelength_um": 0.92,
    "numerical_aperture": (0.96, 0.96),  # a PSF of 0.376 µm, full width at half maximum
    "aperture_filling": (2.0, 2.0),
    "depth_um": (0.0, 0.0),
    "background_photons": (1.0, 1.0),
    "background_variation": (0.0, 0.0),
    "excess_noise_factor": (1.35, 1.35),
    "gain_counts_per_photon": (50.0, 50.0),
    "offset_counts": (200.0, 200.0),
    "read_noise_counts": (5.0, 5.0),
}
_EXACT: dict[str, Any] = {
    "labels_per_um2": (float("inf"), float("inf")),
    "expansion_error": (0.0, 0.0),
    "scattering_length_um": (float("inf"), float("inf")),
    "vignetting": (0.0, 0.0),
    "bleaching": (0.0, 0.0),
    "line_jitter_um": (0.0, 0.0),
    "breathing_um": (0.0, 0.0),
    "drift_um": (0.0, 0.0),
}
STANDARD = Microscope(**_TYPICAL, **_EXACT)
"""A two-photon microscope in vivo, of those that `training simulate` has by default."""


def middle_of(path: Path | None) -> Microscope:
    """Return one microscope out of a file of ranges, as `training fit` writes it.

    Its ranges are shrunk to their middle, with nothing that moves or dims the truth; entries that
    the file leaves out are those of `STANDARD`, and photons are still to be said.

    Raises
    ------
    UserError
        No TOML file, or an unknown or unphysical entry.
    """
    if path is None:
        return STANDARD
    ranges = read_microscope(path)
    stated = read_toml(path, dict[str, Any])  # which entries are the file's, and no defaults
    middle = {name: _middle(getattr(ranges, name)) for name in stated}
    return _with(STANDARD, **middle | _EXACT)


def with_photons(microscope: Microscope, photons: float) -> Microscope:
    """Return a microscope at a level of light: photons in a pixel of bright structure."""
    return _with(microscope, photons=(photons, photons))


def noisier(microscope: Microscope, factor: float) -> Microscope:
    """Return a microscope whose noise is `factor` times as large beside the signal.

    Noise of photons falls as the root of their number: structure and background are exposed for
    1/factor² of the time.
    """
    exposed = {
        name: tuple(photons / factor**2 for photons in getattr(microscope, name))
        for name in ("photons", "background_photons")
    }
    return _with(microscope, **exposed)


def blurrier(microscope: Microscope, factor: float) -> Microscope:
    """Return a microscope whose PSF is `factor` times as wide, as light of such a wavelength is."""
    return _with(microscope, wavelength_um=microscope.wavelength_um * factor)


def entries(microscope: Microscope) -> dict[str, object]:
    """Return what the file of a microscope says: what the tests choose, and what is no default."""
    values, default = to_toml(microscope), to_toml(Microscope())
    chosen = [*_TYPICAL, *_EXACT, "photons"]
    others = [name for name in values if values[name] != default.get(name)]
    return {name: values[name] for name in dict.fromkeys(chosen + others)}


def _with(microscope: Microscope, **changes: Any) -> Microscope:
    """Change entries of a microscope; UserError where no light behaves so."""
    try:
        return replace(microscope, **changes)
    except ValidationError as error:
        raise UserError(
            f"The trust tests need a microscope that cannot be: {first_fault(error)}; give another "
            "--microscope or other --photons."
        ) from error


def _middle(value: Any) -> Any:
    """Shrink a range to its middle, and leave what is no range."""
    if not isinstance(value, tuple):
        return value
    low, high = value
    return ((low + high) / 2, (low + high) / 2)
