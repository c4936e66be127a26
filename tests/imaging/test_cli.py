import errno
import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cyclopts import App
from rich.console import Console
from rich.progress import Task

from imaging import cli, progress_lines
from imaging.cli import UserError, run


def status_of(error: BaseException | None, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    app = App(result_action="return_value")

    @app.default
    def verb() -> None:
        if error:
            raise error

    with pytest.raises(SystemExit) as exit_:
        run(app, [])
    return int(exit_.value.code or 0), capsys.readouterr().err


def test_success_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(None, capsys) == (0, "")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UserError("a.tif is empty: give another."), 2, "a.tif is empty"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (OSError(errno.ENOSPC, "No space", "a.tif"), 2, "No space left while writing a.tif"),
        (PermissionError(errno.EACCES, "denied", "a.tif"), 2, "Not allowed"),
        (PermissionError(errno.EACCES, "denied", "x/.16913.a.csv"), 2, "open or write x/a.csv"),
        (FileNotFoundError(errno.ENOENT, "none", "a.tif"), 2, "a.tif does not exist"),
        (FileExistsError(errno.EEXIST, "exists", "a.tif"), 2, "a.tif: a file is where a folder"),
        (MemoryError(), 2, "not enough memory"),
        (ZeroDivisionError("x"), 2, "fault of the program"),
    ],
)
def test_errors_are_sentences(
    error: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = status_of(error, capsys)
    assert code == status
    assert words in text
    assert "Traceback" not in text


def given(*words: str) -> tuple[int, int | None, float] | None:
    """Run a verb and return what it was given, or None when it was not run."""
    app = App()
    received: list[tuple[int, int | None, float]] = []

    @app.command
    def verb(*, count: int = 0, limit: int | None = None, length: float = 0) -> None:
        received.append((count, limit, length))

    with pytest.raises(SystemExit):
        run(app, ["verb", *words])
    return received[0] if received else None


@pytest.mark.parametrize("flag", ["--count", "--limit"])
def test_a_fraction_is_no_whole_number(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert given(flag, "1.5") is None
    assert f"{flag} 1.5 is not a whole number" in capsys.readouterr().err


def test_whole_numbers_and_lengths_are_taken() -> None:
    assert given("--count", "3.0", "--limit", "4", "--length", "1.5") == (3, 4, 1.5)


def test_bars_are_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(cli, "console", Console(file=screen, force_terminal=True))
    with cli.progress() as bars:
        bars.update(bars.add_task("Working", total=2), completed=1)
        bars.refresh()
    assert "Working" in screen.getvalue()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed where there is no terminal."""
    file = io.StringIO()
    monkeypatch.setattr(cli, "console", Console(file=file, force_terminal=False))
    return file


def test_short_work_says_nothing_off_a_terminal(log: io.StringIO) -> None:
    with cli.progress() as bars:
        bars.update(bars.add_task("Working", total=2), completed=1)
        bars.refresh()
    assert log.getvalue() == ""


def test_long_work_says_how_far_it_is_in_whole_lines(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_lines, "_FIRST_S", 0.01)
    monkeypatch.setattr(progress_lines, "_EVERY_S", 0.01)
    with cli.progress() as bars:
        bars.update(bars.add_task("Working", total=4), completed=1)
        deadline = time.monotonic() + 60
        while log.getvalue().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = log.getvalue().splitlines(keepends=True)
    assert len(lines) >= 2
    assert set(lines) == {"Working, 25 %\n"}


@pytest.mark.parametrize(
    ("seconds", "words"), [(99, "99 s"), (100, "2 min"), (5999, "100 min"), (6000, "1.7 h")]
)
def test_the_time_left_is_said(
    seconds: int, words: str, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_lines, "_FIRST_S", 0.01)
    monkeypatch.setattr(progress_lines, "_EVERY_S", 0.01)
    monkeypatch.setattr(Task, "time_remaining", seconds)
    with cli.progress() as bars:
        bars.add_task("Working", total=4)
        deadline = time.monotonic() + 60
        while not log.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert log.getvalue().startswith(f"Working, 0 %, about {words} left\n")


_WRITES = """
import sys, time
from pathlib import Path
from cyclopts import App
from imaging.cli import run
from imaging.files import replacing
app = App()
@app.default
def verb():
    with replacing(Path(sys.argv.pop()) / "a.tif") as temporary:
        temporary.write_text("half")
        print("written", flush=True)
        time.sleep(60)
run(app, [])
"""


def test_a_process_that_is_ended_leaves_nothing_half_written(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITES, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        assert [file.name for file in tmp_path.iterdir()] == [f".{process.pid}.a.tif"]
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
