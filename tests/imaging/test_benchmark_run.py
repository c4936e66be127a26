import pytest

from imaging.benchmark_run import MetricEntry


@pytest.mark.parametrize(
    ("metric", "value", "other", "expected"),
    [
        (MetricEntry("higher"), 2, 1, True),
        (MetricEntry("higher"), 1, 2, False),
        (MetricEntry("higher"), 1, 1, False),
        (MetricEntry("lower"), 1, 2, True),
        (MetricEntry("lower"), 2, 1, False),
        (MetricEntry("lower"), 1, 1, False),
        (MetricEntry("closest", ideal=0.9), 0.85, 0.99, True),
        (MetricEntry("closest", ideal=0.9), 0.99, 0.85, False),
        (MetricEntry("closest", ideal=0.5), 0.25, 0.75, False),
        (MetricEntry("neither"), 2, 1, False),
        (MetricEntry("neither"), 1, 2, False),
    ],
)
def test_the_direction_says_what_is_better(
    metric: MetricEntry, value: float, other: float, expected: bool
) -> None:
    assert metric.better(value, other) is expected
