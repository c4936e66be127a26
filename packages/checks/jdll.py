"""What JDLL, which runs models in deepImageJ and Icy, makes of a description.

Its Java of 2026-07-01 (commit 98d3be21) said in Python; each docstring names the class it follows.
It reads rdf.yaml as it stands, so these are functions of that, and not of what the spec makes of
it. Descriptions of format 0.4 are read by other classes, and not judged here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Content = dict[str, Any]

VERSION = "deepImageJ (JDLL of 2026-07-01)"
LENGTHS = (100, 256, 300, 500, 1024, 2048)
"""Sides of images that people have."""
LARGEST_TILE = 3
"""Times the image: mirrored beyond its edges, there is no more of it."""
NOT_KNOWN = {"softmax", "scale_mean_variance", "custom"}
"""Processing that it has not."""


@dataclass(frozen=True)
class TiledAxis:
    """An axis of an output whose size follows from an axis of the input, as AxisV05 reads them.

    Attributes
    ----------
    name
        Id of the input's axis.
    minimum, step
        Of the input's size; a step of 0 is a fixed size.
    scale, offset, halo
        Of the output.
    factor
        What the network multiplies sizes by, which is the scale of the input's axis by that of the
        output's in the format, and which JDLL takes `scale` for.
    """

    name: str
    minimum: int
    step: int
    scale: float = 1.0
    offset: float = 0.0
    halo: int = 0
    factor: float = 1.0

    @property
    def input_halo(self) -> int:
        """Halo of the input (ModelDescriptorV05.calculateTotalInputHalo)."""
        return int((self.halo + self.offset) / self.scale)

    def output_length(self, length: int) -> int:
        """Return the output's length that JDLL expects (TileMaker.getOutputTiles)."""
        return int(length * self.scale + 2 * self.offset)


def tile(length: int, axis: TiledAxis) -> int:
    """Return the length of tiles for an image (TileCalculator.getOptimalTileSize).

    Parameters
    ----------
    length
        Of the image along the axis.
    axis
        The axis.

    Returns
    -------
    int
        The whole image and its halo, if the sizes allow, for there is no upper limit.
    """
    if axis.step == 0:
        return axis.minimum
    # Java divides whole numbers by whole numbers before it rounds up.
    found = (length + 2 * axis.input_halo) // axis.step * axis.step
    if found > LARGEST_TILE * length and found - axis.step >= axis.minimum:
        found -= axis.step
    without_halo = math.ceil(length / axis.step) * axis.step
    if found > LARGEST_TILE * length and without_halo >= axis.minimum:
        found = without_halo
    return found


def too_small(length: int, axis: TiledAxis) -> bool:
    """Tell whether an image is refused as too small (TileMaker.validateTileVsImageSize).

    Parameters
    ----------
    length
        Of the image along the axis.
    axis
        The axis.

    Returns
    -------
    bool
        Whether a tile would need more than the image mirrored once on both sides.
    """
    return tile(length, axis) > LARGEST_TILE * length


def cannot_tile(length: int, axis: TiledAxis) -> str | None:
    """Say why an image large enough is refused (TileMaker.validateStepMin, validateTileVsHalo).

    Parameters
    ----------
    length
        Of the image along the axis.
    axis
        The axis.

    Returns
    -------
    str or None
        A clause with what to change.
    """
    size = tile(length, axis)
    if axis.step and (size - axis.minimum) % axis.step:
        return (
            f"its tiles of {size} pixels along {axis.name} are not {axis.minimum} + n * "
            f"{axis.step}: make min a multiple of step"
        )
    if axis.output_length(size) <= 2 * axis.halo:
        return (
            f"nothing is left of its tiles of {size} pixels along {axis.name} when the halo of "
            f"{axis.halo} is cropped: make min at least 2 * halo + step"
        )
    return None


def tiled_axes(content: Content) -> Iterator[TiledAxis]:
    """Yield the axes of all outputs that follow an axis of an input.

    Parameters
    ----------
    content
        Of rdf.yaml.

    Yields
    ------
    TiledAxis
        Of sizes that are neither data-dependent nor fixed.
    """
    inputs = {
        (tensor.get("id", "input"), axis.get("id")): axis
        for tensor in content["inputs"]
        for axis in tensor["axes"]
    }
    for tensor in content["outputs"]:
        for axis in tensor["axes"]:
            size = axis.get("size")
            if not isinstance(size, dict) or (before := inputs.get(_reference(size))) is None:
                continue
            minimum, step = _sizes(before["size"])
            scale = float(axis.get("scale", 1))
            yield TiledAxis(
                name=str(before.get("id")),
                minimum=minimum,
                step=step,
                scale=scale,
                offset=float(size.get("offset", 0)),
                halo=int(axis.get("halo", 0)),
                factor=float(before.get("scale", 1)) / scale,
            )


