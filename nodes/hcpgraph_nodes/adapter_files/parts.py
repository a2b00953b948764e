"""Which parts of a model a file is about, told by its header alone (torch-free)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..families.safetensors_file import safetensors_header
from ..selectors import components
from .own_header import said

PEFT_FILE = "adapter_model.safetensors"
TEXT = ("lora_te", "text_encoder", "text_model.", "lycoris_text_model_")
DENOISER = (
    *("lora_unet_", "lora_transformer_", "unet.", "transformer.", "diffusion_model.", "model.diffusion_model."),
    *("transformer_blocks.", "single_transformer_blocks.", "down_blocks.", "mid_block.", "up_blocks."),
    *("lycoris_transformer_blocks_", "lycoris_single_transformer_blocks_"),
    *("lycoris_down_blocks_", "lycoris_mid_block_", "lycoris_up_blocks_"),
)
PEFT_ROOT = "base_model.model."
WORDS = ("bundle_emb.",)
Resolve = Callable[[str], Path]


def selected(settings: Mapping[str, Any], resolve: Resolve) -> tuple[str, ...]:
    """The parts that the selectors of `layers` name."""
    return components(settings["layers"])


def adapter_parts(settings: Mapping[str, Any], resolve: Resolve) -> tuple[str, ...] | None:
    """The parts that an adapter file has keys for; None where its keys do not say it, or it cannot be read."""
    path = resolve(settings["path"])
    header = safetensors_header(path / PEFT_FILE if path.is_dir() else path)
    return tuple(said(header.get("__metadata__") or {})) or of_keys(header)


def of_keys(keys: Iterable[str]) -> tuple[str, ...] | None:
    """The parts that keys of adapters are for; None where one does not say it."""
    found = set()
    for key in (key.removeprefix(PEFT_ROOT) for key in keys):
        if key.startswith(TEXT):
            found.add("text_encoder")
        elif key.startswith(DENOISER):
            found.add("denoiser")
        elif key != "__metadata__" and not key.startswith(WORDS):
            return None
    return tuple(name for name in ("denoiser", "text_encoder") if name in found) or None


def part_file(settings: Mapping[str, Any], resolve: Resolve) -> tuple[str, ...] | None:
    """The part that a file of `model.save_part` holds; what the selectors say where it does not."""
    named = part_file_component(resolve(settings["path"]))
    return (named,) if named else components(settings["layers"])


def part_file_component(path: Path) -> str | None:
    """The component that the header of a file of `model.save_part` names."""
    metadata = safetensors_header(path).get("__metadata__") or {}
    return metadata.get("hcpgraph.component")


def unknown(settings: Mapping[str, Any], resolve: Resolve) -> None:
    """What comes over a wire says only in the run which parts it is about."""
