"""`condition.mask`."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from hcpgraph import Context, Facts, GraphError, Port, node
from hcpgraph.widgets import Hint, Slider

from ..conditioning import every
from ..noise.draws import row_keys
from ..types import Conditioning
from .part import PartName
from .tokens import part_of


@node("condition.mask", effects="random", title="Mask tokens")
def mask(
    ctx: Context,
    conditioning: Conditioning,
    *,
    part: PartName = "text",
    first: Annotated[int, Field(ge=-16384, le=16384)] = 0,
    stop: Annotated[int, Field(ge=-16384, le=16384)] | None = None,
    probability: Annotated[float, Field(ge=0, le=1), Slider(step=0.05), Hint(primary=True)] = 1.0,
    how: Literal["mask", "zero"] = "mask",
) -> Annotated[
    Conditioning,
    Facts(text=Port("conditioning"), image=Port("conditioning"), guidance=Port("conditioning")),
]:
    """Hide tokens from the denoiser: some places of all samples, or each of them by chance.

    What is drawn depends on the sample's key.

    Args:
        conditioning: The conditioning.
        part: The part of tokens (B, L, D).
        first: The first token that may be hidden, counted from 0; negative ones from the end.
        stop: The first one behind them; none given: all to the end.
        probability: Probability that one of them is hidden; 1 hides all.
        how: `mask` counts them as padding, for networks that read masks; `zero` makes their vectors zeros.

    Returns:
        out: The conditioning.

    Raises:
        GraphError: E_PARTS, there is no such part, or it has no tokens.
    """
    data = part_of(conditioning, part)
    if data.dim() != 3:
        raise GraphError("E_PARTS", f"the part '{part}' has no tokens", port="part", hint="name one of tokens")
    count, length = data.shape[:2]
    hidden = torch.zeros(count, length, dtype=torch.bool)
    hidden[:, first:stop] = True
    if probability < 1:
        rows = [torch.rand(length, generator=ctx.generator(key)) for key in row_keys(conditioning.keys, count)]
        hidden &= torch.stack(rows) < probability
    hidden = hidden.to(data.device)
    own = conditioning.masks.get(part)
    if how == "zero":
        return conditioning.with_tokens(part, data.masked_fill(hidden[..., None], 0), own)
    return conditioning.with_tokens(part, data, (every(data) if own is None else own) & ~hidden)
