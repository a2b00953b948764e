"""Chroma's network as diffusers has it, whose single blocks keep the mask when activations are recomputed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..networks import Config
from .networks import Network


@dataclass(frozen=True, kw_only=True)
class ChromaNetwork(Network):
    """As `Network`."""

    def make(self, config: Config) -> nn.Module:
        made: nn.Module = _cls().from_config(dict(config))
        return made


@lru_cache(maxsize=1)
def _cls() -> Any:
    import diffusers

    class ChromaTransformer2DModel(diffusers.ChromaTransformer2DModel):  # type: ignore[misc]
        """diffusers' own calls its single blocks without the mask where it recomputes them, and so trains a network
        that it does not sample with; these calls get the mask of the call that they are part of."""

        mask: Tensor | None = None

        def forward(self, *args: Any, attention_mask: Tensor | None = None, **kwargs: Any) -> Any:
            self.mask = attention_mask
            try:
                return super().forward(*args, attention_mask=attention_mask, **kwargs)
            finally:
                self.mask = None

        def enable_gradient_checkpointing(self, gradient_checkpointing_func: Callable[..., Any] | None = None) -> None:
            """See `ModelMixin`; the function is called with a block and its arguments."""
            call = gradient_checkpointing_func or partial(checkpoint, use_reentrant=False)
            super().enable_gradient_checkpointing(partial(self._recomputed, call))

        def _recomputed(self, call: Callable[..., Any], block: nn.Module, *args: Any) -> Any:
            if isinstance(block, type(self.single_transformer_blocks[0])) and len(args) == 3:
                args = (*args, self.mask)
            return call(block, *args)

    return ChromaTransformer2DModel
