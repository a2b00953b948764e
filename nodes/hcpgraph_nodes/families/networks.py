"""The modules that Stable Diffusion models are made of, and their names and weights in files.

Classes are chosen here and never by a file. CLIP's layers are named `text_model.…` whatever transformers calls its
modules: release 5.6 dropped that level in `CLIPTextModel`, but not in `CLIPTextModelWithProjection`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from .. import private
from ..model.handles import Handle
from .weights import build, made

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

TABLE = {
    "table": "layer_groups",
    "name": "clip",
    "groups": {
        "attention": [r"re:.*self_attn\.(q|k|v|out)_proj$"],
        "self_attention": [r"re:.*self_attn\.(q|k|v|out)_proj$"],
        "mlp": [r"re:.*\.mlp\.fc[12]$"],
        "norm": ["cls:LayerNorm"],
        "embedding": [r"re:.*embeddings\.(token|position)_embedding$"],
    },
}
"""The text networks of CLIP."""
Config = Mapping[str, Any]
State = dict[str, Tensor]
TEXT_ROOT = "text_model."
PROJECTION = "text_projection"
OLD_EOS = 2
"""What configurations of old CLIP models name as the end token: the pooled embedding is then at the highest id."""
CLIP_END = 49407
"""Id of the end token in CLIP's vocabulary."""
NOT_OF_THE_TEXT_MODEL = ("embeddings.position_ids", "logit_scale")
OLD_VAE_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
VOCABULARY = ("vocab.json", "merges.txt")
"""What transformers takes for a tokenizer of two tokens where it is missing."""
NOT_TEXT_CONFIG = ("architectures", "transformers_version")


@dataclass(frozen=True)
class TextPart:
    """One text network of a family.

    Attributes:
        name: Its component in a diffusers folder.
        tokenizer: Its tokenizer's component there.
        prefix: What the names of its layers begin with in the handle.
        single: What its keys begin with in a single file.
        open_clip: Whether single files hold it in OpenCLIP's layout.
        padding: The token that fills up its prompts.
        projected: Whether it gives a projected, pooled embedding.
        comfy: What ComfyUI calls it.
        hcp: What its layers begin with in files of HCP-Diffusion, that of 0.9 first.
        other_kohya: What else stands for it in keys of kohya's kind; OneTrainer counts a single encoder.
    """

    name: str
    tokenizer: str
    prefix: str
    single: str
    open_clip: bool
    padding: str
    projected: bool = False
    comfy: str = ""
    hcp: tuple[str, ...] = ("",)
    other_kohya: tuple[str, ...] = ()

    @property
    def cls(self) -> str:
        return "CLIPTextModelWithProjection" if self.projected else "CLIPTextModel"


class TextNetworks(nn.Module):
    """Several text networks as one module; its children have the names of their components.

    Args:
        networks: The networks by name, in the order in which their embeddings are joined.
    """

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, network in networks.items():
            self.add_module(name, network)

    def forward(self, ids: Mapping[str, Tensor]) -> dict[str, Any]:
        """What every network gives for its token ids (B, L), with all hidden states."""
        return {name: network(ids[name], output_hidden_states=True) for name, network in self.named_children()}


def text_layer(name: str) -> str:
    """The name in files of a layer of one text network."""
    return name if name.startswith((TEXT_ROOT, PROJECTION)) else TEXT_ROOT + name


def named_text_layer(parts: Sequence[TextPart]) -> Callable[[str], str]:
    """Run-time name -> name in files, of the layers of a handle with these networks."""
    if len(parts) == 1 and not parts[0].prefix:
        return text_layer
    known = {part.name: part.prefix for part in parts}

    def rename(name: str) -> str:
        network, _, layer = name.partition(".")
        return known[network] + text_layer(layer) if layer else name

    return rename


def unet(config: Config) -> UNet2DConditionModel:
    from diffusers import UNet2DConditionModel

    made: UNet2DConditionModel = UNet2DConditionModel.from_config(dict(config))
    return made


def autoencoder(cls: str, config: Config) -> nn.Module:
    """An untrained autoencoder of a class of diffusers."""
    import diffusers

    made: nn.Module = getattr(diffusers, cls).from_config(dict(config))
    return made


