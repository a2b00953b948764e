"""The configuration that PEFT-layout files keep outside of their tensors: alpha, and what scales it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import torch

from hcpgraph import GraphError

from .. import regexes
from .source import Source, parsed

METADATA = "lora_adapter_metadata"
"""The header entry of diffusers: one JSON object for all components, their prefixes before the names."""
SECONDS = 0.5
PATTERNS = 4_096
LARGEST = torch.finfo(torch.float32).max
UNREAD: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "bias": lambda config: config.get("bias") not in (None, "none"),
    "modules_to_save": lambda config: bool(config.get("modules_to_save")),
    "layer_replication": lambda config: bool(config.get("layer_replication")),
}
"""Options of PEFT's LoraConfig that save weights of the model itself -> whether a configuration uses them."""


@dataclass(frozen=True, slots=True)
class PeftConfig:
    """Alpha of the layers of one component, as PEFT's LoraConfig says it, and whether they are DoRAs."""

    lora_alpha: float | None = None
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    rslora: bool = False
    dora: bool = False

    def alpha(self, path: str, rank: int) -> float | None:
        """Raw alpha of a layer, with rsLoRA's scale (alpha / √rank) folded in; None where nothing is said.

        Source of the pattern rule: peft, utils/other.py, get_pattern_key.
        """
        value = self.lora_alpha
        for pattern, special in self.alpha_pattern.items():
            if _matches(pattern, path):
                value = special
                break
        if value is None:
            return None
        return float(value) * sqrt(rank) if self.rslora else float(value)


class PeftConfigs:
    """The configurations of a file by the prefix of the keys that they are for."""

    def __init__(self, source: Source, prefixes: tuple[str, ...]) -> None:
        self._plain = source.config
        self._whole = parsed(source.metadata[METADATA], METADATA) if METADATA in source.metadata else {}
        self._read = {prefix: _read(self._of(prefix), source.name) for prefix in prefixes}

    def of(self, prefix: str) -> PeftConfig:
        """The configuration for keys of a component's prefix, such as `unet.`."""
        return self._read[prefix]

    def _of(self, prefix: str) -> Mapping[str, Any]:
        if self._plain:
            return self._plain
        return {key.removeprefix(prefix): value for key, value in self._whole.items() if key.startswith(prefix)}


def _read(config: Mapping[str, Any], name: str) -> PeftConfig:
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        raise GraphError("E_LORA_KIND", f"{name} is a {kind} adapter of PEFT", hint="plugin.load reads PEFT's LoRA")
    if unread := [option for option, used in UNREAD.items() if used(config)]:
        raise GraphError(
            "E_LORA_KIND",
            f"{name} was trained with {', '.join(unread)}, which is no part of a LoRA",
            hint="merge it with peft and load the model",
        )
    patterns = config.get("alpha_pattern") or {}
    numbers = [config.get("lora_alpha"), *(patterns.values() if isinstance(patterns, Mapping) else ())]
    if len(patterns) > PATTERNS:
        raise GraphError("E_FILE", f"{name} has {len(patterns):,} alpha_patterns", hint="save it again with peft")
    if not isinstance(patterns, Mapping) or not all(n is None or _is_number(n) for n in numbers):
        raise GraphError(
            "E_FILE", f"{name}: lora_alpha and alpha_pattern hold no numbers", hint="save it again with peft"
        )
    return PeftConfig(
        config.get("lora_alpha"), dict(patterns), bool(config.get("use_rslora")), bool(config.get("use_dora"))
    )


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can be; JSON has larger whole numbers, and Python reads NaN and Infinity."""
    return type(value) in (int, float) and abs(value) <= LARGEST


def _matches(pattern: str, path: str) -> bool:
    """Whether a pattern of a stranger's file means a layer; it may not take long."""
    try:
        return regexes.compiled(rf"(.*\.)?({pattern})$").match(path, timeout=SECONDS) is not None
    except regexes.BadPattern:
        return path == pattern or path.endswith("." + pattern)
    except TimeoutError:
        raise GraphError("E_FILE", f"the alpha_pattern '{pattern[:60]}' takes too long to match") from None
