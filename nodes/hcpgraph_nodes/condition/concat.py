"""`condition.concat`."""

from __future__ import annotations

from typing import Annotated, Literal

from hcpgraph import Facts, GraphError, Many, Port, node
from hcpgraph.widgets import Hint

from ..conditioning import TEXT
from ..types import Conditioning
from .rows import rows
from .tokens import behind


@node("condition.concat", title="Join conditionings")
def concat(
    conditionings: Many[Conditioning], *, along: Annotated[Literal["tokens", "rows"], Hint(primary=True)] = "tokens"
) -> Annotated[
    Conditioning,
    Facts(text=Port("conditionings"), image=Port("conditionings"), guidance=Port("conditionings")),
]:
    """Put several conditionings behind each other: their tokens, or their rows.

    By tokens a prompt may be longer than its encoder reads, and a network sees what all of them say; by rows a batch
    has pairs, such as a sample that is preferred and one that is not.

    Args:
        conditionings: Two or more, in order.
        along: `tokens` puts the text of each sample, and other parts of tokens (B, L, D) that all have, behind each
            other with their masks; what else there is comes from the first that has it. `rows` puts the samples of one
            behind those of the other; texts of different lengths are padded and masked.

    Returns:
        out: The conditioning.

    Raises:
        GraphError: E_BATCH, other numbers of rows, or parts of other shapes; E_PARTS, tokens of different widths, by
            rows other parts.
    """
    if along == "rows":
        return Conditioning.joined(conditionings)
    count = rows({f"conditionings {place}": each.count for place, each in enumerate(conditionings)})
    every = [each.rows(count) for each in conditionings]
    result = every[0]
    for other in every[1:]:
        for name, part in other.parts.items():
            if name not in result.parts:
                result = result.with_tokens(name, part, other.masks.get(name))
    shared = set.intersection(*({name for name, part in each.parts.items() if part.dim() == 3} for each in every))
    if TEXT not in shared:
        hint = "wire what text.encode gives; condition.part puts features among its tokens"
        raise GraphError("E_PARTS", "not all of them have tokens of text", port="conditionings", hint=hint)
    for name in (name for name in result.parts if name in shared):
        tokens = [(each.parts[name], each.masks.get(name)) for each in every]
        result = result.with_tokens(name, *behind(tokens, name, "conditionings"))
    return result
