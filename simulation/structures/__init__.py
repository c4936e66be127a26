"""Structures to train on and phantoms to test with: seeded, in images and volumes.

Each is a function of one form, `Structure`.
"""

from simulation.structures.cells import cells, microtubes
from simulation.structures.dendrites import dendrites
from simulation.structures.filaments import nets, tubes
from simulation.structures.granules import granules, points
from simulation.structures.grid import (
    PLANE_DISTANCE_UM,
    TARGET_FWHM_UM,
    Geometry,
    Grid,
    Specimen,
    Structure,
    seen_from,
)
from simulation.structures.phantoms import (
    axial_pairs,
    crossings,
    depth_crossings,
    empty,
    gaps,
    point_pairs,
    spines,
    tube_pairs,
)
from simulation.structures.sheets import sheets

__all__ = [
    "PHANTOMS",
    "PLANE_DISTANCE_UM",
    "STRUCTURES",
    "TARGET_FWHM_UM",
    "Geometry",
    "Grid",
    "Specimen",
    "Structure",
    "seen_from",
]

STRUCTURES: dict[str, Structure] = {
    "cells": cells,
    "microtubes": microtubes,
    "tubes": tubes,
    "granules": granules,
    "sheets": sheets,
    "nets": nets,
    "dendrites": dendrites,
    "points": points,
}
"""What to train on; 1 is about the brightness of a bright structure."""

PHANTOMS: dict[str, Structure] = {
    "point-pairs": point_pairs,
    "tube-pairs": tube_pairs,
    "gaps": gaps,
    "crossings": crossings,
    "spines": spines,
    "empty": empty,
    "axial-pairs": axial_pairs,
    "depth-crossings": depth_crossings,
}
"""What to test with; 1 is exactly the peak of an object alone."""
