"""The record of a benchmark run: run.json of a results folder."""

from dataclasses import field
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from imaging.files import FINITE, Sha256
from imaging.protocol import Protocol
from imaging.record import Record
from imaging.remarks import RemarkEntry
from imaging.scores import Delivery, Direction

_Anything = str | int | Annotated[float, Field(allow_inf_nan=True)]
"""What a dataset.toml may state where nothing is computed with it."""


@dataclass(frozen=True, config=FINITE)
class PackageEntry:
    """A package, or a control that stands beside the packages.

    Attributes
    ----------
    name, title
        In tables, and as its author calls it.
    control
        Whether it is a control; it has no file then.
    file, sha256
        The package; empty for a control.
    weights
        Which of its weights ran; empty for a control.
    interval_factors
        Half-widths of its own intervals, in its standard deviations, by nominal coverage.
    delivery
        On which scale it delivers.
    pixel_size_um
        What it was made for, by axis; empty when unknown, and for a control.
    doubt
        Why its weights are hardly trained, where its training says so.
    knows_images
        Whether it says which images it was trained on, to tell others from them.
    """

    name: str
    title: str
    control: bool
    file: str
    sha256: Sha256
    weights: str
    interval_factors: dict[str, float]
    delivery: Delivery
    pixel_size_um: dict[str, float]
    doubt: str = ""
    knows_images: bool = False


@dataclass(frozen=True, config=FINITE)
class ImageEntry:
    """An image that packages restored.

    Attributes
    ----------
    name, source
        Its file name without suffix, and the specimen it shows.
    input, target, repeat, native, displaced, annotations, mask
        Absolute paths; empty where there is none.
    input_sha256, target_sha256, repeat_sha256, displaced_sha256, annotations_sha256, mask_sha256
        Of these files.
    level
        Of light, where the dataset states it.
    unlike
        By package what is strange about the image, where it is unlike those trained on.
    """

    name: str
    source: str
    input: str
    input_sha256: Sha256
    target: str
    target_sha256: Sha256
    repeat: str
    repeat_sha256: Sha256
    native: str = ""
    displaced: str = ""
    displaced_sha256: Sha256 = ""
    annotations: str = ""
    annotations_sha256: Sha256 = ""
    mask: str = ""
    mask_sha256: Sha256 = ""
    unlike: dict[str, str] = field(default_factory=dict[str, str])
    level: int | None = None


@dataclass(frozen=True, config=FINITE)
class DatasetEntry:
    """A dataset on which packages were scored; entries as in its dataset.toml.

    Attributes
    ----------
    path
        Absolute.
    part
        Whether its validation images were used, or all, as it is not split.
    images
        Those that were used.
    """

    name: str
    path: str
    description: str
    licence: str
    pixel_size_um: float | None
    target_pixel_size_um: float | None
    registration: Literal["exact", "approximate", "registered", ""]
    registered: dict[str, dict[str, _Anything]]
    provenance: dict[str, _Anything]
    part: Literal["validation", "all"]
    images: list[ImageEntry]
    expansion_factor: float | None = None
    protocol: Protocol | None = None
    z_step_um: float | None = None


@dataclass(frozen=True, config=FINITE)
class MetricEntry:
    """What must be known of a metric to read its values.

    Attributes
    ----------
    direction
        Where better values lie.
    unit
        "dB" for instance; empty when values have none.
    ideal
        The value of a perfect answer where `direction` is "closest"; otherwise not used.
    """

    direction: Direction
    unit: str = ""
    ideal: float = 0.0

    def better(self, value: float, other: float) -> bool:
        """Tell whether a value is better than another; never where no direction is."""
        if self.direction == "neither":
            return False
        if self.direction == "closest":
            return abs(value - self.ideal) < abs(other - self.ideal)
        return value > other if self.direction == "higher" else value < other


@dataclass(frozen=True, config=FINITE)
class FailedCell:
    """A package that failed on an image, and why."""

    package: str
    dataset: str
    image: str
    reason: str


@dataclass(frozen=True, config=FINITE)
class BenchmarkRun(Record):
    """What was run on what, where, and with which versions.

    Attributes
    ----------
    seed
        Of packages that draw random numbers.
    device, cpu, system
        Name of the GPU, or "CPU"; the processor; operating system and Python.
    versions
        Of the libraries that numbers depend on.
    benchmark_sha256
        Of the source that numbers come from.
    packages, datasets
        What was run on what.
    failures
        Cells without a result.
    metrics
        All that the benchmark knows, by name; empty in files of before they were written down.
    remarks
        What was found in the images; names begin with their dataset's.
    """

    FILE: ClassVar[str] = "run.json"
    SCHEMA: ClassVar[int] = 2
    MADE_BY: ClassVar[str] = "python -m benchmark run"

    seed: int
    device: str
    cpu: str
    system: str
    versions: dict[str, str]
    benchmark_sha256: Sha256
    packages: list[PackageEntry]
    datasets: list[DatasetEntry]
    failures: list[FailedCell] = field(default_factory=list[FailedCell])
    metrics: dict[str, MetricEntry] = field(default_factory=dict[str, MetricEntry])
    remarks: list[RemarkEntry] = field(default_factory=list[RemarkEntry])
