"""LPIPS v0.1: the networks, and the distance between what they see in two pictures.

Layers and names of parameters are those of torchvision, so that its published files can be read
without it.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.metrics.weights import WeightsFile

_TORCHVISION = "https://download.pytorch.org/models/"
_HEADS = (
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/"
)


class LPIPS(nn.Module):
    """Learned perceptual distance v0.1 (Zhang et al. 2018, arXiv 1801.03924).

    Parameters
    ----------
    features
        Layers of a network trained on ImageNet.
    taps
        After which of them features are compared.
    channels
        How many there are at each tap.
    """

    def __init__(
        self, features: nn.Sequential, taps: tuple[int, ...], channels: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.features = features
        self.taps = taps
        self.heads = nn.ModuleList(nn.Conv2d(n, 1, 1, bias=False) for n in channels)
        # ImageNet's mean and standard deviation per colour, for intensities in [−1, 1].
        self.register_buffer("mean", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distances of pairs of pictures.

        Σ over layers of ⟨w·(f̂_a − f̂_b)²⟩ over pixels, f̂ the features scaled to unit length
        along the channels.

        Parameters
        ----------
        a, b
            (batch, 3, y, x), red, green and blue in [−1, 1].

        Returns
        -------
        Tensor
            (batch,).
        """
        distance = torch.zeros(len(a), device=a.device)
        both = (torch.cat([a, b]) - self.get_buffer("mean")) / self.get_buffer("std")
        heads = iter(self.heads)
        for index, layer in enumerate(self.features):
            both = layer(both)
            if index in self.taps:
                length = both.square().sum(dim=1, keepdim=True).sqrt()
                of_a, of_b = (both / (length + 1e-10)).chunk(2)
                distance = distance + next(heads)((of_a - of_b).square()).mean(dim=(1, 2, 3))
        return distance


class Fire(nn.Module):
    """SqueezeNet's module (Iandola et al. 2016, arXiv 1602.07360): few channels, then many."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 2·expanded, y, x) of (batch, channels, y, x)."""
        few = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(few), self.expand3x3(few)], dim=1).relu()


def alexnet() -> nn.Sequential:
    """Return the convolutional layers of AlexNet up to its last ReLU."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def squeezenet() -> nn.Sequential:
    """Return the convolutional layers of SqueezeNet 1.1."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )


def vgg16() -> nn.Sequential:
    """Return the convolutional layers of VGG-16 up to its last ReLU."""
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        if layers:
            layers.append(nn.MaxPool2d(2))
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


@dataclass(frozen=True)
class Network:
    """One of the three networks that LPIPS was published with.

    Attributes
    ----------
    features
        Makes its layers, without weights.
    taps, channels
        See `LPIPS`.
    backbone, heads
        Its published weights: torchvision's, and the linear layers of LPIPS.
    """

    features: Callable[[], nn.Sequential]
    taps: tuple[int, ...]
    channels: tuple[int, ...]
    backbone: WeightsFile
    heads: WeightsFile


# Hashes of the heads: that of AlexNet is of the file in the repository of LPIPS, the others of the
# copies in torchmetrics, whose file for AlexNet is the same one.
NETWORKS = {
    "alex": Network(
        features=alexnet,
        taps=(1, 4, 7, 9, 11),
        channels=(64, 192, 384, 256, 256),
        # The second name and hash are the same convolutional layers without the classifier, 10 MB.
        backbone=WeightsFile(
            names=("alexnet-owt-7be5be79.pth", "alexnet_features.pth"),
            sha256_prefixes=("7be5be79", "1454cf628f565bb3"),
            url=_TORCHVISION + "alexnet-owt-7be5be79.pth",
            size="233 MB",
        ),
        heads=WeightsFile(
            names=("lpips_v0.1_alex.pth",),
            sha256_prefixes=("df73285e35b22355",),
            url=_HEADS + "alex.pth",
            size="6 KB",
        ),
    ),
    "squeeze": Network(
        features=squeezenet,
        taps=(1, 4, 7, 9, 10, 11, 12),
        channels=(64, 128, 256, 384, 384, 512, 512),
        backbone=WeightsFile(
            names=("squeezenet1_1-b8a52dc0.pth",),
            sha256_prefixes=("b8a52dc0",),
            url=_TORCHVISION + "squeezenet1_1-b8a52dc0.pth",
            size="5 MB",
        ),
        heads=WeightsFile(
            names=("lpips_v0.1_squeeze.pth",),
            sha256_prefixes=("4a5350f23600cb79",),
            url=_HEADS + "squeeze.pth",
            size="11 KB",
        ),
    ),
    "vgg": Network(
        features=vgg16,
        taps=(3, 8, 15, 22, 29),
        channels=(64, 128, 256, 512, 512),
        backbone=WeightsFile(
            names=("vgg16-397923af.pth",),
            sha256_prefixes=("397923af",),
            url=_TORCHVISION + "vgg16-397923af.pth",
            size="528 MB",
        ),
        heads=WeightsFile(
            names=("lpips_v0.1_vgg.pth",),
            sha256_prefixes=("a78928a0af1e5f0f",),
            url=_HEADS + "vgg.pth",
            size="7 KB",
        ),
    ),
}


@functools.lru_cache(maxsize=len(NETWORKS))
def load(name: str, backbone: Path, heads: Path) -> LPIPS:
    """Read LPIPS on one network from its two files.

    Parameters
    ----------
    name
        Which of `NETWORKS`.
    backbone
        torchvision's file, with or without its classifier.
    heads
        The linear layers of LPIPS v0.1.

    Returns
    -------
    LPIPS
        On the CPU, in evaluation mode.
    """
    network = NETWORKS[name]
    model = LPIPS(network.features(), network.taps, network.channels)
    parameters = torch.load(backbone, map_location="cpu", weights_only=True)
    prefix = "features."
    model.features.load_state_dict(
        {k.removeprefix(prefix): v for k, v in parameters.items() if k.startswith(prefix)}
    )
    parameters = torch.load(heads, map_location="cpu", weights_only=True)
    model.heads.load_state_dict(
        {f"{i}.weight": parameters[f"lin{i}.model.1.weight"] for i in range(len(model.taps))}
    )
    return model.eval().requires_grad_(False)
