from pathlib import Path

import pytest
import torch

from imaging.cli import UserError
from imaging.tensors import write_tensors
from training.checkpoint import load_checkpoint


def test_a_round_trip_keeps_tensors_and_plain_values(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.pt", {"weights": torch.arange(3), "step": 2})
    content = load_checkpoint(tmp_path / "a.pt")
    assert content["step"] == 2
    assert torch.equal(content["weights"], torch.arange(3))


def test_code_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.nn.ReLU()}, tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"a\.pt is not a readable checkpoint"):
        load_checkpoint(tmp_path / "a.pt")
