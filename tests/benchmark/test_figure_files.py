import io
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.drawing import ACCENT
from benchmark.figure_files import in_own_colours, to_png, write_figures

FIGURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10">'
    f'<rect x="10" width="10" height="10" fill="{ACCENT}"/></svg>'
)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_a_png_has_the_colours_of_the_figure_on_white() -> None:
    drawn = pixels(to_png(in_own_colours(FIGURE)))
    assert drawn.shape == (20, 40, 3)
    assert (drawn[:, :19] == 255).all()
    assert (drawn[:, 21:] == (0x0B, 0x6E, 0x99)).all()


def test_words_are_drawn_without_the_fonts_of_the_machine() -> None:
    said = FIGURE.replace("</svg>", '<text y="8" font-size="8">A</text></svg>')
    assert (pixels(to_png(said))[:, :19] < 128).any()


def test_files_need_no_page(tmp_path: Path) -> None:
    write_figures(tmp_path / "figures", {"one": FIGURE})
    assert "var(" not in (tmp_path / "figures/one.svg").read_text()
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == ["one.png", "one.svg"]
