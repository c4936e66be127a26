"""Figures of a page as files of their own: SVG and PNG."""

import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import resvg_py

from packages.files import replacing

_FORBIDDEN = re.compile(r'[<>:"/\\|?*=\x00-\x1f]')  # in names of files, on one system or another
_ZOOM = 2  # pixels of the PNG per unit of the SVG
_FONT = "DejaVu Sans"  # comes with matplotlib, so that a machine without fonts has it too


def write_figures(folder: Path, figures: Mapping[str, str]) -> None:
    """Write figures of a page as files that need no page, as NAME.svg and NAME.png.

    Parameters
    ----------
    folder
        Made if absent.
    figures
        SVG elements by name, in the colours of a page.
    """
    for name, figure in figures.items():
        name = _FORBIDDEN.sub("_", name)
        alone = in_own_colours(figure)
        with replacing(folder / f"{name}.svg") as temporary:
            temporary.write_text(alone, encoding="utf-8")
        with replacing(folder / f"{name}.png") as temporary:
            temporary.write_bytes(to_png(alone))


def in_own_colours(figure: str) -> str:
    """Put the colours that a figure falls back on in the place of the page's.

    Editors of drawings do not know the variables of CSS, and draw nothing or black.

    Examples
    --------
    >>> in_own_colours('<g stroke="var(--accent, #0b6e99)"/>')
    '<g stroke="#0b6e99"/>'
    """
    return re.sub(r"var\(--[a-z]+, ([^)]+)\)", r"\1", figure)


def to_png(figure: str) -> bytes:
    """Draw an SVG on white, with the same fonts on every machine."""
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=figure,
            zoom=_ZOOM,
            background="#ffffff",
            skip_system_fonts=True,
            font_dirs=[str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")],
            font_family=_FONT,
            sans_serif_family=_FONT,
        )
    )
