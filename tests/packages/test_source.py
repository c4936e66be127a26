from pathlib import Path
from typing import Any

import pytest
import torch

from packages.models import model_named
from packages.source import self_contained


def test_a_model_that_needs_nothing_else_stays_as_it_is() -> None:
    file = model_named("care").model_file
    assert self_contained(file) == file.read_text(encoding="utf-8")


def test_what_a_model_imports_from_the_project_is_put_in_front(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(
        "import torch\n"
        "from packages.care.model import UNet\n"
        "from packages.posterior import (\n    Calibration,\n    NoiseBank,\n)\n\n"
        "NETWORK, BANK = UNet(filters=4), NoiseBank(1, 4)\n"
    )
    source = self_contained(file)
    assert "from packages" not in source
    space: dict[str, Any] = {"__name__": "model"}
    exec(compile(source, "model.py", "exec"), space)
    assert space["NETWORK"](torch.zeros(1, 1, 16, 16)).shape == (1, 1, 16, 16)


def test_two_definitions_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text("from packages.posterior import NoiseBank\n\nPAIRS = 3\n")
    with pytest.raises(ValueError, match="both define 'PAIRS'"):
        self_contained(file)


def test_a_renaming_import_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text("from packages.posterior import NoiseBank as Bank\n")
    with pytest.raises(ValueError, match="renamed"):
        self_contained(file)
