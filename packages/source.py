"""A model's source as one file: the zoo's tools import a single one, which knows torch only."""

import ast
import importlib.util
from pathlib import Path

_OURS = "packages."


def self_contained(model_file: Path) -> str:
    """Put the modules of this project that a model imports from in front of its own source.

    Parameters
    ----------
    model_file
        Imports from the project by ``from packages.… import Name`` at the top of the file only.

    Returns
    -------
    str
        Source that imports torch and the standard library only; the file itself when it needs
        nothing else.

    Raises
    ------
    ValueError
        Two of the files define the same name, or one imports from the project in another way.
    """
    parts: dict[Path, str] = {}
    defined: dict[str, Path] = {}
    _collect(model_file, parts, defined)
    return "\n\n".join(part.strip("\n") + "\n" for part in parts.values())


def _collect(file: Path, parts: dict[Path, str], defined: dict[str, Path]) -> None:
    """Add a file behind all that it imports from."""
    source = file.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_OURS):
            if any(name.asname for name in node.names):
                raise ValueError(f"{file}: names of the project cannot be renamed by an import")
            needed = _file_of(str(node.module))
            if needed not in parts:
                _collect(needed, parts, defined)
            for line in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[line] = ""
        for name in _names(node):
            if defined.setdefault(name, file) != file:
                raise ValueError(f"{file} and {defined[name]} both define '{name}': rename one")
    parts[file] = "".join(lines)


def _file_of(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"there is no module {module}")
    return Path(spec.origin)


def _names(node: ast.stmt) -> list[str]:
    """Return what a statement at the top of a file defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []
