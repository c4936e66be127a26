"""A kept result knows the files it was computed with: found by their imports, not listed."""

import shutil
import tomllib
from pathlib import Path

import pytest

from benchmark.running.run import describe_run
from imaging import source_files as module
from imaging.source_files import ROOMS, ROOT, source_files, source_sha256


def names(*modules: str) -> set[str]:
    return {file.relative_to(ROOT).as_posix() for file in source_files(*modules)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project whose files can be changed."""
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "packages").mkdir()
    return tmp_path


def write(project: Path, **files: str) -> None:
    for name, text in files.items():
        (project / "packages" / f"{name}.py").write_text(text)


def found(project: Path, *modules: str) -> list[str]:
    return [file.relative_to(project / "packages").as_posix() for file in source_files(*modules)]


@pytest.mark.parametrize(
    "statement",
    [
        "import packages.b",
        "import packages.b as other",
        "from packages import b",
        "from packages.b import something",
        "from . import b",
        "from .b import something",
        "def later():\n    from packages.b import something",
        "if True:\n    import packages.b",
        "import numpy, packages.b",
    ],
)
def test_every_kind_of_import_is_followed(project: Path, statement: str) -> None:
    write(project, a=statement, b="from packages import c", c="import packages.a", d="")
    assert found(project, "packages.a") == ["a.py", "b.py", "c.py"]


def test_imports_within_packages_are_resolved(project: Path) -> None:
    inner = project / "packages" / "inner"
    inner.mkdir()
    (inner / "__init__.py").write_text("from .one import something")
    (inner / "one.py").write_text("from ..b import something")
    (inner / "two.py").write_text("from . import missing")
    write(project, a="from packages.inner.two import something", b="")
    assert found(project, "packages.a") == [
        *("a.py", "b.py", "inner/__init__.py", "inner/one.py", "inner/two.py")
    ]


def test_what_only_looks_like_an_import_is_none(project: Path) -> None:
    write(project, a='"""import packages.b"""\nfrom pathlib import Path', b="")
    assert found(project, "packages.a") == ["a.py"]


def test_an_unknown_module_is_an_error(project: Path) -> None:
    with pytest.raises(ValueError, match=r"packages\.a is not a module"):
        source_files("packages.a")


def test_the_rooms_are_those_of_the_project() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(ROOMS) == set(content["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_a_cell_depends_on_all_that_restores_and_scores() -> None:
    cell = names("benchmark.running.cell")
    assert cell >= {
        *(
            "benchmark/running/cell.py",
            "benchmark/running/planes.py",
            "benchmark/running/restore.py",
        ),
        *(
            "benchmark/running/controls.py",
            "imaging/deconvolution.py",
        ),
        *("benchmark/metrics/__init__.py", "benchmark/metrics/structure.py"),
        *("benchmark/metrics/rings.py", "packages/runner.py", "packages/network.py"),
        *("imaging/tiles.py", "imaging/formats/tiff.py", "imaging/datasets.py"),
    }


def test_a_cell_does_not_depend_on_pages_figures_or_what_trains() -> None:
    cell = names("benchmark.running.cell")
    assert not [name for name in cell if name.startswith(("training/", "benchmark/trust/"))]
    assert not [name for name in cell if "figure" in name or "templates" in name]
    assert not cell & {
        *("benchmark/page/report.py", "benchmark/page/sections.py", "benchmark/page/text.py"),
        *(
            "benchmark/running/run.py",
            "benchmark/running/results_folder.py",
            "benchmark/metrics/columns.py",
        ),
        *("imaging/benchmark_run.py", "imaging/results.py", "packages/build.py"),
    }


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("benchmark/metrics/structure.py", True),
        ("imaging/resample.py", True),
        ("benchmark/page/report.py", False),
        ("imaging/benchmark_run.py", False),
    ],
)
def test_a_change_of_what_computes_a_cell_changes_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, changes: bool
) -> None:
    for room in ROOMS:
        shutil.copytree(
            ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("*.pt", "*.pyc")
        )
    monkeypatch.setattr(module, "ROOT", tmp_path)
    before = source_sha256("benchmark.running.cell")
    with (tmp_path / file).open("a", encoding="utf-8") as stream:
        stream.write("\n# Changed.\n")
    assert (source_sha256("benchmark.running.cell") != before) is changes


def test_a_run_records_the_hash_of_what_computes_its_cells() -> None:
    assert describe_run([], [], {}).benchmark_sha256 == source_sha256("benchmark.running.cell")
