"""Figures as files of their own: SVG and PNG."""

import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import resvg_py

from imaging.files import replacing

_FORBIDDEN = re.compile(r'[<>:"/\\|?*=\x00-\x1f]')  # in names of files, on one system or another
_ZOOM = 2  # pixels of the PNG per unit of the SVG
_FONT = "DejaVu Sans"  # comes with matplotlib, so that a machine without fonts has it too


def write_figures(folder: Path, figures: Mapping[str, str]) -> None:
    """Write SVG elements, as `imaging.drawing.svg` makes them, as NAME.svg and NAME.png."""
    for name, figure in figures.items():
        name = _FORBIDDEN.sub("_", name)
        with replacing(folder / f"{name}.svg") as temporary:
            temporary.write_text(figure, encoding="utf-8")
        write_png(folder / f"{name}.png", figure)


def write_png(path: Path, figure: str) -> None:
    """Write a figure as PNG alone: on white, with the same fonts on every machine."""
    drawn = resvg_py.svg_to_bytes(
        svg_string=figure,
        zoom=_ZOOM,
        background="#ffffff",
        skip_system_fonts=True,
        font_dirs=[str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")],
        font_family=_FONT,
        sans_serif_family=_FONT,
    )
    with replacing(path) as temporary:
        temporary.write_bytes(bytes(drawn))
