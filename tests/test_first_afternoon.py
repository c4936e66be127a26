"""docs/first-afternoon.md works as it stands there: every command, in order."""

import importlib
import re
import shlex
import shutil
from pathlib import Path

import pytest

from benchmark.trust import values
from imaging.cli import run
from tests.little_fit import make_fits_little

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "first-afternoon.md").read_text(encoding="utf-8")
# What would take long, and what stands for it here.
SHORTER = {
    "--images 12 --size 512": "--images 4 --size 384",
    "--images 6 --size 512": "--images 4 --size 256",
    "--minutes 20": "--steps 4",
    "--out afternoon/trust": "--out afternoon/trust --draws 1 --photons 30",
}
STEPS = [
    (
        re.findall(r"^    (python .+)$", step, re.MULTILINE),
        re.findall("`(.+?)`", " ".join(re.findall(r"^Makes .+$", step, re.MULTILINE))),
    )
    for step in PAGE.split("\n## ")
]


def shortened(command: str) -> str:
    for long, short in SHORTER.items():
        command = command.replace(long, short)
    return command


def status_of(command: str) -> int | str | None:
    """Do what a command does, in this process: the start of another takes as long as most steps."""
    _, kind, what, *words = shlex.split(command)
    if kind == "-c":
        exec(what, {})
        return 0
    with pytest.raises(SystemExit) as ended:
        run(importlib.import_module(f"{what}.__main__").app, words)
    return ended.value.code


def test_the_page_is_followed_to_the_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(REPOSITORY / "docs" / "examples", tmp_path / "docs" / "examples")
    make_fits_little(monkeypatch)
    monkeypatch.setattr(values, "RESAMPLES", 199)  # rougher intervals of the trust tests
    monkeypatch.chdir(tmp_path)
    for commands, made in STEPS:
        for command in commands:
            assert status_of(shortened(command)) == 0, f"{command}\n{capsys.readouterr()}"
        assert [path for path in made if not Path(path).exists()] == []


def test_every_step_of_the_page_names_what_it_makes() -> None:
    assert sum(len(commands) for commands, _ in STEPS) == PAGE.count("\n    python ") > 0
    assert all(made for commands, made in STEPS if commands)


@pytest.mark.parametrize("long", SHORTER)
def test_what_is_shortened_stands_on_the_page(long: str) -> None:
    assert long in PAGE


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", PAGE))
def test_every_link_and_picture_exists(link: str) -> None:
    assert (REPOSITORY / "docs" / link).exists()
