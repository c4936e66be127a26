from dataclasses import replace

import pytest

from benchmark.comparison.published import find_published
from imaging.protocol import Protocol, of_biosr

STATED = of_biosr("Microtubules")


def test_the_structure_has_its_own_row_of_the_table() -> None:
    found = find_published(STATED)
    assert found is not None
    assert found.psnr_db == {
        "noisy input": 18.13,
        "CARE": 25.14,
        "RCAN": 26.81,
        "DFCAN": 26.35,
        "best reported": 27.51,
    }
    assert (found.ms_ssim, found.rolling_frc) == ({"best reported": 0.808}, 1.207)


@pytest.mark.parametrize(
    "other",
    [
        None,
        replace(STATED, name="mine"),
        replace(STATED, structure=None),
        replace(STATED, structure="nuclei"),
    ],
)
def test_nothing_is_published_of_another_protocol(other: Protocol | None) -> None:
    assert find_published(other) is None
