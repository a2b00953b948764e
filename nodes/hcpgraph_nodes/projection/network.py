"""The networks of projections, and what describes them in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from torch import Tensor, nn

from hcpgraph import Context, GraphError

from .. import private
from ..families.networks import seeded
from ..messages import first_line
from ..model.handles import Projection
from ..model.root import Placement, Root

FAMILY = "projection"
CONFIG = "hcpgraph.projection"
"""Key in a file's metadata: the description of the network."""
Size = Annotated[int, Field(ge=1, le=16384)]
Few = Annotated[int, Field(ge=1, le=1024)]
Activation = Literal["gelu", "silu", "relu"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "silu": nn.SiLU, "relu": nn.ReLU}


class TokenMlp(nn.Module):
    """Linear layers with activations between, whose last one may give several tokens of one vector.

    Args:
        widths: Of the input, of what is between the layers, and of the output.
        tokens: How many tokens are made of each vector (B, D); None: one vector of each, in its place.
        activation: Between layers.
        norm: Whether a LayerNorm follows.
    """

    def __init__(self, widths: list[int], tokens: int | None, activation: str, norm: bool) -> None:
        super().__init__()
        self.tokens = tokens
        *inner, out = widths
        layers: list[nn.Module] = []
        for one, other in zip(inner, [*inner[1:], out * (tokens or 1)], strict=True):
            layers += [nn.Linear(one, other), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers[:-1])
        self.norm = nn.LayerNorm(out) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) -> (B, out), with tokens (B, tokens, out); (B, L, D) -> (B, L, out)."""
        x = self.layers(x)
        found: Tensor = self.norm(x if self.tokens is None else x.unflatten(-1, (self.tokens, -1)))
        return found


class Described(BaseModel):
    """What describes a network; sizes are bounded, for files say them too.

    Attributes:
        width: Of what it reads.
        out_width: Of what it gives.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    width: Size
    out_width: Size


class Mlp(Described):
    """A `TokenMlp`."""

    kind: Literal["mlp"] = "mlp"
    tokens: Few | None = None
    hidden: Annotated[tuple[Size, ...], Field(max_length=16)] = ()
    activation: Activation = "gelu"
    norm: bool = False

    def made(self) -> nn.Module:
        return TokenMlp([self.width, *self.hidden, self.out_width], self.tokens, self.activation, self.norm)


class Resampler(Described):
    """The resampler of IP-Adapter Plus."""

    kind: Literal["resampler"] = "resampler"
    tokens: Few
    hidden: Size
    depth: Annotated[int, Field(ge=1, le=64)]
    heads: Annotated[int, Field(ge=1, le=256)]
    head_width: Few
    grows: Annotated[float, Field(ge=0.25, le=16)] = 4.0

    def made(self) -> nn.Module:
        return private.resampler(**self.model_dump(exclude={"kind"}))


Network = Annotated[Mlp | Resampler, Field(discriminator="kind")]
READER: TypeAdapter[Mlp | Resampler] = TypeAdapter(Network)


def described(metadata: Mapping[str, str], name: str) -> Mlp | Resampler:
    """The network that the header of a file describes.

    Raises:
        GraphError: E_WEIGHTS, it describes none.
    """
    if CONFIG not in metadata:
        hint = "give a file that projection.save wrote"
        raise GraphError("E_WEIGHTS", f"{name} holds no projection", port="path", hint=hint)
    try:
        return READER.validate_python(json.loads(metadata[CONFIG]))
    except (ValidationError, ValueError, RecursionError) as error:
        message = f"the header of {name} describes no projection: {first_line(error)}"
        raise GraphError("E_WEIGHTS", message, port="path", hint="save it again") from None


def fresh(ctx: Context, network: Mlp | Resampler, seed: int) -> Projection:
    """An untrained projection."""
    (own,) = ctx.row_seeds(seed)
    return handle(ctx, Root(seeded(network.made, own, "projection"), placement(ctx)), network)


def placement(ctx: Context) -> Placement:
    """Projections are small and mostly trained: they are kept in float32 in every precision of a run."""
    return Placement(ctx.device)


def handle(ctx: Context, root: Root, network: Mlp | Resampler) -> Projection:
    root.node = ctx.node
    root.origin = f"{ctx.key}:{FAMILY}" if ctx.key else ""
    config: dict[str, Any] = network.model_dump(mode="json")
    return Projection(root=root, family=FAMILY, config=config)


def projected(projection: Projection, data: Tensor, port: str) -> Tensor:
    """What a projection makes of vectors (B, D) or tokens (B, L, D), float32.

    Raises:
        GraphError: E_FEATURES, they have another width, or are tokens where it reads vectors.
    """
    width = projection.config["width"]
    mlp = projection.config["kind"] == "mlp"
    if data.shape[-1] != width or data.dim() not in (2, 3):
        message = f"the projection reads vectors of {width} numbers, and these have the shape {list(data.shape)}"
        raise GraphError("E_FEATURES", message, port=port, hint=f"make the projection with width {data.shape[-1]}")
    if mlp and projection.config["tokens"] is not None and data.dim() == 3:
        message = "the projection makes tokens of one vector a sample, and these are tokens already"
        hint = "wire pooled features, or take projection.resampler"
        raise GraphError("E_FEATURES", message, port=port, hint=hint)
    with projection.active() as module:
        found: Tensor = module(data.to(projection.device) if mlp or data.dim() == 3 else data[:, None])
    return found.float()
