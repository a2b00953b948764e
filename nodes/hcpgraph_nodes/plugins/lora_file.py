"""LoRA files: the kohya layout that we write, and the layouts that we read (kohya, PEFT, diffusers).

Names of layers come from the model's table of layers and the family's prefixes, never from run-time module names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from torch import Tensor, tensor

from hcpgraph import GraphError

from ..families.registry import family as implementation
from ..model.handles import Handle
from .base import Adapter
from .lora import LoraBlock

DOWN = (
    ".lora_down.weight",
    ".lora_A.weight",
    ".lora_A.default.weight",
    ".lora.down.weight",
    ".lora_linear_layer.down.weight",
)
UP = (".lora_up.weight", ".lora_B.weight", ".lora_B.default.weight", ".lora.up.weight", ".lora_linear_layer.up.weight")
ALPHA = (".alpha",)
ROLES = {suffix: role for role, suffixes in (("down", DOWN), ("up", UP), ("alpha", ALPHA)) for suffix in suffixes}
PROCESSOR = re.compile(r"\.processor\.to_(q|k|v|out)_lora\.(down|up)\.weight$")
KOHYA_OTHERS = ("lora_te1_",)
PEFT_ROOTS = ("base_model.model.",)


@dataclass(slots=True)
class LoraWeights:
    """The weights of one layer in a file."""

    down: Tensor | None = None
    up: Tensor | None = None
    alpha: float | None = None

    def tensors(self) -> dict[str, Tensor]:
        """By the suffixes of `AdapterBlock.tensors`."""
        assert self.down is not None and self.up is not None and self.alpha is not None
        return {"lora_down.weight": self.down, "lora_up.weight": self.up, "alpha": tensor(self.alpha)}


def _single(prefixes: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {component: table[""] for component, table in prefixes.items() if "" in table}


def kohya_state(adapter: Adapter) -> dict[str, Tensor]:
    """The tensors of an adapter in kohya's layout, `lora_unet_<layer, underscores>.lora_down.weight` …, true alpha."""
    prefix = kohya_prefix(adapter)
    state: dict[str, Tensor] = {}
    for path, block in adapter.plugin.blocks.items():
        if not isinstance(block, LoraBlock):
            raise GraphError("E_ADAPTER", f"{type(block).__name__} cannot be written as a LoRA file")
        stem = prefix + path.replace(".", "_")
        state |= {f"{stem}.{suffix}": value for suffix, value in block.tensors().items()}
    return state


def kohya_prefix(adapter: Adapter) -> str:
    """The prefix of the component's keys.

    Raises:
        GraphError: E_ADAPTER, LoRA files have no place for this component.
    """
    prefix = _single(implementation(adapter.family).lora_prefix).get(adapter.component)
    if prefix is None:
        raise GraphError("E_ADAPTER", f"LoRA files have no place for the {adapter.component}")
    return str(prefix)


def match(state: Mapping[str, Tensor], alphas: PeftConfig, handle: Handle, component: str) -> dict[str, LoraWeights]:
    """The weights that belong to a model, by layer name, in the model's order.

    Args:
        state: All tensors of the file.
        alphas: Where PEFT-layout files keep their alpha.
        handle: The model.
        component: Which component it is.

    Raises:
        GraphError: E_LORA_KEYS (keys that fit no layer, halves without their other half, none for this component).
    """
    names = Names(handle, component)
    found: dict[str, LoraWeights] = {}
    unknown = []
    elsewhere = 0
    for key, value in state.items():
        stem, role = split(key)
        if role is None:
            unknown.append(key)
            continue
        path, foreign = names.layer(stem)
        if foreign:
            elsewhere += 1
        elif path is None:
            unknown.append(key)
        else:
            weights = found.setdefault(path, LoraWeights())
            setattr(weights, role, float(value) if role == "alpha" else value)
    halves = [path for path, weights in found.items() if weights.down is None or weights.up is None]
    if unknown or halves:
        listed = [*sorted(unknown), *(f"{path} (one half)" for path in halves)]
        shown = ", ".join(listed[:8]) + (f" … ({len(listed)} in all)" if len(listed) > 8 else "")
        raise GraphError("E_LORA_KEYS", f"keys that fit no layer of the {component}: {shown}", hint=_hint(listed))
    if not found:
        raise GraphError(
            "E_LORA_KEYS",
            f"the file has nothing for the {component}"
            + (f"; its {elsewhere} tensors are for another one" if elsewhere else ""),
            hint="wire the model that the file was made for",
        )
    for path, weights in found.items():
        if weights.alpha is None and weights.down is not None:
            weights.alpha = alphas.alpha(path, len(weights.down))
    return {path: found[path] for path in handle.root.layers if path in found}


