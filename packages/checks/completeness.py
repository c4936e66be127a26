"""How complete a description is, as the zoo counts: its grid sorts by score, then by this."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from bioimageio.spec.model.v0_5 import ModelDescr

from packages.checks.subject import CheckResult, Subject

BEYOND_OLD_READERS = {"documentation.sha256", "weights.pytorch_state_dict.strict"}
"""What readers of format 0.5.9 refuse; the hash is counted when the zoo computes it by itself."""


@dataclass(frozen=True)
class Completeness:
    """How complete a description is.

    Attributes
    ----------
    share
        Of all entries, nested ones included, those that are stated: `metadata_completeness` of
        bioimageio.spec.
    unstated
        The others, as paths with dots; ``null`` would be a statement.
    """

    share: float
    unstated: tuple[str, ...]


def completeness(description: ModelDescr) -> Completeness:
    """Count the entries of a description as the zoo does.

    Parameters
    ----------
    description
        As it was loaded: what is changed afterwards is not counted.

    Returns
    -------
    Completeness
        Lists of authors, tensors and the like are one entry each.
    """
    stated = set(_paths(description.model_dump(mode="json", exclude_unset=True)))
    entries = set(_paths(description.model_dump(mode="json")))
    share = description.validation_summary.metadata_completeness
    return Completeness(share, tuple(sorted(entries - stated)))


def states_its_metadata(subject: Subject) -> CheckResult:
    """Say how complete the metadata are, and which entries readers of today would take."""
    found = completeness(subject.description)
    values = {"metadata_completeness": found.share}
    wishes = [entry for entry in found.unstated if entry not in BEYOND_OLD_READERS]
    counted = f"{found.share:.0%} of the zoo's entries"
    if wishes:
        return CheckResult("missing", f"{counted}; not stated: {_grouped(wishes)}.", values)
    return CheckResult("passed", f"{counted}.", values)


def _grouped(entries: list[str]) -> str:
    """Name entries of the top, and of each of these how many of its own."""
    nested = Counter(entry.partition(".")[0] for entry in entries if "." in entry)
    alone = {entry for entry in entries if "." not in entry}
    return ", ".join(
        name if name in alone else f"{nested[name]} of {name}" for name in sorted(alone | {*nested})
    )


def _paths(entries: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, entry in entries.items():
        yield f"{before}{name}"
        if isinstance(entry, Mapping):
            yield from _paths(cast("Mapping[str, Any]", entry), f"{before}{name}.")
