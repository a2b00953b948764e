"""Layouts of files with words: what A1111, kohya, diffusers, ComfyUI, OneTrainer and HCP-Diffusion write.

| layout | content |
|---|---|
| A1111, HCP-Diffusion 0.x | `string_to_param {'*': T}`, `name`; of SDXL HCP puts the widths side by side (768 + 1280) |
| HCP-Diffusion 2.x | `string_to_param {'*': T}`, of SDXL `{'*': {'clip_L': T, 'clip_bigG': T}}`, `name` |
| kohya | `emb_params: T` |
| diffusers | `NAME: T` |
| ComfyUI | a tensor a text network by its name there: of SDXL `clip_l: T`, `clip_g: T`, of SD 3 also `t5xxl: T` |
| in a LoRA | `bundle_emb.NAME.…`, see `bundle` |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hcpgraph import GraphError
from hcpgraph.errors import listed
from hcpgraph.finite import READ, refuse_not_finite

from ..adapter_files.suffixes import take_apart
from ..families.table import families, said
from ..model.handles import TextEncoder
from ..pickles import SAFER, PickleTrouble, read_pickle
from ..plugins.blocks.shapes import weight_of
from . import networks
from .block import layer
from .bundle import PREFIX, bundled

Vectors = Mapping[str, Tensor]
"""Vectors (n, d) by the names of text networks, or by an empty text where a file has only one tensor."""
HCP_NETWORKS = {"clip_L": "clip_l", "clip_bigG": "clip_g"}
TENSORS = (".safetensors",)
PICKLES = (".pt", ".bin", ".ckpt")


def read_words(path: Path) -> dict[str, Vectors]:
    """All words of a file by name, as the file has them.

    The name is the trigger phrase in the header, or that in the file, or the file's own.

    Args:
        path: A .safetensors, or a .pt, .bin or .ckpt, which is read with `weights_only`: no code in it is run.

    Raises:
        GraphError: E_WORD_FILE, it cannot be read or holds something else.
    """
    data, header = _content(path)
    unnamed, named = _parsed(data, path.name)
    if unnamed is not None:
        named = {header.get("modelspec.trigger_phrase") or named_in(data) or path.stem: unnamed}
    return {
        name: {part: _checked(value, part or name, path.name) for part, value in own.items()}
        for name, own in named.items()
    }


def named_in(data: Any) -> str | None:
    """The name that A1111 and HCP-Diffusion keep beside the vectors."""
    name = data.get("name") if isinstance(data, Mapping) else data[0] if isinstance(data, tuple) else None
    return name if isinstance(name, str) and name else None


def fitted(vectors: Vectors, text_encoder: TextEncoder, name: str) -> dict[str, Tensor]:
    """The vectors of a word by the names of a text encoder's networks.

    Raises:
        GraphError: E_WORD_SHAPE, they are for another family.
    """
    clips = text_encoder.clips
    widths = {clip.name: weight_of(text_encoder.root.layers[layer(clip)]).shape[1] for clip in clips}
    (single, *others), wanted = vectors.values(), list(widths.values())
    found: dict[str, Tensor] = {}
    needed, own = {clip.spelled for clip in clips}, set(networks.of_family(text_encoder.family))
    if needed <= set(vectors) <= own | needed:  # a model may lack a network that the file has vectors for
        found = {clip.name: vectors[clip.spelled] for clip in clips}
    elif not others and len(clips) > 1 and single.shape[1] == sum(wanted):
        found = dict(zip(widths, single.split(wanted, dim=1), strict=True))
    elif not others and len(clips) == 1:
        found = {clips[0].name: single}
    wrong = [part for part, width in widths.items() if part not in found or found[part].shape[1] != width]
    counts = {len(value) for value in found.values()}
    if not wrong and len(counts) == 1:
        return found
    has = ", ".join(f"{part or 'vectors'} {list(value.shape)}" for part, value in vectors.items())
    needs = ", ".join(f"{part} [n, {width}]" for part, width in widths.items())
    models = list(dict.fromkeys(text for value in vectors.values() for text in _whose(value.shape[1])))
    if len(counts) > 1:
        models = ["every text network needs as many vectors"]
    raise GraphError(
        "E_WORD_SHAPE",
        f"'{name}' does not fit this text encoder ({text_encoder.family}): it has {has}, and needed is {needs}",
        port="path",
        hint="; ".join(models) or "the file is for a model of other sizes",
    )


def _whose(width: int) -> list[str]:
    """Whose text networks read vectors of a width."""
    known = ((said(name, "word_widths") or {}).get(str(width)) for name in families())
    return [f"{width} is the width of {model}" for model in known if model]


def tensors(name: str, vectors: Mapping[str, Tensor], layout: str) -> dict[str, Tensor]:
    """What a .safetensors file of a word holds.

    Args:
        name: The word.
        vectors: Its vectors by the names of text networks.
        layout: `safetensors`: `emb_params`; `diffusers`: the name. With several networks both have their names.
    """
    if len(vectors) > 1:
        return dict(vectors)
    return {"emb_params" if layout == "safetensors" else name: next(iter(vectors.values()))}


def a1111(name: str, vectors: Tensor, step: int | None) -> dict[str, Any]:
    """What A1111 writes for a model with one text network; 265 is CLIP's token of `*`, which stood for the word."""
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": vectors},
        "name": name,
        "step": step,
        "sd_checkpoint": None,
        "sd_checkpoint_name": None,
    }


