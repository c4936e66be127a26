"""What dataset.toml says of a dataset and of each of its images."""

from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field as CheckedField
from pydantic.dataclasses import dataclass as checked_dataclass

from imaging.files import STRICT, write_toml
from imaging.protocol import SPLITS, Level, Protocol, Split

__all__ = ["FEWEST_PLANES", "SPLITS", "Facts", "ImageFacts", "Split", "write_facts"]

FEWEST_PLANES = 8
"""Of a stack that is restored as a volume: planes at its ends have neighbours on one side alone."""

# From smaller than an atom to a meter: what lies beyond is a slip.
Length = Annotated[float, CheckedField(ge=1e-5, le=1e6, allow_inf_nan=False)]
# Gels do not shrink, and expansion in several rounds reaches about 20.
Expansion = Annotated[float, CheckedField(ge=1, le=30, allow_inf_nan=False)]


@checked_dataclass(frozen=True, config=STRICT)
class ImageFacts:
    """Metadata of one image in dataset.toml.

    Attributes
    ----------
    source
        The specimen or file the image was cut from: the unit of splits and of statistics. Files of
        one recording have one, if none is stated.
    split
        Its part, or none when the dataset is not split.
    microscope
        Every parameter drawn for this image by the simulation, with units in the names.
    level
        Of light, from 1, the least, on: scores are told for each level, too.
    """

    source: str | None = None
    split: Split | None = None
    microscope: dict[str, float | int | str] = field(default_factory=dict[str, float | int | str])
    level: Level | None = None


@checked_dataclass(frozen=True, config=STRICT)
class Facts:
    """Metadata of a dataset in dataset.toml.

    Attributes
    ----------
    pixel_size_um
        Side of a pixel of input/, µm before expansion.
    target_pixel_size_um
        Side of a pixel of target/, where it is not that of input/: training takes targets that are
        2 to 4 times as fine, the benchmark any.
    native_pixel_size_um
        Side of a pixel of native/, µm.
    z_step_um
        Distance of the planes of volumes, in all folders alike, µm before expansion.
    expansion_factor
        By how much target/ was expanded when it was recorded, where its pixel sizes, those of its
        files and `target_pixel_size_um`, are as recorded then: 1 to 30. It shows the field of
        input/ only roughly; `benchmark register` brings it there.
    interpolation
        How native/ was brought to the grid of input/.
    registration
        "exact" when input and target show the same field by construction; "registered" when
        `benchmark register` brought the target to the input.
    registered
        What that found, by file name without suffix; see `benchmark.registration.registration`.
    tolerance_um
        How far the target may lie beside its input, µm; for metrics that forgive so much.
    protocol
        What fixes a comparison on it: see `imaging.protocol.Protocol`.
    provenance
        Command, seed and versions that made the dataset.
    images
        By file name without suffix.
    """

    name: str | None = None
    description: str | None = None
    licence: str | None = None
    pixel_size_um: Length | None = None
    target_pixel_size_um: Length | None = None
    native_pixel_size_um: Length | None = None
    z_step_um: Length | None = None
    expansion_factor: Expansion | None = None
    interpolation: Literal["linear"] | None = None
    registration: Literal["exact", "approximate", "registered"] | None = None
    tolerance_um: Length | None = None
    registered: dict[str, dict[str, float | str]] | None = None
    protocol: Protocol | None = None
    provenance: dict[str, str | int | float] = field(default_factory=dict[str, str | int | float])
    images: dict[str, ImageFacts] = field(default_factory=dict[str, ImageFacts])


def write_facts(path: Path, facts: Facts) -> None:
    """Write the dataset.toml of a dataset's folder; entries of None are left out."""
    write_toml(path / "dataset.toml", asdict(facts, dict_factory=_without_none))


def _without_none(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    return {entry: value for entry, value in entries if value is not None}