def lacks_id(content: Content) -> list[str]:
    """Name the lack of an id, without which reading stops (ModelDescriptorV05.findID).

    Parameters
    ----------
    content
        Of rdf.yaml.

    Returns
    -------
    list of str
        Clauses; none where there is an id.
    """
    card = (content.get("config") or {}).get("bioimageio") or {}
    return [] if content.get("id") or card.get("nickname") else ["cannot read it: give it an id"]


def misread_axes(content: Content) -> list[str]:
    """Name axes that it takes for others (AxesV05 joins their ids to a word, AxisSize).

    Parameters
    ----------
    content
        Of rdf.yaml.

    Returns
    -------
    list of str
        Clauses.
    """
    long = [
        f"reads each letter of '{axis.get('id')}' of '{tensor.get('id')}' as an axis: "
        "call it by one letter"
        for tensor in (*content["inputs"], *content["outputs"])
        for axis in tensor["axes"]
        if axis["type"] not in ("batch", "channel") and len(str(axis.get("id"))) > 1
    ]
    referring = [
        f"takes '{axis.get('id')}' of '{tensor.get('id')}', whose size refers to "
        "another, for one pixel: state its min and step"
        for tensor in content["inputs"]
        for axis in tensor["axes"]
        if isinstance(size := axis.get("size"), dict) and "min" not in size
    ]
    return long + referring


def physical_scales(content: Content) -> list[str]:
    """Name pixel sizes that it takes for resize factors (TileMaker.getOutputTiles).

    Parameters
    ----------
    content
        Of rdf.yaml.

    Returns
    -------
    list of str
        A clause, or none.
    """
    scales = {a.name: a.scale for a in tiled_axes(content) if a.factor == 1 and a.scale != 1}
    named = ", ".join(f"{name} {scale:g}" for name, scale in scales.items())
    advice = "leave unit and scale off the axes, and keep the pixel size in config"
    return [f"resizes by the scale of the output's axes ({named}): {advice}"] if scales else []


def other_sizes(content: Content) -> list[str]:
    """Name networks that change sizes otherwise than it reads the description.

    In the format the factor is the input's scale by the output's, here the output's alone; and an
    offset is added on both sides here, in the format once.

    Parameters
    ----------
    content
        Of rdf.yaml.

    Returns
    -------
    list of str
        Clauses.
    """
    resized = [a for a in tiled_axes(content) if a.factor != 1 and not _understood(a)]
    wrong = [
        f"resizes {axis.name} by {axis.scale:g}, the network by {axis.factor:g}: a scale of "
        f"{axis.factor**2:g} for the input and {axis.factor:g} for the output says so to both"
        for axis in resized
    ]
    wrong += [f"adds the offset along {a.name} twice" for a in tiled_axes(content) if a.offset]
    return list(dict.fromkeys(wrong))


def untiled_images(content: Content) -> list[str]:
    """Name what keeps it from tiling the images that people have.

    Parameters
    ----------
    content
        Of rdf.yaml.

    Returns
    -------
    list of str
        Clauses, each once.
    """
    found = (
        cannot_tile(length, axis)
        for axis in _judged(content)
        for length in LENGTHS
        if not too_small(length, axis)
    )
    return list(dict.fromkeys(reason for reason in found if reason))


def refused_images(content: Content) -> list[str]:
    """Name images of usual sizes that it refuses as too small.

    Parameters
    ----------
    content
        Of rdf.yaml.

    Returns
    -------
    list of str
        A clause, or none.
    """
    axes = list(_judged(content))
    small = [n for n in LENGTHS if any(too_small(n, axis) for axis in axes)]
    return [f"refuses images of {max(small)} pixels and less as too small"] if small else []


def _judged(content: Content) -> Iterator[TiledAxis]:
    """Yield the axes of images that it understands: for others no tile is right."""
    for axis in tiled_axes(content):
        if axis.name in "yx" and _understood(axis) and not axis.offset:
            yield axis


def _understood(axis: TiledAxis) -> bool:
    return math.isclose(axis.scale, axis.factor)


def _reference(size: Content) -> tuple[Any, Any]:
    return size.get("tensor_id"), size.get("axis_id")


def _sizes(size: Any) -> tuple[int, int]:
    """Return minimum and step as AxisSize reads them: 1 and 0 of what it does not know."""
    if isinstance(size, dict):
        return int(size.get("min", 1)), int(size.get("step", 0))
    return int(size), 0
