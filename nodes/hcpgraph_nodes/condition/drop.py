"""`condition.drop`."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from hcpgraph import Context, Facts, GraphError, Port, node
from hcpgraph.widgets import Hint

from ..conditioning import POOLED, TEXT, every, padded
from ..noise.draws import row_keys
from ..types import Conditioning, wide

GROUPS = {"text": (TEXT, POOLED), "image": ("image",)}
"""Names that stand for all parts whose names begin so."""
Probabilities = Annotated[
    dict[str, Annotated[float, Field(ge=0, le=1)]], Field(min_length=1, max_length=16), Hint(primary=True)
]


@node("condition.drop", effects="random", title="Drop conditions")
def drop(
    ctx: Context,
    conditioning: Conditioning,
    unconditional: Conditioning | None = None,
    *,
    probabilities: Probabilities = {"text": 0.1},  # noqa: B006
) -> Annotated[
    Conditioning,
    Facts(text=Port("conditioning"), image=Port("conditioning"), guidance=Port("conditioning")),
]:
    """Take conditions away from some samples, so that guidance can lead away from what there is without them.

    What is drawn depends on the sample's key. Sources: Ho & Salimans 2022, https://arxiv.org/abs/2207.12598 (the
    text); Brooks et al. 2023, https://arxiv.org/abs/2211.09800, section 3.2: 5 % each of the text, the image and both
    are `{"text": 0.05, "image": 0.05, "text+image": 0.05}`. Two of these nodes one after another draw independently.

    Args:
        conditioning: The conditioning of B samples.
        unconditional: What takes the place, such as the text "" encoded: one row for all or one each; parts that it
            has not, and all of them without it, become zeros.
        probabilities: What is taken away -> with which probability, of one draw a sample, so that at most one of the
            entries holds for it. An entry names a part, `text` (all parts of text), `image` (all parts of pictures),
            or several with + between.

    Returns:
        out: The conditioning.

    Raises:
        GraphError: E_RANGE, the probabilities are more than 1 together; E_PARTS, there is no such part; E_BATCH,
            another number of rows, or parts of other shapes.
    """
    if sum(probabilities.values()) > 1 + 1e-9:
        message = f"the probabilities are {sum(probabilities.values()):g} together"
        raise GraphError("E_RANGE", message, port="probabilities", hint="make them 1 at most")
    count = conditioning.count
    drawn = ctx.uniform(row_keys(conditioning.keys, count))
    taken: dict[str, Tensor] = {}
    begin = 0.0
    for entry, share in probabilities.items():
        dropped = (drawn >= begin) & (drawn < begin + share)
        begin += share
        for name in _named(conditioning, entry):
            taken[name] = taken[name] | dropped if name in taken else dropped
    other = None if unconditional is None else unconditional.rows(count)
    for name, dropped in taken.items():
        conditioning = _without(conditioning, other, name, dropped)
    return conditioning


def _named(conditioning: Conditioning, entry: str) -> list[str]:
    found = []
    for word in entry.split("+"):
        names = [name for name in conditioning.parts if name == word or name.startswith(GROUPS.get(word, "\0"))]
        if not names:
            hint = f"it has {', '.join(conditioning.parts)}; text and image stand for several"
            raise GraphError("E_PARTS", f"the conditioning has no '{word}'", port="probabilities", hint=hint)
        found += names
    return found


def _without(given: Conditioning, other: Conditioning | None, name: str, dropped: Tensor) -> Conditioning:
    """The conditioning with rows of one part from another one."""
    own, mask = given.parts[name], given.masks.get(name)
    place = None if other is None else other.parts.get(name)
    rows = dropped.to(own.device)
    if place is None:
        return given.with_tokens(name, torch.where(wide(rows, own), torch.zeros_like(own), own), mask)
    assert other is not None
    place, hidden = place.to(own), other.masks.get(name)
    if own.dim() == 3 and (mask is not None or hidden is not None or own.shape[1] != place.shape[1]):
        longest = max(own.shape[1], place.shape[1])
        shown = (every(own) if mask is None else mask, every(place) if hidden is None else hidden.to(own.device))
        mask = torch.where(rows[:, None], padded(shown[1], longest), padded(shown[0], longest))
        own, place = padded(own, longest), padded(place, longest)
    if own.shape[1:] != place.shape[1:]:
        message = f"the part '{name}' has the shape {list(own.shape)}, and of unconditional {list(place.shape)}"
        raise GraphError("E_BATCH", message, port="unconditional", hint="make both with one model and one size")
    return given.with_tokens(name, torch.where(wide(rows, own), place, own), mask)
