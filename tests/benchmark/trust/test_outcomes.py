import json
from pathlib import Path

from benchmark.trust.outcomes import Outcomes


def test_a_file_of_schema_1_is_read(tmp_path: Path) -> None:
    content = {
        "schema": 1,
        "computed_for": {"package": "1"},
        "outcomes": {"points": [{"image": "0", "found": 2.0}]},
        "reason": "",
    }
    (tmp_path / "seen.json").write_text(json.dumps(content))
    read = Outcomes.read(tmp_path / "seen.json")
    assert read == Outcomes({"package": "1"}, {"points": [{"image": "0", "found": 2.0}]})
    assert read.table("points").to_dict("records") == [{"image": "0", "found": 2.0}]
