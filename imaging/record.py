"""Records: files that one room writes and another reads, validated, each with one schema number."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter, ValidationError

from imaging.cli import UserError
from imaging.files import first_fault, write_json


class Record:
    """A frozen pydantic dataclass that is kept as a JSON file.

    Attributes
    ----------
    FILE
        Its name, in the folder of all that the command writes.
    SCHEMA
        Number of the format; it stands in the file, and only files of this number are read.
    MADE_BY
        The command that writes such files.
    """

    FILE: ClassVar[str]
    SCHEMA: ClassVar[int]
    MADE_BY: ClassVar[str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that `write` wrote.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        Self
            Its validated content.

        Raises
        ------
        UserError
            It is missing, no JSON, of another schema, or an entry is missing, odd or unknown.
        """
        try:
            content: Any = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise UserError(
                f"{path.parent} has no {path.name}: give the folder that `{cls.MADE_BY}` wrote."
            ) from error
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} cannot be read: {cls._again()}.") from error
        schema = content.pop("schema", None) if isinstance(content, dict) else None
        if schema != cls.SCHEMA:
            raise UserError(
                f"{path} is in schema {schema}, and this program reads {cls.SCHEMA}: "
                f"{cls._again()}."
            )
        try:
            # Of JSON, strictly: a number that became text was changed by hand.
            return TypeAdapter(cls).validate_json(json.dumps(content), strict=True)
        except ValidationError as error:
            raise UserError(f"{path}: {first_fault(error)}; {cls._again()}.") from error

    def write(self, path: Path) -> None:
        """Write the record, whole or not at all; what was there is replaced."""
        write_json(path, {"schema": self.SCHEMA, **asdict(self)})  # pyright: ignore[reportArgumentType]

    @classmethod
    def _again(cls) -> str:
        return f"run `{cls.MADE_BY}` again, into another folder"
