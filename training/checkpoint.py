"""Checkpoints: tensors and plain values in a file, written whole and read without running code."""

import io
from pathlib import Path
from typing import Any

import torch

from packages.cli import UserError
from packages.files import replacing


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values, whole or not at all.

    Parameters
    ----------
    path
        What was there is replaced.
    content
        By name.
    """
    stream = io.BytesIO()
    torch.save(content, stream)  # into a file, it would report a full disk as a fault of its own
    with replacing(path) as temporary:
        temporary.write_bytes(stream.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read tensors and plain values; a file that holds anything else is refused.

    Parameters
    ----------
    path
        Written by `save_checkpoint`.

    Returns
    -------
    dict
        On the CPU.

    Raises
    ------
    UserError
        Not a checkpoint.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise UserError(
            f"{path} is not a readable checkpoint: remove it, or the whole run, and train again."
        ) from error
