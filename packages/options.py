"""What a trained network leaves open: how many samples it draws, in how many steps."""

from typing import Any

from torch import nn

from packages.cli import UserError


def with_options(
    facts: dict[str, Any], network: nn.Module, options: dict[str, int]
) -> dict[str, Any]:
    """Return the arguments of a network with other options than it was trained with.

    Parameters
    ----------
    facts
        Of the training. Where there are options, they will say with which others its cost and its
        errors were measured.
    network
        As it was trained.
    options
        By name.

    Returns
    -------
    dict
        Arguments to build it with.

    Raises
    ------
    UserError
        The network has no such option.
    """
    arguments: dict[str, Any] = facts["request"]["settings"]["network"]
    for option in options:
        if not hasattr(network, option):
            raise UserError(f"'{facts['room']}' has no {option} to choose: leave --{option} out.")
    if options:
        facts.setdefault("measured_with", {name: arguments.get(name) for name in options})
    return {**arguments, **options}
