"""Where data come from, in words."""

import shlex
from pathlib import Path

import pytest

from imaging.provenance import address, whole_command, written
from training.__main__ import app


def test_every_entry_is_written() -> None:
    assert written("d", {"seed": 3, "command": "sim"}) == "seed 3, command sim"


@pytest.mark.parametrize("name", ["tubes", "my tubes", "it's"])
def test_a_simulation_is_repeated_by_what_is_written(name: str) -> None:
    recorded = "python -m training simulate --images 4 --size 64 --seed 7"
    words = shlex.split(whole_command(name, recorded))
    assert words[:3] == ["python", "-m", "training"]
    _, bound, _ = app.parse_args(words[3:], exit_on_error=False, print_error=False)
    assert bound.arguments == {"out": Path(name), "images": 4, "size": 64, "seed": 7}


def test_other_commands_are_written_as_they_are() -> None:
    assert whole_command("tubes", "./acquire --laser 3") == "./acquire --laser 3"


def test_an_address_is_found() -> None:
    assert address({"seed": 3, "published": "https://doi.org/10.1/x"}) == "https://doi.org/10.1/x"


@pytest.mark.parametrize("text", ["see https://doi.org/10.1/x", "ftp://x", ""])
def test_what_is_no_address_is_none(text: str) -> None:
    assert address({"published": text}) is None
