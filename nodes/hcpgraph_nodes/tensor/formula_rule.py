"""The rows of `tensor.formula`, without torch: which operations there are, and what is wrong with a list of rows.

A row is `{"op": "sub", "of": ["in0", "row1"]}`: an operation, and what it is of. `in0`, `in1`, … are the wires,
`row0`, `row1`, … the results of earlier rows; numbers stand for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hcpgraph.errors import Problem

OPERATIONS = {
    "add": 2,
    "sub": 2,
    "mul": 2,
    "div": 2,
    "pow": 2,
    "min": 2,
    "max": 2,
    "clamp": 3,
    "neg": 1,
    "square": 1,
    "abs": 1,
    "sqrt": 1,
    "exp": 1,
    "log": 1,
    "log_sigmoid": 1,
    "softplus": 1,
    "tanh": 1,
    "sigmoid": 1,
    "detach": 1,
    "mean_per_sample": 1,
    "sum_per_sample": 1,
    "norm_per_sample": 1,
}
"""Operation -> of how many values it is. The two bounds of `clamp` are numbers."""
PORT = "rows"
Row = Mapping[str, Any]


def place(name: str) -> tuple[bool, int]:
    """Whether a reference names a wire rather than a row, and its number."""
    return name.startswith("in"), int(name.lstrip("inrow"))


def written(row: Row) -> str:
    """A row as people write it: `mul(in0, row1)`."""
    return f"{row['op']}({', '.join(f'{each:g}' if isinstance(each, int | float) else each for each in row['of'])})"


def row_problems(rows: Sequence[Row], wires: int) -> list[Problem]:
    """Everything that is wrong with rows over so many wires: E_FORMULA, at the setting `rows`."""
    found: list[str] = []
    read: set[str] = set()
    for number, row in enumerate(rows):
        label = f"row{number} = {written(row)}"
        names = [each for each in row["of"] if isinstance(each, str)]
        read.update(names)
        wanted = OPERATIONS[row["op"]]
        if len(row["of"]) != wanted:
            found.append(f"{label}: {row['op']} is of {wanted} values, not of {len(row['of'])}")
        elif not names:
            found.append(f"{label} reads no wire and no row")
        elif row["op"] == "clamp" and names != row["of"][:1]:
            found.append(f"{label}: the bounds of clamp are numbers; take min and max for others")
        elif row["op"] == "clamp" and row["of"][1] > row["of"][2]:
            found.append(f"{label}: the lower bound is above the upper one")
        for name in names:
            wire, index = place(name)
            if wire and index >= wires:
                found.append(f"{label}: there is no {name}, only {wires} wire{'s' * (wires != 1)}, counted from in0")
            elif not wire and index >= number:
                found.append(f"{label}: {name} does not stand before it")
    found += [f"in{index} is not read" for index in range(wires) if f"in{index}" not in read]
    found += [f"row{index} is not read" for index in range(len(rows) - 1) if f"row{index}" not in read]
    hint = "a row is of wires (in0, in1, …), of rows before it (row0, …) and of numbers; the last one is the result"
    return [Problem("E_FORMULA", message, port=PORT, hint=hint) for message in found]


def rows_make_sense(view: Any) -> list[Problem]:
    """The rows of `tensor.formula` read what there is, and all of it is read."""
    if view.type != "tensor.formula" or PORT not in view.settings or "value" not in view.connected:
        return []
    problems = row_problems(view.settings[PORT], 1 + view.wires.get("others", 0))
    return [Problem(one.code, one.message, view.node, one.port, one.hint) for one in problems]