def split(key: str) -> tuple[str, str | None]:
    """A key without its suffix, and its role: down, up, alpha, or None for what is no LoRA weight."""
    old = PROCESSOR.search(key)
    if old:
        layer = "to_out.0" if old[1] == "out" else f"to_{old[1]}"
        return f"{key[: old.start()]}.{layer}", old[2]
    for suffix, role in ROLES.items():
        if key.endswith(suffix):
            return key.removesuffix(suffix), role
    return key, None


class Names:
    """From a stem in a file to a layer of the model."""

    def __init__(self, handle: Handle, component: str) -> None:
        family = implementation(handle.family)
        self.component = component
        self.paths = {path for path, layer in handle.root.layers.items() if isinstance(layer, LoraBlock.wraps)}
        self.rename = handle.root.parameter_name
        self.flat = {path.replace(".", "_"): path for path in self.paths}
        self.kohya = _single(family.lora_prefix)
        self.peft = _single(family.peft_prefix)

    def layer(self, stem: str) -> tuple[str | None, bool]:
        """The layer's name, or None; and whether the stem belongs to another component."""
        for prefix in (self.kohya.get(self.component, ""), *(KOHYA_OTHERS if self.component == "text_encoder" else ())):
            if prefix and stem.startswith(prefix):
                return self.flat.get(stem.removeprefix(prefix)), False
        for root in PEFT_ROOTS:
            stem = stem.removeprefix(root)
        others = [p for table in (self.kohya, self.peft) for c, p in table.items() if c != self.component]
        others += KOHYA_OTHERS if self.component != "text_encoder" else ()
        if stem.startswith(tuple(others)):
            return None, True
        path = self.rename(stem.removeprefix(self.peft.get(self.component, "")))
        return (path if path in self.paths else None), False


@dataclass(frozen=True)
class PeftConfig:
    """The alpha of PEFT-layout files, which keep it outside of their tensors."""

    lora_alpha: float | None = None
    alpha_pattern: Mapping[str, float] | None = None
    rslora: bool = False

    def alpha(self, path: str, rank: int) -> float:
        """Alpha in units of the rank; a file that says nothing means alpha = rank."""
        value = self.lora_alpha
        for key, special in (self.alpha_pattern or {}).items():
            if path == key or path.endswith("." + key):
                value = special
        if value is None:
            return float(rank)
        return value * sqrt(rank) if self.rslora else value


def read_peft_config(path: Path, metadata: Mapping[str, str], handle: Handle, component: str) -> PeftConfig:
    """The configuration in the header (diffusers) or in `adapter_config.json` beside the file (PEFT).

    Raises:
        GraphError: E_LORA_KIND, DoRA, which is no LoRA.
    """
    prefix = _single(implementation(handle.family).peft_prefix).get(component, "")
    config: dict[str, Any] = {}
    beside = path.with_name("adapter_config.json")
    if "lora_adapter_metadata" in metadata:
        whole = json.loads(metadata["lora_adapter_metadata"])
        config = {key.removeprefix(prefix): value for key, value in whole.items() if key.startswith(prefix)}
    elif beside.is_file():
        config = json.loads(beside.read_text("utf-8"))
    if config.get("use_dora"):
        raise GraphError("E_LORA_KIND", f"{path.name} is a DoRA, not a plain LoRA")
    return PeftConfig(config.get("lora_alpha"), config.get("alpha_pattern"), bool(config.get("use_rslora")))


def _hint(keys: list[str]) -> str:
    kinds = {
        "hada_": "LoHa",
        "lokr_": "LoKr",
        "dora_scale": "DoRA",
        "lora_magnitude": "DoRA",
        "oft_": "OFT",
        "lora_mid": "LoCon",
    }
    found = sorted({kind for key in keys for part, kind in kinds.items() if part in key})
    if found:
        return f"this is a {', '.join(found)} file; plugin.load reads plain LoRA"
    return "the file is for another model family or other sizes"
