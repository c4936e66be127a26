"""One check on one package."""

from contextlib import closing
from pathlib import Path

from packages.check import SUITE, apply
from packages.checks.subject import CheckResult, Subject
from packages.package import open_package


def result_of(name: str, package: Path) -> CheckResult:
    """Apply a check of the suite to a package that is trusted."""
    with open_package(package, trust=True) as opened, closing(Subject(opened)) as subject:
        return apply(SUITE[name], subject)
