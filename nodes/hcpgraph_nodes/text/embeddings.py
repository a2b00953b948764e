"""Embeddings of captions that were encoded before."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

from hcpgraph import Context, GraphError
from hcpgraph.declaring.sources import code_of
from hcpgraph.finite import is_finite

from ..data.batches.store import FOLDER, SampleStore
from ..families.registry import family
from ..model.call import Plugin
from ..model.encoder import arithmetic, encoder_digest, without_inputs
from ..model.handles import TextEncoder
from ..model.root import Root
from ..types import Conditioning

RAM_BYTES = 2**30
AFTER_HITS = 100
MASK = ".mask"
"""What stands behind the name of a part where its mask is kept."""
Row = Mapping[str, Tensor]
"""What is kept of a caption: its parts, such as the embedding (L, D) and the pooled one (P,), and masks (L,)."""


class Embeddings:
    """The embeddings that one text encoder has made, the least recently used of them bounded by `RAM_BYTES`.

    Attributes:
        encoded: How many captions went through the encoder.
    """

    def __init__(self) -> None:
        self.encoded = 0
        self._rows: OrderedDict[str, Row] = OrderedDict()
        self._bytes = 0
        self._hits = 0
        self._digests: dict[tuple[tuple[weakref.ref[Plugin], int], ...], str] = {}
        self._store: SampleStore | None = None

    def of(
        self, ctx: Context, text_encoder: TextEncoder, texts: Sequence[str], clip_skip: int, *, disk: bool
    ) -> Conditioning:
        """The parts of a conditioning of B captions with their masks, float32, on the encoder's device.

        A caption that is not known yet is encoded alone: its embedding is the same whatever it shared a batch with, so
        that a resumed run sees what it would have seen.

        Args:
            ctx: The context of the node.
            text_encoder: The text encoder, frozen.
            texts: B captions, as they are after every change to them.
            clip_skip: Last layers to leave out.
            disk: Whether they are kept on disk too.
        """
        base = (self._digest(ctx, text_encoder), arithmetic(text_encoder), code_of(__name__), clip_skip)
        keys = [sha256(repr((*base, text)).encode()).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        kept = self._opened(ctx).get(missing) if missing and disk else {}
        rows = {key: _row(arrays) for key, arrays in kept.items()}
        fresh: dict[str, Row] = {}
        implementation = family(text_encoder.family)
        for key, text in missing.items():
            if key not in rows:
                with torch.no_grad():
                    encoded = implementation.encode_prompt(text_encoder, [text], clip_skip)
                fresh[key] = _row_of(encoded)
                _require_finite(text, fresh[key])
        if fresh and disk:
            self._opened(ctx).put({key: _arrays(row) for key, row in fresh.items()})
        self.encoded += len(fresh)
        self._hits = 0 if fresh else self._hits + 1
        if self._hits >= AFTER_HITS and text_encoder.root.release():
            ctx.log(f"the last {self._hits} batches were all known: the text encoder has left memory")
        rows |= fresh
        found = [rows[key] if key in rows else self._rows[key] for key in keys]
        self._keep(keys, found)
        return Conditioning.joined([_conditioning(row) for row in found]).to(text_encoder.device)

    def _digest(self, ctx: Context, text_encoder: TextEncoder) -> str:
        stack = tuple((weakref.ref(plugin), plugin.revision) for plugin in text_encoder.stack)
        if stack not in self._digests:
            self._digests[stack] = encoder_digest(ctx, text_encoder)
        return self._digests[stack]

    def _opened(self, ctx: Context) -> SampleStore:
        folder = ctx.path(FOLDER, must_exist=False)
        if self._store is None or self._store.folder != folder:
            self._store = SampleStore(folder)
        return self._store

    def _keep(self, keys: Sequence[str], rows: Sequence[Row]) -> None:
        for key, row in zip(keys, rows, strict=True):
            if key not in self._rows:
                self._bytes += _size(row)
            self._rows[key] = row
            self._rows.move_to_end(key)
        while self._bytes > RAM_BYTES:
            self._bytes -= _size(self._rows.popitem(last=False)[1])


def _require_finite(text: str, row: Row) -> None:
    """What is kept is served for ever."""
    if not all(map(is_finite, row.values())):
        raise GraphError(
            "E_NOT_FINITE",
            f"the text encoder gives values that are infinite or not numbers for '{text}'",
            port="text_encoder",
            hint="run with --precision fp32 or bf16, or take another text encoder",
        )


def _size(row: Row) -> int:
    return sum(part.nbytes for part in row.values())


def _row(arrays: Mapping[str, np.ndarray]) -> Row:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _arrays(row: Row) -> dict[str, np.ndarray]:
    return {name: part.numpy() for name, part in row.items()}


def _row_of(encoded: Conditioning) -> Row:
    masks = {name + MASK: mask for name, mask in encoded.masks.items()}
    return {name: part[0].cpu() for name, part in (*encoded.parts.items(), *masks.items())}


def _conditioning(row: Row) -> Conditioning:
    masks = {name.removesuffix(MASK): part[None] for name, part in row.items() if name.endswith(MASK)}
    return Conditioning({name: part[None] for name, part in row.items() if not name.endswith(MASK)}, masks)


_of_roots: weakref.WeakKeyDictionary[Root, Embeddings] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def embeddings(text_encoder: TextEncoder) -> Embeddings:
    """What is known of a text encoder; forgotten with its weights' last handle.

    Raises:
        GraphError: E_CACHE, it is trained, so that its embeddings change with every step, or has side inputs.
    """
    without_inputs(text_encoder, "text_encoder")
    if text_encoder.trainable:
        raise GraphError(
            "E_CACHE",
            "the text encoder is trained: what it gives changes with every step",
            port="text_encoder",
            hint="set cache to off, or wire the text encoder that is not trained",
        )
    with _lock:
        return _of_roots.setdefault(text_encoder.root, Embeddings())
