"""Which of several images in a file is meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imaging.cli import UserError
from imaging.remarks import Remark

_POSITIONS = (
    "the file holds several images of one shape, taken for positions that are processed one by one "
    "(--scene, or a path that ends in #1, #2 and so on, means one of them)."
)


@dataclass(frozen=True)
class Held:
    """An image among those of a file.

    Attributes
    ----------
    name
        What the file calls it, or its number in the file; may be empty.
    sizes
        The lengths of its axes by the file's names for them, in order.
    dtype
        Of its pixels.
    """

    name: str
    sizes: dict[str, int]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.name} {self.kind}".strip()

    @property
    def kind(self) -> str:
        """Return what images have in common that can stand along one axis."""
        lengths = (f"{axis}: {length}" for axis, length in self.sizes.items())
        return f"({', '.join(lengths)}) {self.dtype}"


def choose_alike(
    path: Path, held: Sequence[Held], choice: str | None
) -> tuple[list[int], tuple[Remark, ...]]:
    """Find the image of a file in which none is a smaller version of another.

    Parameters
    ----------
    path
        The file.
    held
        Its images.
    choice
        Which of them is meant: its number from 1, or its name; None where nobody said so.

    Returns
    -------
    places, remarks
        Where the image is in `held`, or several of one shape, which are positions; and what was
        found.

    Raises
    ------
    UserError
        There is none, or none of this number or name, or they are of different shapes.
    """
    if not held:
        raise UserError(f"{path} holds no image: choose another file.")
    place = place_of(choice, [one.name for one in held])
    if place is not None:
        return [place], ()
    if choice is not None or len({one.kind for one in held}) != 1:
        raise not_chosen(path, [str(one) for one in held])
    return list(range(len(held))), positions(len(held), held[0].kind)


def place_of(choice: str | None, names: Sequence[str]) -> int | None:
    """Return the place of the image of this number, from 1, or else of this name if one has it."""
    numbers = [str(number) for number in range(1, len(names) + 1)]
    for called in (numbers, names):
        if choice is not None and called.count(choice) == 1:
            return called.index(choice)
    return None


def scenes(names: Sequence[str], chosen: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the chosen images, numbers for empty ones; none of a file of one."""
    if len(names) == 1:
        return ()
    return tuple(names[at] or str(at + 1) for at in chosen)


def positions(number: int, described: str) -> tuple[Remark, ...]:
    """Remark on several images that are read as one."""
    return (Remark(_POSITIONS, f"{number} of {described}"),) if number > 1 else ()


def not_chosen(path: Path, described: Sequence[str]) -> UserError:
    """Return the refusal of a file of whose images none is clearly meant."""
    held = "; ".join(f"#{at} {one}" for at, one in enumerate(described, start=1))
    return UserError(
        f"{path} holds {len(described)} image(s) ({held}): put the number or the name of the one "
        f"that you mean behind the path, as in {path.name}#1, or give it to --scene."
    )
