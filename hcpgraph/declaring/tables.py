"""Tables to which packs add rows, known without importing the modules that declare them.

A module that has `TABLE = {"table": "families", "name": "sd15", …}` at its top, a dict of literals, adds the row `sd15`
to the table `families`. Rows lie in the manifest of the pack, as JSON data. What they mean is the packs' affair.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..importing import import_module

VARIABLE = "TABLE"


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        table: Name of the table.
        name: Its own, which no other row of the table has.
        module: The module that declares it.
        file: Where that lies.
        values: All that it says.
    """

    table: str
    name: str
    module: str
    file: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        """Import the module that declares it.

        Raises:
            ImportError: It is not there, or needs what is not there.
        """
        return import_module(self.module, self.file)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_row(module: str, file: Path) -> Row | None:
    """The row that a module declares, if it does; nothing is imported.

    Raises:
        ValueError: It is not made of literals that JSON can say, or `table` or `name` is no text.
        SyntaxError, OSError: The file cannot be read.
    """
    data = file.read_bytes()
    if VARIABLE.encode() not in data:
        return None
    value = next((found for found in map(_declared, ast.parse(data).body) if found is not None), None)
    if value is None:
        return None
    try:
        values = json.loads(json.dumps(ast.literal_eval(value), allow_nan=False))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{VARIABLE} in line {value.lineno} is no literal that JSON can say: {error}") from None
    if not all(isinstance(values.get(name), str) for name in ("table", "name")):
        raise ValueError(f'{VARIABLE} in line {value.lineno} has no texts as "table" and "name"')
    return Row(values["table"], values["name"], module, str(file), values)


def _declared(statement: ast.stmt) -> ast.Dict | None:
    """The dict that a statement gives the variable, if it is about a table."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(statement.value, ast.Dict):
        return None
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    named = any(isinstance(target, ast.Name) and target.id == VARIABLE for target in targets)
    keys = (key.value for key in statement.value.keys if isinstance(key, ast.Constant))
    return statement.value if named and "table" in keys else None


_known: dict[str, list[Row]] = {}


def know(folder: str, rows: Iterable[Row]) -> None:
    """From now on the pack of this folder has these rows, in this process; they win over those known before."""
    _known.pop(folder, None)
    _known[folder] = list(rows)


def known() -> list[Row]:
    """The rows of all packs that this process has opened."""
    return [row for rows in _known.values() for row in rows]
