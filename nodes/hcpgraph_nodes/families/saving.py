"""Writing a Stable Diffusion model: as a diffusers folder, or as one file in the original layout.

Plugins are not part of either: the weights are those of the roots.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from ..model.clip import Clip
from ..model.handles import Denoiser, TextEncoder, Vae
from ..types import Process
from . import file_marks, ldm_file
from .base import Components, Family
from .clip_bpe import clip_tokenizer
from .identity import modelspec
from .networks import State, TextPart, base_state, full_config
from .weights import write_json, write_weights

UNET_FILE, TEXT_FILE = "diffusion_pytorch_model.safetensors", "model.safetensors"


class StableDiffusion(Family, Protocol):
    """What writing asks of a family that is a UNet, text networks and an AutoencoderKL."""

    @property
    def texts(self) -> tuple[TextPart, ...]:
        """The text networks."""

    def pipeline_of(self, denoiser: Denoiser) -> str:
        """The class in diffusers."""

    @property
    def nulls(self) -> tuple[str, ...]:
        """Components of that pipeline that a saved folder leaves empty."""

    def model_index(self, denoiser: Denoiser) -> dict[str, Any]:
        """Plain settings of the pipeline."""

    def file_marks(self, noise: Process) -> dict[str, Tensor]:
        """Tensors by which a single file says what is particular to its forward process."""

    def full_vae_config(self, vae: Vae) -> dict[str, object]:
        """Everything that the VAE's class needs."""


def save_folder(
    family: StableDiffusion, folder: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]
) -> None:
    """Fill a folder that the family's pipeline in diffusers loads, without safety checker."""
    import diffusers

    denoiser, _, vae, noise = model
    configs = _configs(family, model)
    header = {"format": "pt", **metadata}
    _component(folder / "unet", configs["unet"], UNET_FILE, base_state(denoiser, dtype), header)
    for part, clip, state in _networks(family, model[1], dtype):
        _component(folder / part.name, configs[part.name], TEXT_FILE, state, header)
        clip.tokens.tokenizer.save_pretrained(folder / part.tokenizer)
    family.save_vae(folder / "vae", vae, dtype, metadata)
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", configs["scheduler"])
    index: dict[str, Any] = {"_class_name": family.pipeline_of(denoiser), "_diffusers_version": diffusers.__version__}
    index |= family.model_index(denoiser) | {name: [None, None] for name in family.nulls}
    index |= {part.name: ["transformers", part.cls] for part in family.texts}
    index |= {part.tokenizer: ["transformers", "CLIPTokenizer"] for part in family.texts}
    index |= {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    write_json(folder / "model_index.json", index | {"scheduler": ["diffusers", noise.config["_class_name"]]})


def save_single(
    family: StableDiffusion, path: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]
) -> None:
    """Write one .safetensors file in the original layout; its header holds the configurations too.

    Raises:
        GraphError: E_LAYOUT, E_TOKENIZER: the layout has no place for a part of the model.
    """
    denoiser, text_encoder, vae, noise = model
    configs = _configs(family, model)
    state = ldm_file.unet_keys(base_state(denoiser, dtype), configs["unet"])
    state |= ldm_file.vae_keys(base_state(vae, dtype), configs["vae"])
    for part, clip, weights in _networks(family, text_encoder, dtype):
        _require_known_tokens(part, clip)
        state |= ldm_file.text_keys(weights, part.single, open_clip=part.open_clip)
    state |= family.file_marks(noise)
    kind = noise.prediction_type
    header = {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.1",
        **modelspec(family, denoiser.config, kind),
        "modelspec.implementation": "sgm",
        "modelspec.title": path.stem,
        "modelspec.prediction_type": "v" if kind == "v_prediction" else kind,
        file_marks.CONFIGS: json.dumps(configs, sort_keys=True),
    }
    write_weights(path, state, header | dict(metadata))


def _configs(family: StableDiffusion, model: Components) -> dict[str, dict[str, Any]]:
    denoiser, text_encoder, vae, noise = model
    return {
        "unet": full_config(denoiser.root.module, "UNet2DConditionModel"),
        **{part.name: full_config(_network(text_encoder, part), part.cls) for part in family.texts},
        "vae": family.full_vae_config(vae),
        "scheduler": dict(noise.config),
    }


def _network(text_encoder: TextEncoder, part: TextPart) -> nn.Module:
    module = text_encoder.root.module
    return module.get_submodule(part.name) if part.prefix else module


def _networks(
    family: StableDiffusion, text_encoder: TextEncoder, dtype: torch.dtype
) -> Iterator[tuple[TextPart, Clip, State]]:
    """Every text network with its tokenizer and its weights by their names in its own file."""
    state = base_state(text_encoder, dtype)
    for part, clip in zip(family.texts, text_encoder.clips, strict=True):
        own = {name.removeprefix(part.prefix): value for name, value in state.items() if name.startswith(part.prefix)}
        yield part, clip, own


def _component(
    folder: Path, config: Mapping[str, Any], file: str, state: Mapping[str, Tensor], header: Mapping[str, str]
) -> None:
    folder.mkdir(parents=True)
    write_json(folder / "config.json", config)
    write_weights(folder / file, state, header)


def _require_known_tokens(part: TextPart, clip: Clip) -> None:
    own = clip.tokens.tokenizer
    standard = clip_tokenizer(clip.config["vocab_size"], clip.config["max_position_embeddings"], part.padding)
    if own.get_vocab() != standard.get_vocab():
        raise GraphError(
            "E_TOKENIZER",
            f"the {part.tokenizer} of this model has a vocabulary of its own, which a single file cannot hold",
            hint="save the model as a folder",
        )
