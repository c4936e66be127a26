"""What packages and controls made of everything that people marked and drew in a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.objects.fields import Restorations, read_fields
from benchmark.objects.judged import Judged
from benchmark.objects.marked_points import Objects, measure_points
from benchmark.objects.regions import measure_masks
from benchmark.objects.tracing import measure_lines
from benchmark.running.cell import CellFiles
from imaging.benchmark_run import DatasetEntry, PackageEntry


@dataclass(frozen=True)
class Measured:
    """All that is told of a dataset's annotations.

    Attributes
    ----------
    points
        Points beside lines, by kind.
    judged
        Lines by kind, then masks.
    reasons
        Sentences: why something that is annotated says nothing.
    """

    points: list[Objects]
    judged: list[Judged]
    reasons: list[str]


def measure_objects(
    dataset: DatasetEntry, packages: Sequence[PackageEntry], results: CellFiles
) -> Measured:
    """Look at what was annotated in the input and in what packages and controls restored.

    Parameters
    ----------
    dataset, packages
        Of the run.
    results
        Where the restored images are.
    """
    fields, unread = read_fields(dataset)
    shown = Restorations(dataset, packages, results)
    points, no_points = measure_points(fields, shown)
    lines, no_lines = measure_lines(fields, shown)
    masks, no_masks = measure_masks(fields, shown)
    return Measured(points, [*lines, *masks], [*unread, *no_points, *no_lines, *no_masks])
