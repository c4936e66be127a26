"""GitHub users are looked up where GitHub answers, and let pass where nothing does."""

from typing import Any

import httpx
import pytest
from bioimageio.spec._internal import constants
from bioimageio.spec.model.v0_5 import ModelDescr

from packages.checks.github import users_nobody_could_look_up
from packages.package import open_package
from tests import tiny_packages

USER = "nobody-of-this-name"


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> ModelDescr:
    def maintained(content: dict[str, Any]) -> None:
        content["maintainers"] = [{"github_user": USER}]

    file = tmp_path_factory.mktemp("packages") / "tiny.zip"
    with open_package(tiny_packages.build(file, spoil_description=maintained)) as package:
        return package.description


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """Forget what earlier tests learnt."""
    constants.KNOWN_GITHUB_USERS.discard(USER)
    constants.KNOWN_INVALID_GITHUB_USERS.discard(USER)


def test_without_a_network_a_user_is_let_pass(description: ModelDescr) -> None:
    assert users_nobody_could_look_up(description) == [USER]
    assert users_nobody_could_look_up(description) == []


def test_a_user_that_github_does_not_know_is_not(
    description: ModelDescr, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_found(address: str, **_: Any) -> httpx.Response:
        return httpx.Response(404)

    monkeypatch.setattr(httpx, "get", not_found)
    assert users_nobody_could_look_up(description) == []
    assert USER not in constants.KNOWN_GITHUB_USERS
