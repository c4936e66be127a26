"""What the three command lines have in common."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from cyclopts import App

import benchmark.__main__ as benchmark_verbs
import packages.__main__ as packages_verbs
import training.__main__ as training_verbs
from benchmark.annotation.annotate import annotate
from benchmark.demo import demo
from benchmark.registration.register import register
from benchmark.registration.repeats import repeats
from benchmark.study.samples import samples
from benchmark.trust.trust import trust_packages
from packages.build import build
from packages.check import check
from packages.predict import predict_file
from packages.publish import publish
from simulation.fitting.command import fit_command
from simulation.simulate import simulate
from training.adapt import adapt
from training.biosr import import_biosr
from training.calibrate import recalibrate
from training.know import note_known

ROOMS = {"packages": packages_verbs, "training": training_verbs, "benchmark": benchmark_verbs}
# What a start must not wait for.
HEAVY = {"numpy", "torch", "xarray", "pandas", "scipy", "pydantic", "bioimageio", "matplotlib"}


def words_of(app: App) -> list[list[str]]:
    """Return the words of every verb, of those of a verb's own verbs, too."""
    found: list[list[str]] = [[]]
    for name in app:
        if not name.startswith("-"):
            found += [[name, *words] for words in words_of(app[name])]
    return found


@pytest.mark.parametrize(
    ("verb", "function"),
    [
        (packages_verbs.build, build),
        (packages_verbs.check, check),
        (packages_verbs.predict, predict_file),
        (packages_verbs.publish, publish),
        (training_verbs.simulate, simulate),
        (training_verbs.fit, fit_command),
        (training_verbs.import_biosr, import_biosr),
        (training_verbs.calibrate, recalibrate),
        (training_verbs.know, note_known),
        (training_verbs.adapt, adapt),
        (benchmark_verbs.annotate, annotate),
        (benchmark_verbs.demo, demo),
        (benchmark_verbs.register, register),
        (benchmark_verbs.repeats, repeats),
        (benchmark_verbs.samples, samples),
        (benchmark_verbs.trust, trust_packages),
    ],
)
def test_verb_and_function_have_the_same_defaults(
    verb: Callable[..., Any], function: Callable[..., Any]
) -> None:
    assert defaults(verb) == defaults(function)


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    return {p.name: p.default for p in inspect.signature(function).parameters.values()}


@pytest.mark.parametrize("room", ROOMS)
def test_help_and_refusals_wait_for_nothing_heavy(room: str) -> None:
    words = words_of(ROOMS[room].app)
    calls = [[*w, "--help"] for w in words] + [[*w, "--no-such-option"] for w in words if w]
    script = (
        f"import sys, contextlib\nfrom {room}.__main__ import app\nfrom imaging.cli import run\n"
        f"for call in {calls}:\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        run(app, call)\n"
        f"print('HEAVY', sorted({HEAVY} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_help_is_wrapped_to_the_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from imaging.cli import console, run

    monkeypatch.setattr(console, "width", 400)
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        run(training_verbs.app, ["simulate", "--help"])
    shown = capsys.readouterr().out
    assert "tumour cells and microtubes, or what --structure says. The dataset is split" in shown
    assert "one of \n" not in shown
