"""`hcpgraph layers`: which layers of a model selectors match; the layer picker of the editor uses the same code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import visible
from .common import Command, json_option, machine, pack_option, root_option, said, workspace_option
from .models import located, teller

PARTS = ("denoiser", "text_encoder", "vae")


@click.command("layers", cls=Command)
@click.argument("model")
@click.argument("patterns", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--part", type=click.Choice(PARTS), help="Of which part.  [default: the one that selectors begin with, or denoiser]"
)
@json_option
@workspace_option
@root_option
@pack_option
def command(
    model: str,
    patterns: tuple[str, ...],
    part: str | None,
    as_json: bool,
    workspace: Path | None,
    roots: dict[str, Path],
    packs: tuple[Path, ...],
) -> None:
    """List the layers of MODEL that selectors match, with class and shapes; without a selector all of them.

    MODEL is a diffusers folder, a .safetensors or .gguf file, or its name in the workspace, such as models:sd15. A
    selector is an exact layer name, re:PATTERN (from the start of the name), cls:CLASS, @GROUP such as @attention, and
    any of these behind pre_hook: for the input of a layer, and all of that behind text_encoder: or vae:. The groups are
    listed with their numbers of layers. Exit code 2 if a selector matches nothing; near misses are told.
    """
    from ..checking.analyse import default_roots

    model, places = located(model, roots)
    pack = teller(packs, "model_outline")
    part = part or str(pack.part_of(patterns))
    known = pack.model_outline(model, default_roots(workspace, places), part)
    matched = pack.matching(known, patterns or ("re:",))
    of = known["layers"]
    rows = [_row(point.path, point.pre, of[point.path]) for point in matched]
    groups = {name: len(found) for name, found in pack.groups(known).items()}
    if as_json:
        machine({"ok": True, "part": part, "total": len(of), "matched": len(rows), "layers": rows, "groups": groups})
    else:
        _show(rows, len(of), groups)


def _row(path: str, pre: bool, told: Any) -> dict[str, Any]:
    classes, shapes = told
    return {"name": path, "input": pre, "class": classes[0] if classes else "Module", "shapes": shapes}


def _show(rows: list[dict[str, Any]], total: int, groups: dict[str, int]) -> None:
    names = [("pre_hook:" if row["input"] else "") + (row["name"] or "''") for row in rows]
    wide, kinds = max(map(len, names)), max(len(row["class"]) for row in rows)
    for name, row in zip(names, rows, strict=True):
        shapes = ", ".join(f"{key} {'×'.join(map(str, size)) or '1'}" for key, size in row["shapes"].items())
        click.echo(visible(f"{name:{wide}}  {row['class']:{kinds}}  {shapes}".rstrip()))
    said(f"{len(rows)} of {total} layers; groups: {', '.join(f'{name} {count}' for name, count in groups.items())}")
