import pytest

from imaging import steps
from imaging.cli import STATUS_FAILED_CHECK, STATUS_INTERRUPTED, UserError
from imaging.steps import command


def ends_with(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_run", lambda words: status)


def test_a_command_is_shown_as_it_can_be_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(0, monkeypatch)
    command("Do it", "packages", "check", "a b.zip")
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "Do it",
        "python -m packages check 'a b.zip'",
    ]


def test_a_command_that_fails_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(2, monkeypatch)
    with pytest.raises(UserError, match="'Do it' ended with status 2"):
        command("Do it", "packages", "check")


def test_a_command_that_found_something_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(STATUS_FAILED_CHECK, monkeypatch)
    command("Do it", "packages", "check", failing=[STATUS_FAILED_CHECK])


def test_an_interrupted_command_interrupts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(STATUS_INTERRUPTED, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        command("Do it", "packages", "check")
