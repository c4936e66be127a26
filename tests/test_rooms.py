"""Who may import whom: rooms are joined by files and by the ground floor."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What each room may import, itself aside; a room is the longest of these names that fits.
ALLOWED = {
    "imaging": set[str](),
    "simulation": {"imaging"},
    "packages": {"imaging"},
    "training": {"imaging", "packages", "simulation"},
    "benchmark.metrics": {"imaging"},
    "benchmark.annotation": {"imaging"},
    "benchmark.running": {"benchmark.metrics", "imaging", "packages"},
    "benchmark.comparison": {"benchmark.metrics", "benchmark.running", "imaging", "packages"},
    "benchmark.objects": {"benchmark.metrics", "benchmark.running", "imaging"},
    "benchmark.page": {
        "benchmark.comparison",
        "benchmark.metrics",
        "benchmark.objects",
        "benchmark.running",
        "benchmark.trust",
        "imaging",
    },
    "benchmark.registration": {"benchmark.metrics", "imaging"},
    "benchmark.study": {"benchmark.metrics", "benchmark.running", "imaging", "packages"},
    "benchmark.trust": {
        "benchmark.metrics",
        "benchmark.running",
        "imaging",
        "simulation",
    },
    # The command line and the demo, which give every command.
    "benchmark": {
        "benchmark.annotation",
        "benchmark.metrics",
        "benchmark.page",
        "benchmark.registration",
        "benchmark.running",
        "benchmark.study",
        "benchmark.trust",
        "imaging",
    },
    "tools": {"benchmark.metrics", "imaging", "packages", "simulation", "training"},
}


def room_of(module: str) -> str:
    fitting = [room for room in ALLOWED if module == room or module.startswith(f"{room}.")]
    return max(fitting, key=len, default="")


def arrows() -> Iterator[tuple[str, str, str]]:
    """Yield who imports what, and the rooms of both; imports inside functions count, too."""
    for top in {room.partition(".")[0] for room in ALLOWED}:
        for file in sorted((ROOT / top).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for imported in imports_of(file):
                if room_of(imported):
                    yield room_of(module), room_of(imported), f"{module} imports {imported}"


def imports_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            # The name may be a module of its own.
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_every_import_is_allowed() -> None:
    refused = [said for room, imported, said in arrows() if imported not in {room, *ALLOWED[room]}]
    assert refused == []


@pytest.mark.parametrize("room", ALLOWED)
def test_every_permission_is_needed(room: str) -> None:
    taken = {imported for own, imported, _ in arrows() if own == room}
    assert ALLOWED[room] <= taken


def test_rooms_form_no_circle() -> None:
    floors: list[set[str]] = []
    left = dict(ALLOWED)
    while left:
        below = set[str]().union(*floors)
        floor = {room for room, allowed in left.items() if allowed <= below}
        assert floor, f"{sorted(left)} import each other in a circle"
        floors.append(floor)
        left = {room: allowed for room, allowed in left.items() if room not in floor}


def test_an_import_that_is_not_allowed_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text("def late():\n    from training.loop import train\n")
    assert [room_of(name) for name in imports_of(file)] == ["training"]
    assert "training" not in ALLOWED["benchmark.running"]
