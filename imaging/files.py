"""Files that are whole or absent, hashes, JSON, and TOML that is checked when read."""

import glob
import hashlib
import json
import os
import re
import reprlib
import shutil
import tomllib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote
from xml.etree import ElementTree

import psutil
import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from imaging.cli import UserError

T = TypeVar("T")

Sha256 = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
"""Hexadecimal digits; empty for a file that is not there."""

STRICT = ConfigDict(extra="forbid")
"""For what is read from a file: an entry that nobody knows is a slip of its writer."""
FINITE = ConfigDict(extra="forbid", allow_inf_nan=False)
"""The same, where each number is one to compute with."""


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Write a file or folder under a temporary name; rename it when all went well.

    Parameters
    ----------
    path
        Where the result is to appear. Its parent folder is made. What was there is replaced.

    Yields
    ------
    Path
        A name beside `path`, with the same suffixes, to write to. It is removed when the block
        raises, interrupts included; what a killed process left of the same result goes, too.

    Raises
    ------
    UserError
        A file would replace a folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent.glob(f".*.{glob.escape(path.name)}"))
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        if path.is_dir() and not path.is_symlink():
            if not temporary.is_dir():
                raise UserError(f"{path} is a folder, not a file to replace: choose another name.")
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        # The user knows the file by its final name.
        if error.filename is None or str(error.filename).startswith(str(temporary)):
            error.filename = os.fspath(path)
        raise
    finally:
        _remove(temporary)


def remove_abandoned(files: Iterable[Path]) -> None:
    """Remove those among files that `replacing` had begun in a process that lives no more."""
    for file in list(files):
        owner = re.match(r"\.(\d+)\.", file.name)
        if owner and not psutil.pid_exists(int(owner[1])):
            _remove(file)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def file_of(path: Path) -> Path:
    """Return the file of an image whose path may end in #NUMBER or #NAME: one of several in it."""
    return split_choice(path)[0]


def split_choice(path: Path) -> tuple[Path, str | None]:
    """Divide what a user calls an image into its file and which of several in it is meant.

    Parameters
    ----------
    path
        Of a file, perhaps with # and a number or a name behind it.

    Returns
    -------
    file, choice
        The path and None where it is that of a file, or no file has the beginning of it.
    """
    whole = path.as_posix()  # names of images may hold slashes
    for mark in re.finditer("#", whole):
        file = Path(whole[: mark.start()])
        if file.suffix and mark.end() < len(whole) and file.exists() and not path.exists():
            return file, whole[mark.end() :]
    return path, None


def sha256(path: Path) -> str:
    """Hash a file, or a folder's files with their names: 64 hexadecimal digits.

    Of an OIF, whose planes lie in a folder beside it, these belong to the file, and of an XLIF the
    files that it names.
    """
    path = file_of(path)
    if path.is_file():
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
        planes = path.with_name(f"{path.name}.files")
        if planes.is_dir():
            digest.update(sha256(planes).encode())
        for part in parts_of(path):
            digest.update(sha256(part).encode())
        return digest.hexdigest()
    return sha256_of_all(sorted(p for p in path.rglob("*") if p.is_file()), path)


def parts_of(path: Path) -> list[Path]:
    """Return the files that hold the pixels of an XLIF, those that are there; none of others."""
    if path.suffix.lower() != ".xlif":
        return []
    try:
        frames = ElementTree.parse(path).iterfind("Element/Memory/*[@File]")
    except ElementTree.ParseError:  # reading it will say so
        return []
    names = [unquote(str(frame.get("File"))).replace("\\", "/") for frame in frames]
    return [path.parent / name for name in names if (path.parent / name).is_file()]


def sha256_of_all(files: Iterable[Path], root: Path) -> str:
    """Hash files in this order, with their names relative to a folder above all of them."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(root).as_posix()}\0{sha256(file)}\n".encode())
    return digest.hexdigest()


def read_toml(path: Path, schema: type[T]) -> T:
    """Read a TOML file into a dataclass, refusing what the dataclass does not name.

    Parameters
    ----------
    path
        The file.
    schema
        A (pydantic) dataclass whose configuration forbids extra entries.

    Returns
    -------
    T
        The validated content.

    Raises
    ------
    UserError
        The file is missing, is not TOML, or holds an unknown or impossible entry.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(schema).validate_python(content)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a TOML file: {error}; correct it.") from error
    except ValidationError as error:
        remedy = ": remove it or correct its name" if _is_unknown(error) else "; correct it"
        raise UserError(f"{path}: {first_fault(error)}{remedy}.") from error


# What pydantic calls a kind of value, in its errors' types, and what a writer of TOML calls it.
_KINDS = {
    "string": "text in quotes",
    "path": "text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "date": "a date as 2026-11-30",
    "date_from_datetime": "a date as 2026-11-30",
    "date_from_datetime_inexact": "a date as 2026-11-30",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table",
    "dataclass": "a table",
}
# How pydantic names the alternatives of an entry, and the name of an entry as against its value.
_BRANCHES = ("constrained-", "function-", "[key]")


def first_fault(error: ValidationError) -> str:
    """Say which entry is wrong, and why.

    Parameters
    ----------
    error
        Of the validation of a file.

    Returns
    -------
    str
        About the first fault, without a full stop.
    """
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"]]
    entry = ".".join(part for part in parts if not part.startswith(_BRANCHES))
    if _is_unknown(error):
        return f"there is no entry '{entry}'"
    if first["type"] in ("missing", "missing_argument"):
        return f"entry '{entry}' is missing"
    kind = _KINDS.get(first["type"].removesuffix("_type").removesuffix("_parsing"))
    if kind and entry:
        return f"entry '{entry}' is {reprlib.repr(first['input'])} where {kind} belongs"
    where = f"entry '{entry}': " if entry else ""
    return f"{where}{first['msg'].removeprefix('Value error, ')}"


def _is_unknown(error: ValidationError) -> bool:
    """Tell whether the first fault is an entry that nobody knows."""
    return error.errors()[0]["type"] in ("unexpected_keyword_argument", "extra_forbidden")


def write_toml(path: Path, content: dict[str, Any]) -> None:
    """Write tables, lists, strings, numbers and booleans as TOML, whole or not at all; no None."""
    with replacing(path) as temporary:
        temporary.write_bytes(tomli_w.dumps(content).encode())


def read_stamp(path: Path) -> Any:
    """Read JSON that says what results were made from.

    None where it is missing or damaged: then nobody knows, and they are made again.
    """
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a dictionary as JSON, whole or not at all."""
    with replacing(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
