import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest

from benchmark.__main__ import app
from benchmark.running.restore import Restore
from benchmark.trust import trust as run_module
from benchmark.trust import values
from benchmark.trust.outcomes import PhantomTask, measure
from benchmark.trust.trust import trust_packages
from benchmark.trust.trust_report import read_findings
from imaging.cli import STATUS_FAILED_CHECK, UserError
from imaging.files import write_json
from imaging.trust_run import FailedTests
from tests.benchmark import stand_ins
from tests.benchmark.trust import recordings

Run = Callable[..., int]


def run(folder: Path, does: str) -> int:
    """Test one stand-in at one level of light."""
    package = stand_ins.package(folder / "net.zip", does)
    return trust_packages([package], out=folder / "out", draws=1, photons=(30.0,))


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory, recorded: Path) -> Path:
    """Results of a run on a stand-in that blurs. Not to be changed."""
    folder = tmp_path_factory.mktemp("tested")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "RESAMPLES", 199)
        recordings.stand_in(patch, recorded)
        assert run(folder, "blur") == 0
    return folder / "out"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch, recorded: Path) -> stand_ins.StandIns:
    return recordings.stand_in(monkeypatch, recorded)


@pytest.fixture
def trust(
    tmp_path: Path, packages: stand_ins.StandIns, tested: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Test again where one that blurs was tested: the controls are measured, figures drawn."""
    shutil.copytree(tested, tmp_path / "out")
    monkeypatch.setattr(run_module, "write_figures", Mock())
    return lambda does="blur": run(tmp_path, does)


def table(tmp_path: Path) -> pd.DataFrame:
    return read_findings(tmp_path / "out").table


def test_all_tests_say_something_of_every_package(tested: Path) -> None:
    findings = read_findings(tested)
    tests = {"points", "tubes", "gaps", "crossings", "spines", "empty", "amplitudes", "shifts"}
    of_test = findings.table.groupby("package")["test"].agg(set)
    assert of_test["net"] == of_test["input"] == tests
    assert of_test["truth"] == tests - {"shifts"}
    assert [v.package for v in findings.run.verdicts] == ["net", "input", "truth"]
    assert {"Two tubes", "Gain over the input"} < set(findings.figures)


def test_blur_is_a_fault_and_truth_and_input_have_none(tested: Path) -> None:
    net, *controls = read_findings(tested).run.verdicts
    assert any("takes two tubes for one" in fault for fault in net.faults)
    assert [control.faults for control in controls] == [(), ()]


def test_the_same_again_restores_nothing(
    trust: Run, tmp_path: Path, packages: stand_ins.StandIns
) -> None:
    first = table(tmp_path)
    trust()
    assert packages.restored == []
    assert packages.started == 0
    pd.testing.assert_frame_equal(first, table(tmp_path))


def test_a_changed_package_is_measured_again(
    trust: Run, tmp_path: Path, packages: stand_ins.StandIns
) -> None:
    before = table(tmp_path)
    trust("sharpen")
    sets = [file.stem for file in (tmp_path / "out" / "seen" / "net").glob("*.json")]
    images = [file for name in sets for file in (tmp_path / f"out/phantoms/{name}/input").iterdir()]
    assert len(packages.restored) == len(images) > 0
    assert not before.equals(table(tmp_path))


def test_an_interrupted_run_goes_on_to_the_same_table(
    trust: Run, tmp_path: Path, packages: stand_ins.StandIns
) -> None:
    whole = table(tmp_path)
    shutil.rmtree(tmp_path / "out" / "seen")
    packages.interrupt_on = "0002"
    with pytest.raises(KeyboardInterrupt):
        trust()
    with pytest.raises(UserError, match="did not finish"):
        read_findings(tmp_path / "out")
    packages.interrupt_on = None
    trust()
    pd.testing.assert_frame_equal(whole, table(tmp_path))


def test_a_package_that_fails_costs_its_own_rows_only(
    trust: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("fail on one") == STATUS_FAILED_CHECK
    assert set(table(tmp_path).package) == {"input", "truth"}
    assert "net failed on gaps-30-photons: It broke on this one." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("fail on one", "It broke on this one."),
        ("die on one", "The package's process was ended by SIGSEGV."),
        ("not load", "Its weights cannot be loaded."),
    ],
)
def test_a_package_that_fails_everywhere_is_told_so(
    trust: Run, tmp_path: Path, does: str, reason: str
) -> None:
    trust(does)
    findings = read_findings(tmp_path / "out")
    net = findings.run.verdicts[0]
    assert net.sentence == "nothing could be measured"
    assert net.faults == (f"failed on 8 of 8 sets of phantoms ({reason[:-1]})",)
    assert findings.run.failed == [FailedTests("net", 8, 8, reason)]


def test_a_package_that_fails_on_one_set_has_a_fault_until_it_does_not(
    trust: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_gaps(task: PhantomTask, restore: Restore, done: Callable[[], None]) -> None:
        if task.method.name == "net" and task.phantoms.plan.structure == "gaps":
            raise UserError("The gaps cannot be read.")
        measure(task, restore, done)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "measure", refuse_gaps)
        assert trust("sharpen") == STATUS_FAILED_CHECK
    findings = read_findings(tmp_path / "out")
    assert "gaps" not in set(findings.table[findings.table.package == "net"].test)
    told = "failed on 1 of 8 sets of phantoms (The gaps cannot be read)"
    assert findings.run.verdicts[0].faults[0] == told
    assert trust("sharpen") == 0
    findings = read_findings(tmp_path / "out")
    assert findings.run.failed == []
    assert not any("failed on" in fault for fault in findings.run.verdicts[0].faults)


def test_a_package_that_dies_is_started_again(trust: Run, packages: stand_ins.StandIns) -> None:
    assert trust("die on one") == STATUS_FAILED_CHECK
    assert packages.started == 8


def test_a_package_that_cannot_be_loaded_is_said(
    trust: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("not load") == STATUS_FAILED_CHECK
    assert "net cannot be run: Its weights cannot be loaded." in capsys.readouterr().err


def test_no_draws_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too few"):
        trust_packages([], out=tmp_path / "out", draws=0)


@pytest.mark.parametrize("photons", [(), (3.0, 3.0), (0.0,)])
def test_levels_of_light_that_cannot_be_are_refused(
    tmp_path: Path, photons: tuple[float, ...]
) -> None:
    with pytest.raises(UserError, match="different numbers above 0"):
        trust_packages([], out=tmp_path / "out", photons=photons)


def test_levels_of_light_are_read_from_a_command_line(tmp_path: Path) -> None:
    words = ["trust", "net.zip", "--photons", "10", "30", "--out", str(tmp_path / "out")]
    _, bound, _ = app.parse_args(words)
    assert bound.arguments["photons"] == (10.0, 30.0)
    assert bound.arguments["packages"] == [Path("net.zip")]


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    with pytest.raises(UserError, match="choose another one"):
        trust_packages([], out=tmp_path)


def test_results_of_another_version_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "trust.json", {"schema": 0})
    with pytest.raises(UserError, match="schema 0"):
        trust_packages([], out=tmp_path)


def test_a_package_named_as_a_control_is_refused(
    tmp_path: Path, packages: stand_ins.StandIns
) -> None:
    package = stand_ins.package(tmp_path / "truth.zip")
    with pytest.raises(UserError, match="both named 'truth'"):
        trust_packages([package], out=tmp_path / "out")
