"""Layers that the authors' files keep as one matrix: their adapters as one, and one as theirs.

A LoRA of several layers that read the same input is one of all their rows: the inner matrices lie one below the other,
and the outer ones on the diagonal of blocks. It is exact, of the sum of the ranks. Where the inner matrices are the
same, as trainers of the original network have them, one of them is enough. The outputs of some layers stand in another
order there, first and second half (`dit.layout`), and rows of an adapter with them. Full weights of some of the layers
are a change of zero for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, tensor

from .canonical import ALPHA, BIAS, DIFF, DORA, DOWN, LOHA, MID, TITLES, UP, Layers, Weights, kinds_of
from .hcp_scale import DIGITS

ROUNDING = 2.0**-22
"""Share by which numbers differ that were the same before float32 rounded them."""
SEVERAL = "where the original network has one layer of several"


def obstacle(whole: Sequence[str], parts: Layers) -> str | None:
    """Why the adapters of layers cannot be one of the layer that they are in the original network, or None.

    Args:
        whole: Names of all of them.
        parts: Adapters by name, of some of them.
    """
    if len(whole) == 1:
        return None
    kinds = {kind for weights in parts.values() for kind in kinds_of(weights)}
    found = set().union(*parts.values())
    if others := sorted(kinds - {"lora", "full"}):
        return f"no {' and '.join(TITLES[kind] for kind in others)} {SEVERAL}"
    if DORA in found:
        return f"no DoRA {SEVERAL}"
    if MID in found:
        return f"no Tucker form {SEVERAL}"
    if len(kinds) > 1:
        return f"no LoRA and full weights at once {SEVERAL}"
    return None


def unswappable(weights: Mapping[str, Tensor]) -> bool:
    """Whether the halves of what an adapter changes cannot change places: the first factor of a LoKr has no halves."""
    first = weights.get("lokr_w1", weights.get("lokr_w1_a"))
    return first is not None and len(first) % 2 == 1


def halves_swapped(weights: Mapping[str, Tensor]) -> Weights:
    """An adapter whose rows are in the other order, first and second half; not for those that are `unswappable`."""
    rows = {UP, DIFF, BIAS, LOHA[0], LOHA[2], "lokr_w1", "lokr_w1_a"}
    if DORA in weights and len(weights[DORA]) > 1:
        rows.add(DORA)

    def swapped(value: Tensor) -> Tensor:
        half = len(value) // 2
        return torch.cat([value[half:], value[:half]])

    return {name: swapped(value) if name in rows else value for name, value in weights.items()}


def joined(whole: Sequence[str], parts: Layers, rows: Mapping[str, int]) -> Weights:
    """The adapters of layers as one of the layer that they are in the original network.

    Args:
        whole: Names of all of them, in the order of their rows.
        parts: Adapters by name, of some of them, without an `obstacle`.
        rows: Outputs of those that have none, by name.
    """
    if len(whole) == 1:
        return next(iter(parts.values()))
    counts = {path: _outputs(parts[path]) if path in parts else rows[path] for path in whole}
    found: Weights = {}
    if all(DIFF in weights for weights in parts.values()):
        some = next(iter(parts.values()))[DIFF]
        same = {path: {DIFF: some.new_zeros(counts[path], *some.shape[1:])} for path in whole}
        found[DIFF] = torch.cat([parts.get(path, same[path])[DIFF] for path in whole])
    else:
        found = _lora([(counts[path], parts.get(path)) for path in whole])
    if any(BIAS in weights for weights in parts.values()):
        some = next(weights[BIAS] for weights in parts.values() if BIAS in weights)
        found[BIAS] = torch.cat([parts.get(path, {}).get(BIAS, some.new_zeros(counts[path])) for path in whole])
    return found


def cut(weights: Mapping[str, Tensor], counts: Sequence[int]) -> list[Weights]:
    """What an adapter of one layer is for the layers that it is cut into; empty where it leaves one as it is.

    Args:
        weights: A LoRA with alpha, or full weights.
        counts: Rows of the layers; together those of the adapter.
    """
    biases = weights[BIAS].split(list(counts)) if BIAS in weights else [None] * len(counts)
    parts: list[Weights] = [{} for _ in counts]
    if DIFF in weights:
        parts = [{DIFF: value.clone()} if value.any() else {} for value in weights[DIFF].split(list(counts))]
    elif UP in weights:
        parts = _cut_lora(weights[DOWN], weights[UP], float(weights[ALPHA]), counts)
    for part, bias in zip(parts, biases, strict=True):
        if bias is not None and bias.any():
            part[BIAS] = bias.clone()
    return parts


def _outputs(weights: Mapping[str, Tensor]) -> int:
    return len(weights[UP] if UP in weights else weights[DIFF])


def _lora(parts: Sequence[tuple[int, Weights | None]]) -> Weights:
    """A LoRA of layers, each with its rows and its own LoRA; alpha gives its scale to those of one scale."""
    own = [weights for _, weights in parts if weights is not None]
    ranks = [len(weights[DOWN]) for weights in own]
    alphas = [float(weights[ALPHA]) for weights in own]
    even = all(_near(alpha * ranks[0], alphas[0] * rank) for alpha, rank in zip(alphas, ranks, strict=True))
    downs = [weights[DOWN] for weights in own]
    if even and len(own) == len(parts) and all(torch.equal(down, downs[0]) for down in downs[1:]):
        return {DOWN: downs[0], UP: torch.cat([weights[UP] for weights in own]), ALPHA: tensor(alphas[0])}
    width, before, blocks = sum(ranks), 0, []
    for rows, weights in parts:
        if weights is None:
            blocks.append(downs[0].new_zeros(rows, width, *own[0][UP].shape[2:]))
            continue
        up, rank = weights[UP], len(weights[DOWN])
        up = up if even else up * (float(weights[ALPHA]) / rank)
        left, right = (up.new_zeros(rows, count, *up.shape[2:]) for count in (before, width - before - rank))
        blocks.append(torch.cat([left, up, right], dim=1))
        before += rank
    return {DOWN: torch.cat(downs), UP: torch.cat(blocks), ALPHA: tensor(_short(sum(alphas)) if even else float(width))}


def _cut_lora(down: Tensor, up: Tensor, alpha: float, counts: Sequence[int]) -> list[Weights]:
    blocks = up.split(list(counts))
    ends = _diagonal(blocks)
    if ends is None:
        return [{DOWN: down.clone(), UP: block.clone(), ALPHA: tensor(alpha)} for block in blocks]
    found: list[Weights] = []
    for block, begin, end in zip(blocks, [0, *ends], ends, strict=False):
        own = {DOWN: down[begin:end].clone(), UP: block[:, begin:end].clone()}
        found.append({**own, ALPHA: tensor(_share(alpha, end - begin, len(down)))} if end > begin else {})
    return found


def _diagonal(blocks: Sequence[Tensor]) -> list[int] | None:
    """Where the columns of each block end, if the blocks are on a diagonal; None: they are not.

    Blocks of one width are meant where that is possible, for columns of zeros might belong to any.
    """
    used = torch.stack([block.flatten(2).any(2).any(0) if block.dim() > 2 else block.any(0) for block in blocks])
    width = used.shape[1]
    if width % len(blocks) == 0:
        each = width // len(blocks)
        diagonal = torch.eye(len(blocks), dtype=torch.bool, device=used.device).repeat_interleave(each, dim=1)
        if not (used & ~diagonal).any():
            return [each * (index + 1) for index in range(len(blocks))]
    ends, begin = [], 0
    for index, row in enumerate(used):
        own = row.nonzero().flatten()
        if len(own) and (int(own[0]) < begin or used[index + 1 :, : int(own[-1]) + 1].any()):
            return None
        begin = int(own[-1]) + 1 if len(own) else begin
        ends.append(begin)
    if not begin:
        return None
    last = max(index for index, row in enumerate(used) if row.any())
    return [width if index >= last else end for index, end in enumerate(ends)]


def _share(alpha: float, rank: int, whole: int) -> float:
    """Alpha of a block for the scale alpha / whole."""
    return _short(alpha * rank / whole)


def _short(value: float) -> float:
    """The number of at most six digits that differs from it by float32's rounding alone, or else the number itself."""
    short = float(f"{value:.{DIGITS}g}")
    return short if _near(short, value) else value


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= ROUNDING * abs(other)
