"""Nodes that stand on files: a probed one, a picture that carries its graph, a value that is kept on disk."""

import os
from dataclasses import dataclass
from typing import Annotated, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import Field

from hcpgraph import Context, Facts, Probe, node
from hcpgraph.types import port_type
from hcpgraph.widgets import ModelPicker, PathPicker


@port_type(facts=("family",))
@dataclass(frozen=True)
class Probed:
    """A model whose family stands in its file."""

    text: str


@node("files.model", effects="read")
def model(
    ctx: Context, *, path: Annotated[str, ModelPicker()], scale: int = 1
) -> Annotated[Probed, Facts(family=Probe("first_word"))]:
    """Open a model file.

    Args:
        path: The file; its first word is the family.
        scale: No fact depends on it.
    """
    return Probed(ctx.path(path).read_text(encoding="utf-8"))


@node("files.pair")
def pair(a: Probed, b: Probed) -> str:
    """Two models of one family.

    Args:
        a: The first.
        b: The second.
    """
    return a.text + b.text


@node("files.picture", effects="write")
def picture(
    ctx: Context,
    gray: float = 0.0,
    *,
    path: Annotated[str, PathPicker(write=True)] = "out:picture.png",
    note: dict[str, Any] = {},  # noqa: B006 - a default of the schema, never changed
    level: Annotated[int, Field(ge=0, le=255)] = 0,
) -> str:
    """Write a gray picture that carries the graph.

    Args:
        gray: Added to the level.
        path: Where to.
        note: Not used.
        level: Brightness.
    """
    target = ctx.output(path)
    info = PngInfo()
    if ctx.run.embed is not None:
        info.add_text("hcpgraph", ctx.run.embed)
    temporary = target.with_name(f".{target.name}")
    Image.new("L", (4, 4), int(level + gray)).save(temporary, "PNG", pnginfo=info)
    os.replace(temporary, target)
    ctx.artifact(target, "image")
    return ctx.run.roots.uri(target)


@node("files.kept", cache="disk")
def kept(a: float = 0.0, *, plus: float = 0.0) -> list[float]:
    """A result that survives the process.

    Args:
        a: A number.
        plus: Another one.
    """
    return [a + plus]


@node("files.opaque", cache="disk")
def opaque(a: float = 0.0) -> object:
    """A result without a form on disk.

    Args:
        a: A number.
    """
    return object()
