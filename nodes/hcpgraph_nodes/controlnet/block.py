"""What a ControlNet does to a denoiser: it wraps the whole network and adds to its skip connections."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from hcpgraph import GraphError

from ..model.call import Notes
from ..model.handles import ControlNet, Handle
from ..plugins.base import Plugin, WrapPluginBlock
from ..plugins.blocks.hooks import Host, Inputs, Wrap
from ..sample.progress import Progress


class ControlBlock(WrapPluginBlock):
    """Runs a ControlNet on what its UNet2DConditionModel was called with, and adds what it gives to the residuals.

    Several of them on one wire add up, as in diffusers' MultiControlNetModel.

    Args:
        control: The ControlNet, with the plugins of its wire.
        image: Conditions (B, C, H, W) in [0, 1] on the denoiser's device; one row goes with every sample.
        strength: Factor of what it adds.
        start: It acts in steps of sampling that begin at this share of all steps or later.
        end: It acts in steps that are over at this share of all steps or earlier.
    """

    hyper_params: ClassVar[tuple[str, ...]] = ("strength", "start", "end")

    def __init__(self, control: ControlNet, image: Tensor, *, strength: float, start: float, end: float) -> None:
        super().__init__()
        self.handles = (control,)
        self.image = image
        self.strength = strength
        self.start = start
        self.end = end

    def plugin(self) -> Plugin:
        """The plugin that attaches it to a whole denoiser; it has no weights of its own."""
        return ControlPlugin({"": self}, trainable=False, hooks={"": (Everywhere(self),)})

    def acts(self, inputs: Inputs) -> bool:
        """Whether it acts in a step: diffusers' rule for control_guidance_start and control_guidance_end."""
        progress = inputs.get("progress")
        return self.strength != 0 and (progress is None or not (progress.begin < self.start or progress.end > self.end))

    def forward(
        self,
        host: Callable[..., Any],
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        *args: Any,
        progress: Progress | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the denoiser with the residuals of the ControlNet.

        Args:
            host: The denoiser with the plugins below.
            sample: Noisy latents (N, C, h, w).
            timestep: Timesteps (N,) or a single one.
            encoder_hidden_states: Text embeddings (N, L, D).
            progress: Where sampling is; there is none in training.
            added_cond_kwargs: SDXL's pooled text embeddings and sizes.

        Raises:
            GraphError: E_BATCH, E_CONDITION.
        """
        if added_cond_kwargs is not None:
            kwargs["added_cond_kwargs"] = added_cond_kwargs
        control = self.handles[0]
        dtype = control.root.placement.dtype
        image = self.rows(sample, 1 if progress is None else progress.copies)
        with control.active(
            noisy=sample, timesteps=timestep, conditioning=encoder_hidden_states, condition=image
        ) as module:
            down, mid = module(
                sample.to(dtype),
                timestep,
                encoder_hidden_states.to(dtype),
                controlnet_cond=image.to(dtype),
                conditioning_scale=self.strength,
                added_cond_kwargs=added_cond_kwargs,
                return_dict=False,
            )
        before = kwargs.get("down_block_additional_residuals") or [0.0] * len(down)
        kwargs["down_block_additional_residuals"] = tuple(
            each.to(sample.dtype) + other for each, other in zip(down, before, strict=True)
        )
        middle = kwargs.get("mid_block_additional_residual", 0.0)
        kwargs["mid_block_additional_residual"] = mid.to(sample.dtype) + middle
        return host(sample, timestep, encoder_hidden_states, *args, **kwargs)

    def rows(self, sample: Tensor, copies: int) -> Tensor:
        """One condition a row of the denoiser's batch.

        Args:
            sample: Noisy latents (copies · B, C, h, w).
            copies: How often the B samples stand there.

        Raises:
            GraphError: E_BATCH, neither one condition nor one a sample; E_CONDITION, of another size than the pictures.
        """
        image, factor = self.image, latent_size(self.handles[0])
        count = len(sample) // copies
        if len(image) not in (1, count):
            raise GraphError(
                "E_BATCH",
                f"{len(image)} conditions for {count} samples",
                port="image",
                hint="give one condition for all samples or one for each",
            )
        height, width = (factor * side for side in sample.shape[-2:])
        if image.shape[-2:] != (height, width):
            raise GraphError(
                "E_CONDITION",
                f"the conditions have {image.shape[-1]}×{image.shape[-2]} pixels; latents of "
                f"{sample.shape[-1]}×{sample.shape[-2]} go with {width}×{height}",
                port="image",
                hint="bring the conditions to the size of the pictures, with image.resize",
            )
        return image.expand(len(sample), -1, -1, -1) if len(image) == 1 else image.repeat(copies, 1, 1, 1)


def latent_size(control: Handle) -> int:
    """Pixels a latent, along one side, in the conditions of a ControlNet: its reader halves them at each step."""
    return int(2 ** (len(control.config["conditioning_embedding_out_channels"]) - 1))


class ControlPlugin(Plugin):
    """A plugin that is made anew in every step of training, with the conditions of that step."""

    @property
    def identity(self) -> Hashable:
        """The ControlNet, so that every step runs the graph that was compiled for the first one."""
        control = self.handles[0]
        return ("controlnet", id(control.root), *(plugin.identity for plugin in control.stack))


class Everywhere(Wrap):
    """The block wraps the denoiser and learns where sampling is, if it goes on."""

    __slots__ = ()

    def around(self, host: Host, inputs: Inputs, notes: Notes) -> Host:
        return partial(self.block, host, progress=inputs.get("progress"))
