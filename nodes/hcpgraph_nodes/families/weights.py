"""Reading and writing weights: never pickles, strictly, into classes that we name.

A folder contributes numbers and sizes. It never chooses a class, a custom module or an attention implementation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hcpgraph import GraphError
from hcpgraph.atomic import replacing
from hcpgraph.disk import told_by_safetensors
from hcpgraph.finite import WRITTEN, refuse_not_finite

from ..messages import first_line
from .tensor_files import read

REFUSED = ("auto_map", "quantization_config")
NEEDED = {
    "UNet2DConditionModel": ("block_out_channels", "down_block_types"),
    "AutoencoderKL": ("block_out_channels", "latent_channels"),
    "CLIPTextModel": ("num_hidden_layers", "vocab_size", "max_position_embeddings"),
    "CLIPTextModelWithProjection": ("num_hidden_layers", "vocab_size", "max_position_embeddings"),
}
"""Entries that are read before a module is made, by class; every program that saves the class writes them."""
DROPPED = ("_attn_implementation", "attn_implementation", "_attn_implementation_internal", "torch_dtype", "dtype")


def read_config(folder: Path, name: str, expected: str | None = None, older: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON configuration of a component.

    Args:
        folder: The component's folder.
        name: `config.json`, `scheduler_config.json` …
        expected: The class the configuration must be of, if it names one.
        older: What older releases of the library called that class.

    Raises:
        GraphError: E_MODEL_FOLDER (missing or broken), E_MODEL_CLASS (of another class, or asks for foreign code).
    """
    path = folder / name
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        gone = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise GraphError(
            "E_MODEL_FOLDER",
            f"{folder.name}/{name} {'is missing' if gone else f'cannot be read: {error.strerror}'}",
            hint="give a folder that diffusers saved",
        ) from None
    except (ValueError, RecursionError) as error:
        message = f"{folder.name}/{name} is not JSON: {error}"
        raise GraphError("E_MODEL_FOLDER", message, hint="fetch it again") from None
    if not isinstance(config, dict):
        raise GraphError("E_MODEL_FOLDER", f"{folder.name}/{name} is not a JSON object")
    return checked_config(config, f"{folder.name}/{name}", expected, older)


def checked_config(
    config: Mapping[str, Any], where: str, expected: str | None = None, older: Sequence[str] = ()
) -> dict[str, Any]:
    """A configuration without what it may not decide.

    Args:
        config: The configuration of a component.
        where: What holds it, for messages.
        expected: The class it must be of, if it names one.
        older: What older releases of the library called that class.

    Raises:
        GraphError: E_MODEL_CLASS (of another class, or asks for foreign code), E_MODEL_FOLDER (entries are missing).
    """
    if refused := [key for key in REFUSED if config.get(key)]:
        raise GraphError(
            "E_MODEL_CLASS",
            f"{where} asks for {', '.join(refused)}, which is never followed",
            hint="save the model in plain precision with the standard classes",
        )
    named = config.get("_class_name") or next(iter(config.get("architectures") or ()), None)
    if expected is not None and named not in (None, expected, *older):
        raise GraphError(
            "E_MODEL_CLASS",
            f"{where} is of a {named}; this family needs {expected}",
            hint="choose another family or another folder",
        )
    if missing := [key for key in NEEDED.get(expected or "", ()) if config.get(key) is None]:
        raise GraphError(
            "E_MODEL_FOLDER", f"{where} does not say {', '.join(missing)}", hint="give a folder that diffusers saved"
        )
    return {key: value for key, value in config.items() if key not in DROPPED}


