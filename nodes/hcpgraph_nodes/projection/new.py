"""`projection.new`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Hint, Seed

from ..model.handles import Projection
from .network import Activation, Few, Mlp, Size, fresh


@node("projection.new", effects=("resource", "random"), title="New projection")
def new_projection(
    ctx: Context,
    *,
    width: Annotated[Size, Hint(primary=True)],
    out_width: Annotated[Size, Hint(primary=True)] = 768,
    tokens: Few | None = None,
    hidden: Annotated[list[Size], Field(max_length=16)] = [],  # noqa: B006
    activation: Activation = "gelu",
    norm: bool = True,
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
) -> Projection:
    """Make an untrained projection of features: a linear layer, or several with activations between.

    Without hidden layers, with tokens and norm it is what IP-Adapter makes of a picture's embedding (Ye et al. 2023,
    https://arxiv.org/abs/2308.06721, section 3.2.1); with one hidden layer of the width of the input and norm that of
    its full version; with two, silu and without norm that of REPA (https://arxiv.org/abs/2410.06940). Train it with
    model.trainable. Equal settings give equal weights, float32 in every precision of a run.

    Args:
        width: Numbers of a vector that it reads, such as those of the encoder's pooled features.
        out_width: Numbers of a vector that it gives, such as the width of the denoiser's text.
        tokens: How many tokens it makes of one vector a sample; none given: one of each vector or token, in its place.
        hidden: Widths between the layers, one number for each further layer.
        activation: Between the layers.
        norm: Whether a LayerNorm follows.
        seed: Seed of the initial weights.

    Returns:
        out: The projection.
    """
    described = Mlp(
        width=width, out_width=out_width, tokens=tokens, hidden=tuple(hidden), activation=activation, norm=norm
    )
    return fresh(ctx, described, seed)
