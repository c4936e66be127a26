import json
from dataclasses import asdict
from pathlib import Path

from torch import nn

from tests.trained import trained_weights
from training.run_record import TrainingRun

REQUEST = trained_weights(nn.Conv2d(1, 1, 3), "care", {"filters": 8}).metadata.request


def test_a_file_of_schema_1_is_read(tmp_path: Path) -> None:
    content = {"schema": 1, "request": asdict(REQUEST), "versions": {"torch": "2"}}
    (tmp_path / "run.json").write_text(json.dumps(content))
    assert TrainingRun.read(tmp_path / "run.json") == TrainingRun(REQUEST, {"torch": "2"})
