from torch import nn

from imaging.training_metadata import SamplingOptions
from packages.options import with_options
from tests.trained import trained_weights


class InSteps(nn.Module):
    """A network that draws two samples in seven steps."""

    divisor, factor, samples, steps = 4, 1, 2, 7


def test_each_option_replaces_its_own() -> None:
    metadata = trained_weights(nn.Conv2d(1, 1, 3), "hazematching", {"width": 8}).metadata
    changed = with_options(metadata, InSteps(), SamplingOptions(samples=4, steps=3))
    assert changed.request.settings.network == {"width": 8, "samples": 4, "steps": 3}
    assert changed.measured_with == SamplingOptions(samples=2, steps=7)
