import warnings
from pathlib import Path
from typing import Any

import pytest
from bioimageio.core import load_model_description

from packages.checks.completeness import completeness
from packages.package import open_package
from tests import tiny_packages as tiny
from tests.checking import result_of

CHECK = "metadata completeness"


def entries(nested: dict[str, Any]) -> int:
    return sum(1 + (entries(e) if isinstance(e, dict) else 0) for e in nested.values())


def test_the_share_is_that_of_the_entries_not_listed(tmp_path: Path) -> None:
    with open_package(tiny.build(tmp_path / "tiny.zip"), trust=True) as package:
        found = completeness(package.description)
        every = entries(package.description.model_dump(mode="json"))
    assert found.share == pytest.approx(1 - len(found.unstated) / every)


def test_the_zoos_run_counts_the_hash_of_the_documentation_too(tmp_path: Path) -> None:
    package = tiny.build(tmp_path / "tiny")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the library leaves files open
        zoos = load_model_description(package, format_version="latest")
    with open_package(package, trust=True) as opened:
        ours = completeness(opened.description)
    assert set(ours.unstated) - set(completeness(zoos).unstated) == {"documentation.sha256"}


def test_an_entry_of_null_is_stated(tmp_path: Path) -> None:
    def state(description: tiny.Description) -> None:
        description["id_emoji"] = None

    with_it = result_of(
        "metadata completeness", tiny.build(tmp_path / "with.zip", spoil_description=state)
    )
    assert "id_emoji" in result_of(CHECK, tiny.build(tmp_path / "tiny.zip")).detail
    assert "id_emoji" not in with_it.detail


def test_what_old_readers_refuse_is_not_wished_for(tmp_path: Path) -> None:
    path = tiny.build(tmp_path / "tiny.zip")
    with open_package(path, trust=True) as package:
        unstated = completeness(package.description).unstated
    of_weights = [entry for entry in unstated if entry.startswith("weights.")]
    result = result_of(CHECK, path)
    assert result.status == "missing"
    assert "weights.pytorch_state_dict.strict" in of_weights
    assert f"{len(of_weights) - 1} of weights" in result.detail