def text_model(part: TextPart, config: Config) -> nn.Module:
    """One text network; the pooled embedding is at the end token, also behind words that were added to a tokenizer."""
    import transformers

    known = {name: value for name, value in config.items() if name not in NOT_TEXT_CONFIG}
    if known.get("eos_token_id") == OLD_EOS and known.get("vocab_size", 0) >= CLIP_END + 1:
        known["eos_token_id"] = CLIP_END
    settings = transformers.CLIPTextConfig(**known)
    return private.text_network(part.cls, settings)


def text_networks(parts: Sequence[TextPart], configs: Iterable[Config]) -> nn.Module:
    """The root module of a text encoder."""
    made = {part.name: text_model(part, config) for part, config in zip(parts, configs, strict=True)}
    return TextNetworks(made) if parts[0].prefix else made[parts[0].name]


def built_text(parts: Sequence[TextPart], configs: Sequence[Config], read: Sequence[Callable[[], State]]) -> nn.Module:
    """The root module of a text encoder with the weights that `read` gives for each of its networks."""
    made = {}
    for part, config, states in zip(parts, configs, read, strict=True):
        make = partial(text_model, part, config)
        made[part.name] = build(make, text_state(states(), part), part.name.replace("_", " "), text_layer)
    return TextNetworks(made) if parts[0].prefix else made[parts[0].name]


def text_state(state: Mapping[str, Tensor], part: TextPart) -> State:
    """Weights by their names in files, without what is no part of the network."""
    foreign = NOT_OF_THE_TEXT_MODEL if part.projected else (*NOT_OF_THE_TEXT_MODEL, f"{PROJECTION}.weight")
    return {text_layer(name): value for name, value in state.items() if not name.endswith(foreign)}


def current_vae(state: Mapping[str, Tensor]) -> State:
    """Weights of an AutoencoderKL by its names of today; older releases called the attention's layers otherwise."""

    def rename(name: str) -> str:
        if ".attentions." in name:
            for old, new in OLD_VAE_NAMES.items():
                name = name.replace(old, new)
        return name

    return {rename(name): value for name, value in state.items()}


def read_tokenizer(folder: Path) -> Any:
    """CLIP's tokenizer in a folder.

    Raises:
        GraphError: E_MODEL_FOLDER, it is missing, empty or broken.
    """
    from transformers import CLIPTokenizer

    if not folder.is_dir():
        raise GraphError(
            "E_MODEL_FOLDER", f"the {folder.name} folder is missing", hint="give a folder that diffusers saved"
        )
    if not (folder / "tokenizer.json").is_file() and not all((folder / name).is_file() for name in VOCABULARY):
        raise GraphError(
            "E_MODEL_FOLDER",
            f"the {folder.name} folder has neither tokenizer.json nor {' and '.join(VOCABULARY)}",
            hint="give a folder that diffusers saved",
        )
    try:
        return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises Exception itself
        raise GraphError(
            "E_MODEL_FOLDER",
            f"the {folder.name} folder cannot be read: {error}",
            hint="fetch it again",
        ) from error


def seeded(make: Callable[[], nn.Module], seed: int, what: str) -> Callable[[], nn.Module]:
    """`make` with a generator of its own; the global one stays as it is.

    Args:
        make: Makes a module of a configuration.
        seed: Of its weights.
        what: Name of the component for messages.
    """

    def drawn() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return made(make, what)

    return drawn


def refuse_strange(config: Iterable[str], known: Sequence[str], family: str) -> None:
    """For configurations of components that a family does not have.

    Raises:
        GraphError: E_SETTING.
    """
    if strange := sorted(set(config) - set(known)):
        message = f"{family} has no {', '.join(strange)}"
        raise GraphError("E_SETTING", message, port="config", hint=f"its parts are {', '.join(known)}")


def base_state(handle: Handle, dtype: torch.dtype) -> State:
    """The base model's weights by their names in files."""
    rename = handle.root.parameter_name
    state = handle.root.module.state_dict()
    return {rename(name): value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}


def full_config(module: nn.Module, cls: str) -> dict[str, Any]:
    """Everything that the class needs to be made again."""
    config: Any = module.config
    if cls.startswith("CLIP"):
        return {**config.to_dict(), "architectures": [cls]}
    return {**{name: value for name, value in config.items() if not name.startswith("_")}, "_class_name": cls}
