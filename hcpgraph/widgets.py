"""Hints for the editor, written inside `Annotated[...]` of a setting. They never change what a value may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Widget:
    """Base of all widgets; its fields land in the JSON Schema under `x-widget`."""

    kind: ClassVar[str] = "text"
    group: str | None = None
    advanced: bool = False
    primary: bool = False

    def to_json(self) -> dict[str, Any]:
        fields = {name: value for name, value in asdict(self).items() if value not in (None, False, ())}
        return {"kind": self.kind, **fields}

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core)
        schema["x-widget"] = self.to_json()
        return schema


@dataclass(frozen=True)
class Slider(Widget):
    """A slider with a number field."""

    kind: ClassVar[str] = "slider"
    step: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Prompt(Widget):
    """Several lines of text for a model."""

    kind: ClassVar[str] = "prompt"


@dataclass(frozen=True)
class TextArea(Widget):
    """Several lines of plain text."""

    kind: ClassVar[str] = "textarea"


@dataclass(frozen=True)
class Seed(Widget):
    """A seed, 0 … 2^32 − 1; `hcpgraph run --seed` sets every seed of the root graph."""

    kind: ClassVar[str] = "seed"


@dataclass(frozen=True)
class PathPicker(Widget):
    """A `root:relative` path.

    Args:
        kind_of: `file`, `folder` or `any`.
        suffixes: Which endings are offered.
        write: Whether the node creates it; otherwise its content is part of the cache key of a `read` node. A setting
            `overwrite` of the same node says whether something of that name is replaced.
    """

    kind: ClassVar[str] = "path"
    kind_of: str = "any"
    suffixes: tuple[str, ...] = ()
    write: bool = False


@dataclass(frozen=True)
class ModelPicker(PathPicker):
    """A model: a diffusers folder or a weight file. One that is written may also be a new one in `models:`."""

    kind: ClassVar[str] = "model"


@dataclass(frozen=True)
class LayerPicker(Widget):
    """Layer selectors (`re:…`) with a live count of what they match; `of` is the port whose model is asked."""

    kind: ClassVar[str] = "layers"
    of: str = "model"


@dataclass(frozen=True)
class RowPicker(Widget):
    """A name of a row of a table that packs add to (`hcpgraph.table`): those that there are, are offered.

    Args:
        table: Name of the table.
        also: Words that are offered before them, such as `auto`.
    """

    kind: ClassVar[str] = "auto"
    table: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Formula(Widget):
    """Rows of a formula, `{"op": …, "of": […]}`, that are written as text, one a line: `in0 - row1`.

    Args:
        operations: Name of each operation, and of how many values it is.
    """

    kind: ClassVar[str] = "formula"
    operations: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Hint(Widget):
    """No special widget: only a group, `advanced` or `primary`."""

    kind: ClassVar[str] = "auto"
