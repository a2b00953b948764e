"""Which families text networks on disk may belong to, read from their small files only (torch-free).

The same networks serve several families, such as CLIP and T5: a mark of a table says `kinds`, one a network in the
order of the places, beside `networks`, their number, and entries of the first one's configuration.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .file_header import header
from .probe import damaged_is_none, families_of_config, family_of_config, probe_family

KINDS = {
    "token_embedding.weight": "clip",
    "shared.weight": "t5",
    "word_embeddings.weight": "bert",
    "embed_tokens.weight": "decoder",
    "token_embd.weight": "decoder",
}
"""Ending of the name of a table of tokens -> what kind of network has it; of T5, which has two, the first counts."""
MODELS = {"clip_text_model": "clip", "t5": "t5", "mt5": "t5", "umt5": "t5", "bert": "bert"}
"""`model_type` of a configuration -> kind; others turn a text into the next token."""


def probe_text_encoder(paths: Sequence[Path]) -> str | None:
    """The family of text networks, in one place or one place each; None if it is not recognised."""
    with damaged_is_none():
        if len(paths) == 1 and (found := probe_family(paths[0])):
            return found
        known = _config(paths)
        return None if known is None else family_of_config("text_encoder", known)
    return None


def may_be(paths: Sequence[Path], named: str | None = None) -> frozenset[str]:
    """The families that text networks may be of, that which a setting names among them; none if nothing is known."""
    with damaged_is_none():
        if len(paths) == 1 and (found := probe_family(paths[0], named)):
            return frozenset({found})
        known = _config(paths)
        return frozenset() if known is None else families_of_config("text_encoder", known, named)
    return frozenset()


def _config(paths: Sequence[Path]) -> dict[str, Any] | None:
    networks = [network for path in paths for network in _networks(path)]
    if not networks:
        return None
    return {**networks[0], "networks": len(networks), "kinds": [network["kind"] for network in networks]}


def _networks(path: Path) -> list[dict[str, Any]]:
    """What is known of the text networks in one place, one entry each."""
    if path.is_dir():
        config = dict(json.loads((path / "config.json").read_text("utf-8")))
        return [{**config, "kind": MODELS.get(str(config.get("model_type")), "decoder")}]
    found: dict[str, dict[str, Any]] = {}
    shapes = header(path).shapes
    kinds = KINDS | ({"token_embd.weight": "t5"} if any(name.startswith("enc.blk.") for name in shapes) else {})
    for name, shape in shapes.items():
        for ending, kind in kinds.items():
            if name.endswith(ending):
                stem = name.removesuffix(ending).removesuffix("encoder.")
                if kind == "t5" or stem not in found:
                    found[stem] = {"hidden_size": shape[1], "kind": kind}
    return sorted(found.values(), key=lambda network: int(network["hidden_size"]))
