"""The words of scores: columns, names and kinds that those who write and who read them share."""

from typing import Literal

PLACE = ("package", "dataset", "image")
COLUMNS = (*PLACE, "metric", "value")
"""Of the table of scores."""
REASON_COLUMNS = (*PLACE, "metric", "reason")
"""Of the table of what has no score."""
PLANE_COLUMNS = (*PLACE, "metric", "plane", "depth_um", "value")
"""Of the table of scores by plane of volumes, from plane 0 at depth 0; the depth may be unknown."""

SECONDS = "seconds_per_megapixel"
MEMORY = "peak_mib"
COSTS = (SECONDS, MEMORY)
"""Metrics of what a restoration takes; all others are of what it is worth."""

INPUT = "input"
"""The control that restores nothing."""
SAMPLE_SUFFIX = " (sample)"
"""Behind the name of a package: the row of its single sample."""

Direction = Literal["higher", "lower", "closest", "neither"]
"""Whether higher or lower values are better, or those closest to an ideal, or neither."""

Delivery = Literal["planes", "volumes", "image", "part", "own"]
"""On which scale is delivered: percentiles 2 and 99.8 at 0 and 1, of the whole image, of the part
of it that is scored (controls), or, in older files, of each plane or volume; or any other."""
