"""What other libraries have and do not promise: every name that begins with `_` or is in no documentation of theirs.

Each stands behind a function of ours, and nowhere else. A release may take such a name away;
tests/test_private_names.py then says which, and of which version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def map_tensors(change: Callable[[Tensor], Any], values: Any) -> Any:
    """Tuples, lists and mappings with every tensor changed; torch.utils._pytree."""
    from torch import Tensor
    from torch.utils._pytree import tree_map_only

    return tree_map_only(Tensor, change, values)


def convolved(layer: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What a convolution does with another weight and bias, padding included; torch.nn.Conv2d._conv_forward."""
    output: Tensor = layer._conv_forward(x, weight, bias)
    return output


def scales_with_lanczos() -> bool:
    """Whether `interpolate` knows it; torch.ops.aten._upsample_lanczos2d_aa."""
    import torch

    return hasattr(torch.ops.aten, "_upsample_lanczos2d_aa")


def compile_errors() -> tuple[type[Exception], type[Exception]]:
    """What torch.compile raises: too many graphs of one function, and anything that keeps it from tracing."""
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

    return FailOnRecompileLimitHit, TorchDynamoException


def tracing(settings: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Trace with these settings within a block; torch._dynamo.config."""
    from torch._dynamo.config import patch

    made: AbstractContextManager[Any] = patch(dict(settings))
    return made


def inductor_options(mode: str) -> dict[str, Any]:
    """What a mode of torch.compile stands for; torch._inductor.list_mode_options."""
    from torch._inductor import list_mode_options

    return list_mode_options(mode)


def has_cpp_compiler() -> bool:
    """Whether inductor finds one; torch._inductor.cpp_builder."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return False
    return True


def has_triton() -> bool:
    """Whether inductor finds it; torch.utils._triton."""
    from torch.utils import _triton

    return _triton.has_triton()


def forget_accelerator() -> None:
    """Accelerate keeps one state a process; the next Accelerator makes its own. AcceleratorState._reset_state."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


def text_network(name: str, config: Any, attention: str = "sdpa", **arguments: Any) -> nn.Module:
    """An untrained network of transformers; PreTrainedModel._from_config.

    Args:
        name: Name of the class.
        config: Its configuration.
        attention: `sdpa`, that of torch, or `eager`, where the class has it alone.
        arguments: What it is made with beside that.
    """
    import transformers

    made: nn.Module = getattr(transformers, name)._from_config(config, attn_implementation=attention, **arguments)
    return made


def rotary_grid(
    width: int, region: tuple[Sequence[int], Sequence[int]], grid: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Cosines and sines (L, width) of a grid of patches; diffusers.models.embeddings.get_2d_rotary_pos_embed.

    Args:
        width: Channels of a head.
        region: Where the grid begins and ends, each (row, column).
        grid: Its rows and columns.
        device: Of the result.
    """
    from diffusers.models.embeddings import get_2d_rotary_pos_embed

    made: tuple[Tensor, Tensor] = get_2d_rotary_pos_embed(width, region, grid, device=device, output_type="pt")
    return made


def open_clip_weights(state: Mapping[str, Tensor], width: int, prefix: str) -> dict[str, Tensor]:
    """Weights of OpenCLIP's text network by their names in transformers; diffusers.loaders.single_file_utils.

    Args:
        state: Weights by their names in a single file.
        width: Of the network.
        prefix: What the names begin with.
    """
    from types import SimpleNamespace

    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    model = SimpleNamespace(config=SimpleNamespace(hidden_size=width))
    converted: dict[str, Tensor] = convert_open_clip_checkpoint(model, dict(state), prefix=prefix)
    return converted


def vae_weights(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Weights of an autoencoder by their names in diffusers; diffusers.loaders.single_file_utils.

    Args:
        state: Weights by their names in a single file.
        config: The configuration of the AutoencoderKL.
    """
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    converted: dict[str, Tensor] = convert_ldm_vae_checkpoint(dict(state), config=dict(config))
    return converted


def dc_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a deep compression autoencoder by their names in diffusers; diffusers.loaders.single_file_utils.

    Args:
        state: Weights by their names in the authors' files.
    """
    from diffusers.loaders.single_file_utils import convert_autoencoder_dc_checkpoint_to_diffusers

    converted: dict[str, Tensor] = convert_autoencoder_dc_checkpoint_to_diffusers(dict(state))
    return converted


def condition_reader(width: int, channels: int, widths: Sequence[int]) -> nn.Module:
    """The network that reads a ControlNet's conditions, untrained; diffusers.models.controlnets.controlnet.

    Args:
        width: Channels of what it gives.
        channels: Of a condition.
        widths: Channels of its layers.
    """
    from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding

    made: nn.Module = ControlNetConditioningEmbedding(width, channels, tuple(widths))
    return made


def resampler(
    width: int, out_width: int, tokens: int, hidden: int, depth: int, heads: int, head_width: int, grows: float
) -> nn.Module:
    """IP-Adapter Plus' resampler, untrained; diffusers.models.embeddings.

    Args:
        width: Of the tokens that it reads (B, L, width).
        out_width: Of those that it gives (B, tokens, out_width).
        tokens: How many it gives.
        hidden: Width within.
        depth: Blocks.
        heads: Of attention.
        head_width: Of one of them.
        grows: How many times wider the network of a block is within.
    """
    from diffusers.models.embeddings import IPAdapterPlusImageProjection

    made: nn.Module = IPAdapterPlusImageProjection(width, out_width, hidden, depth, head_width, heads, tokens, grows)
    return made


def table_fingerprint(table: Any) -> str:
    """What a table of Hugging Face's datasets is made of, in short; Dataset._fingerprint."""
    return str(table._fingerprint)


def table_folders() -> tuple[Path, Path]:
    """Where Hugging Face's datasets keeps what it fetched, and the tables made of it; datasets.config."""
    from datasets import config

    return Path(config.HF_CACHE_HOME), Path(config.HF_DATASETS_CACHE)
