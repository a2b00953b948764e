"""`projection.resampler`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Hint, Seed

from ..model.handles import Projection
from .network import Few, Resampler, Size, fresh


@node("projection.resampler", effects=("resource", "random"), packages=("diffusers",), title="New resampler")
def new_resampler(
    ctx: Context,
    *,
    width: Annotated[Size, Hint(primary=True)],
    out_width: Annotated[Size, Hint(primary=True)] = 768,
    tokens: Few = 16,
    hidden: Size = 768,
    depth: Annotated[int, Field(ge=1, le=64)] = 4,
    heads: Annotated[int, Field(ge=1, le=256)] = 12,
    head_width: Annotated[Few, Hint(advanced=True)] = 64,
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
) -> Projection:
    """Make an untrained resampler: learnt queries read all tokens of a picture and give a fixed number of tokens.

    It is the Perceiver resampler of Flamingo (Alayrac et al. 2022, https://arxiv.org/abs/2204.14198, section 3.1) as
    IP-Adapter Plus has it, which reads the tokens of the last layer but one. The settings that stand here are its own
    for Stable Diffusion 1.x. Train it with model.trainable. Equal settings give equal weights, float32 in every
    precision of a run.

    Args:
        width: Numbers of a token that it reads, such as those of the encoder's tokens.
        out_width: Numbers of a token that it gives, such as the width of the denoiser's text.
        tokens: How many it gives, whatever the number that it reads.
        hidden: Width within.
        depth: Blocks, each of an attention and a network four times as wide within.
        heads: Heads of attention.
        head_width: Width of one of them.
        seed: Seed of the initial weights.

    Returns:
        out: The projection.
    """
    sizes = {"width": width, "out_width": out_width, "tokens": tokens, "hidden": hidden}
    sizes |= {"depth": depth, "heads": heads, "head_width": head_width}
    return fresh(ctx, Resampler.model_validate(sizes), seed)
