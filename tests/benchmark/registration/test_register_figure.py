from xml.etree import ElementTree

import numpy as np
import pytest

from benchmark.registration.alignment import IDENTITY
from benchmark.registration.displacement import Residual
from benchmark.registration.register_figure import draw_registration
from benchmark.registration.registration import DisplacementFit, Registration

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("shape", [(96, 96), (70, 101), (64, 1000)])
@pytest.mark.parametrize("shift_px", [(5.0, 5.0), (-5.0, -5.0)])
def test_arrows_stay_within_their_image(
    shape: tuple[int, int], shift_px: tuple[float, float]
) -> None:
    image = np.random.default_rng(0).random(shape)
    field = np.broadcast_to(np.array(shift_px)[:, None, None], (2, *shape))
    fit = DisplacementFit(field, 0.5, Residual(np.array([[32.0, 32.0]]), np.array([[1.0, 1.0]])))
    figure = ElementTree.fromstring(
        draw_registration(image, image, Registration("elastic", "", IDENTITY, 1.0, fit, fit))
    )
    *_, panel = figure.iter(f"{SVG}image")
    left, top, width, height = (float(panel.get(of, "")) for of in ("x", "y", "width", "height"))
    arrows = [line.get("points", "") for line in figure.iter(f"{SVG}polyline")]
    assert len(arrows) > 1
    tips = [tuple(map(float, at.split(","))) for arrow in arrows for at in arrow.split()]
    assert all(left <= x <= left + width and top <= y <= top + height for x, y in tips)
