"""HunyuanDiT's network as diffusers has it, whose blocks can also recompute their activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..networks import Config
from .networks import Network


@dataclass(frozen=True, kw_only=True)
class HunyuanNetwork(Network):
    """As `Network`."""

    def make(self, config: Config) -> nn.Module:
        made: nn.Module = _whole().from_config(dict(config))
        blocks: Any = made.blocks
        for each in blocks:
            plain: Any = type(each)
            each.__class__ = _block(plain)
        return made


@lru_cache(maxsize=1)
def _whole() -> Any:
    import diffusers

    class HunyuanDiT2DModel(diffusers.HunyuanDiT2DModel):  # type: ignore[misc]
        """diffusers' own was not made for it: it calls its blocks in one way alone."""

        def enable_gradient_checkpointing(self, gradient_checkpointing_func: Callable[..., Any] | None = None) -> None:
            """See `ModelMixin`; the function is called with the call of a block and its arguments."""
            for block in self.blocks:
                block.recomputed = gradient_checkpointing_func or partial(checkpoint, use_reentrant=False)
                block.gradient_checkpointing = True

        def disable_gradient_checkpointing(self) -> None:
            """See `ModelMixin`."""
            for block in self.blocks:
                block.gradient_checkpointing = False

    return HunyuanDiT2DModel


@lru_cache(maxsize=1)
def _block(cls: Any) -> Any:
    class HunyuanDiTBlock(cls):  # type: ignore[misc]
        """A block whose call is recomputed, and not its `forward` alone: taps that stand in front are part of it."""

        gradient_checkpointing = False

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            call = super().__call__
            if torch.is_grad_enabled() and self.gradient_checkpointing:
                return self.recomputed(partial(call, **kwargs), *args)
            return call(*args, **kwargs)

    return HunyuanDiTBlock
