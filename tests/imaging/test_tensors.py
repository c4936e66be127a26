from pathlib import Path

import torch

from imaging.tensors import write_tensors


def test_tensors_and_plain_values_are_written_whole(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.pt", {"weights": torch.arange(3), "step": 2})
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    assert content["step"] == 2
    assert torch.equal(content["weights"], torch.arange(3))
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
