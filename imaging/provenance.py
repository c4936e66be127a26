"""How a dataset says where it comes from."""

import re
import shlex
from collections.abc import Mapping

_SIMULATE = "python -m training simulate"


def written(name: str, provenance: Mapping[str, str | int | float]) -> str:
    """Write the provenance of a dataset as one line.

    Parameters
    ----------
    name
        Of the dataset.
    provenance
        As its dataset.toml states it.

    Returns
    -------
    str
        Entry by entry; empty where there is none.
    """
    whole = dict(provenance)
    if "command" in whole:
        whole["command"] = whole_command(name, str(whole["command"]))
    return ", ".join(f"{key} {value}" for key, value in whole.items())


def whole_command(name: str, recorded: str) -> str:
    """Write the command that made a dataset so that it makes it again.

    `simulate` records no folder, so that equal arguments give equal bytes wherever they are
    written: the name of the dataset is put in its place.

    Examples
    --------
    >>> whole_command("my tubes", "python -m training simulate --images 4")
    "python -m training simulate 'my tubes' --images 4"
    """
    _, simulated, options = recorded.partition(_SIMULATE)
    return f"{_SIMULATE} {shlex.quote(name)}{options}" if simulated else recorded


def address(provenance: Mapping[str, str | int | float]) -> str | None:
    """Return where the data can be had, if the provenance tells an address."""
    texts = (value for value in provenance.values() if isinstance(value, str))
    return next((text for text in texts if re.fullmatch(r"https?://\S+", text)), None)
