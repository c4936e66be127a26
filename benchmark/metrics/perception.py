"""How different two images look to a network trained on photographs: LPIPS."""

import functools
import os
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.metrics.intensity import affine_fit, value_range
from benchmark.metrics.metric import Image, NotApplicable, metric
from packages.cli import UserError
from packages.files import replacing, sha256

VARIABLE = "LPIPS_BACKBONE_WEIGHTS"
_SMALLEST_SIDE = 31  # below, AlexNet's second pooling has nothing left to pool


@dataclass(frozen=True)
class WeightsFile:
    """A published file of parameters.

    Attributes
    ----------
    names
        The file names it goes by; the first is the official one.
    sha256_prefixes
        How its hash may begin.
    url, size
        Where it is published, and how large it is.
    """

    names: tuple[str, ...]
    sha256_prefixes: tuple[str, ...]
    url: str
    size: str


# The second name and hash are the same convolutional layers without the classifier, 10 MB.
ALEXNET = WeightsFile(
    names=("alexnet-owt-7be5be79.pth", "alexnet_features.pth"),
    sha256_prefixes=("7be5be79", "1454cf628f565bb3"),
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    size="233 MB",
)
ALEXNET_HEADS = WeightsFile(
    names=("lpips_v0.1_alex.pth",),
    sha256_prefixes=("df73285e35b22355",),
    url="https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/"
    "lpips/weights/v0.1/alex.pth",
    size="6 KB",
)


class AlexNetLPIPS(nn.Module):
    """LPIPS v0.1 on AlexNet (Zhang et al. 2018, arXiv 1801.03924)."""

    taps = (1, 4, 7, 9, 11)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
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
        self.heads = nn.ModuleList(
            nn.Conv2d(channels, 1, 1, bias=False) for channels in (64, 192, 384, 256, 256)
        )
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


def find_weights(file: WeightsFile, path: Path | None = None, *, download: bool = False) -> Path:
    """Find a file of weights: argument, environment variable, torch hub cache, download.

    Parameters
    ----------
    file
        What is looked for.
    path
        The file itself or a folder that holds it; by default what ``LPIPS_BACKBONE_WEIGHTS`` names.
        When it is the file of the backbone, the heads are looked for beside it.
    download
        Fetch it into the torch hub cache when it is nowhere else.

    Returns
    -------
    Path
        A file whose hash is that of the published one.

    Raises
    ------
    NotApplicable
        It is nowhere, and was not to be downloaded.
    UserError
        The place named does not exist, a file is not the published one, or the download failed.
    """
    named = path or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    if named is not None and not named.exists():
        raise UserError(f"{named}, named for LPIPS weights, does not exist: check {VARIABLE}.")
    folders = [cache] if named is None else [named if named.is_dir() else named.parent, cache]
    for candidate in (folder / name for folder in folders for name in file.names):
        if candidate.is_file():
            _refuse_other(candidate, file)
            return candidate
    target = cache / file.names[0]
    if not download:
        raise NotApplicable(
            f"LPIPS needs {file.names[0]}: download {file.url} ({file.size}) to {target}, "
            f"or set {VARIABLE} to the file or folder that holds it."
        )
    _download(file, target)
    return target


def download_weights() -> None:
    """Fetch what LPIPS needs, 233 MB, into the torch hub cache, unless it is there already.

    Raises
    ------
    UserError
        A file could not be fetched, or is not the published one.
    """
    for file in (ALEXNET, ALEXNET_HEADS):
        find_weights(file, download=True)


@functools.lru_cache(maxsize=1)
def load_alexnet(backbone: Path, heads: Path) -> AlexNetLPIPS:
    """Read LPIPS on AlexNet from its two files.

    Parameters
    ----------
    backbone
        torchvision's AlexNet, with or without its classifier.
    heads
        The linear layers of LPIPS v0.1.

    Returns
    -------
    AlexNetLPIPS
        On the CPU, in evaluation mode.
    """
    model = AlexNetLPIPS().eval().requires_grad_(False)
    parameters = torch.load(backbone, map_location="cpu", weights_only=True)
    prefix = "features."
    model.features.load_state_dict(
        {k.removeprefix(prefix): v for k, v in parameters.items() if k.startswith(prefix)}
    )
    parameters = torch.load(heads, map_location="cpu", weights_only=True)
    model.heads.load_state_dict(
        {f"{i}.weight": parameters[f"lin{i}.model.1.weight"] for i in range(len(model.taps))}
    )
    return model


@metric(label="LPIPS (AlexNet)", direction="lower")
def lpips_alex(truth: Image, prediction: Image) -> float:
    """Learned perceptual distance, v0.1 with AlexNet, after the best affine intensity fit.

    The prediction is fitted to the truth by least squares, then percentiles 0.1 and 99.9 of the
    truth are mapped to −1 and 1, both images are clipped there and repeated in three channels. See
    `AlexNetLPIPS` for the formula and its source. The network knows photographs, not microscopy;
    differences of 0.01 have no established meaning there.

    Parameters
    ----------
    truth, prediction
        Images of one shape (y, x), at least 31 x 31.

    Returns
    -------
    float
        0 for equal images; seldom above 1.

    Raises
    ------
    NotApplicable
        The images are too small or one is constant, or the weights are not there.

    Examples
    --------
    >>> lpips_alex(np.eye(30), np.eye(30))
    Traceback (most recent call last):
    benchmark.metrics.metric.NotApplicable: LPIPS needs at least 31 x 31 pixels, not 30 x 30.
    """
    if min(truth.shape) < _SMALLEST_SIDE:
        raise NotApplicable(
            f"LPIPS needs at least {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels, "
            f"not {truth.shape[0]} x {truth.shape[1]}."
        )
    value_range(truth)
    fitted = affine_fit(truth, prediction)
    low, high = np.percentile(truth, [0.1, 99.9])
    if high <= low:
        raise NotApplicable("The truth is almost empty: its percentiles 0.1 and 99.9 are equal.")
    backbone, heads = find_weights(ALEXNET), find_weights(ALEXNET_HEADS)
    pair = (np.stack([truth, fitted]) - low) / (high - low) * 2 - 1
    pictures = torch.from_numpy(pair.clip(-1, 1).astype(np.float32))
    pictures = pictures[:, None, None].expand(-1, 1, 3, -1, -1)
    with torch.inference_mode():
        return float(load_alexnet(backbone, heads)(pictures[0], pictures[1]))


@functools.lru_cache(maxsize=8)
def _known(path: Path, changed_ns: int, prefixes: tuple[str, ...]) -> bool:
    """Whether a file's hash begins as published; remembered until the file changes."""
    return sha256(path).startswith(prefixes)


def _refuse_other(path: Path, file: WeightsFile) -> None:
    if not _known(path, path.stat().st_mtime_ns, file.sha256_prefixes):
        raise UserError(
            f"{path} is not the published file (its sha256 does not begin with "
            f"{' or '.join(file.sha256_prefixes)}): remove it and fetch {file.url} again."
        )


def _download(file: WeightsFile, target: Path) -> None:
    try:
        with (
            replacing(target) as temporary,
            urllib.request.urlopen(file.url, timeout=60) as source,
        ):
            with temporary.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            _refuse_other(temporary, file)
    except OSError as error:
        raise UserError(
            f"{file.url} ({file.size}) could not be fetched to {target} ({error}): download it "
            f"there by hand, or set {VARIABLE} to the file or folder that holds it."
        ) from error
