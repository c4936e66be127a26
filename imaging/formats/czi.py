"""Zeiss CZI, through the library of its maker; scenes are images of their own."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from imaging.cli import UserError
from imaging.formats.czi_times import interval_s
from imaging.formats.header import Header, Readable, pixel_sizes, refuse_absurd
from imaging.formats.microscopes import (
    DIMS,
    StackReader,
    Stackwise,
    absent_planes,
    colour_picture,
    names_of,
    unknown_axes,
)
from imaging.formats.several import Held, choose_alike
from imaging.formats.several import scenes as scene_names

_DTYPES = {"Gray8": "uint8", "Gray16": "uint16", "Gray32Float": "float32"}


def read(library: Any, path: Path, choice: str | None) -> tuple[Header, Readable]:
    """Read the header of a CZI file (see `imaging.formats.microscopes.Microscope`)."""
    with library.open_czi(str(path)) as file:
        box = file.total_bounding_box_no_pyramid
        sizes = {axis: end - first for axis, (first, end) in box.items()}
        if any(length > 1 for axis, length in sizes.items() if axis not in "TCZYX"):
            raise unknown_axes(path, sizes)
        refuse_absurd(path, math.prod(sizes.values()))  # before the channels are looked at
        dtypes = [_dtype(path, kind) for _, kind in sorted(file.pixel_types.items())]
        # A file without scenes has one field, which its library calls None.
        fields = dict(sorted(file.scenes_bounding_rectangle_no_pyramid.items()))
        fields = fields or {None: file.total_bounding_rectangle_no_pyramid}
        xml = file.raw_metadata
        root = ElementTree.fromstring(xml) if xml else ElementTree.Element("none")
        called = {
            scene.get("Index"): scene.get("Name", "").strip()
            for scene in root.iterfind("Metadata/Information/Image/Dimensions/S/Scenes/Scene")
            if scene.get("Name", "").strip()
        }
        held = [
            Held(
                "" if scene is None else called.get(str(scene), f"scene {scene + 1}"),
                {**{axis: sizes[axis] for axis in "TCZ"}, "Y": field.h, "X": field.w},
                np.result_type(*dtypes),
            )
            for scene, field in fields.items()
        ]
        chosen, of_choice = choose_alike(path, held, choice)
        scenes = [list(fields)[at] for at in chosen]
        stored = _planes_stored(file, scenes)
        described, of_sizes, names = _described(root)
    times, channels, depths, height, width = held[chosen[0]].sizes.values()
    shape = (len(scenes) * times, channels, depths, height, width)
    doubts = absent_planes(stored, len(scenes) * times * channels * depths)

    @contextmanager
    def opened() -> Generator[StackReader]:
        with library.open_czi(str(path)) as file:

            def read_stack(
                b: int, c: int, planes: slice, rows: slice, columns: slice
            ) -> NDArray[Any]:
                at, time = divmod(b, times)
                field = fields[scenes[at]]
                ys, xs = range(field.h)[rows], range(field.w)[columns]
                roi = (field.x + xs[0], field.y + ys[0], xs[-1] - xs[0] + 1, ys[-1] - ys[0] + 1)
                places = ({"T": time, "C": c, "Z": z} for z in range(depths)[planes])
                read = [file.read(roi=roi, plane=place, scene=scenes[at]) for place in places]
                return np.stack(read)[:, :: ys.step, :: xs.step, 0]

            yield read_stack

    remarks = (*of_choice, *of_sizes, *doubts)
    dtype = held[0].dtype
    header = Header(
        DIMS,
        shape,
        dtype,
        described,
        names_of(names, channels),
        remarks,
        interval_s=interval_s(path, root, times),
        scenes=scene_names([one.name for one in held], chosen),
    )
    return header, Stackwise(shape, dtype, opened)


def _dtype(path: Path, kind: str) -> np.dtype[Any]:
    if kind.startswith("Bgr"):
        raise colour_picture(path)
    if kind not in _DTYPES:
        raise UserError(f"{path}: pixels of type {kind} cannot be handled; export it as OME-TIFF.")
    return np.dtype(_DTYPES[kind])


def _planes_stored(file: Any, scenes: list[int | None]) -> int:
    """Count the planes of scenes of which the file has at least a tile, in full resolution."""
    planes = set[tuple[Any, ...]]()

    def take_down(_index: int, tile: Any) -> bool:
        place = tile.coordinate.to_dict()
        if place.get("S") in scenes or scenes == [None]:
            planes.add(tuple(place.get(axis, 0) for axis in "STCZ"))
        return True

    file.enumerate_subblocks_subset(take_down, only_layer0=True)
    return len(planes)


def _described(root: Any) -> tuple[dict[str, float], tuple[Any, ...], list[str | None]]:
    """Read pixel sizes, remarks on them, and names of channels; lengths are in metres."""
    lengths = [
        (str(item.get("Id")).lower(), item.findtext("Value", "0"), "m")
        for item in root.iterfind("Metadata/Scaling/Items/Distance")
        if item.get("Id") in ("X", "Y", "Z")
    ]
    channels = root.iterfind("Metadata/Information/Image/Dimensions/Channels/Channel")
    return *pixel_sizes(lengths), [channel.get("Name") for channel in channels]