def _content(path: Path) -> tuple[Any, Mapping[str, str]]:
    """The object in a file, and the header of a .safetensors."""
    from safetensors import SafetensorError, safe_open

    if path.suffix not in (*TENSORS, *PICKLES) or not path.is_file():
        raise _no_word(path.name, f"words are read from {', '.join((*TENSORS, *PICKLES))}")
    try:
        if path.suffix in TENSORS:
            with safe_open(path, framework="pt") as opened:
                return {key: opened.get_tensor(key) for key in opened.keys()}, opened.metadata() or {}  # noqa: SIM118
        return read_pickle(path, [nn.ParameterDict, set]), {}  # CompVis' and HCP's files have them
    except (SafetensorError, OSError) as error:
        raise _no_word(path.name, f"it cannot be read: {error}") from None
    except PickleTrouble as error:
        raise _no_word(path.name, str(error), SAFER) from None


def _parsed(data: Any, file: str) -> tuple[Vectors | None, dict[str, Vectors]]:
    """The one word without a name of its own, or words by name."""
    if isinstance(data, Tensor):
        return {"": data}, {}
    if isinstance(data, tuple) and len(data) == 2:  # HCP-Diffusion 2.x: name and vectors
        return _networks(data[1], file), {}
    if not isinstance(data, Mapping) or not data:
        raise _no_word(file, "it has no tensors")
    if "string_to_param" in data:
        values = list(_plain(data["string_to_param"], file).values())
        if len(values) != 1:
            raise _no_word(file, f"it has {len(values)} tensors where A1111 has one")
        return _networks(values[0], file), {}
    state = {str(key): value for key, value in data.items() if not isinstance(value, str | int | float | None)}
    words, rest = bundled({key: value for key, value in state.items() if key.startswith(PREFIX)})
    if words and not rest:
        return None, dict(words)
    if set(state) in ({"emb_params"}, {"*"}):
        return {"": next(iter(state.values()))}, {}
    if set(state) & {*networks.known(), *HCP_NETWORKS}:
        return _networks(state, file), {}
    if any(take_apart(key) for key in state):
        raise _no_word(file, "it holds a LoRA or another adapter and no word", "load it with plugin.load")
    if rest or not state or not all(isinstance(value, Tensor) and value.dim() <= 2 for value in state.values()):
        raise _unknown(file, rest or state)
    return None, {key: {"": value} for key, value in state.items()}


def _networks(value: Any, file: str) -> Vectors:
    """The vectors of a word: one tensor, or one a text network."""
    if isinstance(value, Tensor):
        return {"": value}
    own = {HCP_NETWORKS.get(key, key): each for key, each in _plain(value, file).items()}
    if not own or set(own) - networks.known():
        raise _unknown(file, {key: None for key in own if key not in networks.known()})
    return own


def _plain(value: Any, file: str) -> dict[str, Any]:
    if isinstance(value, Mapping | nn.ParameterDict):
        return {str(key): each for key, each in value.items()}
    raise _no_word(file, f"it has a {type(value).__name__} where the vectors should be")


def _checked(value: Any, name: str, file: str) -> Tensor:
    """Vectors (n, d); a single vector (d,) is one of them."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.dim() not in (1, 2) or not value.numel():
        raise _no_word(file, "the vectors are no table of numbers")
    refuse_not_finite([(name, value)], f"the word in {file}", READ, port="path")
    return value.detach().reshape(-1, value.shape[-1])


def _unknown(file: str, keys: Mapping[str, Any]) -> GraphError:
    return _no_word(file, f"keys that belong to no word: {listed(sorted(keys))}")


def _no_word(file: str, reason: str, hint: str = "choose an embedding") -> GraphError:
    return GraphError("E_WORD_FILE", f"{file} is no file of words: {reason}", port="path", hint=hint)
