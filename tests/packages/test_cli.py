import errno

import pytest
from cyclopts import App

from packages.cli import UserError, run


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
