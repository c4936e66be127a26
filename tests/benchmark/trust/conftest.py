import pytest

from benchmark.trust import values


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw fewer bootstrap samples: intervals are a little rougher, tests much faster."""
    monkeypatch.setattr(values, "RESAMPLES", 199)
