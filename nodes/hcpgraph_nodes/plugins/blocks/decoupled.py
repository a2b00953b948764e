"""Decoupled cross attention: keys and values of further tokens beside those of the text.

Source: Ye et al. 2023, "IP-Adapter", https://arxiv.org/abs/2308.06721, section 3.2.2.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hcpgraph import GraphError

from ...conditioning import HIDES
from ...model.handles import Handle
from ..base import chosen
from ..kinds import PluginBlock

TABLE = {"table": "plugins", "name": "decoupled_attention", "classes": ["DecoupledAttentionBlock"]}


class DecoupledAttentionBlock(PluginBlock):
    """Adds to what an attention gives that of the same queries over the keys and values of other tokens.

    Equation 5: Z = Attention(Q, K, V) + λ Attention(Q, K', V'), with K' = c W'_k and V' = c W'_v, before the output
    layer of the attention. It leads from the layer of the queries to the input of that one.

    Args:
        query: The layer of the queries, before a norm of them if there is one.
        out: The output layer.
        heads: Heads of the attention.
        width: Of the tokens c (B, L, width).
        part: The part of the conditioning that they are.
        strength: λ.
    """

    hyper_params: ClassVar[tuple[str, ...]] = ("strength",)

    def __init__(
        self,
        query: nn.Module,
        out: nn.Module,
        *,
        heads: int,
        width: int,
        part: str = "image_embeds",
        strength: float = 1.0,
    ) -> None:
        super().__init__()
        assert isinstance(query, nn.Linear) and isinstance(out, nn.Linear)
        self.heads = heads
        self.width = width
        self.part = part
        self.strength = strength
        self.wants = (part, part + HIDES)
        self.to_k = nn.Linear(width, query.out_features, bias=False)
        self.to_v = nn.Linear(width, out.in_features, bias=False)

    def options(self) -> dict[str, Any]:
        return {"heads": self.heads, "width": self.width, "part": self.part}

    @torch.no_grad()
    def initialise(self, kind: str, attention: nn.Module, generator: torch.Generator) -> DecoupledAttentionBlock:
        """First weights: a `copy` of the attention's own, `random` ones, or values that are `zero`.

        Raises:
            GraphError: E_SETTING, a copy of layers that read another width.
        """
        for layer, own in ((self.to_k, attention.to_k), (self.to_v, attention.to_v)):
            assert isinstance(own, nn.Linear)
            if kind == "copy":
                if own.weight.shape != layer.weight.shape:
                    message = f"the layers of the attention read {own.in_features} numbers, and width is {self.width}"
                    hint = "leave width out, or set init to random"
                    raise GraphError("E_SETTING", message, port="init", hint=hint)
                layer.weight.copy_(own.weight)
            else:
                nn.init.kaiming_uniform_(layer.weight, a=sqrt(5), generator=generator)
        if kind == "zero":
            self.to_v.weight.zero_()
        return self

    def forward(self, feature: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """What the output layer takes (B, N, C): `value`, and the attention of the queries `feature` (B, N, C')."""
        tokens, mask = kwargs[self.part], kwargs[self.part + HIDES]
        if feature.dim() != 3 or feature.shape[:2] != value.shape[:2]:
            message = f"queries of the shape {list(feature.shape)} and an output of {list(value.shape)}"
            raise GraphError(
                "E_LAYERS", message, hint="choose attentions that run over tokens, such as @cross_attention"
            )
        if tokens.dim() != 3 or tokens.shape[-1] != self.width:
            message = (
                f"the part '{self.part}' has the shape {list(tokens.shape)}; the plugin reads (B, L, {self.width})"
            )
            hint = "bring it to that width with projection.new and feature.project"
            raise GraphError("E_FEATURES", message, port="conditioning", hint=hint)
        tokens = tokens.to(value.device)
        query, key, own = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in (feature, self.to_k(tokens), self.to_v(tokens))
        )
        shown = None if mask is None else mask.to(value.device)[:, None, None]
        found = functional.scaled_dot_product_attention(
            query, key.to(query.dtype), own.to(query.dtype), attn_mask=shown
        )
        return value + self.strength * found.transpose(1, 2).flatten(2).to(value.dtype)


def attentions(model: Handle, selectors: list[str]) -> dict[str, nn.Module]:
    """The attentions that selectors mean: those among and below the layers, else the one in which a layer lies.

    Raises:
        GraphError: E_SELECTOR; E_NO_LAYER, they mean none.
    """
    layers = model.root.layers
    found: dict[str, nn.Module] = {}
    for point in chosen(model, selectors, hooks=False):
        below = point.path + "." if point.path else ""
        names = [name for name in layers if name == point.path or name.startswith(below)]
        parts = point.path.split(".")
        names += [".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
        own = [name for name in names if _is_attention(layers.get(name))]
        inside = [name for name in own if name == point.path or name.startswith(below)]
        found |= {name: layers[name] for name in inside or own[:1]}
    if not found:
        hint = "choose layers of attentions, such as @cross_attention"
        raise GraphError("E_NO_LAYER", f"{', '.join(selectors)}: there is no attention", port="layers", hint=hint)
    return found


def _is_attention(layer: nn.Module | None) -> bool:
    """Whether queries, keys, values and output are layers of their own, as in the attentions of diffusers."""
    out = getattr(layer, "to_out", None)
    inner = [getattr(layer, name, None) for name in ("to_q", "to_k", "to_v")]
    first = out[0] if isinstance(out, nn.ModuleList | nn.Sequential) and len(out) else None
    return isinstance(getattr(layer, "heads", None), int) and all(
        isinstance(each, nn.Linear) for each in (*inner, first)
    )
