import sys
import time
from types import ModuleType

import pytest

from tools import metric_speed
from tools.metric_speed import PeerTiming, Timing, contests, measure


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_everything_that_is_measured_runs():
    for contest in contests(side=192):
        assert measure(contest, runs=1).ours_s > 0


def test_the_time_is_that_of_the_work():
    assert 0.02 <= measure(PeerTiming("", lambda: busy(0.02)), runs=2).ours_s < 0.04


def test_another_implementation_is_timed_where_it_is_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "rival", ModuleType("rival"))
    found = measure(PeerTiming("", lambda: busy(0.01), "rival", lambda _: busy(0.03)), runs=1)
    assert found.theirs_s is not None
    assert found.theirs_s > found.ours_s
    assert found.passed


def test_a_missing_implementation_is_not_timed():
    found = measure(PeerTiming("", lambda: None, "no_such_package", lambda _: None), runs=1)
    assert found.theirs_s is None
    assert found.passed


@pytest.mark.parametrize(("ours", "theirs", "passed"), [(1, 2, True), (2, 1, False), (3, 4, False)])
def test_slower_than_the_other_or_the_limit_fails(ours: float, theirs: float, passed: bool):
    assert Timing(PeerTiming("", lambda: None, limit_s=2.5), ours, theirs).passed is passed


def test_the_table_names_what_is_too_slow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    slow = PeerTiming("counting", lambda: busy(0.01), limit_s=0.001)
    monkeypatch.setattr(metric_speed, "contests", lambda: [slow])
    assert metric_speed.main() == 1
    assert "counting: too slow" in capsys.readouterr().out
