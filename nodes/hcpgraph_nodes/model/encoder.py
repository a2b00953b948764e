"""Digests of encoders: what a cached latent or embedding was made by."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hcpgraph import Context, GraphError
from hcpgraph.declaring.sources import code_of

from ..families.table import named
from .call import Called
from .digest import folder_digest
from .handles import Handle, TextEncoder
from .statistics import NAMES

VERSION = 1
MEMORY = "cache:encoders.sqlite"
NO_MATTER = frozenset({*NAMES, "sample_size", "architectures", "transformers_version", "torch_dtype", "dtype"})
"""Parts of a configuration that an encoder's result does not depend on; scaling is done after the cache."""


def encoder_digest(ctx: Context, handle: Handle) -> str:
    """sha256 over the weights that a call of the handle runs now, their configuration and, of text, the tokenizer.

    Of weights that have an origin, were never trained and carry no plugin it is remembered below `cache:`, so that
    they need not be read to know it. Recomputing activations changes no digest.

    Args:
        ctx: The context of the node.
        handle: A VAE or text encoder.

    Raises:
        GraphError: E_CACHE, its plugins have side inputs, which may be others in every call.
    """
    without_inputs(handle)
    root = handle.root
    known = bool(root.origin) and not root.trainable and not handle.stack
    memory = ctx.path(MEMORY, must_exist=False)
    kept = _recall(memory, root.origin) if known else None
    if kept is not None:
        return kept
    digest = _digest(handle)
    if known:
        _remember(memory, root.origin, digest)
    return digest


def without_inputs(handle: Handle, port: str | None = None) -> None:
    """What an encoder gives is kept only if it depends on nothing but its weights and what it encodes.

    Raises:
        GraphError: E_CACHE.
    """
    if handle.stack and handle.inputs:
        raise GraphError(
            "E_CACHE",
            f"plugins of the encoder have side inputs ({', '.join(sorted(handle.inputs))}): its results are not kept",
            port=port,
            hint="set cache to off, or encode without plugin.input",
        )


def arithmetic(handle: Handle) -> str:
    """What besides its weights decides the bits that an encoder gives: device, precision, autocast, compiler, code."""
    kind = handle.device.type
    autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    compiled = f" {handle.compiling}" if handle.compiling else ""
    code = code_of(named(handle.family).module, __name__, *sorted({type(plugin).__module__ for plugin in handle.stack}))
    return f"{kind} {handle.root.placement.dtype} {autocast}{compiled} {code}"


def _digest(handle: Called) -> str:
    hasher = sha256(f"{VERSION}\0{handle.family}\0{type(handle).__name__}\0".encode())
    hasher.update(json.dumps(_config(handle.config), sort_keys=True, default=repr).encode())
    for line in _weights(handle.root.module):
        hasher.update(line)
    for plugin in handle.stack:
        for name, module in plugin.named_modules():
            hasher.update(f"\0{name}\0{type(module).__module__}.{type(module).__qualname__}{_numbers(module)}".encode())
        for line in _weights(plugin):
            hasher.update(line)
        for called in plugin.handles:
            hasher.update(_digest(called).encode())
    if isinstance(handle, TextEncoder):
        for clip in handle.clips:
            with tempfile.TemporaryDirectory() as folder:
                clip.tokens.tokenizer.save_pretrained(folder)
                hasher.update(folder_digest(Path(folder)).encode())
    return hasher.hexdigest()


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in config.items() if not name.startswith("_") and name not in NO_MATTER}
    return {name: _config(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


def _numbers(module: nn.Module) -> str:
    """Plain attributes of a module, such as a LoRA's scale."""
    plain = (bool, int, float, str, tuple, type(None))
    left_out = ("training", "gradient_checkpointing", "trainable")
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, plain) and not name.startswith("_") and name not in left_out
    }
    return repr(sorted(found.items()))


def _weights(module: nn.Module) -> Iterator[bytes | memoryview]:
    state: Mapping[str, Tensor] = module.state_dict()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        yield f"\0{name}\0{value.dtype}{tuple(value.shape)}\0".encode()
        yield value.reshape(-1).view(torch.uint8).numpy().data


def _recall(memory: Path, origin: str) -> str | None:
    if not memory.exists():
        return None
    with suppress(sqlite3.Error), closing(sqlite3.connect(memory, timeout=30)) as connection:
        row = connection.execute("SELECT digest FROM encoders WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else str(row[0])
    return None


def _remember(memory: Path, origin: str, digest: str) -> None:
    """Where that does not work, the weights are read again the next time."""
    with suppress(sqlite3.Error, OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(memory, timeout=30)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS encoders (origin TEXT PRIMARY KEY, digest TEXT NOT NULL)")
            connection.execute("INSERT OR REPLACE INTO encoders VALUES (?, ?)", (origin, digest))
