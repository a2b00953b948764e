"""`word.save`."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import torch

from hcpgraph import Context, GraphError, node
from hcpgraph.atomic import write_bytes
from hcpgraph.errors import HIDDEN
from hcpgraph.finite import WRITTEN, refuse_not_finite
from hcpgraph.widgets import ModelPicker

from ..families.identity import modelspec
from ..families.registry import family
from ..families.weights import write_weights
from ..model.digest import file_digest
from ..model.folder import DTYPES
from ..types import SavedFile
from . import networks
from .block import Word
from .files import a1111, tensors

SUFFIXES = {"safetensors": ".safetensors", "diffusers": ".safetensors", "a1111": ".pt"}
WIDTHS = ("hidden_size", "d_model")
"""What configurations of text networks call the width of their vectors."""
LONGEST = 200
"""Bytes of a file name; file systems allow 255, of which an ending and a number take some."""
NOT_IN_FILE_NAMES = re.compile(rf'[<>:"/\\|?*\t\n\r{HIDDEN}]')


@node("word.save", effects="write", title="Save word")
def save(
    ctx: Context,
    word: Word,
    *,
    path: Annotated[str | None, ModelPicker(kind_of="file", suffixes=(".safetensors", ".pt"), write=True)] = None,
    format: Literal["safetensors", "diffusers", "a1111"] = "safetensors",
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32",
    overwrite: bool = False,
) -> SavedFile:
    """Write a word as an embedding file that other programs read.

    Most of them take the name of the file for the name of the word.

    Args:
        word: The word.
        path: File to write; none given: the name of the word in `out:`, without signs that file names cannot have.
        format: `safetensors` is kohya's layout (`emb_params`; of models with several text networks a tensor each by
            the name that ComfyUI has for it: `clip_l`, `clip_g`, `t5xxl`), which A1111, Forge, ComfyUI and diffusers
            read; its header has the name, which `word.load` takes, and the graph. `diffusers` names the tensor as the
            word, so that `load_textual_inversion` needs no `token`. `a1111` is a .pt for models with one text network.
        dtype: Precision of the vectors in the file.
        overwrite: Replace a file of that name; otherwise the new one gets a number.

    Returns:
        out: The file.

    Raises:
        GraphError: E_WORD_FORMAT, the path ends otherwise than the format, or A1111's .pt has no place for two text
            networks; E_NOT_FINITE, in the file's precision.
    """
    suffix = SUFFIXES[format]
    uri = f"out:{_file_name(word.name)}{suffix}" if path is None else path
    held = [each.to("cpu", DTYPES[dtype]).contiguous() for each in word.vectors()]
    vectors = dict(zip(networks.of_word(word), held, strict=True))
    if not uri.endswith(suffix):
        raise GraphError(
            "E_WORD_FORMAT", f"the format {format} is written as {suffix}", port="path", hint=f"end it with {suffix}"
        )
    if format == "a1111" and len(held) > 1:
        raise GraphError(
            "E_WORD_FORMAT",
            f"A1111's .pt has no place for the {len(held)} text networks of {word.family}",
            port="format",
            hint="set format to safetensors, which A1111 reads too",
        )
    target = ctx.output(uri, overwrite=overwrite, weights=True)
    if format == "a1111":
        content = a1111(word.name, held[0], ctx.step or None)
        refuse_not_finite([(word.name, held[0])], f"'{target.name}'", WRITTEN)
        _write_pt(target, content | ({"hcpgraph": ctx.run.embed} if ctx.run.embed else {}))
    else:
        header = _header(word) | ({"hcpgraph": ctx.run.embed} if ctx.run.embed else {})
        write_weights(target, tensors(word.name, vectors, format), header)
    ctx.artifact(target, "weights")
    return SavedFile(ctx.run.roots.uri(target), file_digest(target))


def _file_name(word: str) -> str:
    """The name of a word without signs that file names cannot have, and not longer than they may be."""
    name = NOT_IN_FILE_NAMES.sub("", word).strip(".")
    return name.encode()[:LONGEST].decode(errors="ignore") or "word"


def _header(word: Word) -> dict[str, str]:
    """Stability's modelspec 1.0.1 entries; all values are text."""
    implementation = family(word.family)
    held = enumerate(word.vectors())
    widths = {str(number): dict.fromkeys(WIDTHS, each.shape[-1]) for number, each in held}
    return {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.1",
        **modelspec(implementation, widths, None, "/textual-inversion"),
        "modelspec.implementation": "diffusers",
        "modelspec.title": word.name,
        "modelspec.trigger_phrase": word.name,
    }


def _write_pt(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())
