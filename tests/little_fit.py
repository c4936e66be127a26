"""Fits of microscopes in a few seconds: on few, small fields."""

import pytest

from simulation.fitting import brightness, classifier, command
from simulation.fitting import fit as fitting
from simulation.fitting import noise_free as structures
from simulation.fitting import width as widths


def make_fits_little(patch: pytest.MonkeyPatch) -> None:
    """Look at few, small fields, and search coarsely."""
    patch.setattr(command, "_FIELDS", {"default": 8, "fitted": 8})
    patch.setattr(fitting, "_RESAMPLINGS", 2)
    patch.setattr(structures, "_SIDE_PX", 64)
    patch.setattr(brightness, "_LEVELS", 6)
    patch.setattr(widths, "_FIELDS", 4)
    patch.setattr(widths, "_STEPS", 5)
    patch.setattr(widths, "_FINE_STEPS", 15)
    patch.setattr(command, "_DEFAULT_STRUCTURE", "points")
    patch.setattr(classifier, "_TREES", 10)
