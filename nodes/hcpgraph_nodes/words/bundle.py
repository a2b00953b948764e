"""Words that lie in a LoRA file beside its weights, as OneTrainer and A1111 bundle them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from . import networks

PREFIX = "bundle_emb."
PARTS = {".string_to_param.*": "", ".emb_params": ""}
"""How keys end that do not say which text network the vectors are for; others end with the network's name."""


def bundled(state: Mapping[str, Tensor]) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """The words of a LoRA file, and what else is in it.

    Keys of words are `bundle_emb.NAME.string_to_param.*`, or `bundle_emb.NAME.clip_l`, `.clip_g` and so on, where NAME
    may have dots. Keys that begin so and end otherwise are left among the rest, so that whoever reads that refuses
    them.

    Args:
        state: All tensors of the file.

    Returns:
        Name of a word -> its vectors by the names of text networks, or by an empty text where the file does not say for
        which network they are (`words.files.fitted` takes them so); and all other tensors.
    """
    parts = PARTS | {f".{network}": network for network in networks.known()}
    words: dict[str, dict[str, Tensor]] = {}
    rest: dict[str, Tensor] = {}
    for key, value in state.items():
        end = next((end for end in parts if key.startswith(PREFIX) and key.endswith(end)), None)
        name = key.removeprefix(PREFIX).removesuffix(end) if end else ""
        if end and name:
            words.setdefault(name, {})[parts[end]] = value
        else:
            rest[key] = value
    return words, rest
