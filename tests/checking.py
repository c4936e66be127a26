"""One check on one package, and checks that end badly; another process can import them."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

from packages.check import SUITE, apply
from packages.checks.subject import CheckResult, Subject
from packages.package import open_package


def result_of(name: str, package: Path) -> CheckResult:
    """Apply a check of the suite to a package that is trusted."""
    with open_package(package, trust=True) as opened, closing(Subject(opened)) as subject:
        return apply(SUITE[name], subject)


def explode(subject: Subject) -> CheckResult:
    raise ValueError("first line\nsecond line")


def crash(subject: Subject) -> CheckResult:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)  # until the signal arrives
    raise AssertionError


def hang(subject: Subject) -> CheckResult:
    time.sleep(3600)
    raise AssertionError
