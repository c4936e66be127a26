"""What a trained network leaves open: how many samples it draws, in how many steps."""

from dataclasses import asdict, replace

from torch import nn

from imaging.cli import UserError
from imaging.training_metadata import Metadata, SamplingOptions
from packages.network_contract import DrawsInSteps, DrawsSamples


def with_options(metadata: Metadata, network: nn.Module, options: SamplingOptions) -> Metadata:
    """Return the metadata of a network with other options than it was trained with.

    Parameters
    ----------
    metadata
        Of its weights.
    network
        As it was trained.
    options
        Those that are stated replace its own.

    Returns
    -------
    Metadata
        With other arguments of the network, and with which options its cost and its errors were
        measured.

    Raises
    ------
    UserError
        The network has no such option.
    """
    own: dict[str, int] = {}
    if options.samples is not None:
        if not isinstance(network, DrawsSamples):
            raise _absent(metadata, "samples")
        own["samples"] = network.samples
    if options.steps is not None:
        if not isinstance(network, DrawsInSteps):
            raise _absent(metadata, "steps")
        own["steps"] = network.steps
    settings, before = metadata.request.settings, _stated(metadata.measured_with)
    changed = replace(settings, network=settings.network | _stated(options))
    return replace(
        metadata,
        request=replace(metadata.request, settings=changed),
        measured_with=SamplingOptions(**own | before),
    )


def _stated(options: SamplingOptions) -> dict[str, int]:
    return {name: value for name, value in asdict(options).items() if value is not None}


def _absent(metadata: Metadata, option: str) -> UserError:
    return UserError(f"'{metadata.model}' has no {option} to choose: leave --{option} out.")
