"""Remarks: what a run finds in images that changes its results, each said once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import xarray as xr
from pydantic.dataclasses import dataclass as checked_dataclass

from imaging.cli import console, counted
from imaging.files import STRICT

_NAMED = 3  # images that a remark names before it counts the rest


@dataclass(frozen=True)
class Remark:
    """One thing that was found in an image.

    Attributes
    ----------
    sentence
        What was found, what it does to the result and what to do; the same words for every image
        in which it is found, with a full stop.
    detail
        What of it is this image's own, such as numbers; may be empty.
    """

    sentence: str
    detail: str = ""


@checked_dataclass(frozen=True, config=STRICT)
class RemarkEntry:
    """A remark as run.json keeps it.

    Attributes
    ----------
    sentence
        See `Remark`.
    images
        The detail of each image in which it was found, by the image's name.
    """

    sentence: str
    images: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def where(self) -> str:
        """Return the images in words: the first ones by name, with their details, and how many."""
        named = [f"{name}: {detail}" if detail else name for name, detail in self.images.items()]
        more = len(named) - _NAMED
        words = "; ".join(named[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
        return f"{counted(len(named), 'image')} ({words})"


class Remarks:
    """What a run has remarked so far."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, str]] = {}

    def add(self, image: str, remarks: Iterable[Remark]) -> None:
        """Take down what was found in an image, which is named as the user knows it."""
        for remark in remarks:
            self._found.setdefault(remark.sentence, {})[image] = remark.detail

    def update(self, others: "Remarks") -> None:
        """Take over what others have taken down."""
        for entry in others.entries:
            self._found.setdefault(entry.sentence, {}).update(entry.images)

    @property
    def entries(self) -> list[RemarkEntry]:
        """Return the remarks, each with all of its images, in the order they were first made."""
        return [RemarkEntry(sentence, dict(images)) for sentence, images in self._found.items()]

    def say(self) -> None:
        """Print each remark on a line of its own."""
        for entry in self.entries:
            console.print(f"{entry.where}: {entry.sentence}", highlight=False, soft_wrap=True)


def with_remarks(image: xr.DataArray, remarks: Iterable[Remark]) -> xr.DataArray:
    """Return an image with remarks beside those it has, in its attribute `remarks`."""
    known = (*remarks_of(image), *remarks)
    return image.assign_attrs(remarks=known) if known else image


def remarks_of(image: xr.DataArray) -> tuple[Remark, ...]:
    """Return what an image's reader, or whoever else handled it, has remarked."""
    return image.attrs.get("remarks", ())
