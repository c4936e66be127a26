"""Which source files a result depends on: what its module imports, directly or not.

Results that are kept become stale when such a file changes. The imports are read, not run, wherever
they stand in a file; of each module the packages around it belong to it, as Python runs them too.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from imaging.files import sha256_of_all

ROOT = Path(__file__).parent.parent
ROOMS = ("benchmark", "imaging", "packages", "simulation", "training")
"""The packages whose files are the project's own."""


def source_files(*modules: str) -> list[Path]:
    """Return the project's own files that modules are made of.

    Parameters
    ----------
    modules
        Names such as "benchmark.running.cell".

    Returns
    -------
    list of Path
        Those of the modules and of all that they import, in the order of their names.

    Raises
    ------
    ValueError
        There is no such module.
    """
    left = list(modules)
    found: set[Path] = set()
    for module in modules:
        if _file_of(module) is None:
            raise ValueError(f"{module} is not a module of this project.")
    while left:
        parts = left.pop().split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[:count])
            file = _file_of(name)
            if file is not None and file not in found:
                found.add(file)
                left += _imported(file, name)
    return sorted(found)


def source_sha256(*modules: str) -> str:
    """Hash the files that modules are made of (`source_files`): 64 hexadecimal digits."""
    return sha256_of_all(source_files(*modules), ROOT)


def _file_of(module: str) -> Path | None:
    """Return the file of a module or package; None for what is not the project's, or no module."""
    parts = module.split(".")
    if parts[0] not in ROOMS:
        return None
    path = ROOT.joinpath(*parts)
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


@functools.cache
def _imported(file: Path, module: str) -> tuple[str, ...]:
    """Return all that a file may import: what is imported from a module may be one itself."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    return tuple(_names(ast.parse(file.read_bytes()), package))


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
