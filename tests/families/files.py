"""The files that people have of a family, made of its tiny model, and what every one of them must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hcpgraph_nodes.denoiser.load import load_denoiser
from hcpgraph_nodes.families.part_probe import probe_denoiser
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.model.handles import Handle
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from hcpgraph_nodes.vae.load import load_vae
from safetensors.torch import load_file, save_file

from hcpgraph.testing import context

from .harness import Case, made, opened

UNET = "model.diffusion_model."
EIGHT_BITS = torch.float8_e4m3fn
STEP = 2**-3
"""Of 8-bit floats with three bits behind the point, relative to the value."""


def equal(one: Handle, other: Handle, tolerance: float = 0.0) -> None:
    """Both have the same weights, up to a share of each."""
    own, theirs = one.root.module.state_dict(), other.root.module.state_dict()
    assert own.keys() == theirs.keys()
    for name, value in theirs.items():
        assert (own[name] - value).abs().le(tolerance * value.abs() + (2**-9 if tolerance else 0)).all(), name


def whole(root: Path, case: Case) -> Path:
    """The model in one file, as `model.save` writes it."""
    path = root / "models" / f"{case.name}.safetensors"
    if not path.exists():
        model = opened(root, case)
        parts = (model.denoiser, model.text_encoder, model.vae, model.schedule)
        family(case.name).save_file(path, parts, torch.float32, {})
    return path


def denoisers(root: Path, case: Case) -> dict[str, dict[str, torch.Tensor]]:
    """The denoiser in the layouts that people have: kind of file -> its weights, without our header."""
    state = load_file(whole(root, case))
    prefixed = {key: value for key, value in state.items() if key.startswith(UNET)}
    bare = {key.removeprefix(UNET): value for key, value in prefixed.items()}
    component = family(case.name).transformer.name  # type: ignore[attr-defined]
    return {
        "prefixed": prefixed,
        "bare": bare,
        "eight_bits": {key: value.to(EIGHT_BITS) if value.dim() > 1 else value for key, value in bare.items()},
        "diffusers": load_file(made(root, case) / component / "diffusion_pytorch_model.safetensors"),
    }


def denoiser_files_are_read(root: Path, case: Case, *, told: bool = True) -> None:
    """Every file of the denoiser alone is recognised and has its weights.

    Args:
        root: The workspace.
        case: The family.
        told: Whether the tensors' sizes say the whole configuration; else a folder has to.
    """
    expected = opened(root, case).denoiser
    for kind, state in denoisers(root, case).items():
        name = f"{case.name}_{kind}.safetensors"
        save_file(state, root / "models" / name)
        assert probe_denoiser(root / "models" / name) == case.name, kind
        for config in [f"models:{case.name}", *([None] if told else [])]:
            found = load_denoiser(context(root), path=f"models:{name}", config=config).denoiser
            equal(found, expected, STEP if kind == "eight_bits" else 0.0)
    folder = load_denoiser(context(root), path=f"models:{case.name}").denoiser
    equal(folder, expected)


def parts_are_read(root: Path, case: Case) -> None:
    """The whole file, and text networks and VAE alone, in files and folders, have the model's weights."""
    model, of = opened(root, case), family(case.name)
    texts: Any = of.texts  # type: ignore[attr-defined]
    path, folder = whole(root, case), made(root, case)
    assert probe_family(path) == probe_family(folder) == case.name
    one = load_model(context(root), path=f"models:{path.name}", config=f"models:{case.name}")
    for found, expected in zip(one[:3], model[:3], strict=True):
        equal(found, expected)  # type: ignore[arg-type]
    places = []
    for text in texts:
        name = f"{case.name}_{text.comfy or text.name}.safetensors"
        save_file(load_file(folder / text.name / "model.safetensors"), root / "models" / name)
        places.append(f"models:{name}")
    settings = dict(zip(("path", "path_2", "path_3"), places, strict=False))
    settings |= {"family": case.name, "config": f"models:{case.name}"}
    equal(load_text_encoder(context(root), **settings), model.text_encoder)
    equal(load_text_encoder(context(root), path=f"models:{case.name}"), model.text_encoder)
    prefix = of.vae_prefix  # type: ignore[attr-defined]
    state = {key: value for key, value in load_file(path).items() if key.startswith(prefix)}
    alone = {key.removeprefix(prefix): value for key, value in state.items()}
    save_file(alone, root / "models" / f"{case.name}_vae.safetensors")
    equal(load_vae(context(root), path=f"models:{case.name}/vae", family=case.name), model.vae)
    equal(load_vae(context(root), path=f"models:{case.name}_vae.safetensors", family=case.name), model.vae)
