"""What stands behind a layer's name in the keys of adapter files, and which canonical suffix it means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .canonical import ALPHA, BIAS, DIFF, DORA, DOWN, SUFFIXES, UP

SPELLINGS = {
    **{f".{suffix}": suffix for suffix in SUFFIXES},
    ".lora_A.weight": DOWN,
    ".lora_B.weight": UP,
    ".lora_A.default.weight": DOWN,
    ".lora_B.default.weight": UP,
    ".lora_A": DOWN,
    ".lora_B": UP,
    ".lora.down.weight": DOWN,
    ".lora.up.weight": UP,
    "_lora.down.weight": DOWN,
    "_lora.up.weight": UP,
    ".lora_linear_layer.down.weight": DOWN,
    ".lora_linear_layer.up.weight": UP,
    ".lora_magnitude_vector": DORA,
    ".lora_magnitude_vector.weight": DORA,
    ".lora_magnitude_vector.default.weight": DORA,
    ".w_norm": DIFF,
    ".b_norm": BIAS,
}
"""What the programs write: kohya, LyCORIS and ComfyUI (the canonical names), PEFT, diffusers before and after it."""
BRANCH_BIAS = "bias of the branch"
SCALED = {
    ".lora_B.bias": BRANCH_BIAS,
    ".lora_B.default.bias": BRANCH_BIAS,
    ".lora_up.bias": BRANCH_BIAS,
}
"""A bias of the branch is scaled with it; in the canonical form it is not."""
HCP_MARK = ".___."
HCP = {
    "layer.W_down": DOWN,
    "layer.W_up": UP,
    "W_down": DOWN,
    "W_up": UP,
    "layer.lora_down.weight": DOWN,
    "layer.lora_up.weight": UP,
    "alpha": ALPHA,
    "layer.bias": BRANCH_BIAS,
    "bias": BRANCH_BIAS,
    "layer.lora_up.bias": BRANCH_BIAS,
}
"""HCP-Diffusion's names behind the mark, 0.9 and 2.x, and those from before 0.7."""
PROCESSOR = re.compile(r"\.processor\.to_(q|k|v|out)_lora\.(down|up)\.weight$")
COMFY_PROCESSOR = re.compile(r"\.processor\.to_(q|k|v|out)$")
WORDS = ("bundle_emb.", "emb_params", "clip_l", "clip_g", "string_to_param.", "string_to_token.")
OTHERS = {
    "oft_blocks": "OFT",
    "oft_R": "OFT",
    "oft_diag": "OFT",
    "boft_": "BOFT",
    ".a1.weight": "GLoRA",
    ".b1.weight": "GLoRA",
    ".on_input": "IA3",
    "lora_embedding_": "LoRA on an embedding",
    "lokr_t1": "LoKr with two tensors",
    "vera_": "VeRA",
    "set_weight": "replaced weights",
    "reshape_weight": "reshaped weights",
}
"""Parts of keys of adapters that this program does not read."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key taken apart.

    Attributes:
        stem: What names the layer.
        suffix: The canonical suffix, or `BRANCH_BIAS`.
        magnitude: Whether it is PEFT's shape of a DoRA scale.
        hcp: Whether it is HCP-Diffusion's, whose `alpha` is alpha / rank.
    """

    stem: str
    suffix: str
    magnitude: bool = False
    hcp: bool = False


def take_apart(key: str) -> Key | None:
    """The stem and the suffix of a key; None if no layout has such a suffix."""
    if HCP_MARK in key:
        stem, _, rest = key.partition(HCP_MARK)
        return Key(stem, HCP[rest], hcp=True) if rest in HCP else None
    if old := PROCESSOR.search(key):
        return Key(f"{key[: old.start()]}.{_projection(old[1])}", DOWN if old[2] == "down" else UP)
    for spelling in _by_length(key):
        if key.endswith(spelling):
            suffix = SPELLINGS.get(spelling) or SCALED[spelling]
            return Key(_stem(key.removesuffix(spelling)), suffix, magnitude=".lora_magnitude" in spelling)
    return None


def _by_length(key: str) -> list[str]:
    return [spelling for spelling in _ORDER if spelling[-4:] == key[-len(spelling[-4:]) :]]


_ORDER = sorted((*SPELLINGS, *SCALED), key=len, reverse=True)


def _stem(stem: str) -> str:
    found = COMFY_PROCESSOR.search(stem)
    return f"{stem[: found.start()]}.{_projection(found[1])}" if found else stem


def _projection(letter: str) -> str:
    return "to_out.0" if letter == "out" else f"to_{letter}"


def other_kinds(keys: list[str]) -> list[str]:
    """Names of the algorithms that keys are of which no layout here has."""
    return sorted({title for key in keys for part, title in OTHERS.items() if part in key})


def words_in(keys: list[str]) -> list[str]:
    """Names of the words (textual inversions) that lie in a file beside its adapters."""
    names = {key.split(".")[1] if key.startswith("bundle_emb.") else key for key in keys if key.startswith(WORDS)}
    return sorted(names)


def is_word(key: str) -> bool:
    """Whether a key belongs to a word (textual inversion)."""
    return key.startswith(WORDS)
