"""What the tests of adapter files of transformers share: random adapters, and the keys that ComfyUI knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from hcpgraph_nodes.families.dit.family import TransformerFamily
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.table import families
from hcpgraph_nodes.model.handles import component
from hcpgraph_nodes.plugins.attach import adapted
from hcpgraph_nodes.plugins.base import Plugin, chosen
from hcpgraph_nodes.plugins.blocks.adapter import AdapterBlock
from hcpgraph_nodes.plugins.blocks.kinds import BLOCKS
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.save import save_plugin
from safetensors.torch import save_file
from torch import nn

from hcpgraph.testing import context

from ..nodes.adapter_models import weights_of

LINEAR = (nn.Linear,)
RANKS = (2, 3, 4)
COMFY_SUFFIXES = (
    *("lora_down.weight", "lora_up.weight", "lora_mid.weight", "lora_A.weight", "lora_B.weight", "alpha", "dora_scale"),
    *("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "lokr_w1", "lokr_w2_a", "lokr_w2_b", "diff", "diff_b"),
    *("w_norm", "b_norm"),
)


def transformers() -> list[str]:
    """The families of diffusion transformers."""
    return [name for name in families() if isinstance(family(name), TransformerFamily)]


def attached(model: Any, layers: list[str], variant: str = "lora", rank: Callable[[int], int] = lambda n: 3) -> Any:
    """A model with a random adapter at the linear layers that the selectors mean; those of one number have one scale.

    Args:
        model: A denoiser or text encoder.
        layers: Selectors.
        variant: As in `weights_of`.
        rank: Of a LoRA by the number of its layer; alpha is half of it.
    """
    blocks = {}
    for number, point in enumerate(chosen(model, layers, LINEAR, hooks=False)):
        weights = weights_of(variant, point.layer, 2 * number)
        if variant in ("lora", "bias", "dora"):
            out, wide = point.layer.weight.shape
            seeded = torch.Generator().manual_seed(number)
            weights |= {
                "lora_down.weight": torch.randn(rank(number), wide, generator=seeded) * 0.3,
                "lora_up.weight": torch.randn(out, rank(number), generator=seeded) * 0.3,
                "alpha": torch.tensor(rank(number) / 2),
            }
        made = BLOCKS["lora" if variant in ("bias", "dora") else variant]
        blocks[point.path] = made.from_tensors(point.layer, weights, strength=1.0, path=point.path)
    return adapted(model, component(model), Plugin(blocks), "test", None)


def saved(root: Path, made: list[Any], layout: str, name: str = "adapter") -> str:
    """The file of adapters."""
    given = [each.adapter for each in made]
    return save_plugin(context(root), given, path=f"out:{name}.safetensors", layout=layout, dtype="fp32").uri


def loaded(root: Path, handle: Any, state: Mapping[str, torch.Tensor], **settings: Any) -> dict[str, AdapterBlock]:
    """The blocks that a file with these tensors gives."""
    (root / "data").mkdir(exist_ok=True)
    save_file({key: value.contiguous() for key, value in state.items()}, root / "data/one.safetensors")
    return load_plugin(context(root), handle, path="data:one.safetensors", **settings).adapter.plugin.blocks


def same(found: Mapping[str, AdapterBlock], wanted: Mapping[str, AdapterBlock]) -> None:
    """Equal bit for bit, at the same layers."""
    assert sorted(found) == sorted(wanted)
    for path, block in wanted.items():
        before, after = block.tensors(), found[path].tensors()
        assert before.keys() == after.keys(), path
        assert all(torch.equal(before[name], after[name]) for name in before), path


def comfy_stems(keys: list[str], texts: Mapping[str, str]) -> set[str]:
    """What ComfyUI calls layers, by the keys of a single file of the whole model.

    Every weight of the denoiser is `lora_unet_` and its flat name, and `diffusion_model.` and its name; every weight of
    a text network is `text_encoders.<network>.transformer.` and its name, and kohya's prefix and its flat name.

    Args:
        keys: Names in the file.
        texts: What a text network's keys begin with -> kohya's prefix.
    """
    stems = set()
    for key in (key.removesuffix(".weight") for key in keys if key.endswith(".weight")):
        if key.startswith("model.diffusion_model."):
            name = key.removeprefix("model.diffusion_model.")
            stems |= {f"diffusion_model.{name}", "lora_unet_" + name.replace(".", "_")}
        for beginning, prefix in texts.items():
            if key.startswith(beginning):
                stems |= {key, prefix + key.removeprefix(beginning).replace(".", "_")}
    return stems


def taken_apart(key: str) -> str | None:
    """The stem of a key whose suffix ComfyUI knows."""
    suffix = next((each for each in COMFY_SUFFIXES if key.endswith("." + each)), None)
    return None if suffix is None else key.removesuffix("." + suffix)
