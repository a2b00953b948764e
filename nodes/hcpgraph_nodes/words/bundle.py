"""Words that lie in a LoRA file beside its weights, as OneTrainer and A1111 bundle them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

PREFIX = "bundle_emb."
PARTS = {".string_to_param.*": "", ".emb_params": "", ".clip_l": "clip_l", ".clip_g": "clip_g"}
"""How keys end -> the text network that the vectors are for; empty where the file does not say."""


def bundled(state: Mapping[str, Tensor]) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """The words of a LoRA file, and what else is in it.

    Keys of words are `bundle_emb.NAME.string_to_param.*`, `bundle_emb.NAME.clip_l` and `.clip_g`, where NAME may have
    dots. Keys that begin so and end otherwise are left among the rest, so that whoever reads that refuses them.

    Args:
        state: All tensors of the file.

    Returns:
        Name of a word -> its vectors by `clip_l` and `clip_g`, or by an empty text where the file does not say for
        which network they are (`words.files.fitted` takes them so); and all other tensors.
    """
    words: dict[str, dict[str, Tensor]] = {}
    rest: dict[str, Tensor] = {}
    for key, value in state.items():
        end = next((end for end in PARTS if key.startswith(PREFIX) and key.endswith(end)), None)
        name = key.removeprefix(PREFIX).removesuffix(end) if end else ""
        if end and name:
            words.setdefault(name, {})[PARTS[end]] = value
        else:
            rest[key] = value
    return words, rest
