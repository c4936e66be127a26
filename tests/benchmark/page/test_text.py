import pandas as pd

from benchmark.comparison.summary import summarise
from benchmark.page import text
from tests import records

ABSENT = pd.DataFrame(columns=["package", "dataset", "image", "metric", "reason"])


def test_who_lacks_an_image_stands_last_without_a_place() -> None:
    images = [f"{i:02}" for i in range(12)]
    table = pd.DataFrame(
        [
            (name, "d", image, "si_psnr_a", level + i % 3)
            for name, level in (("lacking", 40.0), ("a", 20.0), ("b", 30.0))
            for i, image in enumerate(images)
            if (name, i) != ("lacking", 5)
        ],
        columns=["package", "dataset", "image", "metric", "value"],
    )
    packages = [records.package(name) for name in ("lacking", "a", "b")]
    found = summarise(packages, table, ABSENT, {image: image for image in images})
    assert text.ranks(found)[1] == [("b", "1"), ("a", "2"), ("lacking", "–")]
