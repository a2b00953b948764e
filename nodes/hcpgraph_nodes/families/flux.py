"""FLUX.1: a rectified flow over tokens of picture and text, led by CLIP's pooled embedding and T5.

Its models are dev, which reads a scale of guidance, schnell, which does not, Fill, which reads a picture and a mask
beside the noise, Depth and Canny, which read a picture there, and Kontext, which reads pictures behind the noise and is
else as dev. Source: https://github.com/black-forest-labs/flux; FluxPipeline, FluxFillPipeline, FluxControlPipeline and
FluxKontextPipeline in diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from hcpgraph import GraphError

from ..conditioning import CHANNELS, POOLED, TEXT, TOKENS
from ..model.handles import Denoiser, TextEncoder, Vae
from ..types import Conditioning
from ..words import tokens
from .dit.clip import LARGE, clip
from .dit.family import TransformerFamily
from .dit.flux_blocks import FUSED, NAMES, RELEASED, TINY, block_sizes
from .dit.flux_vae import VAE
from .dit.layout import Layout, Shapes, rows
from .dit.networks import Network, TextNetworks, first
from .dit.packing import SIDE, pack, places, reference_places, unpack
from .dit.prompts import networks_of, refuse_clip_skip, tokenised
from .dit.t5 import t5
from .image_conditions import CHANNELS as BESIDE
from .image_conditions import INPAINT, of_ratio
from .networks import Config
from .pictures import beside

TABLE: dict[str, Any] = {
    "table": "families",
    "name": "flux",
    "title": "FLUX.1",
    "folder": [{"parts": {"transformer": "FluxTransformer2DModel"}}],
    "file": [{"keys": ["model.diffusion_model.double_blocks.0.img_mod.lin."]}],
    "denoiser": [{"config": {"_class_name": "FluxTransformer2DModel"}}],
    "denoiser_file": [
        {"keys": ["double_blocks.0.img_mod.lin."]},
        {"keys": ["single_transformer_blocks.0.norm.linear.", "transformer_blocks.0.norm1_context.linear."]},
    ],
    "text_encoder": [{"config": {"kinds": ["clip", "t5"]}}],
    "process": "flow",
    "configured": True,
    "latent_multiple": 2,
    "interfaces": {"latents": "flux", "text": "flux"},
    "conditions": ["guidance", "image_channels", "image_tokens_"],
    "pictures": {
        "reads": ["img_in.weight", "x_embedder.weight"],
        "gives": ["final_layer.linear.weight", "proj_out.weight"],
        "kinds": {"1": "none or tokens", "2": "channels", "more": "inpaint"},
    },
    "text_networks": 2,
    "adapters": {"base_version": "flux1", "architecture": "flux-1", "keys": ["img_mod", "guidance_in", "vector_in"]},
    "defaults": {
        "area": 1048576,
        "width": 1024,
        "height": 1024,
        "bucket_step": 64,
        "sampler": "euler",
        "steps": 28,
        "guidance": 1.0,
        "distribution": "uniform",
        "weighting": "none",
    },
    "groups": {
        "denoiser": [
            "flux_blocks",
            {
                "norm": [r"re:.*\.norm(1|1_context)?\.linear$", "norm_out.linear"],
                "embedding": [r"re:time_text_embed\..*linear_[12]$"],
            },
        ],
        "text_encoder": ["clip", "t5"],
        "vae": ["kl_vae"],
    },
}
EMBEDDINGS = {
    f"{original}.{end}_layer": f"time_text_embed.{own}_embedder.linear_{number}"
    for original, own in {"time_in": "timestep", "vector_in": "text", "guidance_in": "guidance"}.items()
    for end, number in {"in": 1, "out": 2}.items()
}
MODULATIONS = {
    "double_blocks.*.img_mod.lin": "transformer_blocks.*.norm1.linear",
    "double_blocks.*.txt_mod.lin": "transformer_blocks.*.norm1_context.linear",
    "single_blocks.*.modulation.lin": "single_transformer_blocks.*.norm.linear",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
}
LAYOUT = Layout([*rows(NAMES | EMBEDDINGS | MODULATIONS, ["final_layer.adaLN_modulation.1"]), *rows(FUSED)])
LENGTH = 512
"""Tokens of T5, as FluxPipeline has it; its authors gave schnell 256, which a text encoder cannot tell."""
GUIDANCE = "guidance"
USUAL, USUAL_FILL = 3.5, 30.0
"""The scale of a conditioning that says none, as the pipelines in diffusers have it."""


def sized(shapes: Shapes) -> dict[str, Any]:
    """Sizes by the tensors' names in either layout."""
    found = block_sizes(shapes)
    pooled = first(shapes, "vector_in.in_layer.weight", "time_text_embed.text_embedder.linear_1.weight")
    if not found or pooled is None:
        return {}
    guidance = first(shapes, "guidance_in.in_layer.weight", "time_text_embed.guidance_embedder.linear_1.weight")
    return {**found, "pooled_projection_dim": pooled[1], "guidance_embeds": guidance is not None}