def read_folder(folder: Path, stem: str) -> dict[str, torch.Tensor]:
    """All tensors of `stem.safetensors`, of its fp16 variant, or of its shards.

    Raises:
        GraphError: E_NO_SAFETENSORS (missing or broken), E_MODEL_FOLDER (a list of shards that is broken), E_QUANTISED.
    """
    for name in (f"{stem}.safetensors", f"{stem}.fp16.safetensors"):
        if (folder / name).is_file():
            return read(folder / name, lambda _: True)
    for name in (f"{stem}.safetensors.index.json", f"{stem}.safetensors.index.fp16.json"):
        if (folder / name).is_file():
            state: dict[str, torch.Tensor] = {}
            for shard in _shards(folder / name):
                state |= read(folder / shard, lambda _: True)
            return state
    others = sorted(path.name for path in folder.glob("*") if path.suffix in (".bin", ".ckpt", ".pt", ".msgpack"))
    raise GraphError(
        "E_NO_SAFETENSORS",
        f"{folder.name} has no {stem}.safetensors" + (f", only {', '.join(others)}" if others else ""),
        hint="save the model with safe_serialization=True",
    )


def _shards(path: Path) -> list[str]:
    """The files that a list of shards names, which lie beside it."""
    where = f"{path.parent.name}/{path.name}"
    try:
        shards = sorted(set(json.loads(path.read_text("utf-8"))["weight_map"].values()))
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        message = f"{where} is no list of the files that hold the weights"
        raise GraphError("E_MODEL_FOLDER", message, hint="fetch it again") from None
    if any(not isinstance(shard, str) or Path(shard).name != shard for shard in shards):
        raise GraphError("E_MODEL_FOLDER", f"{where} points outside of its folder")
    return shards


def made(make: Callable[[], nn.Module], what: str) -> nn.Module:
    """The module that a configuration describes.

    Raises:
        GraphError: E_MODEL_CLASS, it cannot be followed.
    """
    try:
        return make()
    except GraphError:
        raise
    except Exception as error:  # what diffusers and transformers raise for a configuration is not agreed on
        raise GraphError(
            "E_MODEL_CLASS",
            f"the configuration of the {what} cannot be followed: {first_line(error)}",
            hint="give the configuration that was saved with the weights",
        ) from error


def build(
    make: Callable[[], nn.Module],
    state: Mapping[str, torch.Tensor] | Callable[[Mapping[str, torch.Size]], Mapping[str, torch.Tensor]],
    what: str,
    rename: Callable[[str], str] = lambda name: name,
) -> nn.Module:
    """Make a module without initialising it and give it exactly these weights.

    Args:
        make: Makes the module.
        state: Tensors by their names in files; or what gives them, told the sizes that the module wants.
        what: Name of the component for messages.
        rename: Run-time name -> name in files.

    Raises:
        GraphError: E_WEIGHTS, listing what is missing, unknown or of another shape; E_MODEL_CLASS, the module's
            configuration cannot be followed.
    """
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        module = made(make, what)
    own = {rename(key): (key, value.shape) for key, value in module.state_dict().items()}
    if callable(state):
        state = state({name: shape for name, (_, shape) in own.items()})
    found = {
        "missing": [key for key in own if key not in state],
        "unknown": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {list(state[key].shape)} for {list(shape)}"
            for key, (_, shape) in own.items()
            if key in state and state[key].shape != shape
        ],
    }
    if parts := [f"{word} {_some(keys)}" for word, keys in found.items() if keys]:
        raise GraphError(
            "E_WEIGHTS",
            f"the weights of the {what} do not fit: {'; '.join(parts)}",
            hint="the file is of another model",
        )
    module.load_state_dict({key: state[name] for name, (key, _) in own.items()}, assign=True)
    return module


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" … ({len(names)})" if len(names) > 4 else "")


def write_weights(path: Path, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write a .safetensors file, whole or not at all.

    Raises:
        GraphError: E_NOT_FINITE; nothing is written.
        OSError: there is no place for it.
    """
    from safetensors.torch import save_file

    refuse_not_finite(state.items(), f"'{path.name}'", WRITTEN)
    ready = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    with replacing(path) as fresh, told_by_safetensors():
        save_file(ready, fresh, dict(metadata))
        if metadata:
            _in_order(fresh)


def _in_order(path: Path) -> None:
    """Sort the metadata in the header of a .safetensors file, which the library writes in any order: equal weights make
    equal files. The format: https://github.com/huggingface/safetensors#format.
    """
    with path.open("rb+") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= size, "the header is written as the library writes it"
        file.seek(8)
        file.write(text.ljust(size))


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", "utf-8")
