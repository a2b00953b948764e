"""`image_encoder.new`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hcpgraph import Context, Facts, Setting, node
from hcpgraph.rng import SEED_MAX
from hcpgraph.widgets import Hint, RowPicker, Seed

from ..model.handles import ImageEncoder, named
from ..model.root import Placement
from .kinds import NAME, kind


@node("image_encoder.new", effects=("resource", "random"), packages=("transformers",), title="New image encoder")
def new_image_encoder(
    ctx: Context,
    *,
    encoder: Annotated[str, RowPicker(table=NAME, primary=True)] = "dinov2",
    config: Annotated[dict[str, Any], Hint(advanced=True)] = {},  # noqa: B006
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
) -> Annotated[ImageEncoder, Facts(encoder=Setting("encoder"))]:
    """Make an untrained network that makes features of pictures, of the classes that transformers has for it.

    Train it with model.trainable. Equal settings give equal weights.

    Args:
        encoder: What kind it is.
        config: Entries of its configuration, such as `{"hidden_size": 64, "num_hidden_layers": 2}`; the others are
            those of its class in transformers.
        seed: Seed of the initial weights.

    Returns:
        out: The image encoder.

    Raises:
        GraphError: E_MODEL_CLASS, the configuration cannot be followed; some of it shows at first use.
    """
    (own,) = ctx.row_seeds(seed)
    return named(ctx, (kind(encoder).new(config, Placement(ctx.device, ctx.dtype), own),))[0]
