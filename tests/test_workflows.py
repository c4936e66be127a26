"""What workflows call exists: they run elsewhere, and a wrong word would be seen there first."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
COMMAND = re.compile(r"python -m (packages|training|benchmark) (\w+)([^\n]*)")


def scripts(workflow: Path) -> str:
    """All that its steps run, a line that goes on in the next one being one."""
    content: Any = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    steps = [step for job in content["jobs"].values() for step in job["steps"]]
    return "\n".join(step.get("run", "") for step in steps)


CALLS = sorted({match.groups() for file in WORKFLOWS for match in COMMAND.finditer(scripts(file))})


@pytest.mark.parametrize(("room", "verb", "rest"), CALLS, ids=" ".join)
def test_a_command_of_a_workflow_has_its_options(room: str, verb: str, rest: str) -> None:
    asked = (sys.executable, "-m", room, verb, "--help")
    shown = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for option in re.findall(r"--[a-z-]+", rest):
        assert option in shown


def test_the_example_names_the_inputs_of_the_workflow_it_uses() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    example: Any = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    (job,) = example["jobs"].values()
    used = ROOT / job["uses"].partition("restoration-zoo/")[2].partition("@")[0]
    called: Any = yaml.safe_load(used.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key "on" as true.
    inputs = called[True]["workflow_call"]["inputs"]
    required = {name for name, each in inputs.items() if each.get("required")}
    assert required <= set(job["with"]) <= set(inputs)
