import pytest

from imaging.training_metadata import Reached


@pytest.mark.parametrize(
    ("restored", "late_fall", "words"),
    [
        (0.05, 0.01, None),
        (0.05, None, None),
        (None, None, None),
        (0.20, 0.01, "no closer to the truth than their input"),
        (0.05, 0.40, "40% of the fall of the loss came in the second half"),
    ],
)
def test_weights_that_are_hardly_trained_say_so(
    restored: float | None, late_fall: float | None, words: str | None
) -> None:
    reached = Reached(100, 60.0, 0.1, restored, 0.10, late_fall)
    assert (reached.doubt is None) == (words is None)
    assert (words or "") in (reached.doubt or "")
