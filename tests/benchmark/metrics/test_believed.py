import numpy as np
import pytest

from benchmark.metrics import METRICS, NotApplicable
from tests.trained import TRUST_MASK

SIDE = 96


def spots(*brightness: float) -> np.ndarray:
    """Spots at (16, 16), (16, 48), (16, 80), (48, 16) and so on."""
    y, x = np.ogrid[:SIDE, :SIDE]
    image = np.zeros((SIDE, SIDE))
    for i, one in enumerate(brightness):
        row, column = 16 + 32 * (i // 3), 16 + 32 * (i % 3)
        image += one * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8)
    return image


def test_planted_false_and_lost_structures_are_counted() -> None:
    truth = spots(1, 1, 1, 1, 0, 0)
    restored = spots(1, 1, 1, 0, 1, 0.01)  # one lost, one invented, one too dim to be believed
    known = {"truth": truth, "delivered": restored, "trust_mask": TRUST_MASK}
    assert METRICS["false_share"].of(known) == pytest.approx(1 / 4)
    assert METRICS["found_share"].of(known) == pytest.approx(3 / 4)


@pytest.mark.parametrize("name", ["false_share", "found_share"])
def test_without_a_promise_there_is_nothing_to_judge(name: str) -> None:
    known = {"truth": spots(1), "delivered": spots(1), "trust_mask": None}
    with pytest.raises(NotApplicable, match="promises nothing of structures"):
        METRICS[name].of(known)
