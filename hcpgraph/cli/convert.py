"""`hcpgraph convert`: an adapter file in another program's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..document.missing import beside
from ..errors import GraphErrors
from .common import FILE, Command, json_option, machine, pack_option, root_option, said, workspace_option
from .models import located, teller

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
LAYOUTS = ("kohya", "comfy", "peft", "hcp")
PARTS = ("denoiser", "text_encoder")


@click.command("convert", cls=Command)
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
@click.option("--to", "layout", type=click.Choice(LAYOUTS), required=True, help="The layout to write.")
@click.option(
    "--model", metavar="MODEL", help="The model it was made for, if that has other sizes than the released one."
)
@click.option("--family", metavar="NAME", help="The released model it was made for, if the file does not tell.")
@click.option("--part", type=click.Choice(PARTS), help="Write this component alone.")
@click.option("--dtype", type=click.Choice(("fp32", "fp16", "bf16")), help="Precision to write. [default: as it is]")
@click.option("--averages", is_flag=True, help="Take the moving averages that files of HCP-Diffusion may hold.")
@click.option(
    "--unknown",
    type=click.Choice(("error", "ignore")),
    default="error",
    show_default=True,
    help="What becomes of keys that fit no layer: list them and stop, or leave them out.",
)
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it is there.")
@json_option
@workspace_option
@root_option
@pack_option
def command(
    *,
    source: Path,
    target: Path,
    layout: str,
    model: str | None,
    as_json: bool,
    workspace: Path | None,
    roots: dict[str, Path],
    packs: tuple[Path, ...],
    overwrite: bool,
    **options: Any,
) -> None:
    """Write the adapters of SOURCE in another layout to TARGET, a .safetensors file.

    SOURCE is a LoRA, LoCon, DoRA, LoHa, LoKr or full difference in any layout that plugin.load reads: a .safetensors
    file, a folder that PEFT saved, or a .ckpt, .pt, .pth or .bin file of tensors alone. MODEL is a diffusers folder, a
    .safetensors checkpoint, or its name in the workspace. SOURCE and TARGET may be names in the workspace
    too, such as out:style.safetensors. What a layout has no place for is an error, as the page Adapter files of the
    documentation lists it.
    """
    from ..checking.analyse import default_roots

    if target.suffix != ".safetensors":
        raise GraphErrors.one("E_PATH", f"{target} does not end in .safetensors", hint="adapters are written as that")
    if target.exists() and not overwrite:
        raise GraphErrors.one("E_PATH", f"{target} is already there", hint="give another name, or --overwrite")
    if not target.resolve().parent.is_dir():
        raise GraphErrors.one("E_PATH", f"there is no folder {target.parent}", hint="make it first")
    if not source.exists():
        raise GraphErrors.one("E_NOT_FOUND", f"there is no {source}", hint=beside(source, SUFFIXES))
    places = dict(roots)
    if model is not None:
        model, places = located(model, roots)
    told = teller(packs, "convert_adapter").convert_adapter(
        source, target, layout, model=model, roots=default_roots(workspace, places), **options
    )
    if as_json:
        machine({"ok": True, **told})
        return
    for component, layers in told["layers"].items():
        said(f"{component}: {layers} layers, {', '.join(told['kinds'][component])}")
    for note in told["notes"]:
        said(f"note: {note}", fg="yellow")
    said(f"wrote {target}")
