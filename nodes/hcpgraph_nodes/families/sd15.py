"""Stable Diffusion 1.x: AutoencoderKL, CLIPTextModel, UNet2DConditionModel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from ..model.handles import Clip, Denoiser, Handle, Placement, Root, TextEncoder, Tokens, Vae
from ..types import Conditioning, NoiseSchedule
from . import schedule
from .clip_bpe import clip_tokenizer
from .pixel_vae import fill, pixel_vae_config
from .sd15_config import SCHEDULE, Sizes, text_config, unet_config, vae_config
from .weights import build, read_config, read_folder, write_json, write_weights

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

Components = tuple[Denoiser, TextEncoder, Vae, NoiseSchedule]
TEXT_ROOT = "text_model."
NOT_OF_THE_TEXT_MODEL = ("embeddings.position_ids", "text_projection.weight", "logit_scale")
OLD_VAE_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def text_layer(name: str) -> str:
    """The name in files of a CLIPTextModel's layer: `text_model.encoder.layers.0…` for every transformers release."""
    return name if name.startswith(TEXT_ROOT) else TEXT_ROOT + name


class SD15:
    """Stable Diffusion 1.x and everything of its shape."""

    name = "sd15"
    lora_prefix: Mapping[str, Mapping[str, str]] = {
        "denoiser": {"": "lora_unet_"},
        "text_encoder": {"": "lora_te_"},
    }
    """Component -> what a layer's name begins with -> what stands for that in kohya's keys."""
    peft_prefix: Mapping[str, Mapping[str, str]] = {
        "denoiser": {"": "unet."},
        "text_encoder": {"": "text_encoder."},
    }
    """The same for PEFT's keys."""
    architecture = "stable-diffusion-v1"
    base_version = "sd_v1"
    resolution = "512x512"

    def load_folder(self, path: Path, placement: Placement, prediction_type: str | None) -> Components:
        """Handles of a diffusers folder; its configurations are read now, its weights when first used.

        Raises:
            GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, and at first use E_NO_SAFETENSORS, E_WEIGHTS.
        """
        unet = read_config(path / "unet", "config.json", "UNet2DConditionModel")
        text = read_config(path / "text_encoder", "config.json", "CLIPTextModel")
        vae = read_config(path / "vae", "config.json", "AutoencoderKL")
        noise = read_config(path / "scheduler", "scheduler_config.json")
        diffusion, transformer = "diffusion_pytorch_model", "model"
        return self._components(
            placement,
            (unet, partial(read_folder, path / "unet", diffusion)),
            (text, partial(read_folder, path / "text_encoder", transformer)),
            (vae, partial(read_folder, path / "vae", diffusion)),
            noise | ({"prediction_type": prediction_type} if prediction_type else {}),
            partial(_read_tokenizer, path / "tokenizer"),
        )

    def load_file(
        self, path: Path, placement: Placement, prediction_type: str | None, config: Path | None
    ) -> Components:
        """Handles of a single .safetensors checkpoint in the original (LDM) layout; needs no network.

        Args:
            path: The checkpoint.
            placement: Where the weights go.
            prediction_type: What the model predicts; None: epsilon.
            config: A diffusers folder whose configurations describe the model; None: Stable Diffusion 1.5.
        """
        from .sd15_file import text_state, unet_state, vae_state

        if config is None:
            sizes = Sizes()
            unet, text, vae = unet_config(sizes), text_config(sizes), vae_config(sizes)
            noise: dict[str, Any] = dict(SCHEDULE)
        else:
            unet, text, vae = (read_config(config / part, "config.json") for part in ("unet", "text_encoder", "vae"))
            noise = read_config(config / "scheduler", "scheduler_config.json")
        return self._components(
            placement,
            (unet, partial(unet_state, path, unet)),
            (text, partial(text_state, path)),
            (vae, partial(vae_state, path, vae)),
            noise | ({"prediction_type": prediction_type} if prediction_type else {}),
            partial(clip_tokenizer, text["vocab_size"], text["max_position_embeddings"]),
        )

    def new(self, sizes: Sizes, placement: Placement, prediction_type: str, seed: Callable[[str], int]) -> Components:
        """Handles of an untrained model.

        Args:
            sizes: Its sizes.
            placement: Where the weights go.
            prediction_type: What it is to predict.
            seed: Seed of the initial weights of a component.
        """
        unet, text = unet_config(sizes), text_config(sizes)
        pixels = not sizes.vae_channels
        vae = pixel_vae_config(sizes.resolution, sizes.scaling_factor) if pixels else vae_config(sizes)
        plain = replace(placement, checkpointing=False)
        make_vae = _seeded(partial(_vae, vae), seed("vae"))
        return self._handles(
            Root(_seeded(partial(_unet, unet), seed("denoiser")), placement),
            unet,
            Root(_seeded(partial(_text_model, text), seed("text_encoder")), plain, text_layer),
            text,
            Root((lambda: fill(make_vae())) if pixels else make_vae, plain),
            vae,
            dict(SCHEDULE) | {"prediction_type": prediction_type},
            partial(clip_tokenizer, sizes.vocab_size, sizes.text_length),
            placement,
        )

    def new_vae(self, sizes: Sizes, placement: Placement, seed: int) -> Vae:
        """An untrained autoencoder alone."""
        config = vae_config(sizes)
        return Vae(root=Root(_seeded(partial(_vae, config), seed), placement), family=self.name, config=config)

    def load_vae(self, path: Path, placement: Placement) -> Vae:
        """The autoencoder of a folder: its own, or the `vae` of a whole model.

        Raises:
            GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, and at first use E_NO_SAFETENSORS, E_WEIGHTS.
        """
        folder = path / "vae" if (path / "vae").is_dir() else path
        config = read_config(folder, "config.json", "AutoencoderKL")
        root = _vae_root(placement, config, partial(read_folder, folder, "diffusion_pytorch_model"))
        return Vae(root=root, family=self.name, config=config)

    def save_vae(self, folder: Path, vae: Vae, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a folder that `AutoencoderKL.from_pretrained` loads."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {**_full_config(vae, "AutoencoderKL"), "scaling_factor": self.scaling_factor(vae)}
        write_json(folder / "config.json", config)
        write_weights(
            folder / "diffusion_pytorch_model.safetensors", base_state(vae, dtype), {"format": "pt", **metadata}
        )

    def _components(
        self,
        placement: Placement,
        unet: tuple[dict[str, Any], Callable[[], dict[str, Tensor]]],
        text: tuple[dict[str, Any], Callable[[], dict[str, Tensor]]],
        vae: tuple[dict[str, Any], Callable[[], dict[str, Tensor]]],
        noise: Mapping[str, Any],
        tokenizer: Callable[[], Any],
    ) -> Components:
        plain = replace(placement, checkpointing=False)
        return self._handles(
            Root(lambda: build(partial(_unet, unet[0]), unet[1](), "UNet"), placement),
            unet[0],
            Root(
                lambda: build(partial(_text_model, text[0]), _text_state(text[1]()), "text encoder", text_layer),
                plain,
                text_layer,
            ),
            text[0],
            _vae_root(plain, *vae),
            vae[0],
            noise,
            tokenizer,
            placement,
        )

    def _handles(
        self,
        unet: Root,
        unet_settings: Mapping[str, Any],
        text: Root,
        text_settings: Mapping[str, Any],
        vae: Root,
        vae_settings: Mapping[str, Any],
        noise: Mapping[str, Any],
        tokenizer: Callable[[], Any],
        placement: Placement,
    ) -> Components:
        forward = schedule.read(noise, placement.device)
        return (
            Denoiser(root=unet, family=self.name, config=unet_settings, prediction_type=forward.prediction_type),
            TextEncoder(
                root=text,
                family=self.name,
                config=text_settings,
                clips=(Clip("text_encoder", "", Tokens(tokenizer), text_settings),),
            ),
            Vae(root=vae, family=self.name, config=vae_settings),
            forward,
        )

    def encode_prompt(self, text_encoder: TextEncoder, texts: Sequence[str], clip_skip: int) -> Conditioning:
        """Text embeddings (B, L, D), float32; L = 77 in released models, longer prompts are cut.

        Args:
            text_encoder: The CLIP text model.
            texts: B prompts.
            clip_skip: How many of the last layers to leave out; the final layer norm is applied in any case.

        Raises:
            GraphError: E_CLIP_SKIP, the encoder has no more layers.
        """
        if clip_skip >= text_encoder.config["num_hidden_layers"]:
            raise GraphError(
                "E_CLIP_SKIP",
                f"clip_skip {clip_skip} leaves no layer of {text_encoder.config['num_hidden_layers']}",
                hint="use a smaller clip_skip",
            )
        tokens = text_encoder.clips[0].tokens.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=text_encoder.config["max_position_embeddings"],
            return_tensors="pt",
        )
        ids = tokens.input_ids.to(text_encoder.device)
        with text_encoder.gradients(), text_encoder.active(ids=ids) as module:
            if not clip_skip:
                return Conditioning(module(ids).last_hidden_state.float())
            hidden = module(ids, output_hidden_states=True).hidden_states[-1 - clip_skip]
            return Conditioning(text_encoder.root.layers[TEXT_ROOT + "final_layer_norm"](hidden).float())

    def predict(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None = None,
    ) -> Tensor:
        """The UNet's output (B, C, h, w), float32; `timesteps` is (B,) or a single number, `sizes` is not read."""
        dtype = denoiser.root.placement.dtype
        noisy, text = noisy.to(dtype), conditioning.data.to(dtype)
        with denoiser.active(noisy=noisy, timesteps=timesteps, conditioning=text) as module:
            return module(noisy, timesteps, text, return_dict=False)[0].float()

    def encode_image(self, vae: Vae, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents of pictures (B, 3, H, W) in [0, 1], before scaling."""
        with vae.gradients(), vae.active() as module:
            moments = module.encode((images.to(vae.device) * 2 - 1).to(vae.root.placement.dtype)).latent_dist
            return moments.mean.float(), moments.std.float()

    def decode(self, vae: Vae, latents: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), float32 in [0, 1], of scaled latents."""
        return self.reconstruct(vae, latents).clamp(0, 1)

    def reconstruct(self, vae: Vae, latents: Tensor) -> Tensor:
        """What `decode` gives, not yet cut to [0, 1]."""
        with vae.gradients(), vae.active() as module:
            unscaled = (latents.to(vae.device) / self.scaling_factor(vae)).to(vae.root.placement.dtype)
            return module.decode(unscaled, return_dict=False)[0].float() / 2 + 0.5

    def scaling_factor(self, vae: Vae) -> float:
        return float(vae.config.get("scaling_factor", 0.18215))

    def latent_shape(self, vae: Vae, width: int, height: int) -> tuple[int, int, int]:
        """Channels, height and width of the latents of a picture.

        Raises:
            GraphError: E_SIZE, the sides are no multiples of what the VAE needs.
        """
        factor = 2 ** (len(vae.config["block_out_channels"]) - 1)
        if width % factor or height % factor:
            raise GraphError(
                "E_SIZE",
                f"{width}×{height} pixels do not fit a VAE that makes one latent of {factor} pixels",
                hint=f"use multiples of {factor}; the UNet halves the latents further",
            )
        return vae.config["latent_channels"], height // factor, width // factor

    def save(
        self,
        folder: Path,
        denoiser: Denoiser,
        text_encoder: TextEncoder,
        vae: Vae,
        noise: NoiseSchedule,
        dtype: torch.dtype,
        metadata: Mapping[str, str],
    ) -> None:
        """Write a folder that `StableDiffusionPipeline.from_pretrained` loads, without safety checker.

        Plugins are not part of it: the weights are those of the roots.
        """
        import diffusers

        parts = (
            ("unet", denoiser, "UNet2DConditionModel", "diffusion_pytorch_model.safetensors"),
            ("text_encoder", text_encoder, "CLIPTextModel", "model.safetensors"),
        )
        for name, handle, cls, file in parts:
            part = folder / name
            part.mkdir(parents=True)
            write_json(part / "config.json", _full_config(handle, cls))
            write_weights(part / file, base_state(handle, dtype), {"format": "pt", **metadata})
        self.save_vae(folder / "vae", vae, dtype, metadata)
        text_encoder.clips[0].tokens.tokenizer.save_pretrained(folder / "tokenizer")
        (folder / "scheduler").mkdir()
        write_json(folder / "scheduler" / "scheduler_config.json", dict(noise.config))
        write_json(
            folder / "model_index.json",
            {
                "_class_name": "StableDiffusionPipeline",
                "_diffusers_version": diffusers.__version__,
                "feature_extractor": [None, None],
                "image_encoder": [None, None],
                "requires_safety_checker": False,
                "safety_checker": [None, None],
                "scheduler": ["diffusers", noise.config["_class_name"]],
                "text_encoder": ["transformers", "CLIPTextModel"],
                "tokenizer": ["transformers", "CLIPTokenizer"],
                "unet": ["diffusers", "UNet2DConditionModel"],
                "vae": ["diffusers", "AutoencoderKL"],
            },
        )


FAMILY = SD15()


def base_state(handle: Handle, dtype: torch.dtype) -> dict[str, Tensor]:
    """The base model's weights by their names in files."""
    rename = handle.root.parameter_name
    state = handle.root.module.state_dict()
    return {rename(name): value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}


def _full_config(handle: Handle, cls: str) -> dict[str, Any]:
    config = handle.root.module.config
    if cls == "CLIPTextModel":
        return {**config.to_dict(), "architectures": [cls]}
    return {**{name: value for name, value in config.items() if not name.startswith("_")}, "_class_name": cls}


def _unet(config: Mapping[str, Any]) -> UNet2DConditionModel:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel.from_config(dict(config))


def _vae(config: Mapping[str, Any]) -> AutoencoderKL:
    from diffusers import AutoencoderKL

    return AutoencoderKL.from_config(dict(config))


def _vae_root(placement: Placement, config: Mapping[str, Any], read: Callable[[], dict[str, Tensor]]) -> Root:
    return Root(lambda: build(partial(_vae, config), _current_vae(read()), "VAE"), placement)


def _text_model(config: Mapping[str, Any]) -> CLIPTextModel:
    from transformers import CLIPTextConfig, CLIPTextModel

    known = {name: value for name, value in config.items() if name not in ("architectures", "transformers_version")}
    return CLIPTextModel._from_config(CLIPTextConfig(**known), attn_implementation="sdpa")


def _text_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kept = {name: value for name, value in state.items() if not name.endswith(NOT_OF_THE_TEXT_MODEL)}
    return {text_layer(name): value for name, value in kept.items()}


def _current_vae(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def rename(name: str) -> str:
        if ".attentions." in name:
            for old, new in OLD_VAE_NAMES.items():
                name = name.replace(old, new)
        return name

    return {rename(name): value for name, value in state.items()}


def _read_tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    if not folder.is_dir():
        raise GraphError("E_MODEL_FOLDER", "the tokenizer folder is missing", hint="give a folder that diffusers saved")
    return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


def _seeded(make: Callable[[], nn.Module], seed: int) -> Callable[[], nn.Module]:
    def seeded() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)
            return make()

    return seeded
