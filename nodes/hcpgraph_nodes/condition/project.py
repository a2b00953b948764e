"""`condition.project`."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Facts, GraphError, Port, node
from hcpgraph.widgets import Hint

from ..model.handles import Projection
from ..projection.network import projected
from ..types import Conditioning
from .part import PartName
from .tokens import part_of


@node("condition.project", title="Project conditioning")
def project(
    conditioning: Conditioning, projection: Projection, *, part: Annotated[PartName, Hint(primary=True)] = "text"
) -> Annotated[Conditioning, Facts(image=Port("conditioning"), guidance=Port("conditioning"))]:
    """Bring one part of a conditioning to another width or number of tokens, with gradients of the weights.

    Args:
        conditioning: The conditioning, such as one of a text encoder of another width.
        projection: The projection; its width is that of the part.
        part: The part; the others stay.

    Returns:
        out: The conditioning. A mask of its tokens stays where each token stays in its place.

    Raises:
        GraphError: E_PARTS, there is no such part, or padded tokens of it would be read; E_FEATURES, it has another
            width.
    """
    own = part_of(conditioning, part)
    data = projected(projection, own, "conditioning")
    mask = conditioning.masks.get(part)
    if mask is not None and projection.config["kind"] == "resampler":
        message = f"the resampler would read the padded tokens of the part '{part}'"
        raise GraphError("E_PARTS", message, port="conditioning", hint="take projection.new for tokens with a mask")
    return conditioning.with_tokens(part, data, mask)
