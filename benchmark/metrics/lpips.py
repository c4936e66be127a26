"""LPIPS v0.1: AlexNet, and the distance between what it sees in two pictures.

Layers and names of parameters are those of torchvision and of the official package, so that their
published files can be read without them.
"""

import functools
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.metrics.weights import WeightsFile, read_weights

# The second name is torchvision's own file, with the classifier.
BACKBONE = WeightsFile(
    names=("alexnet_features.pth", "alexnet-owt-7be5be79.pth"),
    prefix="features.",
    sha256="5c95b2570558da96f516029543d57468abc508aaf8c10ba870239f55e1e4f15e",
)
HEADS = WeightsFile(
    names=("lpips_v0.1_alex.pth",),
    prefix="lin",
    sha256="96519701b4519c52682d21099af569a61490c7591603b106006055c4381d9afb",
)

# After which layers of AlexNet features are compared, and how many there are.
_CHANNELS = {1: 64, 4: 192, 7: 384, 9: 256, 11: 256}


class LPIPS(nn.Module):
    """Learned perceptual distance v0.1 with AlexNet (Zhang et al. 2018, arXiv 1801.03924)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = alexnet()
        self.heads = nn.ModuleList(nn.Conv2d(n, 1, 1, bias=False) for n in _CHANNELS.values())
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
            if index in _CHANNELS:
                length = both.square().sum(dim=1, keepdim=True).sqrt()
                of_a, of_b = (both / (length + 1e-10)).chunk(2)
                distance = distance + next(heads)((of_a - of_b).square()).mean(dim=(1, 2, 3))
        return distance


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


@functools.lru_cache(maxsize=1)
def load(backbone: Path, heads: Path) -> LPIPS:
    """Read LPIPS from its two files.

    Parameters
    ----------
    backbone
        torchvision's parameters of AlexNet, with or without its classifier.
    heads
        The linear layers of LPIPS v0.1.

    Returns
    -------
    LPIPS
        On the CPU, in evaluation mode.

    Raises
    ------
    UserError
        A file does not hold the published parameters.
    """
    model = LPIPS()
    model.features.load_state_dict(read_weights(BACKBONE, backbone))
    layers = read_weights(HEADS, heads)
    model.heads.load_state_dict({k.replace("model.1.", ""): v for k, v in layers.items()})
    return model.eval().requires_grad_(False)
