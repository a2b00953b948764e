"""Writing a model of diffusion transformers: as a diffusers folder, or as one file in the authors' layout.

Plugins are not part of either: the weights are those of the roots.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from hcpgraph import GraphError

from ...model.clip import Clip
from ...model.handles import Denoiser, TextEncoder, Vae
from .. import file_marks
from ..base import Components, Family
from ..identity import modelspec
from ..networks import State, base_state
from ..weights import write_json, write_weights
from .networks import Network, TextNetwork, untied


class Transformers(Family, Protocol):
    """What writing asks of a family of transformers."""

    @property
    def transformer(self) -> Network:
        """The denoiser."""

    @property
    def vae(self) -> Network:
        """The autoencoder."""

    @property
    def texts(self) -> tuple[TextNetwork, ...]:
        """The text networks."""

    @property
    def nulls(self) -> tuple[str, ...]:
        """Components of the pipeline that a saved folder leaves empty."""

    @property
    def index(self) -> Mapping[str, Any]:
        """Plain settings of the pipeline."""

    def pipeline_of(self, denoiser: Denoiser) -> str:
        """The class in diffusers."""

    def full_vae_config(self, vae: Vae) -> dict[str, object]:
        """Everything that the VAE's class needs."""

    def vae_keys(self, vae: Vae, dtype: torch.dtype) -> State:
        """The VAE's weights by their keys in a single file."""


def save_folder(
    family: Transformers, folder: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]
) -> None:
    """Fill a folder that the family's pipeline in diffusers loads."""
    import diffusers

    denoiser, text_encoder, vae, process = model
    configs = _configs(family, model)
    header = {"format": "pt", **metadata}
    _component(folder, family.transformer, configs, base_state(denoiser, dtype), header)
    for text, clip, state in networks_of(family, text_encoder, dtype):
        _component(folder, text, configs, state, header)
        tokenizer = clip.tokens.tokenizer
        whole = tokenizer if text.processor is None else text.processor(tokenizer, configs[text.name])
        if text.processor_name:
            tokenizer.save_pretrained(folder / text.tokenizer)
        if clip.images is not None:
            whole.image_processor = clip.images.tokenizer
        whole.save_pretrained(folder / (text.processor_name or text.tokenizer))
    family.save_vae(folder / family.vae.name, vae, dtype, metadata)
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", configs["scheduler"])
    pipeline = family.pipeline_of(denoiser)
    cls = getattr(diffusers, pipeline, None)  # a family of a pack may name one of another package
    empty = [name for name in family.nulls if cls is None or name in signature(cls).parameters]
    index: dict[str, Any] = {"_class_name": pipeline, "_diffusers_version": diffusers.__version__}
    index |= dict(family.index) | {name: [None, None] for name in empty}
    for text in family.texts:
        there = text.name in configs
        classes = {text.name: text.cls, text.tokenizer: text.tokenizer_cls}
        if text.processor_cls:
            classes[text.processor_name or text.tokenizer] = text.processor_cls
        index |= {name: ["transformers", own] if there else [None, None] for name, own in classes.items()}
    for network in (family.transformer, family.vae):
        index[network.name] = [network.library, network.cls]
    write_json(folder / "model_index.json", index | {"scheduler": ["diffusers", process.config["_class_name"]]})


def save_file(
    family: Transformers, path: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]
) -> None:
    """Write one .safetensors file in the authors' layout; its header holds the configurations too.

    Raises:
        GraphError: E_TOKENIZER: a vocabulary of its own, where programs take the released one for granted.
    """
    denoiser, text_encoder, vae, process = model
    configs = _configs(family, model)
    state = _placed(family.transformer, configs, base_state(denoiser, dtype))
    state |= family.vae_keys(vae, dtype)
    for text, clip, weights in networks_of(family, text_encoder, dtype):
        _require_known_tokens(text, clip)
        state |= _placed(text, configs, weights)
    header = {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.1",
        **modelspec(family, denoiser.config, process.prediction_type),
        "modelspec.implementation": "diffusers",
        "modelspec.title": path.stem,
        "modelspec.prediction_type": {"v_prediction": "v"}.get(process.prediction_type, process.prediction_type),
        file_marks.CONFIGS: json.dumps(configs, sort_keys=True),
    }
    write_weights(path, state, header | dict(metadata))


def networks_of(
    family: Transformers, text_encoder: TextEncoder, dtype: torch.dtype
) -> Iterator[tuple[TextNetwork, Clip, State]]:
    """Every text network that the model has, with its tokenizer and its weights by their names in its own file."""
    state = base_state(text_encoder, dtype)
    clips = {clip.name: clip for clip in text_encoder.clips}
    for text in family.texts:
        if text.name in clips:
            own = {
                name.removeprefix(text.prefix): value for name, value in state.items() if name.startswith(text.prefix)
            }
            yield text, clips[text.name], untied(text, own)


def full_config(network: Network, module: nn.Module) -> dict[str, Any]:
    """Everything that the class needs to be made again."""
    config: Any = module.config
    if network.library == "transformers":
        return {**config.to_dict(), "architectures": [network.cls]}
    return {**{name: value for name, value in config.items() if not name.startswith("_")}, "_class_name": network.cls}


def _configs(family: Transformers, model: Components) -> dict[str, dict[str, Any]]:
    denoiser, text_encoder, vae, process = model
    module = text_encoder.root.module
    there = {clip.name for clip in text_encoder.clips}
    return {
        family.transformer.name: full_config(family.transformer, denoiser.root.module),
        **{
            text.name: full_config(text, module.get_submodule(text.name)) for text in family.texts if text.name in there
        },
        family.vae.name: family.full_vae_config(vae),
        "scheduler": dict(process.config),
    }


def _component(
    folder: Path, network: Network, configs: Mapping[str, Any], state: State, header: Mapping[str, str]
) -> None:
    (folder / network.name).mkdir(parents=True)
    write_json(folder / network.name / "config.json", configs[network.name])
    write_weights(folder / network.name / f"{network.stem}.safetensors", state, header)


def _placed(network: Network, configs: Mapping[str, Any], state: State) -> State:
    """Weights by their keys in a single file."""
    original = state if network.layout is None else network.layout(configs[network.name]).write(state)
    return {network.files[0] + name: value for name, value in original.items()}


def _require_known_tokens(text: TextNetwork, clip: Clip) -> None:
    if not text.known_tokenizer:
        return
    if clip.tokens.tokenizer.get_vocab() != text.make_tokenizer(clip.config).get_vocab():
        raise GraphError(
            "E_TOKENIZER",
            f"the {text.tokenizer} of this model has a vocabulary of its own, which a single file cannot hold",
            hint="save the model as a folder",
        )
