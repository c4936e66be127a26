from pathlib import Path

import pytest

from benchmark.trust import values


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw fewer bootstrap samples: intervals are a little rougher, tests much faster."""
    monkeypatch.setattr(values, "RESAMPLES", 199)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where phantoms are kept for all tests that go through the command."""
    return tmp_path_factory.mktemp("recorded")
