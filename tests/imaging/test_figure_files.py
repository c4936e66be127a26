from pathlib import Path

import numpy as np
from PIL import Image

from imaging.drawing import ACCENT, element, svg, text
from imaging.figure_files import write_figures, write_png

BOX = element("rect", x=10, width=10, height=10, fill=ACCENT)


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB"))


def test_a_png_has_the_colours_of_the_figure_on_white(tmp_path: Path) -> None:
    write_png(tmp_path / "one.png", svg([BOX], 10, "", 20))
    drawn = pixels(tmp_path / "one.png")
    assert drawn.shape == (20, 40, 3)
    assert (drawn[:, :19] == 255).all()
    assert (drawn[:, 21:] == (0x0B, 0x65, 0x91)).all()


def test_words_are_drawn_without_the_fonts_of_the_machine(tmp_path: Path) -> None:
    write_png(tmp_path / "one.png", svg([BOX, text((0, 10), "A")], 10, "", 20))
    assert (pixels(tmp_path / "one.png")[:, :19] < 128).any()


def test_files_need_no_page(tmp_path: Path) -> None:
    write_figures(tmp_path / "figures", {"one: a/b": svg([BOX], 10, "one", 20)})
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == [
        "one_ a_b.png",
        "one_ a_b.svg",
    ]
    written = (tmp_path / "figures/one_ a_b.svg").read_text(encoding="utf-8")
    assert ACCENT in written
    assert "var(" not in written