class Flux(TransformerFamily):
    """T5's tokens and CLIP's pooled embedding; guidance is a number that the network reads, or plain."""

    name = TABLE["name"]
    architecture = "flux-1-dev"
    base_version = "flux1"
    kohya_network = "networks.lora_flux"
    pipeline = "FluxPipeline"
    pipelines: ClassVar[dict[str | None, str]] = {INPAINT: "FluxFillPipeline", BESIDE: "FluxControlPipeline"}
    nulls = ("image_encoder", "feature_extractor")
    reads: ClassVar[frozenset[str]] = frozenset({TEXT, POOLED, GUIDANCE, CHANNELS, TOKENS})
    transformer = Network(
        name="transformer",
        cls="FluxTransformer2DModel",
        released={**RELEASED, "pooled_projection_dim": 768, "guidance_embeds": True},
        tiny={**TINY, "pooled_projection_dim": 16},
        layout=lambda config: LAYOUT,
        files=("model.diffusion_model.",),
        sized=sized,
    )
    vae = VAE
    texts = (
        clip("text_encoder", "tokenizer", LARGE, "lora_te1_", "clip_l", projected=False),
        t5("text_encoder_2", "tokenizer_2", LENGTH, kohya="lora_te3_", other_kohya=("lora_te2_",)),
    )
    scheduler: ClassVar[dict[str, Any]] = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 3.0,
        "use_dynamic_shifting": True,
        "base_shift": 0.5,
        "max_shift": 1.15,
        "base_image_seq_len": 256,
        "max_image_seq_len": 4096,
    }

    def scheduler_of(self, config: Config) -> Config:
        """Of schnell the steps are not shifted."""
        still = {"shift": 1.0, "use_dynamic_shifting": False}
        return self.scheduler if config["guidance_embeds"] else {**self.scheduler, **still}

    def pipeline_of(self, denoiser: Denoiser) -> str:
        """By the pictures that it reads; of Kontext, which has the sizes of dev, that of dev."""
        return self.pipelines.get(self._pictures(denoiser.config), self.pipeline)

    def channels(self, config: Config) -> int:
        """Channels of the latents, of which four make a token."""
        return int(config.get("out_channels") or config["in_channels"]) // SIDE**2

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """T5's tokens, padded and without a mask; of CLIP the state of the last token, not projected."""
        refuse_clip_skip(clip_skip, self.name)
        clips = networks_of(text_encoder)
        small, large = clips["text_encoder"], clips["text_encoder_2"]
        pooled = module(small.name, tokens.ids(text_encoder, small, texts)).pooler_output.float()
        ids, _ = tokenised(text_encoder, large, texts, LENGTH)
        return Conditioning.of(module(large.name, ids)[0].float(), pooled)

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """The network is told t and the scale of guidance, and multiplies both by 1000 itself; in half precision t is
        rounded as its pipeline rounds it.

        Raises:
            GraphError: E_CHANNELS, E_CONDITION, pictures that it does not read; E_PARTS, a scale for a schnell.
        """
        config, text = denoiser.config, conditioning.data.to(noisy.dtype)
        kind = self._pictures(config)
        sequence = [pack(beside(noisy, conditioning, config["in_channels"] // SIDE**2, kind))]
        where = [places(noisy.shape)]
        if references := conditioning.references:
            for each in references:
                self._require_readable(each, config)
            sequence += [pack(each.to(noisy)) for each in references]
            where += reference_places(references)
        return {
            "hidden_states": torch.cat(sequence, dim=1),
            "timestep": timesteps.to(noisy.dtype) / 1000,
            "guidance": self._guidance(config, conditioning, kind, len(noisy), noisy.device),
            "pooled_projections": conditioning.part(POOLED).to(noisy.dtype),
            "encoder_hidden_states": text,
            "txt_ids": torch.zeros(text.shape[1], 3, device=noisy.device),
            "img_ids": torch.cat(where).to(noisy.device),
        }

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """Without what it says of reference pictures."""
        height, width = noisy.shape[-2:]
        return unpack(raw[:, : height * width // SIDE**2], height, width)

    def image_channels(self, vae: Vae, images: Tensor) -> Tensor:
        """The means of their latents as the denoiser sees them, see `base.Family`."""
        return self.statistics(vae).normalise(self.encode_image(vae, images)[0])

    def inpaint_channels(self, latents: Tensor, masks: Tensor) -> Tensor:
        """The latents, then every pixel of the mask: of a latent's square the one at row y and column x is the channel
        y · f + x, see `base.Family`. Source: `prepare_mask_latents` of FluxFillPipeline in diffusers.

        Raises:
            GraphError: E_SIZE, the pictures are no whole latents.
        """
        factor = masks.shape[-1] // latents.shape[-1]
        if masks.shape[-2:] != (latents.shape[-2] * factor, latents.shape[-1] * factor):
            message = f"pictures of {masks.shape[-1]}×{masks.shape[-2]} pixels are no whole squares of {factor} of them"
            raise GraphError("E_SIZE", message, port="images", hint="bring them to multiples of it, with image.resize")
        return torch.cat([latents, functional.pixel_unshuffle(masks, factor)], dim=1)

    def _pictures(self, config: Config) -> str | None:
        return of_ratio(TABLE["pictures"], config["in_channels"], config.get("out_channels") or config["in_channels"])

    def _require_readable(self, reference: Tensor, config: Config) -> None:
        channels, height, width = reference.shape[1:]
        if channels != self.channels(config) or channels * SIDE**2 != config["in_channels"]:
            raise GraphError(
                "E_CHANNELS",
                f"the reference picture has {channels} channels, a token of {channels * SIDE**2}, and the denoiser "
                f"reads tokens of {config['in_channels']}",
                hint="reference pictures are for FLUX.1 Kontext, and encoded by the VAE of one model",
            )
        if height % SIDE or width % SIDE:
            message = f"a reference picture of {width}×{height} latents is no whole squares of {SIDE} of them"
            hint = "bring it to multiples of twice the pixels of a latent, with image.resize"
            raise GraphError("E_CONDITION", message, port="conditioning", hint=hint)

    def _guidance(
        self, config: Config, conditioning: Conditioning, kind: str | None, count: int, device: torch.device
    ) -> Tensor | None:
        """The scale (B,), float32: that of the conditioning, else the usual one; None for a network that reads none."""
        given = conditioning.parts.get(GUIDANCE)
        if config["guidance_embeds"]:
            usual = USUAL_FILL if kind == INPAINT else USUAL
            return torch.full((count,), usual, device=device) if given is None else given.float()
        if given is None:
            return None
        message = "this FLUX.1 reads no scale of guidance, as schnell does not"
        raise GraphError("E_PARTS", message, port="conditioning", hint="take condition.guidance away")


FAMILY = Flux()
