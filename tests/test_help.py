"""Every verb's help shows how it is called and what happens without an option."""

import importlib
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from imaging.cli import GLOSSARY, run

ROOMS = ("training", "packages", "benchmark")
REPOSITORY = Path(__file__).parents[1]
TOOLS = [
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    for path in sorted((REPOSITORY / "tools").rglob("*.py"))
    if "app = App(" in path.read_text(encoding="utf-8")
]
WIDE, TERMINAL = 1000, 80
Verb = tuple[App, tuple[str, ...]]


def apps() -> Iterator[App]:
    for room in ROOMS:
        yield importlib.import_module(f"{room}.__main__").app
    for module in TOOLS:
        yield importlib.import_module(module).app


def verbs_of(app: App, top: App, words: tuple[str, ...] = ()) -> Iterator[Verb]:
    if app.default_command is not None:
        yield top, words
    for name in app:
        if not name.startswith("-"):
            yield from verbs_of(app[name], top, (*words, name))


APPS = list(apps())
VERBS = [verb for app in APPS for verb in verbs_of(app, app)]


def called(verb: Verb) -> str:
    app, words = verb
    return " ".join([*app.name, *words])


def help_of(verb: Verb, columns: int, capsys: pytest.CaptureFixture[str]) -> str:
    app, words = verb
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit):
            run(app, [*words, "--help"])
    return capsys.readouterr().out


def examples_in(shown: str) -> list[str]:
    return re.findall(r"^For instance: *\n +(.*\S)", shown, re.MULTILINE)


def test_all_apps_are_found() -> None:
    assert {"python -m training", "python -m tools.throughput"} <= {app.name[0] for app in APPS}


@pytest.mark.parametrize("verb", VERBS, ids=called)
def test_the_example_can_be_given_as_printed(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = examples_in(help_of(verb, WIDE, capsys))
    assert example.startswith(called(verb))
    app, words = verb
    given = shlex.split(example)[len(shlex.split(app.name[0])) :]
    # Refuses options and values that do not exist, and what is missing, by an exception.
    command, _, _ = app.parse_args(given, exit_on_error=False, print_error=False)
    asked_for = app
    for word in words:
        asked_for = asked_for[word]
    assert command is asked_for.default_command


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb[0].name[0].split()[-1] in ROOMS], ids=called
)
def test_the_example_can_be_copied_from_a_terminal(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    assert examples_in(help_of(verb, TERMINAL, capsys)) == examples_in(help_of(verb, WIDE, capsys))


@pytest.mark.parametrize("verb", VERBS, ids=called)
def test_every_option_says_what_happens_without_it(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(verb, WIDE, capsys)
    app, words = verb
    for word in words:
        app = app[word]
    assert app.default_command is not None
    for parameter in inspect.signature(app.default_command).parameters.values():
        if parameter.kind is not parameter.KEYWORD_ONLY or parameter.default is parameter.empty:
            continue
        option = f"--{parameter.name.replace('_', '-')}"
        (row,) = re.findall(rf"^│[ *]+{option}(?![\w-]).*$", shown, re.MULTILINE)
        said = "default|[Ww]ithout" if parameter.default is None else r"\w.* \[default: .+\]"
        assert re.search(f"  +.*({said})", row), row


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name[0])
def test_help_ends_with_where_words_are_explained(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    assert help_of((app, ()), WIDE, capsys).rstrip().endswith(GLOSSARY)
