"""What a network says of itself, so that it can be trained, calibrated and packaged.

The file of a network is copied into packages, which know nothing of this one: it needs these
attributes, and nothing to import.
"""

from collections.abc import Iterator
from typing import Protocol, TypeGuard, cast, runtime_checkable

from torch import Tensor, nn

from packages.posterior import Calibration


@runtime_checkable
class RestorationNetwork(Protocol):
    """A torch module that restores: what every network is.

    Attributes
    ----------
    divisor
        Sides of the images that it takes are multiples of this.
    factor
        Pixels of the restored image along one of the image that it takes: 1 on the same grid.
    """

    divisor: int
    factor: int

    def __call__(self, image: Tensor, /) -> Tensor:
        """Restore.

        Parameters
        ----------
        image
            Normalised image, shape (batch, 1, y, x).

        Returns
        -------
        Tensor
            Shape (batch, channels, factor · y, factor · x), the channels that rdf.yaml names: the
            restored image first, a standard deviation second.
        """
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return what is trained."""
        ...


@runtime_checkable
class ReachesFar(RestorationNetwork, Protocol):
    """A network that may look much farther than it does: attention over windows, many layers.

    Attributes
    ----------
    reaches_far
        Whether its halo is measured on an image, and not as the farthest that could matter.
    """

    reaches_far: bool


@runtime_checkable
class RestoresVolumes(RestorationNetwork, Protocol):
    """A network that takes and gives volumes, shape (batch, channels, z, y, x).

    Attributes
    ----------
    divisor_z
        Numbers of planes are multiples of this; None in a network that could restore volumes, but
        was made for planes.
    """

    divisor_z: int | None


@runtime_checkable
class AddsPlanes(RestoresVolumes, Protocol):
    """A network that gives more planes than it takes.

    Attributes
    ----------
    factor_z
        Planes of the restored volume along one of the volume that it takes.
    """

    factor_z: int


@runtime_checkable
class SeesChannels(RestorationNetwork, Protocol):
    """A network that takes channels of an image together and restores each of them.

    Attributes
    ----------
    channels
        How many.
    """

    channels: int


class StatesStd(RestorationNetwork, Protocol):
    """A network with a standard deviation at each pixel: rdf.yaml names a channel "std".

    Attributes
    ----------
    calibration
        Through which its standard deviation goes; training fits it.
    """

    calibration: Calibration


@runtime_checkable
class DrawsSamples(RestorationNetwork, Protocol):
    """A network that draws samples of a posterior, with noise from a `NoiseBank`; it states a std.

    Attributes
    ----------
    samples
        How many it draws for an image; an argument of its architecture of the same name.
    """

    samples: int


@runtime_checkable
class DrawsInSteps(DrawsSamples, Protocol):
    """A network that makes each sample in steps.

    Attributes
    ----------
    steps
        How many; an argument of its architecture of the same name.
    """

    steps: int


def divisors(network: nn.Module) -> dict[str, int]:
    """Return of what the sides of images are multiples.

    Parameters
    ----------
    network
        A `RestorationNetwork`.

    Returns
    -------
    dict
        By axis: y and x, and z before them where it restores volumes.
    """
    of_plane = cast(RestorationNetwork, network).divisor
    z = network.divisor_z if isinstance(network, RestoresVolumes) else None
    plane = {"y": of_plane, "x": of_plane}
    return plane if z is None else {"z": z} | plane


def factors(network: nn.Module) -> dict[str, int]:
    """Return how many pixels of the restored image lie along one of the image that it takes.

    Parameters
    ----------
    network
        A `RestorationNetwork`.

    Returns
    -------
    dict
        By axis, as `divisors` has them.
    """
    plane = cast(RestorationNetwork, network).factor
    z = network.factor_z if isinstance(network, AddsPlanes) else 1
    return {axis: z if axis == "z" else plane for axis in divisors(network)}


def channels_in(network: nn.Module) -> int:
    """Return how many channels of an image a network takes.

    Parameters
    ----------
    network
        A `RestorationNetwork`.

    Returns
    -------
    int
        1 unless it says otherwise.
    """
    return network.channels if isinstance(network, SeesChannels) else 1


def reaches_far(network: nn.Module) -> bool:
    """Tell whether the halo of a network is what is noticed on an image.

    Parameters
    ----------
    network
        Any.

    Returns
    -------
    bool
        Of one that says so, or draws samples, each of which passes over the image many times.
    """
    if isinstance(network, ReachesFar):
        return network.reaches_far
    return isinstance(network, DrawsSamples)


def states_std(network: nn.Module) -> TypeGuard[StatesStd]:
    """Tell whether a network states a standard deviation.

    Parameters
    ----------
    network
        Any.

    Returns
    -------
    bool
        Whether it has a calibration.
    """
    # Where torch keeps the parts of a module, `isinstance` with a protocol looks up to Python 3.11.
    return isinstance(network, RestorationNetwork) and any(
        name == "calibration" for name, _ in network.named_children()
    )
