"""Traced neurites in SWC files: each branch becomes a line, single nodes become points.

Depths, like places, are µm from the centre of the first pixel, as SNT of Fiji writes them.
"""

from collections.abc import Iterator
from pathlib import Path

from benchmark.annotation.sketch import Shape, Sketch, Sketches, vertex
from imaging.cli import UserError, counted
from imaging.csv_rows import Row
from imaging.extent import Extent

_COLUMNS = ("node", "type", "x", "y", "z", "radius", "parent")
_SOMA = 1
_NONE = -1  # the parent of a root

Nodes = dict[int, Row]


def read_swc(path: Path, shape: Shape, extent: Extent) -> Sketches:
    """Read the branches, or the single nodes, of a tracing.

    Parameters
    ----------
    path
        The file.
    shape
        Lines are branches, from an end or a fork to the next; points are nodes without neighbours.
        The outline of a soma, nodes of type 1 among themselves, is neither.
    extent
        Of the image.

    Returns
    -------
    Sketches
        In the order of the file.

    Raises
    ------
    UserError
        A row is not seven numbers, or nodes are numbered twice, lack a parent or form a circle.
    """
    nodes = _nodes(path)
    children: dict[int, list[int]] = {number: [] for number in nodes}
    for number, row in nodes.items():
        parent = row.whole("parent")
        if parent == _NONE:
            continue
        if parent not in nodes:
            raise row.refusal(f"there is no node {parent}, its parent: trace it again.")
        children[parent].append(number)
    _refuse_circles(path, nodes, children)

    def sketch(numbers: list[int]) -> Sketch:
        places = [tuple(nodes[number].value(axis) for axis in "xyz") for number in numbers]
        vertices = tuple(vertex(path, extent, (x, y, z), "um", "um") for x, y, z in places)
        return Sketch(vertices, f"row {nodes[numbers[0]].number}")

    branches = list(_branches(nodes, children))
    drawn = [b for b in branches if not all(nodes[n].whole("type") == _SOMA for n in b)]
    single = [n for n in nodes if not children[n] and nodes[n].whole("parent") == _NONE]
    found = Sketches()
    if shape == "line":
        found.marks = [sketch(branch) for branch in drawn]
        found.left_out = [counted(len(single), "single node")] if single else []
        if len(drawn) < len(branches):
            found.left_out.append(counted(len(branches) - len(drawn), "soma outline"))
    else:
        found.marks = [sketch([number]) for number in single]
        found.left_out = [f"{len(branches)} of its branches"] if branches else []
    if extent.planes == 1 and any(row.value("z") for row in nodes.values()):
        found.left_out.append("depths, for the image has one plane")
    return found


def _nodes(path: Path) -> Nodes:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: save it as SWC again.") from error
    nodes: Nodes = {}
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.partition("#")[0].split()
        if not cells:
            continue
        row = Row(path, number, dict(zip(_COLUMNS, cells, strict=False)))
        if len(cells) < len(_COLUMNS):
            raise row.refusal(f"{len(cells)} values, where SWC has seven: save it again.")
        node = row.whole("node")
        if node in nodes:
            raise row.refusal(f"node {node} stands in row {nodes[node].number}, too: renumber one.")
        nodes[node] = row
    return nodes


def _branches(nodes: Nodes, children: dict[int, list[int]]) -> Iterator[list[int]]:
    """Follow each branch from where it begins to the next fork or end."""
    for number, row in nodes.items():
        if len(children[number]) == 1 and row.whole("parent") != _NONE:
            continue
        for child in children[number]:
            branch = [number, child]
            while len(children[branch[-1]]) == 1:
                branch += children[branch[-1]]
            yield branch


def _refuse_circles(path: Path, nodes: Nodes, children: dict[int, list[int]]) -> None:
    reached = [number for number, row in nodes.items() if row.whole("parent") == _NONE]
    for number in reached:  # it grows while it is gone through
        reached += children[number]
    if len(reached) < len(nodes):
        raise UserError(f"{path} has nodes that are their own forebears: trace them again.")
