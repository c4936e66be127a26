import base64
import io

import numpy as np
from PIL import Image

from imaging.pictures import draw_colour, draw_grey, middle


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_greys_go_from_low_to_high() -> None:
    drawn = pixels(draw_grey(np.array([[-1.0, 0.0, 1.0], [2.0, 4.0, 9.0]]), 0, 4))
    np.testing.assert_array_equal(drawn, [[0, 0, 64], [128, 255, 255]])


def test_colours_are_red_green_blue() -> None:
    drawn = pixels(draw_colour(np.array([[[1.0, 0.0, 0.2]]])))
    np.testing.assert_array_equal(drawn, [[[255, 0, 51]]])


def test_the_middle_is_cut_out_as_it_is() -> None:
    plane = np.arange(32.0).reshape(4, 8)
    cut = pixels(middle(draw_grey(plane, 0, 255), 2))
    np.testing.assert_array_equal(cut, plane[1:3, 2:6])


def test_zoomed_once_a_picture_is_whole() -> None:
    plane = np.arange(32.0).reshape(4, 8)
    np.testing.assert_array_equal(pixels(middle(draw_grey(plane, 0, 255), 1)), plane)
