"""Files of tensors and plain values, whole or absent."""

import io
from pathlib import Path
from typing import Any

import torch

from imaging.files import replacing


def write_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values by name, whole or not at all."""
    stream = io.BytesIO()
    torch.save(content, stream)  # into a file, it would report a full disk as a fault of its own
    with replacing(path) as temporary:
        temporary.write_bytes(stream.getbuffer())
