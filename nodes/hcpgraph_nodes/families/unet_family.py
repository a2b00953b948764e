"""What the Stable Diffusion families share: a UNet, CLIP's text networks, an AutoencoderKL, a forward process.

A family of this kind says how large the released model is, which text networks it has, what its embeddings are and
what else its UNet reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from ..conditioning import CHANNELS, TEXT
from ..model.handles import Denoiser, TextEncoder
from ..model.root import Placement
from ..types import Conditioning, Process
from ..words import tokens
from . import file_marks, ldm_file, networks, schedule
from .base import Components
from .guiding import PlainGuidance
from .identity import FACTOR
from .image_conditions import ASIDE, INPAINT, of_config
from .image_conditions import CHANNELS as BESIDE
from .kl_vae import DIFFUSION
from .networks import Config, refuse_strange
from .pixel_vae import fill, pixel_vae_config
from .saving import save_folder, save_single
from .sizes import Sizes, text_configs, unet_config, vae_config
from .unet_images import packed, without_image
from .unet_parts import TRANSFORMER, ZEROS, UNetParts
from .unet_spelling import UNetSpelling
from .weights import checked_config, read_config, read_folder

TABLE = {
    "table": "layer_groups",
    "name": "unet",
    "groups": {
        "attention": [r"re:.*attn[12]\.to_(q|k|v|out\.0)$"],
        "self_attention": [r"re:.*attn1\.to_(q|k|v|out\.0)$"],
        "cross_attention": [r"re:.*attn2\.to_(q|k|v|out\.0)$"],
        "text_key_value": [r"re:.*attn2\.to_(k|v)$"],
        "mlp": [r"re:.*\.ff\.net\.(0\.proj|2)$"],
        "conv": ["cls:Conv2d"],
        "norm": ["cls:GroupNorm", "cls:LayerNorm"],
        "embedding": [r"re:(time|add)_embedding\.linear_[12]$", r"re:.*\.time_emb_proj$"],
    },
}
"""UNet2DConditionModel and its ControlNet: the timestep's embedding counts as such in the blocks too."""
Described = tuple[dict[str, Any], tuple[dict[str, Any], ...], dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Made:
    """The modules of a model to come, their configurations, and what goes with them."""

    unet: tuple[Config, Callable[[], nn.Module]]
    texts: tuple[tuple[Config, ...], Callable[[], nn.Module]]
    vae: tuple[Config, Callable[[], nn.Module]]
    noise: Mapping[str, Any]
    tokenizers: tuple[Callable[[], Any], ...]
    zeros: bool


class UNetFamily(UNetParts, UNetSpelling, PlainGuidance):
    """Base of the families; a family is one subclass and one object of it.

    Attributes:
        architecture: As modelspec calls it.
        base_version: As kohya's `ss_base_model_version` calls it.
        resolution: As modelspec writes it.
        pipeline: The class in diffusers.
        pipelines: Those for UNets that read pictures, by what they read.
        nulls: Components of that pipeline that a saved folder leaves empty.
        skipped: Last layers of a text network that are left out at clip_skip 0.
        reads: The parts of a conditioning that its UNet reads.
        masked: Whether it reads their masks: a UNet sees what a prompt is padded with.
    """

    architecture: ClassVar[str]
    base_version: ClassVar[str]
    resolution: ClassVar[str]
    pipeline: ClassVar[str] = "StableDiffusionPipeline"
    pipelines: ClassVar[Mapping[str | None, str]] = {
        INPAINT: "StableDiffusionInpaintPipeline",
        BESIDE: "StableDiffusionInstructPix2PixPipeline",
    }
    nulls: ClassVar[tuple[str, ...]] = ("feature_extractor", "image_encoder", "safety_checker")
    skipped: ClassVar[int] = 0
    reads: ClassVar[frozenset[str]] = frozenset({TEXT, CHANNELS})
    masked: ClassVar[bool] = False

    def save(self, folder: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a folder that the family's pipeline in diffusers loads, with the weights of the roots."""
        save_folder(self, folder, model, dtype, metadata)

    def save_file(self, path: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a single file in the original layout, with the weights of the roots.

        Raises:
            GraphError: E_LAYOUT, E_TOKENIZER: the layout has no place for a part of the model.
        """
        save_single(self, path, model, dtype, metadata)

    def model_index(self, denoiser: Denoiser) -> dict[str, Any]:
        """Plain settings of the pipeline in diffusers."""
        return {"requires_safety_checker": False}

    def pipeline_of(self, denoiser: Denoiser) -> str:
        """The class in diffusers for a denoiser of the family."""
        return self.pipelines.get(of_config(denoiser.config), self.pipeline)

    def file_marks(self, noise: Process) -> dict[str, Tensor]:
        """Tensors by which a single file says what is particular to its forward process."""
        return {}

    def spec_architecture(self, prediction_type: str) -> str:
        """How modelspec calls a model of this family that predicts this."""
        return self.architecture

    def embed(
        self, text_encoder: TextEncoder, module: nn.Module, ids: Sequence[Tensor], clip_skip: int
    ) -> Conditioning:
        """The conditioning of token ids (B, L), one tensor a text network; the encoder's stack is switched on."""
        if not clip_skip:
            return Conditioning.of(module(ids[0]).last_hidden_state.float())
        hidden = module(ids[0], output_hidden_states=True).hidden_states[-1 - clip_skip]
        return Conditioning.of(text_encoder.root.layers[networks.TEXT_ROOT + "final_layer_norm"](hidden).float())

    def extra_conditions(
        self, denoiser: Denoiser, noisy: Tensor, conditioning: Conditioning, sizes: Tensor | None
    ) -> dict[str, Any]:
        """Further arguments of the UNet's call."""
        return {}

    # Opening and making

    def load_folder(self, path: Path, placement: Placement, prediction_type: str | None) -> Components:
        """A diffusers folder, see `base.Family`."""
        unet, texts, vae, noise = self._described(path)
        named = (path / "model_index.json").is_file()
        index = read_config(path, "model_index.json") if named else {}
        made = Made(
            (unet, self.unet_module(unet, partial(read_folder, path / "unet", DIFFUSION))),
            (
                texts,
                self.text_module(texts, [partial(read_folder, path / part.name, TRANSFORMER) for part in self.texts]),
            ),
            (vae, self.vae_module(vae, partial(read_folder, path / "vae", DIFFUSION))),
            noise | ({"prediction_type": prediction_type} if prediction_type else {}),
            tuple(partial(networks.read_tokenizer, path / part.tokenizer) for part in self.texts),
            self.released_zeros(index),
        )
        return self._handles(made, placement)

    def load_file(
        self,
        path: Path,
        placement: Placement,
        prediction_type: str | None,
        config: Path | None,
        tell: Callable[[str], None],
    ) -> Components:
        """A single checkpoint in the original (LDM) layout, see `base.Family`."""
        metadata, keys = ldm_file.marks(path)
        written = file_marks.written_configs(metadata)
        described = None if config is None and written is None else self._described(config, written or {}, path.name)
        unet, texts, vae, noise = described or self._released()
        if described is None:
            unet |= ldm_file.unet_channels(path)
            noise = self.process_of_file(path, metadata, keys, prediction_type, tell)
        elif prediction_type:
            noise["prediction_type"] = prediction_type
        reads = [
            partial(ldm_file.text_state, path, part.single, text, open_clip=part.open_clip)
            for part, text in zip(self.texts, texts, strict=True)
        ]
        made = Made(
            (unet, self.unet_module(unet, partial(ldm_file.unet_state, path, unet))),
            (texts, self.text_module(texts, reads)),
            (vae, self.vae_module(vae, partial(ldm_file.vae_state, path, vae))),
            noise,
            tuple(self.tokenizer(part, text, config) for part, text in zip(self.texts, texts, strict=True)),
            self.released_zeros({}),
        )
        return self._handles(made, placement)

    def new(
        self,
        sizes: Sizes | None,
        config: Mapping[str, Config],
        placement: Placement,
        prediction_type: str | None,
        seed: Callable[[str], int],
    ) -> Components:
        """Handles of an untrained model, see `base.Family`."""
        sizes = sizes or self.sizes
        refuse_strange(config, ("unet", "vae", *(part.name for part in self.texts)), self.name)
        unet: Config = {**unet_config(sizes), **config.get("unet", {})}
        texts = tuple(
            {**each, **config.get(part.name, {})} for part, each in zip(self.texts, text_configs(sizes), strict=True)
        )
        pixels = not sizes.vae_channels
        vae: Config = pixel_vae_config(sizes.resolution, sizes.scaling_factor) if pixels else vae_config(sizes)
        vae = {**vae, **config.get("vae", {})}
        make_texts = partial(networks.text_networks, self.texts, texts)
        make_vae = networks.seeded(partial(self.vae_made, vae), seed("vae"), "VAE")
        made = Made(
            (unet, networks.seeded(partial(networks.unet, unet), seed("denoiser"), "UNet")),
            (texts, networks.seeded(make_texts, seed("text_encoder"), "text encoder")),
            (vae, (lambda: fill(make_vae())) if pixels else make_vae),
            dict(self.schedule) | {"prediction_type": prediction_type or "epsilon"},
            tuple(self.tokenizer(part, text, None) for part, text in zip(self.texts, texts, strict=True)),
            self.released_zeros({}),
        )
        return self._handles(made, placement)

    def outline(self, placement: Placement) -> tuple[Denoiser, TextEncoder]:
        """See `base.Family`."""
        denoiser, text_encoder, *_ = self.new(self.sizes, {}, placement, None, lambda part: 0)
        return denoiser, text_encoder

    def released_configs(self) -> tuple[Config, ...]:
        """See `base.Family`."""
        return {"transformer_layers_per_block": 1} | unet_config(self.sizes), *text_configs(self.sizes)

    def _described(
        self, folder: Path | None, written: Mapping[str, Mapping[str, Any]] | None = None, name: str = ""
    ) -> Described:
        """The configurations of UNet, text networks, VAE and schedule, of a folder or else as a file has them."""

        def one(component: str, file: str, cls: str | None) -> dict[str, Any]:
            if folder is not None:
                return read_config(folder / component, file, cls)
            if component not in (written or {}):
                raise GraphError("E_MODEL_FOLDER", f"the header of {name} describes no {component}", hint="set config")
            return checked_config((written or {})[component], f"the header of {name}", cls)

        return (
            one("unet", "config.json", "UNet2DConditionModel"),
            tuple(one(part.name, "config.json", part.cls) for part in self.texts),
            one("vae", "config.json", "AutoencoderKL"),
            one("scheduler", "scheduler_config.json", None),
        )

    def _released(self) -> Described:
        return unet_config(self.sizes), text_configs(self.sizes), vae_config(self.sizes), dict(self.schedule)

    def _handles(self, made: Made, placement: Placement) -> Components:
        plain = replace(placement, checkpointing=False)
        forward = schedule.read(made.noise, placement.device)
        told = {FACTOR: 2 ** (len(made.vae[0]["block_out_channels"]) - 1), ZEROS: made.zeros}
        return (
            self.denoiser_handle({**made.unet[0], **told}, made.unet[1], forward, placement),
            self.text_handle(*made.texts, made.tokenizers, plain),
            self.vae_handle(made.vae[0], made.vae[1], plain),
            forward,
        )

    # Using

    def encode_prompt(
        self, text_encoder: TextEncoder, texts: Sequence[str], clip_skip: int, images: Sequence[Tensor] = ()
    ) -> Conditioning:
        """Text embeddings, see `base.Family`; L = 77 in released models, longer prompts are cut."""
        if images:
            raise GraphError(
                "E_IMAGES", f"the text encoder of {self.name} takes no pictures", port="images", hint=ASIDE
            )
        layers = min(clip.config["num_hidden_layers"] for clip in text_encoder.clips)
        if clip_skip + self.skipped >= layers:
            raise GraphError(
                "E_CLIP_SKIP", f"clip_skip {clip_skip} leaves no layer of {layers}", hint="use a smaller clip_skip"
            )
        ids = [tokens.ids(text_encoder, clip, texts) for clip in text_encoder.clips]
        named = {clip.name: each for clip, each in zip(text_encoder.clips, ids, strict=True)}
        told = ids[0] if len(ids) == 1 else named
        with text_encoder.active(ids=told) as module:
            return self.embed(text_encoder, module, ids, clip_skip)

    def predict(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None = None,
    ) -> Tensor:
        """The UNet's output, see `base.Family`."""
        sample = packed(denoiser, noisy, conditioning)
        own = conditioning.handed(denoiser.wants)
        conditioning.require_read(self.reads, masked=self.masked, handed=own)
        dtype = denoiser.root.placement.dtype
        extra = self.extra_conditions(denoiser, noisy, conditioning, sizes)
        sample, noisy, text = sample.to(dtype), noisy.to(dtype), conditioning.data.to(dtype)
        with denoiser.active(noisy=noisy, timesteps=timesteps, conditioning=text, **own) as module:
            prediction: Tensor = module(sample, timesteps, text, return_dict=False, **extra)[0].float()
            return prediction

    def no_prompt(self, denoiser: Denoiser, positive: Conditioning) -> Conditioning | None:
        """Zeros where the model says that they stand for no prompt, see `base.Family`."""
        if not denoiser.config.get(ZEROS):
            return None
        pooled = None if positive.pooled is None else torch.zeros_like(positive.pooled)
        return Conditioning.of(torch.zeros_like(positive.data), pooled)

    def without_image(self, denoiser: Denoiser, conditioning: Conditioning) -> Conditioning | None:
        """Zeros in the place of the picture, see `base.Family`."""
        return without_image(denoiser, conditioning)
