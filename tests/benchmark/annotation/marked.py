"""An image to mark, and the command, for tests of imports."""

from pathlib import Path
from typing import Any

from benchmark.annotation.annotate import annotate
from imaging import images
from imaging.annotations import Annotations, read_annotations
from tests.small_images import image

PIXELS_UM = {"z": 2.0, "y": 0.2, "x": 0.1}


def imported(folder: Path, dims: str = "zyx", **options: Any) -> Annotations:
    """Return what the command writes of marks in an image of 80 x 50 pixels and 4 planes."""
    sizes = {"c": 2, "z": 4, "y": 50, "x": 80}
    pixels = {dim: size for dim, size in PIXELS_UM.items() if dim in dims}
    file = folder / "image.ome.tif"
    images.write(file, image(dims, tuple(sizes[dim] for dim in dims), pixel_size_um=pixels))
    annotate(file, out=folder / "image.csv", **options)
    return read_annotations(folder / "image.csv", images.read(file, lazy=True))
