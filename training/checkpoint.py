"""Checkpoints: what an interrupted training goes on from."""

from pathlib import Path
from typing import Any

import torch

from imaging.cli import UserError


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read tensors onto the CPU, and plain values; a file that holds anything else is refused.

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
