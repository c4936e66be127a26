from hypothesis import given
from hypothesis import strategies as st

from imaging.drawing import LINE
from imaging.labels import place_labels

AREA = (50.0, 20.0, 620.0, 380.0)
PLACES = st.tuples(st.floats(60, 500), st.floats(30, 370))

ROUNDING = 1e-9  # of coordinates that are added and subtracted again


@given(st.lists(st.tuples(PLACES, st.floats(20, 160)), min_size=1, max_size=14))
def test_labels_cover_neither_each_other_nor_a_point(
    found: list[tuple[tuple[float, float], float]],
) -> None:
    points, widths = [place for place, _ in found], [width for _, width in found]
    labels = place_labels(points, widths, AREA)
    boxes = [
        (x, y + 3 - LINE, x + width, y + 3) for (x, y), width in zip(labels, widths, strict=True)
    ]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert min(left - AREA[0], AREA[2] - right, top - AREA[1], AREA[3] - bottom) >= -ROUNDING
        for other in boxes[:i]:
            gaps = (left - other[2], other[0] - right, top - other[3], other[1] - bottom)
            assert max(gaps) >= -ROUNDING
        assert not any(left < x < right and top < y < bottom for x, y in points)


def test_a_lonely_point_has_its_name_at_its_right() -> None:
    ((x, y),) = place_labels([(100.0, 100.0)], [50.0], AREA)
    assert 104 < x < 115
    assert abs(y - 103) < 3
