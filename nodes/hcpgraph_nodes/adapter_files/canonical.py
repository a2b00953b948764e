"""The form that all layouts of adapter files share: component -> layer -> LyCORIS suffix -> tensor.

Suffixes are those of https://github.com/KohakuBlueleaf/LyCORIS; a layer has the name that its model gives it in files.
`alpha` is raw: the change of a weight is scaled by alpha / rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn, tensor

Weights = dict[str, Tensor]
"""The tensors of one layer by suffix."""
Layers = dict[str, Weights]
Components = dict[str, Layers]

DOWN, UP, MID, ALPHA, DORA = "lora_down.weight", "lora_up.weight", "lora_mid.weight", "alpha", "dora_scale"
DIFF, BIAS = "diff", "diff_b"
LOHA = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
LOKR = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2")
KINDS: dict[str, frozenset[str]] = {
    "lora": frozenset((DOWN, UP, MID)),
    "loha": frozenset((*LOHA, "hada_t1", "hada_t2")),
    "lokr": frozenset(LOKR),
    "full": frozenset((DIFF,)),
}
"""Algorithm -> the suffixes that are its own."""
SUFFIXES = frozenset().union(*KINDS.values()) | {ALPHA, DORA, BIAS}
TITLES = {"lora": "LoRA", "loha": "LoHa", "lokr": "LoKr", "full": "full weights", "norm": "norm"}


def kinds_of(weights: Iterable[str]) -> tuple[str, ...]:
    """The algorithms whose suffixes are among those of one layer; a bias alone is a change of full weights."""
    found = tuple(kind for kind, own in KINDS.items() if own & set(weights))
    return found or (("full",) if BIAS in set(weights) else ())


def kind_at(layer: nn.Module, weights: Iterable[str]) -> str:
    """The kind of block that the tensors of a layer make there; they are of one algorithm."""
    (kind,) = kinds_of(weights)
    return "norm" if kind == "full" and isinstance(layer, nn.GroupNorm | nn.LayerNorm) else kind


def is_norm(weights: Mapping[str, Tensor]) -> bool:
    """Whether it is the change of a normalisation, whose weight has one axis."""
    return DIFF in weights and weights[DIFF].dim() == 1


def lacks(weights: Mapping[str, Tensor]) -> str | None:
    """What is wrong with the tensors of one layer, or None if they are one whole adapter."""
    kinds = kinds_of(weights)
    if len(kinds) != 1:
        return " and ".join(TITLES[kind] for kind in kinds) + " at once" if kinds else "no weights"
    missing = [name for name in _needed(kinds[0], weights) if name not in weights]
    return f"without {', '.join(missing)}" if missing else None


def _needed(kind: str, weights: Mapping[str, Tensor]) -> tuple[str, ...]:
    if kind == "lora":
        return (DOWN, UP)
    if kind == "loha":
        tucker = ("hada_t1", "hada_t2") if {"hada_t1", "hada_t2"} & set(weights) else ()
        return (*LOHA, *tucker)
    if kind == "lokr":
        halves = ([name] if name in weights else [f"{name}_a", f"{name}_b"] for name in ("lokr_w1", "lokr_w2"))
        return tuple(name for half in halves for name in half)
    return ()


def malformed(weights: Mapping[str, Tensor]) -> str | None:
    """Which tensor cannot be what its suffix says, whatever the layer, or None."""
    for suffix, value in weights.items():
        flat = suffix in (ALPHA, DORA, DIFF) or suffix not in SUFFIXES or suffix == BIAS
        if (suffix == ALPHA and value.numel() != 1) or (not flat and value.dim() < 2) or value.numel() == 0:
            return f"{suffix} of the shape {list(value.shape)}"
        if not value.is_floating_point() and suffix != ALPHA:
            return f"{suffix} of whole numbers"
    return None


def rank_of(weights: Mapping[str, Tensor]) -> int | None:
    """The inner width that alpha is divided by; None where nothing is decomposed, so that alpha has no meaning."""
    for name in (DOWN, "hada_w1_b", "lokr_w2_b", "lokr_w1_b"):
        if name in weights:
            return len(weights[name])
    return None


def with_alpha(weights: Weights) -> Weights:
    """The tensors with alpha: a file that says nothing about it means a scale of 1."""
    rank = rank_of(weights)
    if rank is None or ALPHA in weights:
        return weights
    return {**weights, ALPHA: tensor(float(rank))}
