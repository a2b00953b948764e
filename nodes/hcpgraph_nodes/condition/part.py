"""`condition.part`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hcpgraph import Facts, GraphError, Port, node
from hcpgraph.widgets import Hint

from ..types import Conditioning, Features
from .rows import rows
from .tokens import behind, part_of

PartName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


@node("condition.part", title="Add features")
def part(
    conditioning: Conditioning,
    features: Features,
    *,
    name: Annotated[PartName, Hint(primary=True)] = "image_embeds",
    place: Literal["new", "behind", "before", "instead"] = "new",
) -> Annotated[
    Conditioning,
    Facts(text=Port("conditioning"), image=Port("conditioning"), guidance=Port("conditioning")),
]:
    """Put features into a conditioning: as a part of its own, or among the tokens of one that it has.

    A part of its own is for plugins that ask for it by its name, such as plugin.decoupled_attention. Behind the tokens
    of the text the denoiser's own cross attention reads them.

    Args:
        conditioning: The text.
        features: Tokens (B, L, D), or vectors (B, D): of the samples, or of one for all.
        name: The part.
        place: `new` makes a part that there is not yet; `behind` and `before` put the tokens to those of a part, and
            `instead` takes its place.

    Returns:
        out: The conditioning with the features.

    Raises:
        GraphError: E_BATCH, other numbers of features and texts; E_PARTS, the part is there already or is missing, or
            has tokens of another width.
    """
    count = rows({"conditioning": conditioning.count, "features": len(features.data)})
    known, data = conditioning.rows(count), features.data.expand(count, *features.data.shape[1:])
    if place == "new" and name in known.parts:
        hint = "set place to behind, before or instead, or give it another name"
        raise GraphError("E_PARTS", f"the conditioning has a part '{name}' already", port="name", hint=hint)
    if place == "new":
        return known.with_tokens(name, data, None)
    own = part_of(known, name)
    data = data.to(own)
    if place == "instead":
        return known.with_tokens(name, data, None)
    pair = [(own, known.masks.get(name)), (data, None)]
    return known.with_tokens(name, *behind(pair if place == "behind" else pair[::-1], name, "features"))
