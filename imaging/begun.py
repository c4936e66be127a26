"""Datasets written image by image: an interrupted command goes on, an error leaves nothing.

As long as images are missing they lie in a folder beside, which nothing takes for a dataset; in it
a folder says what was begun.
"""

import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from imaging.cli import UserError
from imaging.cluster import WorkersGoneError
from imaging.datasets import open_dataset
from imaging.files import read_toml, write_toml

BEGUN = "begun"
"""Folder of what is known of images as long as some are missing."""
Arguments = Mapping[str, str | int | float]


def is_made(out: Path, arguments: Arguments) -> bool:
    """Tell whether a dataset is made already.

    Parameters
    ----------
    out
        Where it is to be.
    arguments
        What its provenance must hold.

    Raises
    ------
    UserError
        The place is taken by anything else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / "dataset.toml").exists():
        raise UserError(f"{out} exists and is no dataset: give another folder.")
    provenance = open_dataset(out).facts.provenance
    if arguments.items() <= provenance.items():
        return True
    raise UserError(
        f"{out} holds a dataset of other arguments or files "
        f"({provenance.get('command', 'unknown')}): remove it or give another folder."
    )


@contextmanager
def begun_dataset(out: Path, provenance: Arguments) -> Generator[Path]:
    """Write a dataset, or go on with it, and give it its name when all went well.

    Parameters
    ----------
    out
        The dataset: not there, or an empty folder.
    provenance
        Everything that its bytes follow from.

    Yields
    ------
    Path
        A folder to write into, with what an interrupted run of the same provenance has written.
        It is removed when the block raises an error, and kept when it is interrupted or workers
        are gone.

    Raises
    ------
    UserError
        The folder holds what another provenance began.
    """
    partial = out.resolve().with_name(f"{out.name}.partial")
    _begin(partial, provenance)
    try:
        yield partial
    except WorkersGoneError:
        raise
    except Exception:  # an interrupt can be gone on from, an error leaves nothing
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(partial / BEGUN)
    if out.exists():
        out.rmdir()  # empty, or it would have been refused
    partial.rename(out)


def _begin(partial: Path, provenance: Arguments) -> None:
    """Note what is being made, or check that it is what was begun."""
    begun = partial / BEGUN / "arguments.toml"
    if not begun.exists():
        if partial.exists() and any(partial.iterdir()):
            raise UserError(f"{partial} is in the way: remove it.")
        write_toml(begun, dict(provenance))
    elif read_toml(begun, dict[str, str | int | float]) != provenance:
        raise UserError(
            f"{partial} was begun with other arguments, files or versions: remove it, or go on "
            "with those."
        )
