"""Opening an adapter file: its tensors and what it says of itself, whatever the container."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from hcpgraph import GraphError

from ..pickles import SAFER, PickleTrouble, read_pickle

PEFT_FILE, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
SUFFIXES = (".safetensors", *PICKLES)


@dataclass(frozen=True, slots=True)
class Source:
    """What a file holds.

    Attributes:
        name: The file's name, for messages.
        state: Its tensors by key; sections of HCP-Diffusion's pickles stand before a colon, as in its safetensors.
        metadata: The header.
        config: PEFT's `adapter_config.json`, empty if there is none.
    """

    name: str
    state: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


def open_source(path: Path) -> Source:
    """Read a .safetensors file, a folder that PEFT saved, or a pickle of tensors alone.

    Raises:
        GraphError: E_NO_SAFETENSORS, it is none of these; E_FILE, it is damaged.
    """
    file = path / PEFT_FILE if path.is_dir() else path
    if file.suffix not in SUFFIXES or not file.is_file():
        raise GraphError(
            "E_NO_SAFETENSORS",
            f"{path.name} is no adapter file",
            hint=f"give a file that ends in {', '.join(SUFFIXES)}, or a folder with {PEFT_FILE}",
        )
    if file.suffix in PICKLES:
        return Source(path.name, _flattened(_unpickled(file), file.name))
    state, metadata = _safetensors(file)
    beside = file.with_name(PEFT_CONFIG)
    if "lora_adapter_metadata" in metadata or not beside.is_file():
        return Source(path.name, state, metadata)
    return Source(path.name, state, metadata, parsed(beside.read_bytes(), PEFT_CONFIG))


def parsed(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        GraphError: E_FILE.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GraphError("E_FILE", f"{what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise GraphError("E_FILE", f"{what} is not a JSON object")
    return value


def _safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            return {key: opened.get_tensor(key) for key in opened.keys()}, dict(opened.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise GraphError("E_FILE", f"{file.name} is damaged: {error}", hint="download or save it again") from None


def _unpickled(file: Path) -> Any:
    try:
        return read_pickle(file)
    except PickleTrouble as error:
        raise GraphError("E_FILE", f"{file.name} cannot be used: {error}", hint=SAFER) from None


def _flattened(content: Any, name: str) -> dict[str, Tensor]:
    try:
        return dict(_flatten(content))
    except RecursionError:
        raise GraphError("E_FILE", f"{name} is nested without end", hint="download or save it again") from None


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield prefix, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{prefix}:{key}" if prefix else str(key))
